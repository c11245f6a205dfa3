"""`make` on a clone."""

import shutil
import subprocess
from pathlib import Path


def test_a_linked_environment_is_refused_and_stays_whole(root: Path, tmp_path: Path) -> None:
    shared, clone = tmp_path / "shared", tmp_path / "clone"
    shared.mkdir()
    (shared / "package.py").touch()
    clone.mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / name, clone)
    (clone / ".venv").symlink_to(shared)
    done = subprocess.run(["make", "-C", str(clone), "setup"], capture_output=True, text=True)
    assert done.returncode == 2
    assert ".venv is a symbolic link" in done.stdout
    assert [path.name for path in shared.iterdir()] == ["package.py"]
