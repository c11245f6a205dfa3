"""The same work, round after round, in processes of their own: each under its own Python, warmed up, timed from within.

Imports nothing beyond the standard library, so that a peer's environment can run it.
"""

import importlib.metadata
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def check(option: str, python: str, *modules: str) -> None:
    """Stop, naming the option, unless this Python can import the modules."""
    command = [python, "-c", f"import {', '.join(modules)}"]
    if not shutil.which(python) or subprocess.run(command, capture_output=True).returncode:
        variable = option.removeprefix("--").replace("-", "_").upper()
        raise SystemExit(
            f"{option} = {python!r}: give the path of a Python that can import {' and '.join(modules)} "
            f"(with make: {variable}=/path/to/python); the benchmark's first lines say how to make one"
        )


def race(running: Mapping[str, Contender], rounds: int, count: int, unit: str) -> None:
    """Let each do its work of `count` units in every round, in changing order, and end; print versions and `table`."""
    used: dict[str, list[Used]] = {name: [] for name in running}
    for n in range(rounds):
        for name in list(running)[:: 1 if n % 2 else -1]:
            used[name].append(running[name].round())
    for worker in running.values():
        worker.close()
    versions = {key: value for worker in running.values() for key, value in worker.versions.items()}
    print(f"\n{count} {unit}, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    print(", ".join(f"{key} {value}" for key, value in versions.items()), end="\n\n")
    print(*table(used, count, unit), sep="\n", flush=True)


def table(used: Mapping[str, Sequence[Used]], count: int, unit: str) -> list[str]:
    """Lines: the median rate of each contender, and how many times as fast the first one was, round by round."""
    first = next(iter(used))
    columns = f"{unit}/s | {unit}/s of the processor | {first} ÷ it, wall | {first} ÷ it, processor"
    lines = [f"| | {columns} |", "|---|---|---|---|---|"]
    for name, rows in used.items():
        rates = [f"{statistics.median(count / row[n] for row in rows):.0f}" for n in range(2)]
        pairs = list(zip(rows, used[first], strict=True))
        ratios = [spread([row[n] / own[n] for row, own in pairs]) for n in range(2)]
        lines.append(f"| {name} | {' | '.join(rates + ratios)} |")
    return lines


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median [least, most]."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


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
