"""The command: quick to answer, one sentence when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # the real tools start

COMMANDS = (
    *("run", "ingest", "retrain", "deploy", "rollback", "bento", "serve", "report", "explain", "env", "demo"),
    *("sources", "refused", "data", "erase", "keys", "who"),
)


def tandem(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"})


def test_help_names_every_command_and_loads_nothing_heavy(project: Path) -> None:
    done = tandem("--help")
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"│ {name} " not in done.stdout] == []
    heavy = {"prefect", "mlflow", "bentoml", "dvc", "pandas", "numpy", "tensorflow"}
    code = f"import flows.cli, sys; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "error: reports/evaluation.json is missing: `tandem run` or `tandem retrain` makes it"),
        (["serve"], "error: nothing is deployed yet: `tandem run` or `tandem deploy` does it"),
        (["bento"], "error: data/serving is missing: `tandem deploy` fills it"),
        (["demo", "sources"], "error: sources exists; name a folder that does not"),
    ],
)
def test_what_is_wrong_is_one_sentence(project: Path, arguments: list[str], said: str) -> None:
    done = tandem(*arguments)
    assert (done.returncode, done.stderr.strip()) == (1, said)


def test_a_flow_that_refuses_is_one_sentence_too(project: Path) -> None:
    """Prefect runs without a server here, and its trace does not reach the user."""
    done = tandem("run", "--source", "online_retail", "--raw", "/nowhere")
    assert done.returncode == 1
    assert done.stderr.strip() == "error: raw data /nowhere does not exist"
    assert Path(".tandem/prefect/prefect.db").exists()
