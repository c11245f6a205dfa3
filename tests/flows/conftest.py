"""Projects to run flows in: real DVC repositories in a temporary folder, with all local state inside."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CODE = ("tandem", "models", "stages", "flows", "services", "sources")
FILES = ("params.yaml", "dvc.yaml", "prefect.yaml", "bentofile.yaml", "requirements.lock", "pyproject.toml", ".dvcignore")


@pytest.fixture
def repository(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project under git and DVC, which is the current folder; nothing of the caller's environment leaks in."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("TANDEM_", "PREFECT_", "MLFLOW_", "BENTOML_H"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TANDEM_HOME", str(folder / ".tandem"))
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    (folder / ".dvc").mkdir()
    for name in (".dvc/config", ".dvc/.gitignore", ".gitignore", ".dvcignore"):
        shutil.copy(root / name, folder / name)
    return folder


@pytest.fixture
def project(root: Path, repository: Path) -> Path:
    """A copy of the whole project without data, under git and DVC; the current folder."""
    for name in CODE:
        shutil.copytree(root / name, repository / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(root / name, repository / name)
    return repository
