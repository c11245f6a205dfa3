"""Child processes: none outlives the run that started it, not even one that was killed.

Every child inherits the variable `TANDEM_RUN`, which names its project and the process that started the run.
A child whose run is dead would go on writing the files that the next run writes: `sweep` ends it.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

log = logging.getLogger(__name__)

MARK = "TANDEM_RUN"
GRACE_S = 10
CLOCK_STEP_S = 60  # start times move with the system clock


@contextmanager
def start(module: str, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """`python -m module arguments` by this interpreter; it and all that it started are gone when the block ends."""
    command = [sys.executable, "-m", module, *arguments]
    options = {"env": environment(), "stdin": subprocess.DEVNULL, "text": True, **options}
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        stop(process.pid)
        process.wait()
        if process.stdout:
            process.stdout.close()


def environment() -> dict[str, str]:
    """Variables for a child: this interpreter is its `python`, a plain shell its shell, and it carries the mark."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "SHELL": "/bin/sh", "PYTHONUNBUFFERED": "1", MARK: mark()}


def mark() -> str:
    """The project's folder and this process, in a form that no later process shares."""
    own = psutil.Process()
    return f"{Path.cwd()}|{own.pid}|{own.create_time()}"


def sweep() -> int:
    """End the children of dead runs of the project in the current folder, and return how many there were."""
    left = [process for process in psutil.process_iter() if _is_leftover(process)]
    _end(left)
    if left:
        log.warning("ended %d processes that a killed run had left behind", len(left))
    return len(left)


def stop(pid: int) -> None:
    """End a process and all its descendants."""
    try:
        process = psutil.Process(pid)
        _end([*process.children(recursive=True), process])
    except psutil.NoSuchProcess:
        return


def _is_leftover(process: psutil.Process) -> bool:
    try:
        folder, pid, started = process.environ().get(MARK, "||").rsplit("|", 2)
    except (psutil.Error, OSError):
        return False
    return folder == str(Path.cwd()) and process.pid != os.getpid() and not _lives(int(pid), float(started))


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < CLOCK_STEP_S and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        _signal(process, hard=False)
    for process in psutil.wait_procs(processes, timeout=GRACE_S)[1]:
        _signal(process, hard=True)
    psutil.wait_procs(processes, timeout=GRACE_S)


def _signal(process: psutil.Process, *, hard: bool) -> None:
    try:
        process.kill() if hard else process.terminate()
    except psutil.NoSuchProcess:
        return
