"""DVC as the flows use it: what a person is told when a stage fails, and what a killed run may leave behind."""

import json
import logging
from pathlib import Path

import pytest

from flows import versions
from flows.versions import PipelineError
from tandem.settings import Settings

pytestmark = pytest.mark.slow  # the real tools start

PIPELINE = """
stages:
  double:
    cmd: python double.py
    deps: [double.py, data/raw/shop]
    outs: [data/doubled.txt]
  count:
    cmd: wc -c < data/doubled.txt > data/count.txt
    deps: [data/doubled.txt]
    outs: [data/count.txt]
"""
DOUBLE = """
from pathlib import Path
text = Path("data/raw/shop/a.txt").read_text()
if "?" in text:
    raise SystemExit("error: a.txt holds 1 question mark, expected none;\\nfirst: ?")
Path("data/doubled.txt").write_text(text * 2)
"""


@pytest.fixture
def pipeline(repository: Path) -> Path:
    """A pipeline of two stages over one raw file."""
    (repository / "dvc.yaml").write_text(PIPELINE)
    (repository / "double.py").write_text(DOUBLE)
    raw = repository / "data" / "raw" / "shop"
    raw.mkdir(parents=True)
    (raw / "a.txt").write_text("abc")
    versions.add(Path("data/raw/shop"))
    return repository


def test_a_second_run_runs_nothing_and_push_stores_raw_data_and_outputs(
    pipeline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    versions.repro()
    assert (pipeline / "data/count.txt").read_text().strip() == "6"
    assert "Running stage 'double'" in caplog.text
    caplog.clear()
    versions.repro()
    assert "Running stage" not in caplog.text
    versions.push(Settings())
    stored = [path.read_text() for path in (pipeline / ".tandem/dvc/files").rglob("*") if path.is_file()]
    assert {"abc", "abcabc"} <= set(stored)


def test_a_failing_stage_is_named_with_its_own_message_once(pipeline: Path, caplog: pytest.LogCaptureFixture) -> None:
    (pipeline / "data/raw/shop/a.txt").write_text("ab?")
    with caplog.at_level(logging.INFO), pytest.raises(PipelineError) as refused:
        versions.repro()
    assert str(refused.value) == "stage `double` stopped: a.txt holds 1 question mark, expected none;\nfirst: ?"
    assert "Running stage 'double'" in caplog.text
    assert "question mark" not in caplog.text  # whoever shows the error shows it


def test_what_a_stage_that_goes_well_says_of_errors_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        lines, held = versions._show(["one\n", "error: one of 9 is odd\n", "two\n"])
    assert (lines, held) == (["one", "error: one of 9 is odd", "two"], ["error: one of 9 is odd", "two"])
    assert caplog.messages == ["one"]


def test_what_dvc_and_tensorflow_chatter_is_left_out_and_warnings_are_warnings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = [
        *("'data/raw/shop.dvc' didn't change, skipping", "Stage 'ingest' didn't change, skipping"),
        *(
            "Stage 'train@lstm' didn't change, skipping",
            "Running stage 'evaluate':",
            "> python -m stages.evaluate data",
        ),
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1795408910.472611    7297 port.cc:153] oneDNN custom operations are on.",
        *("warning: 9 rows are left out", "Updating lock file 'dvc.lock'", "To track the changes with git, run:"),
    ]
    with caplog.at_level(logging.INFO):
        versions._show(f"{line}\n" for line in said)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "Running stage 'evaluate':"),
        ("WARNING", "9 rows are left out"),
        ("INFO", "stages that did not change: 2"),
    ]


def test_targets_end_the_run_early(pipeline: Path) -> None:
    versions.repro("double")
    assert (pipeline / "data/doubled.txt").exists()
    assert not (pipeline / "data/count.txt").exists()


def test_a_killed_dvc_leaves_nothing_in_the_way(pipeline: Path) -> None:
    """A lock of a process that is gone, and a dvc.lock that was being written: the next run ends the same."""
    versions.repro()
    lock, before = pipeline / "dvc.lock", (pipeline / "dvc.lock").read_bytes()
    held = {"write": {str(pipeline / "data/doubled.txt"): {"pid": 1, "cmd": "dvc repro"}}, "read": {}}
    for running in (json.dumps(held), '{"write": {"/tm'):
        (pipeline / ".dvc/tmp/rwlock").write_text(running)
        lock.write_bytes(before[: len(before) // 3])
        versions.repro()
        assert lock.read_bytes() == before


def test_another_home_gets_the_remote(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "elsewhere"))
    versions.push(Settings())
    assert list((tmp_path / "elsewhere" / "dvc").rglob("*"))
    assert not (pipeline / ".tandem").exists()


def test_what_dvc_itself_refuses_is_one_sentence(repository: Path) -> None:
    with pytest.raises(PipelineError, match=r"nothing\.txt"):
        versions.add(Path("nothing.txt"))
