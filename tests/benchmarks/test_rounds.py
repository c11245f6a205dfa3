"""Rounds of speed benchmarks: whose turn it is, what the table says, and what a missing peer is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rounds import Contender, Used, check, race, table

WORKER = """
import os
import sys
from pathlib import Path
from benchmarks.rounds import answer

name, order, made = sys.argv[1:]

def work():
    with Path(order).open("a") as file:
        file.write(name)
    began = os.times().user
    while os.times().user - began < 0.02:  # the clock has steps of 0.01 s
        pass

answer(work, ["numpy"])
"""


def test_ratios_are_taken_round_by_round() -> None:
    """The peer's medians of both clocks are 2 and 4 seconds, as ours; yet its ratios' medians are 2 and 0.5."""
    ours = [Used(1, 2), Used(2, 4), Used(4, 8)]
    peer = [Used(2, 4), Used(10, 2), Used(2, 4)]
    assert table({"Tandem": ours, "peer": peer}, 100, "texts") == [
        "| | texts/s | texts/s of the processor | Tandem ÷ it, wall | Tandem ÷ it, processor |",
        "|---|---|---|---|---|",
        "| Tandem | 50 | 25 | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |",
        "| peer | 50 | 25 | 2.00 [0.50, 5.00] | 0.50 [0.50, 2.00] |",
    ]


def test_who_begins_changes_from_round_to_round(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    worker, order = tmp_path / "worker.py", tmp_path / "order"
    worker.write_text(WORKER)
    running = {
        name: Contender(worker, sys.executable, name, order, made=tmp_path / name, PYTHONPATH=str(root))
        for name in "abc"
    }
    race(running, 3, 10, "things")
    assert order.read_text() in ("abccbaabc", "cbaabccba")
    assert "10 things, 3 rounds" in capsys.readouterr().out


@pytest.mark.parametrize("python", ["", "/nowhere/python", "."])
def test_a_missing_python_is_named_with_its_option(python: str) -> None:
    with pytest.raises(SystemExit, match=r"--peer-hog = '.*': give the path .* import skimage .*PEER_HOG="):
        check("--peer-hog", python, "skimage")


def test_a_python_that_lacks_a_package_is_refused() -> None:
    check("--peer", sys.executable, "json", "numpy")
    with pytest.raises(SystemExit, match="import json and no_such_package"):
        check("--peer", sys.executable, "json", "no_such_package")


def test_a_peer_needs_nothing_beyond_the_standard_library(root: Path) -> None:
    done = subprocess.run([sys.executable, "-S", "-c", "import benchmarks.rounds"], cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr
