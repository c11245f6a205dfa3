"""Remove a person from everything that is kept, and prove it.

Reads   a shop's user id, sources/*.yaml, the pseudonym keys
Writes  data/raw/**, releases wherever they lie, the registry, <home>, DVC's cache and remotes, and last of all
        reports/erasure/<date>-<n>.json, which names the person by a keyed hash alone

In this order: raw files, releases, the registry, the map of identities, whatever else holds the person (databases are
edited, other files removed: they are made anew), DVC's objects, the tables up to the snapshot, and a search through all
of it. Each step finds for itself what is left to do, so that a run that was cut short is simply run again; the proof is
written only after a search, in the same run, that found nothing. docs/decisions/0011-erasure.md says why.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flows import deploy, objects, people, places, prepare, proof, snapshots, versions
from flows.ingest import RAW, REWRITTEN
from flows.people import Person
from flows.proof import ErasureError
from flows.registry import Registry
from flows.versions import PipelineError
from tandem import files, release
from tandem.data import removal
from tandem.privacy import databases, identities, vault
from tandem.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Erased:
    """What came of it."""

    removed: dict[str, int]  # how much, by kind; empty if the person was nowhere
    proof: Path | None  # of this run; None if nobody was found and no proof was asked for
    known: bool  # whether the person was found, by this run or by one that was cut short
    earlier: Path | None  # proof that the person was removed before
    not_rebuilt: str  # why the tables could not be made anew; empty if they were


def erase(user_id: str, *, rebuild: bool = True, prove_absence: bool = False) -> Erased:
    """Remove a person and prove that nothing is left.

    Args:
        user_id: as the shop writes it; never written or logged.
        rebuild: make the tables anew, up to the snapshot; else the next `dvc repro` does.
        prove_absence: search everything once more and write a proof even if nobody by that id was found.

    Raises:
        ErasureError: a trace is left; says where and what to do.
        DatabaseInUse: a database that holds the person is kept by another process.
        SettingsError: an empty id, or the key that the data was registered with is not at hand.
        SourceError: raw files cannot be read as their source describes them.
        PipelineError: DVC or one of its remotes failed.
    """
    settings = prepare()
    person = people.named(user_id, settings)
    vault.record(settings, "erase a user", outcome="begun")
    journal = _journal(person, settings)
    begun = journal.exists()
    removed = _remove(person, settings)
    known = begun or bool(removed)
    not_rebuilt = _rebuild() if known and rebuild else ""
    earlier = proof.earlier(person)
    written = _proven(person, settings, removed, known=known) if known or prove_absence else None
    journal.unlink(missing_ok=True)
    vault.record(settings, "erase a user", outcome="done" if known else "unknown user")
    return Erased(removed, written, known, earlier, not_rebuilt)


def _proven(person: Person, settings: Settings, removed: dict[str, int], *, known: bool) -> Path:
    searched = proof.search(person, settings)
    return proof.write(person, proof.REMOVED if known else proof.NOBODY, removed, searched)


def _remove(person: Person, settings: Settings) -> dict[str, int]:
    """Take every step; how much each of them removed, where it removed anything."""
    journal = _journal(person, settings)
    done: dict[str, int] = {}
    for step in (_from_raw, _from_releases, _from_identities, _from_files, _from_stores):
        done |= {what: count for what, count in step(person, settings).items() if count}
        if done and not journal.exists():
            files.write_json([], journal)
    snapshots.forget_lost(settings)
    return done


def _rebuild() -> str:
    """Make the tables anew, up to the snapshot; why that failed. What is proven does not depend on it."""
    try:
        versions.repro("validate")
    except PipelineError as error:
        return str(error)
    return ""


# Raw files


def _from_raw(person: Person, settings: Settings) -> dict[str, int]:
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
        if _old_objects(journal):
            versions.add(folder)
    return {"raw records": count}


def _note_rewritten(paths: Iterable[Path], record: Path) -> None:
    """Let `tandem ingest` know the files again, by what they are now, where the shop still has them so."""
    known: dict[str, list[str]] = files.read_json(record) if record.exists() else {}
    for path in paths:
        name = path.relative_to(RAW).as_posix()
        known[name] = sorted({*known.get(name, []), files.hash_file(path)})
    files.write_json(known, record)


def _journal(person: Person, settings: Settings) -> Path:
    """The names (MD5) of raw files as they were; there as long as an erasure that found somebody is not finished."""
    return settings.home / "erasure" / f"{person.proof_id}.json"


def _old_objects(journal: Path) -> list[str]:
    return list(files.read_json(journal)) if journal.exists() else []


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


# Releases and the registry


def _from_releases(person: Person, settings: Settings) -> dict[str, int]:
    """Edit releases, and let registry and deployments follow, also those that a run which was cut short edited."""
    count = sum(release.forget(folder, person.pseudonyms) for folder in _releases(settings))
    marked = _follow(settings)
    return {"releases": count, "registry versions marked": marked if count else 0}


def _releases(settings: Settings) -> list[Path]:
    """Every release on this machine: made, served, champions, in bentos, in the registry's store."""
    manifests = {path for place in places.searched(settings) for path in place.rglob(release.MANIFEST)}
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


def _from_identities(person: Person, settings: Settings) -> dict[str, int]:
    return {"identities": identities.forget(settings, person.pseudonyms)}


def _from_files(person: Person, settings: Settings) -> dict[str, int]:
    """Edit every database that holds the person, and remove every other file: it is made anew from what is left."""
    search = person.search()
    edited: set[Path] = set()
    done = {"databases": 0, "files": 0}
    for path in places.holders(settings, search):
        _check_not_raw(path)
        database = databases.of(path)
        if database is None:
            log.info("removing %s", path)
            path.unlink()
            done["files"] += 1
        elif database not in edited:
            databases.redact(database, search)
            edited.add(database)
            done["databases"] += 1
    return done


def _check_not_raw(path: Path) -> None:
    if path.is_relative_to(RAW.resolve()):
        raise ErasureError(
            f"{path} holds the person, and no source says how to read it: remove it by hand, then run `tandem erase` "
            "again with the same id"
        )


def _from_stores(person: Person, settings: Settings) -> dict[str, int]:
    """Delete objects that hold the person, from DVC's cache and from every remote."""
    known, count = _old_objects(_journal(person, settings)), 0
    with objects.stores(settings) as stores:
        for store in stores:
            theirs = places.objects_with(store, person, person.search(), known)
            if theirs:
                store.delete(sorted(theirs))
                log.info("%s: deleted %d objects", store.name, len(theirs))
            count += len(theirs)
    return {"DVC objects": count}
