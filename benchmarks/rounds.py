"""The same work, round after round, in processes of their own: each under its own Python, warmed up, timed from within.

Imports nothing beyond the standard library, so that a peer's environment can run it.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple


class Used(NamedTuple):
    """Seconds of a round."""

    wall: float
    processor: float


class Contender:
    """A running worker: a script that writes what it made to its last argument and ends by `answer`."""

    def __init__(self, worker: Path, python: str, *arguments: object, made: Path, **environment: str) -> None:
        paths = {"PYTHONPATH": str(worker.parents[1])}
        streams: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.command = [python, str(worker), *map(str, arguments), str(made)]
        self._process = subprocess.Popen(self.command, text=True, env=os.environ | paths | environment, **streams)
        self.made = made
        self.versions: dict[str, str] = self._line()

    def round(self) -> Used:
        """Do all the work once."""
        assert self._process.stdin
        print(file=self._process.stdin, flush=True)
        return Used(*self._line())

    def close(self) -> None:
        """Let it end."""
        if self._process.poll() is None:
            self._process.communicate()

    def _line(self) -> Any:
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise SystemExit(f"a contender failed; run by hand: {' '.join(self.command)}")
        return json.loads(line)


def answer(work: Callable[[], Any], packages: Iterable[str]) -> None:
    """Print the packages' versions, then do the work after every line that is read, and print the seconds it took."""
    print(json.dumps({package: importlib.metadata.version(package) for package in packages}), flush=True)
    for _ in sys.stdin:
        began, worked = time.perf_counter(), _processor_s()
        work()
        print(json.dumps([time.perf_counter() - began, _processor_s() - worked]), flush=True)


def _processor_s() -> float:
    used = os.times()
    return used.user + used.system
