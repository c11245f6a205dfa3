"""Children of a run that was killed do not go on writing."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows import processes

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
SLOW = ("timeit", "-n1", "-r1", "-s", "import time", "time.sleep(600)")
RUN = f"""
from flows import processes
with processes.start(*{SLOW!r}) as child:
    print(child.pid, flush=True)
    child.wait()
"""


@pytest.fixture
def killed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> int:
    """Process id of a child whose run was killed before it could clean up."""
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout is not None
    child = int(run.stdout.readline())
    run.kill()
    run.wait()
    run.stdout.close()
    assert psutil.pid_exists(child)
    return child


def test_a_child_of_a_killed_run_is_ended(killed_run: int) -> None:
    assert processes.sweep() == 1
    assert not _runs(killed_run)


def test_a_child_of_another_project_is_left_alone(
    killed_run: int, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path.cwd()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert processes.sweep() == 0
    assert _runs(killed_run)
    monkeypatch.chdir(here)
    assert processes.sweep() == 1


def test_a_child_of_a_living_run_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with processes.start(*SLOW) as child:
        assert processes.sweep() == 0
        assert child.poll() is None


def test_no_descendant_outlives_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statement = f"subprocess.run([sys.executable, '-c', {SLEEPER!r}])"
    arguments = ("-n1", "-r1", "-s", "import subprocess, sys", statement)
    with processes.start("timeit", *arguments, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        family = [child.pid, *(process.pid for process in psutil.Process(child.pid).children())]
        assert len(family) == 2
    assert not any(_runs(pid) for pid in family)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
