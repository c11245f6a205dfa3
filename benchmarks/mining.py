"""Which products stand together how often: Tandem beside SciPy, SQL engines and libraries for frequent sets.

    python -m benchmarks.mining [--tasks online_retail-20,generated-1833] [--rounds 3] [--peers .peers/bin/python]

Every contender works in a process of its own, in turn and in changing order, under a limit of time and of memory; one
that was stopped does not begin again. Seconds are those of the counting, input read before; memory is the largest of
the process. Contenders must have found the same sets with the same counts, else nothing is printed of them. Peers
run in the Python that `make peers` makes and import nothing of Tandem.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from json import loads
from pathlib import Path
from typing import NamedTuple

import typer

from benchmarks.rounds import spread

ROOT = Path(__file__).resolve().parents[1]
WORKER = ROOT / "benchmarks/mining_worker.py"
MODULES = "scipy, duckdb, polars, implicit, mlxtend, efficient_apriori, fim"
PAIRS = (
    "tandem", "tandem_weighted", "floor", "floor_weighted", "scipy", "implicit", "duckdb", "polars", "mlxtend",
    "efficient_apriori",
)  # fmt: skip
SETS = "hmine", "hmine_dense", "hmine_whole", "mlxtend", "efficient_apriori", "pyfim"
OF_MEMORY = "memoryerror", "out of memory", "memory allocation", "bad_alloc", "bad allocation", "cannot allocate"
NAMES = {
    "tandem": "Tandem, counted",
    "tandem_weighted": "Tandem, counted and weighted",
    "floor": "SciPy X'X, rare products dropped first: the floor",
    "floor_weighted": "the floor, counted and weighted",
    "scipy": "SciPy X'X",
    "implicit": "implicit, all neighbours, rare dropped first",
    "duckdb": "DuckDB self-join, rare dropped first",
    "polars": "Polars self-join, rare dropped first",
    "mlxtend": "mlxtend fpgrowth",
    "hmine": "mlxtend hmine, sparse: what Tandem uses where dense is too large",
    "hmine_dense": "mlxtend hmine, dense: what Tandem uses",
    "hmine_whole": "mlxtend hmine, nothing dropped before",
    "efficient_apriori": "efficient-apriori",
    "pyfim": "PyFIM fpgrowth",
}


class Task(NamedTuple):
    """From how many baskets on, and up to how large, pairs of a shape, or sets of three and more, are counted."""

    shape: str
    min_count: int
    largest: int = 2

    @property
    def contenders(self) -> tuple[str, ...]:
        """Who can do it."""
        return PAIRS if self.largest == 2 else SETS


TASKS = {
    "online_retail-20": Task("online_retail", 20),
    "online_retail-200": Task("online_retail", 200),
    "generated-1833": Task("generated", 1833),
    "generated-183": Task("generated", 183),
    "groceries-98-sets": Task("groceries", 98, 5),
    "groceries-10-sets": Task("groceries", 10, 5),
    "online_retail-259-sets": Task("online_retail", 259, 5),
    "online_retail-130-sets": Task("online_retail", 130, 5),
    "generated-2517-sets": Task("generated", 2517, 5),
}


class Took(NamedTuple):
    """What a contender took and found."""

    seconds: float
    worked: float  # seconds of the processor
    peak: float  # GB
    sets: int
    sum: int


class Limits(NamedTuple):
    """Of a contender's process."""

    seconds: float
    gibibytes: float


def main(
    tasks: str = ",".join(TASKS),
    rounds: int = 3,
    peers: Path = ROOT / ".peers/bin/python",
    limit_s: float = 300,
    limit_gib: float = 15,
) -> None:
    """Make the shapes, race, and print a table for each task.

    Args:
        tasks: which ones, with commas between them.
        rounds: in each of them every contender works once.
        peers: the Python of the peers.
        limit_s: seconds after which a contender is stopped.
        limit_gib: gibibytes of address space, beyond which a contender is stopped.
    """
    check(peers)
    chosen = [TASKS[name] for name in tasks.split(",")]
    for shape in dict.fromkeys(task.shape for task in chosen):
        with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
            subprocess.run([sys.executable, "-m", "benchmarks.mining_shapes", shape, folder], cwd=ROOT, check=True)
            for task in (task for task in chosen if task.shape == shape):
                race(task, Path(folder), rounds, peers, Limits(limit_s, limit_gib))


def check(peers: Path) -> None:
    """Stop, naming the way out, where the peers' Python is missing or lacks one."""
    if not peers.exists() or subprocess.run([peers, "-c", f"import {MODULES}"], capture_output=True).returncode:
        raise SystemExit(f"--peers = {peers}: no Python that can import {MODULES}; `make peers` makes one")


def race(task: Task, folder: Path, rounds: int, peers: Path, limits: Limits) -> None:
    """Let all work in every round, compare what they found, and print the table."""
    took: dict[str, list[Took]] = {name: [] for name in task.contenders}
    stopped: dict[str, str] = {}
    for number in range(rounds):
        for name in list(took)[:: 1 if number % 2 else -1]:
            if name in stopped:
                continue
            done = run(name, task, folder, peers, limits)
            if isinstance(done, str):
                stopped[name] = done
            else:
                took[name].append(done)
            print(f"  {number + 1} {name}: {done}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    agree(took)
    found = next(of[0] for of in took.values() if of)
    sets = f"sets of {min(3, task.largest)} to {task.largest}"
    print(f"\n{task.shape}, {sets} in {task.min_count} baskets or more: {found.sets:,}; ", end="")
    print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f}\n", *table(took, stopped), sep="\n", flush=True)


def agree(took: dict[str, list[Took]]) -> None:
    """Stop unless all found the same."""
    found = {(one.sets, one.sum): name for name, of in took.items() for one in of}
    if len(found) > 1:
        raise SystemExit(f"not the same sets with the same counts: {found}")


def run(name: str, task: Task, folder: Path, peers: Path, limits: Limits) -> Took | str:
    """What one process took, or at which limit it was stopped."""
    made, errors = folder / f"{name}.json", folder / f"{name}.log"
    python = Path(sys.executable) if name.startswith("tandem") else peers
    command = [python, WORKER, name, folder, task.min_count, task.largest, limits.gibibytes, made]
    with errors.open("w") as log:
        environment = os.environ | {"PYTHONPATH": str(ROOT) if name.startswith("tandem") else ""}
        process = subprocess.Popen(list(map(str, command)), stderr=log, stdout=log, env=environment)
        timer = threading.Timer(limits.seconds, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        began = time.monotonic()
        _, status, used = os.wait4(process.pid, 0)
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if status and time.monotonic() - began >= limits.seconds:
        return f"stopped at {limits.seconds:g} s"
    if status and any(words in errors.read_text().lower() for words in OF_MEMORY):
        return f"stopped at {limits.gibibytes:g} GiB"
    if status:
        raise SystemExit(f"{name} ended with {process.returncode}:\n{errors.read_text()[-2000:]}")
    told = loads(made.read_text())
    return Took(told["seconds"], told["worked"], used.ru_maxrss / 1e6, told["sets"], told["sum"])


def table(took: dict[str, list[Took]], stopped: dict[str, str]) -> list[str]:
    """Lines: seconds, processor and memory of each contender, and its ratios to the floor, round by round."""
    base = took.get("floor", [])
    ratios = " | wall ÷ floor | processor ÷ floor | memory ÷ floor" if base else ""
    lines = [f"| | wall, s | processor, s | peak memory, GB{ratios} |", "|---" * (7 if base else 4) + "|"]
    for name, of in took.items():
        cells = [stopped.get(name, "")] + [""] * 5 if name in stopped else [*_columns(of), *_ratios(of, base)]
        lines.append(f"| {NAMES[name]} | {' | '.join(cells[: 6 if base else 3])} |")
    return lines


def _columns(of: Sequence[Took]) -> list[str]:
    peak = statistics.median(one.peak for one in of)
    return [spread([one.seconds for one in of]), spread([one.worked for one in of]), f"{peak:.2f}"]


def _ratios(of: Sequence[Took], base: Sequence[Took]) -> list[str]:
    return [spread([one[k] / floor[k] for one, floor in zip(of, base, strict=True)]) for k in range(3)] if base else []


if __name__ == "__main__":
    typer.run(main)
