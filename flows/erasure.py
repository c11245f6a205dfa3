"""Remove a person from everything that is kept, and prove it.

Reads   a shop's user id, sources/*.yaml, the pseudonym keys
Writes  data/raw/**, releases wherever they lie, the registry, <home>, DVC's cache and remotes, and last of all
        reports/erasure/<date>-<n>.json, which names the person by a keyed hash alone

In this order: raw files, releases, the registry, the map of identities, whatever else holds the person (removed: it is
made anew), DVC's objects, the tables up to the snapshot, and a search through all of it. Each step finds for itself
what is left to do, so that a run that was cut short is simply run again; the proof is written only after a search, in
the same run, that found nothing. docs/decisions/0011-erasure.md says why.
"""

import contextlib
import hashlib
import hmac
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows import deploy, objects, prepare, snapshots, versions
from flows.ingest import KEY_ID, RAW, REWRITTEN, SOURCES
from flows.objects import LISTING, Store
from flows.registry import Registry, local
from tandem import files, release
from tandem.data import records, removal
from tandem.data.sources import Source
from tandem.errors import SettingsError, SourceError, TandemError
from tandem.privacy import identities, pseudonyms, traces, vault
from tandem.privacy.traces import Search
from tandem.settings import Settings

log = logging.getLogger(__name__)

PROOFS = Path("reports/erasure")
PLACES = (Path("data"), Path("reports"), Path(".dvc"), Path("dvc_plots"))
"""What is searched in the project's folder; git holds code and pointers, no data."""

SQLITE = b"SQLite format 3\0"


class ErasureError(TandemError, RuntimeError):
    """A trace of the person is left that cannot be removed; there is no proof."""


@dataclass(frozen=True)
class Person:
    """Whom to remove: by the shop's id, which is never written, and by pseudonym under every key at hand."""

    user_id: str
    keys: list[bytes]
    described: list[Source]  # sources with raw files

    @property
    def proof_id(self) -> str:
        """A keyed hash that is no pseudonym: it finds the proof again, and nothing else."""
        return hmac.digest(self.keys[0], b"\0tandem erasure\0" + self.user_id.encode(), "sha256").hex()[:32]

    @property
    def pseudonyms(self) -> list[str]:
        """Under every key, in every spelling that a source makes of the id."""
        blocks = [block for source in self.described for found in source.blocks.values() for block in found]
        spelled = [str(records.spelled(pa.array([self.user_id]), block)[0]) for block in blocks if block.user_column]
        return [pseudonyms.of(key, text) for key in self.keys for text in dict.fromkeys([self.user_id, *spelled])]

    def search(self) -> Search:
        """A search for this person."""
        return Search(self.pseudonyms, self.user_id)


@dataclass(frozen=True)
class Erased:
    """What was done."""

    proof: Path
    summary: str


def erase(user_id: str, *, rebuild: bool = True) -> Erased:
    """Remove a person and return where the proof is.

    Args:
        user_id: as the shop writes it; never written or logged.
        rebuild: make the tables anew, up to the snapshot; else the next `dvc repro` does.

    Raises:
        ErasureError: a trace is left; says where.
        SettingsError: an empty id, or the key that the data was registered with is not at hand.
        SourceError: raw files cannot be read as their source describes them.
        PipelineError: DVC or one of its remotes failed, or a stage did.
    """
    settings = prepare()
    person = _person(user_id, settings)
    vault.record(settings, "erase a user", outcome="begun")
    done = _remove(person, settings)
    if rebuild and any(done.values()):
        versions.repro("validate")
    proof = _prove(person, settings, done)
    _journal(person, settings).unlink(missing_ok=True)
    vault.record(settings, "erase a user")
    found = {what: count for what, count in done.items() if count}
    said = ", ".join(f"{what}: {count}" for what, count in found.items()) if found else "none was there before either"
    return Erased(proof, said)


def _person(user_id: str, settings: Settings) -> Person:
    text = user_id.strip()
    if not text:
        raise SettingsError("no user id was given")
    keys = pseudonyms.load_keys(settings)
    if not KEY_ID.exists() or pseudonyms.key_for(keys, KEY_ID.read_text(encoding="utf-8").strip()) is None:
        pseudonyms.registered_key(settings, KEY_ID)  # says what is wrong
    described = [Source.read(path) for path in sorted(SOURCES.glob("*.yaml")) if (RAW / path.stem).is_dir()]
    return Person(text, keys, described)


def _remove(person: Person, settings: Settings) -> dict[str, int]:
    """Take every step; how much each of them removed."""
    done = {"raw records": _from_raw(person, settings)}
    done["releases"] = _from_releases(person, settings)
    done["registry versions marked"] = _follow(settings)
    done["identities"] = identities.forget(settings, person.pseudonyms)
    done["files"] = _from_files(person, settings)
    done["DVC objects"] = _from_stores(person, settings)
    snapshots.forget_lost(settings)
    return done


# Raw files


def _from_raw(person: Person, settings: Settings) -> int:
    """Rewrite raw files; what they were is put down first, for DVC's stores hold it too."""
    journal, count = _journal(person, settings), 0
    for source in person.described:
        folder = RAW / source.name
        cuts = removal.find(source, folder, person.user_id)
        if cuts:
            before = {_md5(cut.export.path) for cut in cuts}
            files.write_json(sorted(before | set(_old_objects(journal))), journal)
            _note_rewritten({cut.export.path for cut in cuts}, settings.home / REWRITTEN)
            removal.remove(cuts)
            count += sum(len(cut.records) for cut in cuts)
        if journal.exists():
            versions.add(folder)
    return count


def _note_rewritten(paths: Iterable[Path], record: Path) -> None:
    """Let `tandem ingest` know the files again, by what they are now, where the shop still has them so."""
    known: dict[str, list[str]] = files.read_json(record) if record.exists() else {}
    for path in paths:
        name = path.relative_to(RAW).as_posix()
        known[name] = sorted({*known.get(name, []), files.hash_file(path)})
    files.write_json(known, record)


def _journal(person: Person, settings: Settings) -> Path:
    """Where a run that is cut short leaves the names (MD5) of raw files as they were."""
    return settings.home / "erasure" / f"{person.proof_id}.json"


def _old_objects(journal: Path) -> list[str]:
    return list(files.read_json(journal)) if journal.exists() else []


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


# Releases and the registry


def _from_releases(person: Person, settings: Settings) -> int:
    return sum(release.forget(folder, person.pseudonyms) for folder in _releases(settings))


def _releases(settings: Settings) -> list[Path]:
    """Every release on this machine: made, served, champions, in bentos, in the registry's store."""
    places = _places(settings)
    manifests = {path for place in places for path in place.rglob(release.MANIFEST)}
    return sorted(path.parent for path in manifests if (path.parent / "state" / "histories.npz").exists())


def _follow(settings: Settings) -> int:
    """Let the registry and the list of deployments name releases by their new hash, and mark them for retraining."""
    manifests = [release.read_manifest(folder) for folder in _releases(settings)]
    erased = {str(manifest["content_hash"]) for manifest in manifests if manifest.get("erased")}
    if not erased:
        return 0
    marked = Registry(settings).follow(erased)
    now = {(version.task, version.version): version.content_hash for version in marked}
    known = deploy.history(settings)
    for entry in known:
        for task, facts in entry.releases.items():
            facts["content_hash"] = now.get((task, facts["version"]), facts["content_hash"])
    if known:
        deploy.record(settings, known)
    return len(marked)


# Everything else


def _places(settings: Settings) -> list[Path]:
    """Folders that are searched, none within another."""
    addresses = Registry(settings).artifacts()
    outside = [folder for address in addresses if (folder := local(address)) is not None]
    wanted = [path.resolve() for path in (*PLACES, settings.home, *outside) if path.exists()]
    if settings.serving and settings.serving.exists():
        wanted.append(settings.serving.resolve())
    return [
        path
        for path in dict.fromkeys(wanted)
        if not any(path != other and path.is_relative_to(other) for other in wanted)
    ]


def _files(settings: Settings, stored: Iterable[Path]) -> Iterator[Path]:
    """Every file of the places, but for DVC's stores and what is encrypted."""
    apart = [folder.resolve() for folder in stored]
    sealed = {settings.key_file.resolve(), settings.identities.resolve()}
    for place in _places(settings):
        for path in sorted(place.rglob("*")):
            inside = any(path.is_relative_to(folder) for folder in apart)
            if path.is_file() and not path.is_symlink() and not inside and path.resolve() not in sealed:
                yield path


def _from_files(person: Person, settings: Settings) -> int:
    """Remove every file that holds the person, outside raw data: it is made anew from what is left."""
    search, count = person.search(), 0
    with objects.stores(settings) as stores:
        folders = [store.folder for store in stores if store.folder]
    for path in _files(settings, folders):
        if search.in_file(path):
            if path.is_relative_to(RAW.resolve()):
                raise ErasureError(f"{path} holds the person, and no source says how to read it: remove it by hand")
            _discard(path)
            count += 1
    return count


def _discard(path: Path) -> None:
    """Remove a file; of a database, what was deleted in it."""
    with path.open("rb") as stream:
        is_database = stream.read(len(SQLITE)) == SQLITE
    if not is_database:
        log.info("removing %s", path)
        path.unlink()
        return
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("VACUUM")


# DVC's stores


def _from_stores(person: Person, settings: Settings) -> int:
    """Delete objects that hold the person, from the cache and from every remote."""
    with objects.stores(settings) as stores:
        return sum(_from_store(store, person, _old_objects(_journal(person, settings))) for store in stores)


def _from_store(store: Store, person: Person, known: list[str]) -> int:
    search = person.search()
    names = set(store.names())
    theirs = names & set(known)
    theirs |= {name for name in names - theirs if not name.endswith(LISTING) and _holds(store, name, search)}
    theirs |= _old_raw(store, person, names - theirs)
    if theirs:
        store.delete(sorted(theirs))
        log.info("%s: deleted %d objects", store.name, len(theirs))
    return len(theirs)


def _holds(store: Store, name: str, search: Search) -> bool:
    with store.open(name) as stream, tempfile.SpooledTemporaryFile(traces.IN_MEMORY) as copy:
        shutil.copyfileobj(stream, copy, traces.CHUNK)
        return search.in_stream(copy, f"{store.name}: {name}")


def _old_raw(store: Store, person: Person, names: set[str]) -> set[str]:
    """Objects that are files of earlier versions of raw data and hold rows of the person.

    The files of a listing are laid out as a folder, and read as `ingest` would.
    """
    listings = sorted((store.listing(name) for name in names if name.endswith(LISTING)), key=len, reverse=True)
    seen: set[str] = set()
    theirs: set[str] = set()
    for listed in listings:
        here = {path: name for path, name in listed.items() if name in names}
        if set(here.values()) <= seen:
            continue
        seen |= set(here.values())
        theirs |= _read_as_raw(store, here, person)
    return theirs


def _read_as_raw(store: Store, listed: dict[str, str], person: Person) -> set[str]:
    """Objects with rows of the person, as far as a block of a source reads the files; others are none of its."""
    theirs: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path, name in listed.items():
            store.put(name, folder / path)
        for source in person.described:
            for alone in _block_by_block(source):
                with contextlib.suppress(SourceError):
                    cuts = removal.find(alone, folder, person.user_id)
                    theirs |= {listed[cut.export.path.relative_to(folder).as_posix()] for cut in cuts}
    return theirs


def _block_by_block(source: Source) -> Iterator[Source]:
    """The source with each of its blocks alone: a folder that lacks files of the others can still be read."""
    nothing: dict[str, Any] = dict.fromkeys(source.blocks, ())
    for table, blocks in source.blocks.items():
        for block in blocks:
            yield source.model_copy(update={**nothing, table: (block,)})


# The proof


def _prove(person: Person, settings: Settings, done: dict[str, int]) -> Path:
    """Search everything; the path of the proof that nothing was found.

    Raises:
        ErasureError: something was.
    """
    search = person.search()
    found: list[str] = []
    with objects.stores(settings) as stores:
        folders = [store.folder for store in stores if store.folder]
        found += [str(path) for path in _files(settings, folders) if search.in_file(path)]
        for store in stores:
            names = store.names()
            found += [f"{store.name}: {name}" for name in names if _holds(store, name, search)]
            found += [f"{store.name}: {name}" for name in sorted(_old_raw(store, person, set(names)))]
    rows = _in_raw(person)
    found += rows["found"]
    if settings.identities.exists():
        held = set(identities.read(settings)["pseudonym"].to_pylist()) & set(person.pseudonyms)
        found += [str(settings.identities)] if held else []
    if found:
        raise ErasureError(f"the person is still in {len(found)} places, there is no proof: {'; '.join(found[:5])}")
    report = _report(person, settings, done, search, [store.name for store in stores], rows)
    path = _next(PROOFS)
    files.write_json(report, path)
    return path


def _in_raw(person: Person) -> dict[str, Any]:
    """What the readers say of raw files: rows read, and files that hold the person."""
    found, rows = [], 0
    for source in person.described:
        folder = RAW / source.name
        rows += removal.count(source, folder)
        cuts = removal.find(source, folder, person.user_id)
        found += [str(cut.export.path) for cut in cuts]
    return {"found": found, "rows": rows}


def _report(
    person: Person, settings: Settings, done: dict[str, int], search: Search, stores: list[str], rows: dict[str, Any]
) -> dict[str, Any]:
    unmistakable = traces.is_unmistakable(person.user_id)
    return {
        "person": person.proof_id,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "removed": done,
        "found": 0,
        "searched": {
            "places": [_shown(path) for path in _places(settings)] + stores,
            "files": dict(search.counts),
            "raw rows": rows["rows"],
            "sources": [source.name for source in person.described],
        },
        "how": {
            "pseudonyms": f"{len(person.pseudonyms)}, as UTF-8, UTF-16, UTF-32 and raw bytes, wherever they stand, "
            "through gzip, bzip2, xz, Zstandard, zip (workbooks, npz), Parquet, Arrow and SQLite",
            "raw id": "as a whole token wherever it stands, and in the column of users of every raw file"
            if unmistakable
            else "too short to be told from other numbers and words: in the column of users of every raw file, "
            "today's and earlier versions in DVC's stores",
        },
        "damaged archives, searched as they lie": [_shown(Path(name)) for name in search.closed],
        "not reached": _unreached(settings),
    }


def _unreached(settings: Settings) -> list[str]:
    """What this machine cannot search: proofs do not speak of it."""
    return [address for address in Registry(settings).artifacts() if local(address) is None]


def _shown(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _next(folder: Path) -> Path:
    """The first name of today that is free."""
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).date().isoformat()
    return next(path for n in range(1, 10**6) if not (path := folder / f"{day}-{n}.json").exists())
