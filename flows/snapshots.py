"""Versions of accepted snapshots: recorded, found again, restored exactly, and let go when nothing needs them.

A version is one file, `data/versions/<id>.dvc`: DVC's pointer to the snapshot's content, with the snapshot's manifest
beside it. `<id>` begins the hash of the data. `data/versions/<id>/` is the content itself, read-only, shared with DVC's
cache where the disk can do so.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import versions
from flows.registry import MODELS, Registry
from tandem import files
from tandem.errors import TandemError
from tandem.settings import Settings

log = logging.getLogger(__name__)

SNAPSHOT = Path("data/snapshot")
VERSIONS = Path("data/versions")
MANIFEST = "manifest.json"
CURRENT = "current"
"""Name of the snapshot in the workspace, recorded or not."""

USERS_OF_DATA = {
    "the workspace": ("data/snapshot/manifest.json", "data/accepted/manifest.json"),
    "the releases": ("data/releases/*/manifest.json",),
    "the champion": ("data/champion/*/manifest.json",),
    "the service": ("data/serving/*/manifest.json",),
}
"""Who names the data that it was made from, by `data_hash`, and where."""


class VersionError(TandemError, LookupError):
    """No such version, or its content is not what it says."""


@dataclass(frozen=True)
class Version:
    """An accepted snapshot that DVC keeps."""

    id: str
    recorded: datetime
    manifest: Mapping[str, Any]  # of the snapshot: source, data_hash, rows, span, files, suite, …
    size_bytes: int

    @property
    def pointer(self) -> Path:
        """The `.dvc` file."""
        return VERSIONS / f"{self.id}.dvc"

    @property
    def folder(self) -> Path:
        """Where the content is, or will be."""
        return VERSIONS / self.id


@dataclass(frozen=True)
class Plan:
    """What a garbage collection would do."""

    keep: tuple[tuple[Version, str], ...]  # with the reason
    drop: tuple[Version, ...]
    objects: versions.Unneeded


def record() -> Version:
    """Keep the snapshot that the pipeline accepted last; the version there is, if its data was recorded before.

    Raises:
        VersionError: there is no accepted snapshot, or it was altered.
        PipelineError: DVC does not hold it.
    """
    manifest = read_manifest(SNAPSHOT)
    known = {version.manifest["data_hash"]: version for version in listed()}
    if manifest["data_hash"] in known:
        return known[manifest["data_hash"]]
    folder = VERSIONS / manifest["data_hash"][:12]
    meta = {"recorded": datetime.now(UTC).isoformat(timespec="microseconds"), "manifest": manifest}
    pointer = versions.track(folder, versions.output(SNAPSHOT), meta)
    made = _read(pointer)
    try:
        versions.place(pointer)
        verify(made.folder, manifest)
    except TandemError:
        versions.forget(pointer)
        raise
    log.info("recorded version %s of the data", made.id)
    return made


def listed() -> list[Version]:
    """All versions, the oldest first.

    Raises:
        PipelineError: a file in data/versions is no pointer of ours.
    """
    return sorted(map(_read, VERSIONS.glob("*.dvc")), key=lambda version: (version.recorded, version.id))


def find(name: str) -> Version:
    """The version whose id, or hash of data, begins with `name`.

    Raises:
        VersionError: there is none, or several.
    """
    known = listed()
    found = [version for version in known if name and version.manifest["data_hash"].startswith(name)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(version.id for version in found or known) or "none; `tandem retrain` records them"
    raise VersionError(f"{'several versions begin' if found else 'no version begins'} with `{name}`; there are {there}")


def folder_of(name: str, settings: Settings) -> Path:
    """The folder of a snapshot by name: `current`, a version, or a path; a version is restored if it is not there.

    Raises:
        VersionError: the name is none of these.
    """
    if name == CURRENT:
        read_manifest(SNAPSHOT)
        return SNAPSHOT
    if Path(name).is_dir():
        return Path(name)
    version = find(name)
    return version.folder if (version.folder / MANIFEST).exists() else restore(version, settings)


def manifest_of(name: str) -> Mapping[str, Any]:
    """The manifest of a snapshot by name, as `folder_of` takes it; nothing is restored."""
    if name == CURRENT or Path(name).is_dir():
        return read_manifest(SNAPSHOT if name == CURRENT else Path(name))
    return find(name).manifest


def restore(version: Version, settings: Settings, to: Path | None = None) -> Path:
    """Bring a version's content back, exactly, from cache or remote, and return its folder.

    Args:
        version: what to restore.
        settings: name the remote.
        to: a folder that does not exist yet; by default the version's own, `data/versions/<id>`.

    Raises:
        VersionError: `to` exists or belongs to the pipeline, or the content is not what the manifest says.
        PipelineError: neither cache nor remote hold it.
    """
    if to is not None:
        _refuse(to)
    if missing := versions.lacking(version.pointer):
        log.info("version %s: the cache lacks %d files, fetching them", version.id, missing)
        versions.fetch(version.pointer, settings)
    versions.place(version.pointer)
    verify(version.folder, version.manifest)
    if to is None:
        return version.folder
    partial = to.with_name(f".{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(version.folder, partial, copy_function=shutil.copyfile)
    verify(partial, version.manifest)
    partial.replace(to)
    log.info("restored version %s to %s", version.id, to)
    return to


def verify(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check that a folder is the snapshot of this manifest: the same manifest, and tables with the hash it names.

    Raises:
        VersionError: it is not.
    """
    found = read_manifest(folder)
    if found != manifest:
        raise VersionError(f"{folder}: its {MANIFEST} is of data {found.get('data_hash')}, not as recorded")
    beside = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix != ".parquet"}
    content = files.hash_folder(folder, ignore=frozenset(beside))
    if content != manifest["data_hash"]:
        raise VersionError(f"{folder}: its tables have hash {content[:12]}, as recorded {manifest['data_hash'][:12]}")


def plan(keep: int, settings: Settings, *, in_remote: bool = False) -> Plan:
    """What to let go so that the newest `keep` versions stay, and every one that something here was made from.

    Raises:
        PipelineError: as `versions.unneeded`.
        RegistryError: the model registry cannot be reached, so that its champions are not known.
    """
    known = listed()
    needed = in_use(settings)
    newest = {version.id for version in known[max(len(known) - keep, 0) :]}
    kept, dropped = [], []
    for version in known:
        reasons = sorted(needed.get(version.manifest["data_hash"], ()))
        reasons += [f"among the newest {keep}"] if version.id in newest else []
        if reasons:
            kept.append((version, ", ".join(reasons)))
        else:
            dropped.append(version)
    nothing = versions.Unneeded({}, {})
    pointers = [version.pointer for version in dropped]
    objects = versions.unneeded(pointers, settings, in_remote=in_remote) if pointers else nothing
    return Plan(tuple(kept), tuple(dropped), objects)


def collect(planned: Plan) -> None:
    """Carry a plan out: free what only the dropped versions use, then forget them.

    Raises:
        PipelineError: the remote cannot be reached; no version is forgotten.
    """
    versions.free(planned.objects)
    for version in planned.drop:
        versions.forget(version.pointer)
        log.info("removed version %s of the data", version.id)


def forget_lost(settings: Settings) -> list[Version]:
    """Forget versions whose content is gone for good, from cache and remote, as an erasure leaves them; returns them.

    Raises:
        PipelineError: the remote cannot be reached.
    """
    known = {version.pointer: version for version in listed()}
    gone = [known[pointer] for pointer in versions.lost(known, settings)] if known else []
    for version in gone:
        versions.forget(version.pointer)
        log.info("forgot version %s of the data: its content is gone", version.id)
    return gone


def in_use(settings: Settings) -> dict[str, set[str]]:
    """Who was made from which data, by hash of the data: the workspace, releases, champions, the service.

    Raises:
        RegistryError: the model registry cannot be reached.
    """
    found: dict[str, set[str]] = {}
    for user, patterns in USERS_OF_DATA.items():
        for path in (path for pattern in patterns for path in Path().glob(pattern)):
            found.setdefault(str(files.read_json(path).get("data_hash")), set()).add(user)
    if settings.tracking_uri or (settings.home / "mlflow.db").exists():  # asking would make a registry
        registry = Registry(settings)
        for champion in filter(None, (registry.named(task, "champion") for task in MODELS)):
            found.setdefault(champion.data_hash, set()).add("the champion")
    return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the snapshot in a folder.

    Raises:
        VersionError: there is none: no snapshot, or one that was not finished.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise VersionError(f"{path} is missing: {folder} holds no accepted snapshot (`tandem retrain` makes one)")
    return dict(files.read_json(path))


def _read(pointer: Path) -> Version:
    content, meta = versions.pointed(pointer)
    return Version(pointer.stem, datetime.fromisoformat(meta["recorded"]), meta["manifest"], int(content["size"]))


def _refuse(to: Path) -> None:
    """Raise where a restored version would be taken for, or overwrite, something else."""
    place = to.resolve()
    if place == SNAPSHOT.resolve() or SNAPSHOT.resolve() in place.parents:
        raise VersionError(
            f"{to} is what `dvc repro` makes of data/raw: the next run would replace a version put there. Restore it "
            "elsewhere; to work on from that state, check out the commit of its dvc.lock and data/raw/*.dvc, then run "
            "`dvc checkout`"
        )
    if place.exists():
        raise VersionError(f"{to} exists; name a folder that does not")
