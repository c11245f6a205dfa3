"""A bento is built from bentofile.yaml and answers from its own folder, with the releases it carries."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bento(root: Path, served: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bento of this code and the shop's releases."""
    source, store = tmp_path_factory.mktemp("source"), Path(served["BENTOML_HOME"])
    for name in ("tandem", "models", "services"):
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "bentofile.yaml", source)
    shutil.copytree(served["TANDEM_SERVING"], source / "data" / "serving")
    for decoy in ("tests/tandem/test_x.py", ".tandem/bentoml/bentos/tandem/old/src/x.py", "data/raw/shop/events.csv"):
        (source / decoy).parent.mkdir(parents=True)
        (source / decoy).write_text("not for shipping")
    command = [str(Path(sys.executable).with_name("bentoml")), "build", "--version", "test"]
    subprocess.run(command, cwd=source, env=served, capture_output=True, check=True, timeout=300)
    return store / "bentos" / "tandem" / "test"


def test_a_bento_answers_from_its_own_folder(
    bento: Path, serve: Callable, served: dict[str, str], tmp_path: Path
) -> None:
    environment = {name: value for name, value in served.items() if name != "TANDEM_SERVING"}
    with serve(str(bento), tmp_path, environment, tmp_path / "server.txt") as server:
        answer = server.post("/recommend", {"user_id": "finn", "k": 1})
        worker = Path(f"/proc/{server.pids[-1]}/cwd").resolve()
    assert [item["product_id"] for item in answer["items"]] == ["case-a"]
    assert worker == (bento / "src").resolve()


def test_a_bento_carries_code_and_releases_and_nothing_else(bento: Path) -> None:
    carried = {path.name for path in (bento / "src").iterdir()}
    assert carried == {"tandem", "models", "services", "data", "bentofile.yaml"}
    assert [path.name for path in (bento / "src" / "data").iterdir()] == ["serving"]
    assert {path.name for path in (bento / "src" / "data").iterdir()} == {"serving"}


def test_its_image_installs_the_selected_requirements(bento: Path, root: Path) -> None:
    selected = (root / "services" / "requirements.lock").read_text().split()
    assert (bento / "env" / "python" / "requirements.txt").read_text().split() == [*selected, "bentoml==1.4.39"]
