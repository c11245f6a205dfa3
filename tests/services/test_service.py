"""The service as it runs: `bentoml serve` of the checkout, asked over the loopback."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
TARGET = "services.service:Tandem"


@pytest.fixture(scope="module")
def server(
    serve: Callable, served: dict[str, str], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    with serve(TARGET, root, served, tmp_path_factory.mktemp("log") / "server.txt") as started:
        yield started


def test_both_questions_are_answered(server: Any) -> None:
    wanted = server.post("/recommend", {"user_id": "finn", "k": 1})
    assert [item["product_id"] for item in wanted["items"]] == ["case-a"]
    assert wanted["items"][0]["reason"] == "because you bought Phone A"
    goes_with = server.post("/related", {"product_id": "phone-b", "k": 1})
    assert [item["product_id"] for item in goes_with["items"]] == ["case-b"]
    assert (wanted["model"], goes_with["model"]) == ("itemknn", "co_count")


def test_answers_are_counted_by_source(server: Any) -> None:
    def counted() -> float:
        lines = server.get("/metrics").splitlines()
        found = [
            line for line in lines if line.startswith('tandem_answers_total{source="popular_7d",task="recommend"}')
        ]
        return sum(float(line.split()[-1]) for line in found)

    before = counted()
    server.post("/recommend", {"user_id": "nobody"})
    assert counted() == before + 1
    assert "bentoml_service_request_duration_seconds" in server.get("/metrics")


def test_the_log_names_the_releases_and_no_user(server: Any) -> None:
    for user_id in ("finn", "secret-user"):
        server.post("/recommend", {"user_id": user_id})
    with pytest.raises(OSError, match="422"):
        server.post("/recommend", {"user_id": "secret-user", "k": 0})
    log = server.log.read_text()
    assert "recommend: itemknn" in log
    assert "secret-user" not in log
    assert "/recommend" not in log


def test_only_this_machine_is_listened_to(server: Any) -> None:
    port = f"{int(server.url.rpartition(':')[2]):04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
    assert [place for place in listening if place.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_no_worker_loads_tensorflow(server: Any) -> None:
    assert len(server.pids) > 1
    for pid in server.pids:
        assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"TANDEM_SERVING": "/nowhere"}, "/nowhere/recommend is not a release: manifest.json is missing"),
        ({"TANDEM_PSEUDONYM_KEY": ""}, "TANDEM_PSEUDONYM_KEY holds 0 characters where 64 hex digits are expected"),
        ({"TANDEM_PSEUDONYM_KEY": "00" * 32}, "it would know no user"),
    ],
)
def test_a_server_that_could_not_answer_does_not_start(
    served: dict[str, str], root: Path, changed: dict[str, str], message: str
) -> None:
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", TARGET, "--port", "0"]
    done = subprocess.run(command, cwd=root, env=served | changed, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
