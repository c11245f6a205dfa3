"""A bento is built once for one content, answers on loopback, and leaves no process behind."""

import json
import os
import socket
import urllib.request
from pathlib import Path

import psutil
import pytest

from flows import bento, prepare
from flows.bento import ServiceError

SERVICE = """
import os
from pathlib import Path
import bentoml

RELEASE = Path(__file__).resolve().parent.parent / "data" / "serving" / "recommend" / "release.txt"

@bentoml.service(name="tandem", workers=1)
class Tandem:
    def __init__(self):
        self.release = RELEASE.read_text()

    @bentoml.on_deployment
    @staticmethod
    def check():
        RELEASE.read_text()

    @bentoml.api
    def release_served(self) -> str:
        return self.release + os.environ.get("TANDEM_SERVING", "")
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def context(root: Path, repository: Path) -> Path:
    """What a bento is made of: a service that tells which release it carries."""
    prepare()
    folder = repository / "context"
    for name, text in {
        "services/service.py": SERVICE,
        "services/__init__.py": "",
        "data/serving/recommend/release.txt": "one",
        "bentofile.yaml": (root / "bentofile.yaml").read_text(),
        "services/requirements.lock": "numpy==2.4.6\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_bento_answers_from_what_it_carries_and_ends_with_its_block(
    context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counters of a server that runs in the usual home are not emptied by one that is only looked at."""
    monkeypatch.setenv("TANDEM_SERVING", "/somewhere/else")
    counters = Path(os.environ["BENTOML_HOME"]) / "prometheus_multiproc_dir" / "counter_1.db"
    counters.parent.mkdir(parents=True, exist_ok=True)
    counters.touch()
    tag = bento.build(context)
    assert bento.build(context) == tag
    with bento.serving(tag) as address:
        with urllib.request.urlopen(urllib.request.Request(f"{address}/release_served", b"{}", JSON)) as answer:
            assert answer.read().decode() in {"one", json.dumps("one")}
        port = int(address.rpartition(":")[2])
        assert _listening(port)
    assert not _listening(port)
    assert counters.exists()
    (context / "data/serving/recommend/release.txt").write_text("two")
    assert bento.build(context) != tag


def test_a_service_that_cannot_start_says_why(context: Path) -> None:
    (context / "data/serving/recommend/release.txt").unlink()
    tag = bento.build(context)
    with pytest.raises(ServiceError, match=r"did not get ready[\s\S]*release\.txt"), bento.serving(tag):
        pytest.fail("it got ready without its release")


def test_a_port_that_is_taken_is_named_with_a_way_out() -> None:
    with socket.socket() as holder:
        holder.bind((bento.HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"^port {port} of 127\.0\.0\.1 is taken.*`tandem serve --port \d+`"):
            bento.check_free(port)
    bento.check_free(port)  # once its holder is gone


JSON = {"Content-Type": "application/json"}


def _listening(port: int) -> bool:
    children = psutil.Process().children(recursive=True)
    return any(found.laddr.port == port for child in children for found in child.net_connections() if found.laddr)
