"""The image of a bento gets what the service imports, pinned and hashed as everything else, and no more."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from services import requirements

LOCK = """\
Big-Tool==2.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
small.part==1.5 ; python_version > "3" \\
    --hash=sha256:cc
other==3.0 \\
    --hash=sha256:dd
"""

START = """
import asyncio, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Absent())
from services.service import Tandem

async def start():
    app = Tandem.to_asgi()
    async with app.router.lifespan_context(app):
        print("started")

asyncio.run(start())
"""


def names(lock: str) -> set[str]:
    return {canonicalize_name(line.split("==")[0]) for line in lock.splitlines() if "==" in line}


def test_entries_are_selected_whole_and_in_order_of_name() -> None:
    found = requirements.select(LOCK, ["small-part", "big-tool"])
    assert found == LOCK[: LOCK.index("other")]


def test_the_selection_in_the_repository_is_the_present_one(root: Path) -> None:
    wanted = requirements.closure((root / requirements.WANTED).read_text().split())
    expected = requirements.select((root / requirements.LOCK).read_text(), wanted)
    assert (root / requirements.SELECTED).read_text() == expected, "run `python -m services.requirements`"


def test_the_image_holds_no_training_and_no_registry(root: Path) -> None:
    found = names((root / requirements.SELECTED).read_text())
    assert not found & {"tensorflow-cpu", "keras", "mlflow", "prefect", "dvc", "great-expectations", "scikit-learn"}


def test_the_service_starts_with_nothing_but_what_the_image_holds(root: Path, served: dict[str, str]) -> None:
    allowed = names((root / requirements.SELECTED).read_text()) | {"tandem"}
    owners = metadata.packages_distributions().items()
    absent = {module for module, held_by in owners if not allowed & {canonicalize_name(name) for name in held_by}}
    assert "tensorflow" in absent
    done = subprocess.run([sys.executable, "-c", START, *absent], cwd=root, env=served, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("started\n")
