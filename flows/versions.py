"""DVC: versions of data, the pipeline, and what a killed run leaves in its way."""

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from flows import processes, remote
from stages import WARNS
from tandem.errors import TandemError
from tandem.settings import Settings

log = logging.getLogger(__name__)

LOCK = Path("dvc.lock")
RUNNING = Path(".dvc/tmp/rwlock")
ADVICE = (
    *("To track the changes with git", "\tgit add", "To enable auto staging", "\tdvc config", "Use `dvc push`"),
    "Having any troubles?",
)
CHATTER = (*ADVICE, "Updating lock file", "Generating lock file", "> python -m ")
"""How DVC's lines begin that tell nothing of the data."""
NOISE = re.compile(r"WARNING: All log messages before absl|[IW]\d{4} [\d:.]+ +\d+ \w+\.cc:")
"""Lines of TensorFlow that no setting of its turns off."""
UNCHANGED = re.compile(r"(Stage )?'.+' didn't change, skipping$")
SEPARATE = "reflink,hardlink,copy"
"""How files that are never written again come out of the cache: without taking space where the disk can do so."""
COLOUR = re.compile(r"\x1b\[[\d;]*m")
UNEXPECTED = re.compile(r"^ERROR: (unexpected error - )?")
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
    """Store raw data, versions and all outputs in the default remote.

    Raises:
        PipelineError: the remote cannot be reached or refused.
        SettingsError: as `flows.remote.use`.
    """
    remote.use(settings)
    with _reaching():
        _dvc("push")


def fetch(pointer: Path, settings: Settings) -> None:
    """Bring the content that a `.dvc` file names from the remote into the cache, where the cache lacks it.

    Raises:
        PipelineError: the remote cannot be reached, or does not hold it.
        SettingsError: as `flows.remote.use`.
    """
    remote.use(settings)
    with _reaching():
        _dvc("fetch", str(pointer))


def output(path: Path) -> dict[str, Any]:
    """What `dvc.lock` says of an output's content: `md5`, `size` in bytes, and `nfiles` of a folder.

    Raises:
        PipelineError: no finished stage made it.
    """
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"] if LOCK.exists() else {}
    for stage in stages.values():
        for out in stage.get("outs", []):
            if out["path"] == path.as_posix():
                return {key: out[key] for key in ("md5", "size", "nfiles", "hash") if key in out}
    raise PipelineError(f"{LOCK} names no {path}: no stage has made it yet (`tandem retrain` or `dvc repro`)")


def track(folder: Path, content: Mapping[str, Any], meta: Mapping[str, Any]) -> Path:
    """Let `<folder>.dvc` name content that the cache holds, with `meta` beside it; `place` makes the folder itself.

    Args:
        folder: where the content belongs.
        content: as `output` gives it.
        meta: anything that JSON knows.
    """
    pointer = folder.with_name(f"{folder.name}.dvc")
    text = yaml.safe_dump(
        {"outs": [{**content, "path": folder.name}], "meta": dict(meta)}, sort_keys=False, allow_unicode=True
    )
    pointer.parent.mkdir(parents=True, exist_ok=True)
    partial = pointer.with_name(f".{pointer.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(pointer)
    return pointer


def pointed(pointer: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Content and `meta` of a `.dvc` file that `track` wrote.

    Raises:
        PipelineError: it cannot be read as one.
    """
    try:
        found = yaml.safe_load(pointer.read_text(encoding="utf-8"))
        (content,) = found["outs"]
        return dict(content), dict(found["meta"])
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        raise PipelineError(f"{pointer} is no pointer that `tandem data record` wrote; restore it from git") from None


def place(pointer: Path) -> None:
    """Put what a `.dvc` file names into its folder, from the cache, replacing what differs; read-only.

    Raises:
        PipelineError: the cache does not hold it all.
    """
    from dvc.exceptions import CheckoutError

    with _repository({"cache": {"type": SEPARATE}}) as repo:
        try:
            repo.checkout([str(pointer)], force=True)
        except CheckoutError:
            where = f"neither the cache nor the remote {remote.address()} holds"
            raise PipelineError(f"{where} all of what {pointer} names") from None


def lacking(pointer: Path) -> int:
    """How many of the files that a `.dvc` file names the cache lacks, after damaged ones were removed from it."""
    from dvc_data.hashfile.db import HashFileDB
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree
    from dvc_objects.errors import ObjectFormatError

    content, _ = pointed(pointer)
    missing = 0
    with _repository() as repo:
        try:
            tree = Tree.load(repo.cache.local, HashInfo("md5", content["md5"]))
        except (FileNotFoundError, ObjectFormatError):
            return int(content["nfiles"]) + 1
        for _, _, found in tree:
            try:
                HashFileDB.check(repo.cache.local, found.value, check_hash=True)
            except (FileNotFoundError, ObjectFormatError):
                missing += 1
    return missing


@dataclass(frozen=True)
class Unneeded:
    """Objects that some `.dvc` files alone use, with their sizes in bytes: in the cache, and in the remote."""

    cache: Mapping[str, int]
    remote: Mapping[str, int]


def unneeded(pointers: Collection[Path], settings: Settings, *, in_remote: bool) -> Unneeded:
    """What only these `.dvc` files use, of all that this workspace names: `dvc.lock`, raw data, other versions.

    Raises:
        PipelineError: what a part of the workspace uses is in neither cache nor remote, so that nothing can be said.
        SettingsError: as `flows.remote.use`.
    """
    remote.use(settings)
    with _reaching(), _repository() as repo:
        own: set[str] = set()
        needed: set[str] = set()
        for stage in repo.index.stages:
            (own if Path(stage.path_in_repo) in pointers else needed).update(_objects(stage))
        only = sorted(own - needed)
        far = _sizes(repo.cloud.get_remote_odb(), only) if in_remote else {}
        return Unneeded(_sizes(repo.cache.local, only), far)


def lost(pointers: Collection[Path], settings: Settings) -> list[Path]:
    """Those `.dvc` files that name something which is in neither cache nor remote.

    Raises:
        PipelineError: the remote cannot be reached.
        SettingsError: as `flows.remote.use`.
    """
    remote.use(settings)
    with _reaching(), _repository() as repo:
        near, far = repo.cache.local, repo.cloud.get_remote_odb()
        return [path for path in pointers if _is_lost(path, near, far)]


def free(objects: Unneeded) -> None:
    """Delete the objects for good: in the remote first, so that a second try finds what the first one left.

    Raises:
        PipelineError: the remote cannot be reached or refused.
    """
    from dvc_data.hashfile.db import get_index

    with _reaching(), _repository() as repo, repo.lock:
        stores = [(repo.cloud.get_remote_odb(), objects.remote)] if objects.remote else []
        for store, found in [*stores, (repo.cache.local, objects.cache)]:
            if found:
                store.fs.remove([store.oid_to_path(name) for name in found])
                get_index(store).clear()  # what DVC remembers of the store, as its own gc does
                log.info("freed %d objects, %d bytes, in %s", len(found), sum(found.values()), store.path)


def forget(pointer: Path) -> None:
    """Remove a `.dvc` file and its folder; what the cache and the remote hold of it stays."""
    shutil.rmtree(pointer.with_suffix(""), ignore_errors=True)
    pointer.unlink(missing_ok=True)


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
        lines, held = _show(process.stdout or ())
        status = process.wait()
    why = (_why(lines) or f"dvc {arguments[0]} ended with status {status}") if status != 0 else ""
    for line in held:
        if line.removeprefix("error: ") not in why:
            log.info("%s", line)
    if why:
        raise PipelineError(why)


@contextmanager
def _repository(config: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """DVC in this process, for what its command line cannot say; its errors become `PipelineError`."""
    from botocore.exceptions import BotoCoreError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    clear()
    try:
        with Repo(config=config) as repo:
            yield repo
    except (DvcException, BotoCoreError, OSError) as error:
        raise PipelineError(" ".join(COLOUR.sub("", str(error)).split())) from error


def _objects(stage: Any) -> set[str]:
    """Names of all objects that the stage's outputs consist of.

    Raises:
        PipelineError: a folder's list of files is in neither cache nor remote.
    """
    names: set[str] = set()
    for out in stage.outs:
        if out.use_cache and out.hash_info:
            found = {info.value for objects in out.get_used_objs(force=True).values() for info in objects}
            if not found:
                raise PipelineError(f"what {out} consists of is in neither cache nor remote: `dvc fetch`, or remove it")
            names |= found
    return names


def _is_lost(pointer: Path, near: Any, far: Any) -> bool:
    """Whether a file that a `.dvc` file names, or the list of them, is in neither store."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    listing = pointed(pointer)[0]["md5"]
    store = next((store for store in (near, far) if _sizes(store, [listing])), None)
    if store is None:
        return True
    names = {found.value for _, _, found in Tree.load(store, HashInfo("md5", listing))}
    missing = names - set(_sizes(near, names))
    return bool(missing - set(_sizes(far, missing)))


def _sizes(store: Any, names: Iterable[str]) -> dict[str, int]:
    """Sizes in bytes of those objects that the store holds."""
    sizes = {}
    for name in names:
        try:
            sizes[name] = int(store.fs.info(store.oid_to_path(name))["size"])
        except FileNotFoundError:
            continue
    return sizes


@contextmanager
def _reaching() -> Iterator[None]:
    """Errors of what needs the remote say which one it is."""
    try:
        yield
    except PipelineError as error:
        address = remote.address()
        advice = f"; {remote.CREDENTIALS}" if address.startswith("s3://") else ""
        raise PipelineError(f"remote {address}: {error}{advice}") from error


def _show(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """Log lines as they come, but for those from a stage's `error:` on; all of them, and those held back.

    Stages that did not change are counted.
    """
    unchanged = 0
    shown: list[str] = []
    held: list[str] = []
    for raw in lines:
        line = raw.rstrip()
        if not line.strip() or line.startswith(CHATTER) or NOISE.match(line):
            continue
        if found := UNCHANGED.match(line):
            unchanged += found[1] is not None
        elif held or line.startswith("error: "):
            held.append(line)
        else:
            log.log(logging.WARNING if line.startswith(WARNS) else logging.INFO, "%s", line.removeprefix(WARNS))
            shown.append(line)
    if unchanged:
        log.info("stages that did not change: %d", unchanged)
    return [*shown, *held], held


def _why(lines: list[str]) -> str:
    """The failing stage's own message: from its last `error:`, else its last line; else what DVC says."""
    own = [line for line in lines if not line.startswith("ERROR: ")]
    failed = [match[1] for line in lines if (match := FAILED_STAGE.match(line))]
    if not failed:
        said = [UNEXPECTED.sub("", line) for line in lines if line.startswith("ERROR: ")]
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
