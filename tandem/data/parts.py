"""Judged rows of raw files, kept from one run to the next: a file that was read before is not read again.

A part holds the rows of the files of one block that came in together. Parts are a cache: they are used only while
the files' content, the block, the key of pseudonyms, the zone and this code are what they were made with. They hold
pseudonyms and no raw user id.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tandem import files
from tandem.data import exports, headers, mapping
from tandem.data.batches import Export
from tandem.data.blocks import FREE, Block
from tandem.data.engine import Engine
from tandem.data.records import Keep, Pseudonyms, Records
from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.params import IngestParams
from tandem.privacy import pseudonyms

log = logging.getLogger(__name__)

INDEX, PARTIAL = "index.json", "new.partial"
SCRATCH = "scratch"
"""A folder beside the parts for what does not fit into memory meanwhile."""

KEPT = "kept"
"""A folder beside the parts for what `tandem.data.increments` keeps."""

SHOWN = 10
"""New keys of JSON that are told by name."""

THREADS = 2
"""That read and hash raw files."""

Identity = tuple[str, int]
"""SHA-256 and size of a raw file."""

WAY_OUT = "If the file should not have come in: docs/intake.md says how to take it out again."


@dataclass(frozen=True)
class RawFile:
    """A raw file as it was read: `path` is that of the file it lies in, which for a member of a zip is the zip."""

    name: str
    sha256: str
    bytes: int
    rows: int
    left_out: dict[str, int]  # records that are no rows, by the shape that says so


@dataclass(frozen=True)
class Part:
    """Judged rows of some files of one block."""

    path: Path
    files: list[RawFile]
    repaired: dict[str, int]  # cells by what was done to them
    columns: list[str]  # raw ones, of all files together


@contextmanager
def identities(paths: Iterable[Path]) -> Iterator[Callable[[Path], Identity]]:
    """What tells the identity of each raw file: all are hashed meanwhile, in threads; who asks for one waits for it.

    Raises:
        SourceError: when it is asked for: a file cannot be read, or is not any more what was hashed.
    """
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hash")
    try:
        found = {path: pool.submit(_identity, path) for path in paths}
        yield lambda path: _unchanged(path, *found[path].result())
    finally:
        pool.shutdown(cancel_futures=True)


class Parts:
    """The parts of a source's blocks, in a folder of their own.

    Args:
        engine: what judges the rows.
        folder: of their own.
        source: whose blocks they are.
        raw: folder of its raw files.
        key: makes the users' pseudonyms.
        params: what is cleaned and masked while reading.
        keep: is told of each user's id and pseudonym, if given.
        identity: of each of its raw files, as `identities` tells.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        source: Source,
        raw: Path,
        key: bytes,
        params: IngestParams,
        keep: Keep | None,
        identity: Callable[[Path], Identity],
    ) -> None:
        self._engine, self._folder, self._source, self._raw = engine, folder, source, raw
        self._key, self._params, self._keep, self._identity = key, params, keep, identity
        here = Path(__file__).parent
        self._code = [files.hash_folder(folder) for folder in (here, here.with_name("privacy"))]

    def of(self, block: Block, found: list[Export]) -> list[Part]:
        """Parts that hold the judged rows of exactly the files `found`; those that are new are read.

        Raises:
            SourceError: a file is not as the block describes it, or its columns are not those of the files before.
        """
        folder = self._folder / f"{block.table.name}-{self._fingerprint(block)}"
        here = {export.name: export.path for export in found}
        parts = [part for part in _index(folder) if self._still(part, here)]
        known = {file.name for part in parts for file in part.files}
        new = [export for export in found if export.name not in known]
        if new:
            first = next((e for e in found if parts and e.name == parts[0].files[0].name), None)
            try:
                named = headers.check(new, first, block)
                _tell_new_keys(named, block, parts)
                columns = {column: None for header in named.values() for column in header}
                columns |= dict.fromkeys(sorted(block.may_have.intersection(block.named)))
                parts.append(self._read(block, new, list(columns), folder))
            except SourceError as error:
                raise SourceError(f"{error}\n{WAY_OUT}") from None
            files.write_json([_entry(part) for part in parts], folder / INDEX)
        _remove_others(folder, {part.path for part in parts})
        return parts

    def keep(self, blocks: Iterable[Block]) -> None:
        """Remove the parts of all other blocks, keys and code."""
        kept = {f"{block.table.name}-{self._fingerprint(block)}" for block in blocks}
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder.name not in {*kept, SCRATCH, KEPT}:
                shutil.rmtree(folder)

    def _still(self, part: Part, here: dict[str, Path]) -> bool:
        """Whether every file of the part is still there with the same content."""
        return part.path.exists() and all(
            file.name in here and self._identity(here[file.name]) == (file.sha256, file.bytes) for file in part.files
        )

    def _read(self, block: Block, new: list[Export], columns: list[str], folder: Path) -> Part:
        told = self._source.products_from_events
        people = Pseudonyms(self._key, self._keep)
        records = Records(new, block, columns, told.texts.values() if told else (), self._params, people)
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / PARTIAL
        rows = self._engine.stream(records.reader())
        try:
            self._engine.write(mapping.judge(self._engine, rows, block, told), partial)
        except Exception:  # each engine wraps what its stream raises in an error of its own
            if records.stopped is not None:
                raise records.stopped from None
            raise
        here = {e.name: self._identity(e.path) for e in new}
        names = hashlib.sha256("\n".join(f"{e.name} {here[e.name][0]}" for e in new).encode()).hexdigest()
        path = folder / f"{names[:16]}.parquet"
        partial.replace(path)
        log.info("read %d files of %s: %d rows", len(new), block.table.name, sum(records.counts.values()))
        read = [RawFile(e.name, *here[e.name], records.counts[e.name], dict(records.left_out[e.name])) for e in new]
        return Part(path, read, dict(records.repaired), columns)

    def _fingerprint(self, block: Block) -> str:
        """Of all that decides how a row of the block is judged."""
        told = self._source.products_from_events
        facts = {
            "block": block.model_dump(),
            "told": told.model_dump() if told else None,
            "engine": [self._engine.name, self._engine.version],
            "timezone": self._source.timezone,
            "key": pseudonyms.key_id(self._key),
            "keep": self._keep is not None,
            "code": self._code,
            "others": {str(path): files.hash_file(path) for path in exports.others(self._raw, block)},
            "text": self._params.cleaning.text.model_dump(),
            "language": self._params.cleaning.language.model_dump(),
            "masked": self._params.privacy.masked,
        }
        text = json.dumps(facts, sort_keys=True, default=lambda v: sorted(v) if isinstance(v, frozenset) else str(v))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _index(folder: Path) -> list[Part]:
    """The parts that were finished."""
    if not (folder / INDEX).exists():
        return []
    entries = files.read_json(folder / INDEX)
    return [
        Part(folder / e["path"], [RawFile(**file) for file in e["files"]], e["repaired"], e["columns"]) for e in entries
    ]


def _entry(part: Part) -> dict[str, object]:
    return {
        "path": part.path.name,
        "files": [vars(file) for file in part.files],
        "repaired": part.repaired,
        "columns": part.columns,
    }


def _identity(path: Path) -> tuple[Identity, int]:
    """And when the file was last written, before it was hashed."""
    try:
        found = path.stat()
        return (files.hash_file(path), found.st_size), found.st_mtime_ns
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None


def _unchanged(path: Path, identity: Identity, written_ns: int) -> Identity:
    if not path.exists() or path.stat().st_mtime_ns != written_ns:
        raise SourceError(f"{path.name}: changed while being read; ingest again when it is whole")
    return identity


def _tell_new_keys(named: dict[str, list[str]], block: Block, parts: list[Part]) -> None:
    """Of JSON, whose keys may come and go, tell those that no file had which was read before."""
    known = {column for part in parts for column in part.columns}
    if block.format not in FREE or not known:
        return
    for name, columns in named.items():
        if new := [column for column in columns if column not in known]:
            more = f" and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
            log.warning("%s has keys that no file before it had: %s%s", name, ", ".join(new[:SHOWN]), more)


def _remove_others(folder: Path, kept: set[Path]) -> None:
    """Remove what is neither the index nor a part in use."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path not in kept and path.name != INDEX:
            path.unlink()
