"""DVC: versions of data, the pipeline, and what a killed run leaves in its way."""

import configparser
import json
import logging
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil
import yaml

from flows import processes
from tandem.errors import TandemError
from tandem.settings import Settings

log = logging.getLogger(__name__)

LOCK = Path("dvc.lock")
CONFIG = Path(".dvc/config")
COMMITTED_REMOTE = "../.tandem/dvc"  # relative to .dvc/
RUNNING = Path(".dvc/tmp/rwlock")
ADVICE = ("To track the changes with git", "\tgit add", "To enable auto staging", "\tdvc config", "Use `dvc push`")
FAILED_STAGE = re.compile(r"^ERROR: failed to reproduce '(.+?)'")


class PipelineError(TandemError, RuntimeError):
    """DVC stopped: a stage failed, or data could not be stored."""


def add(path: Path) -> None:
    """Put a file or folder under DVC's care: `<path>.dvc` then names this content.

    Raises:
        PipelineError: DVC refused.
    """
    clear()
    _drop_torn([path.with_name(f"{path.name}.dvc")])
    _dvc("add", str(path))


def repro(*targets: str, force: bool = False) -> None:
    """Run the stages that changed: all, or those up to `targets`; with `force` the targets alone, changed or not.

    Raises:
        PipelineError: a stage failed; says which and with what message.
    """
    clear()
    _dvc("repro", *targets, *(["--force", "--single-item"] if force else []))


def push(settings: Settings) -> None:
    """Store raw data and all outputs in the default remote: a folder in `Settings.home` unless configured.

    Raises:
        PipelineError: the remote cannot be reached or refused.
    """
    folder = settings.home.resolve() / "dvc"
    if folder != (CONFIG.parent / COMMITTED_REMOTE).resolve() and _remote() == COMMITTED_REMOTE:
        _dvc("remote", "modify", "--local", "local", "url", str(folder))
    _dvc("push")


def clear() -> None:
    """Remove what a killed DVC left behind: orphans, locks of dead processes, a lock file cut short.

    Nothing is lost with `dvc.lock`: DVC's run cache knows every finished stage.
    """
    processes.sweep()
    _drop_torn([LOCK])
    if RUNNING.exists() and not any(_is_dvc(pid) for pid in _holders()):
        RUNNING.unlink()


def _dvc(*arguments: str) -> None:
    log.info("dvc %s", " ".join(arguments))
    with processes.start("dvc", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        lines = list(_shown(process.stdout or ()))
        status = process.wait()
    if status != 0:
        raise PipelineError(_why(lines) or f"dvc {arguments[0]} ended with status {status}")


def _remote() -> str:
    """Address of the default remote as configured, in the project or on this machine."""
    config = configparser.ConfigParser()
    config.read([CONFIG, CONFIG.with_suffix(".local")], encoding="utf-8")
    name = config.get("core", "remote")
    return config.get(f"'remote \"{name}\"'", "url")


def _shown(lines: Iterable[str]) -> Iterable[str]:
    for raw in lines:
        line = raw.rstrip()
        if line.strip() and not line.startswith(ADVICE):
            log.info("%s", line)
            yield line


def _why(lines: list[str]) -> str:
    """The failing stage's own message: from its last `error:`, else its last line; else what DVC says."""
    own = [line for line in lines if not line.startswith("ERROR: ")]
    failed = [match[1] for line in lines if (match := FAILED_STAGE.match(line))]
    if not failed:
        said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        return "; ".join(said or lines)
    begins = [number for number, line in enumerate(own) if line.startswith("error: ")]
    message = "\n".join(own[begins[-1] if begins else -1 :]).removeprefix("error: ")
    return f"stage `{failed[0]}` stopped: {message}"


def _drop_torn(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists() and not _is_mapping(path):
            log.warning("%s was cut short by a killed run; DVC writes it anew", path)
            path.unlink()


def _is_mapping(path: Path) -> bool:
    try:
        return isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
    except (yaml.YAMLError, UnicodeDecodeError):
        return False


def _holders() -> set[int]:
    """Ids of the processes that hold a path; none when the file is cut short."""
    try:
        held = json.loads(RUNNING.read_text(encoding="utf-8"))
    except ValueError:
        return set()
    readers = [info for infos in held.get("read", {}).values() for info in infos]
    return {int(info["pid"]) for info in [*held.get("write", {}).values(), *readers]}


def _is_dvc(pid: int) -> bool:
    try:
        return any(Path(part).name == "dvc" for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
