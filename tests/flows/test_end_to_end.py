"""From raw files to an answer over HTTP, in a copy of the project: the flows themselves, without a Prefect server."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from flows import bento
from tandem import demo, files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

QUICK = {"epochs": 2, "dim": 16}  # what every network that has it is set to: the path is tested, not the ranking


@pytest.fixture
def shop(project: Path) -> Path:
    """A small demo shop's exports, and params for networks that train in seconds."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    for network in params["networks"].values():
        network.update({key: value for key, value in QUICK.items() if key in network})
    yaml.dump(params, Path("params.yaml"))
    raw = project.parent / "export"
    demo.generate(raw, project.parent / "truth", demo.DemoSize.small(), seed=7)
    return raw


def tandem(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    return done


def outputs() -> dict[str, str]:
    """Content of all that DVC keeps and of the decision, by name; data/raw is the input."""
    kept = [Path("dvc.lock"), Path("reports/evaluation.json")]
    folders = [Path("data", name) for name in ("canonical", "snapshot", "splits", "features", "vectors")]
    return {str(path): files.hash_file(path) for path in kept} | {
        str(path): files.hash_folder(path) for path in folders
    }


def test_the_whole_path_and_a_question(shop: Path) -> None:
    said = tandem("run", "--source", "demo", "--raw", str(shop)).stdout
    report = files.read_json(Path("reports/evaluation.json"))
    for task in ("recommend", "related"):
        assert report["tasks"][task]["decision"]["winner"] in said
    before = outputs()

    again = tandem("retrain").stdout
    assert "Running stage" not in again
    assert outputs() == before

    (deployed,) = files.read_json(Path(".tandem/deployed.json"))
    champions = files.read_json(Path("reports/registry.json"))["tasks"]
    assert deployed["releases"] == {task: outcome["champion"] for task, outcome in champions.items()}
    product = files.read_json(Path("data/serving/related/vocabulary.json"))[0]
    port = bento.free_port()
    command = [sys.executable, "-m", "flows.cli", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            answer = _ask(f"http://127.0.0.1:{port}/related", {"product_id": product, "k": 3})
        finally:
            server.send_signal(signal.SIGTERM)
    assert answer["model_version"] == champions["related"]["champion"]["content_hash"]
    assert 1 <= len(answer["items"]) <= 3
    assert product not in {item["product_id"] for item in answer["items"]}


@pytest.mark.parametrize("stage", ["validate", "count", "evaluate", "register"])
def test_killed_in_any_stage_it_ends_the_same(shop: Path, stage: str) -> None:
    """Kill the command alone, as hard as can be, while a stage runs: what it left behind is ended, the result equal."""
    tandem("ingest", "--source", "demo", "--raw", str(shop))
    _kill_in(stage)
    tandem("retrain")
    killed = outputs()
    for path in ("dvc.lock", "data/canonical/events.parquet"):
        Path(path).unlink()
    tandem("retrain")
    assert outputs() == killed


def _kill_in(stage: str) -> None:
    module = "flows.promote" if stage == "register" else f"stages.{stage}"
    run = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "retrain"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while run.poll() is None:
        children = psutil.Process(run.pid).children(recursive=True)
        if any(module in _command(child) for child in children):
            break
        time.sleep(0.05)
    assert run.poll() is None, f"stage {stage} never ran"
    os.kill(run.pid, signal.SIGKILL)
    run.wait()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _ask(url: str, question: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(question).encode(), {"Content-Type": "application/json"})
    ends = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)
