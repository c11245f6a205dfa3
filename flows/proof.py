"""The proof of an erasure: a search through everything that found nothing.

Writes  reports/erasure/<date>-<n>.json     what was searched and how; names the person by a keyed hash alone
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import objects, places
from flows.ingest import RAW
from flows.people import Person
from tandem import files
from tandem.data import removal
from tandem.errors import TandemError
from tandem.privacy import identities, traces
from tandem.settings import Settings

PROOFS = Path("reports/erasure")
REMOVED, NOBODY = "removed", "nobody was found"
SHOWN = 5

ADVICE = (
    "What to do: stop Prefect's server and workers and `tandem serve`, and run `tandem erase` again with the same id. "
    "A place that is named again is none that Tandem can edit: remove the person there by hand, then run it once more"
)


class ErasureError(TandemError, RuntimeError):
    """A trace of the person is left that cannot be removed; there is no proof."""


@dataclass(frozen=True)
class Searched:
    """What a search went through that found nothing."""

    counts: dict[str, int]  # files by the way they were looked at
    damaged: list[str]
    places: list[str]
    not_reached: list[str]
    raw_rows: int


def search(person: Person, settings: Settings) -> Searched:
    """Search everything for a person who is to be nowhere.

    Raises:
        ErasureError: the person is somewhere; says where and what to do.
    """
    looked = person.search()
    found = [_shown(path) for path in places.holders(settings, looked)]
    with objects.stores(settings) as stores:
        for store in stores:
            found += [f"{store.name}: {name}" for name in sorted(places.objects_with(store, person, looked))]
        searched = [_shown(path) for path in places.searched(settings)] + [store.name for store in stores]
        not_reached = places.not_reached(settings, stores)
    found += _in_raw(person) + _in_identities(person, settings)
    if found:
        raise ErasureError(_still_there(found))
    damaged = [_shown(Path(name)) for name in looked.closed]
    return Searched(dict(looked.counts), damaged, searched, not_reached, _raw_rows(person))


def write(person: Person, outcome: str, removed: Mapping[str, int], searched: Searched) -> Path:
    """Write down that nothing was found; the path of the proof."""
    path = _next(PROOFS)
    files.write_json(_report(person, outcome, removed, searched), path)
    return path


def earlier(person: Person) -> Path | None:
    """The latest proof that the person was removed before, where there is one."""
    known = [(path, files.read_json(path)) for path in PROOFS.glob("*.json")]
    theirs = [
        (proof["time"], path)
        for path, proof in known
        if proof["person"] in person.proof_ids and proof.get("outcome") != NOBODY
    ]
    return max(theirs)[1] if theirs else None


def _still_there(found: list[str]) -> str:
    count = "1 place" if len(found) == 1 else f"{len(found)} places"
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"the person is still in {count}, there is no proof: {'; '.join(found[:SHOWN])}{more}. {ADVICE}"


def _in_raw(person: Person) -> list[str]:
    """Raw files that hold the person, as their readers say."""
    cuts = [cut for source in person.described for cut in removal.find(source, RAW / source.name, person.user_id)]
    return [str(cut.export.path) for cut in cuts]


def _raw_rows(person: Person) -> int:
    return sum(removal.count(source, RAW / source.name) for source in person.described)


def _in_identities(person: Person, settings: Settings) -> list[str]:
    if not settings.identities.exists():
        return []
    held = set(identities.read(settings)["pseudonym"].to_pylist()) & set(person.pseudonyms)
    return [str(settings.identities)] if held else []


def _report(person: Person, outcome: str, removed: Mapping[str, int], searched: Searched) -> dict[str, Any]:
    return {
        "person": person.proof_id,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "outcome": outcome,
        "removed": dict(removed),
        "found": 0,
        "searched": {
            "places": searched.places,
            "files": searched.counts,
            "raw rows": searched.raw_rows,
            "sources": [source.name for source in person.described],
        },
        "how": _how(person),
        "damaged archives, searched as they lie": searched.damaged,
        "not reached": searched.not_reached,
    }


def _how(person: Person) -> dict[str, str]:
    unmistakable = traces.is_unmistakable(person.user_id)
    return {
        "pseudonyms": f"{len(person.pseudonyms)}, as UTF-8, UTF-16, UTF-32 and raw bytes, wherever they stand, "
        "through gzip, bzip2, xz, Zstandard, zip (workbooks, npz), Parquet, Arrow and SQLite",
        "raw id": "as a whole token wherever it stands, and in the column of users of every raw file"
        if unmistakable
        else "too short to be told from other numbers and words: in the column of users of every raw file, "
        "today's and earlier versions in DVC's stores",
    }


def _shown(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def _next(folder: Path) -> Path:
    """The first name of today that is free."""
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(UTC).date().isoformat()
    return next(path for n in range(1, 10**6) if not (path := folder / f"{day}-{n}.json").exists())
