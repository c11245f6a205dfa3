"""From raw files to an answer over HTTP, in a copy of the project: the flows themselves, without a Prefect server."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import psutil
import pytest
from ruamel.yaml import YAML

from flows import bento, snapshots
from tandem import demo, files
from tandem.data import schema
from tandem.evaluation import ablation, bundles
from tandem.evaluation.report import table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TABLES = ("canonical", "snapshot", "splits", "features", "vectors")
KILLED = ("stages.validate", "stages.count", "stages.train", "stages.blend", "stages.evaluate", "flows.promote")
MADE = (*TABLES, "sentiment", "encoders", "relations", "trials", "releases")
QUICK = {"epochs": 2, "dim": 16}  # what every network that has it is set to: the path is tested, not the ranking


@pytest.fixture
def shop(project: Path) -> Path:
    """A small demo shop's exports, and params for networks that train in seconds."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    sections = (params[name] for name in ("picture", "sentiment", "relations"))
    for network in (*params["networks"].values(), *sections):
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
    """Content of every table and of the rankers that count, by folder."""
    return {name: files.hash_folder(Path("data", name)) for name in (*TABLES, "releases/counting")}


def test_the_whole_path_and_a_question(shop: Path) -> None:
    said = tandem("run", "--source", "demo", "--raw", str(shop)).stdout
    report = files.read_json(Path("reports/evaluation.json"))
    for task in ("recommend", "related"):
        assert report["tasks"][task]["decision"]["winner"] in said
    ablations = files.read_json(Path("reports/ablations.json"))
    assert ablations["data_hash"] == report["data_hash"]
    assert {"no text", "no picture"} <= ablations["views"]["together"]["differences"].keys()
    assert ablation.table(ablations) in said
    assert bundles.table(files.read_json(Path("reports/bundles.json"))) in said
    vectors = files.read_arrays(Path("data/vectors/final.npz"))
    assert np.isfinite(vectors["text"]).all(axis=1).any()
    assert np.isfinite(vectors["picture"]).all(axis=1).any()
    assert files.read(Path("data/opinions.parquet"), schema.OPINIONS)["tone"].notna().any()
    before = outputs()

    again = tandem("retrain").stdout  # the champion is there now: it is compared with, nothing is trained
    assert re.findall(r"Running stage '(\w+)", again) == ["evaluate", "register"]
    assert "Running stage" not in tandem("retrain").stdout
    assert outputs() == before
    (version,) = snapshots.listed()
    assert version.id in tandem("data", "versions").stdout

    (deployed,) = files.read_json(Path(".tandem/deployed.json"))
    champions = files.read_json(Path("reports/registry.json"))["tasks"]
    assert deployed["releases"] == {task: outcome["champion"] for task, outcome in champions.items()}
    product = files.read_json(Path("data/serving/related/vocabulary.json"))[0]
    answer = _served({"product_id": product, "k": 3})
    assert answer["model_version"] == champions["related"]["champion"]["content_hash"]
    assert 1 <= len(answer["items"]) <= 3
    assert {"pairs", "learned", "final"} <= files.read_json(Path("reports/relations.json")).keys()
    assert {"complements", "substitutes", "bundles"} <= answer.keys()
    assert product not in {item["product_id"] for item in answer["items"]}
    other = answer["items"][0]["product_id"]
    explained = json.loads(tandem("explain", product, other, "--json").stdout)
    assert (explained["a"], explained["b"]) == (product, other)
    assert [of["about"] for of in explained["statements"][:2]] == ["release", "served"]
    assert explained["statements"][0]["values"]["content_hash"] == answer["model_version"]
    told = {of["about"] for of in explained["statements"]}
    assert ("network: complement" in told) == any("users" in of["values"] for of in explained["statements"])
    assert (
        "no such product"
        in subprocess.run(
            [sys.executable, "-m", "flows.cli", "explain", product, "no such product"], capture_output=True, text=True
        ).stderr
    )


def _served(question: dict) -> dict:
    """What `tandem serve` answers to `/related`."""
    port = bento.free_port()
    command = [sys.executable, "-m", "flows.cli", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            return _ask(f"http://127.0.0.1:{port}/related", question)
        finally:
            server.send_signal(signal.SIGTERM)


def test_killed_in_any_stage_it_ends_the_same(shop: Path) -> None:
    """Kill the command alone, as hard as can be, in every second stage of KILLED (`make test-full`: in every one): what
    it leaves behind is ended too.
    """
    _keep_one_network()
    tandem("ingest", "--source", "demo", "--raw", str(shop))
    tandem("retrain")
    undisturbed, printed = outputs(), _printed()
    _forget()
    for module in KILLED[:: 1 if os.environ.get("FULL") else 2]:
        _kill_in(module)
    tandem("retrain")
    assert outputs() == undisturbed
    assert _printed() == printed


def _keep_one_network() -> None:
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["networks"] = {"association": params["networks"]["association"]}
    yaml.dump(params, Path("params.yaml"))
    pipeline = yaml.load(Path("dvc.yaml"))
    del pipeline["stages"]["ablate"]  # trains it four times more
    yaml.dump(pipeline, Path("dvc.yaml"))


def _printed() -> str:
    """The printed measurements, winners and champions; not whether a champion was there before the kill or after."""
    report = files.read_json(Path("reports/evaluation.json"))
    champions = files.read_json(Path("reports/registry.json"))["tasks"]
    for task, part in report["tasks"].items():
        part["decision"]["reasons"] = [part["decision"]["winner"], champions[task]["champion"]["name"]]
    return table(report)


def _forget() -> None:
    """Everything that was made of the raw files, caches and registry included."""
    Path("dvc.lock").unlink()
    Path("data/opinions.parquet").unlink()
    for folder in (".dvc/cache/runs", ".tandem/mlartifacts", "reports", *(f"data/{name}" for name in MADE)):
        shutil.rmtree(folder)
    Path(".tandem/mlflow.db").unlink()


def _kill_in(module: str) -> None:
    command = [sys.executable, "-m", "flows.cli", "retrain"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while run.poll() is None:
        children = psutil.Process(run.pid).children(recursive=True)
        if any(module in _command(child) for child in children):
            break
        time.sleep(0.05)
    assert run.poll() is None, f"{module} never ran"
    run.kill()
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
