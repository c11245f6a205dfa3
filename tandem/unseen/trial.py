"""A source's YAML tried on the first records of its raw files: what would be kept, repaired and refused.

The records go through the very judging of `tandem.data.canonical`, with a key that is thrown away, in a scratch folder.
"""

import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tandem.data import canonical, exports
from tandem.data.batches import Export
from tandem.data.blocks import FREE, Block
from tandem.data.entries import Picture
from tandem.data.sources import Source
from tandem.errors import SourceError, TandemError
from tandem.params import IngestParams, ValidateParams
from tandem.privacy import attributes, vault
from tandem.unseen import alike, bounds, headers, recommended

CATALOGUE_ROWS = 200_000
"""Records read of a file of products, so that what is sold is known."""

READING = (
    *("encoding", "delimiter", "header", "sheet", "matrix", "beside", "glue", "parts", "only", "join"),
    *("unpivot", "explode", "starts", "pairs", "distinct"),
)
"""Keys of a block that say how a file becomes records; the others say how records are judged."""

TELLING = {"products", "events", "reviews"}
"""Tables that tell which products there are; without any of them no row can be judged."""

EXAMPLES = 2


@dataclass(frozen=True)
class Repair:
    """What judging puts right by itself, and in how many cells of a raw column."""

    table: str
    column: str
    what: str
    cells: int


@dataclass(frozen=True)
class Example:
    """A row that is refused: where it stands and why; the user in `record` is a pseudonym of no further use."""

    file: str
    row: int
    reason: str
    record: str


@dataclass(frozen=True)
class _Sample:
    """The records taken from one file."""

    export: Export
    rows: NDArray[np.int64]  # (records,) their numbers in the file
    columns: list[str]


@dataclass
class Trial:
    """What came of the records that were tried."""

    accounts: list[dict[str, Any]] = field(default_factory=list)  # by file, as in reports/ingest.json
    report: dict[str, Any] = field(default_factory=dict)  # as reports/ingest.json; empty where nothing could be tried
    examples: dict[tuple[str, str], list[Example]] = field(default_factory=dict)  # by table and rule
    repairs: list[Repair] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)  # why `tandem ingest` would stop
    unread_files: list[str] = field(default_factory=list)
    unread_columns: dict[str, list[str]] = field(default_factory=dict)  # by table and pattern
    cut: int = 0  # files of which only the first records were read


def run(
    source: Source,
    folder: Path,
    scratch: Path,
    params: IngestParams,
    rows: int,
    validate: ValidateParams | None = None,
) -> Trial:
    """Try the source on the first `rows` records of each file in `folder`.

    Args:
        source: how the files are read.
        folder: the raw files.
        scratch: an existing folder in which a private one is made and removed again: it holds raw records meanwhile.
        params: what is cleaned, masked and let through; `dominant_user` is not asked, it needs all rows.
        rows: records of a file; of products up to CATALOGUE_ROWS are read.
        validate: the bounds of a snapshot; by default those of params.yaml.

    Raises:
        SourceError: no such folder, or a block has no file in it.
        ParamsError: a value that the source recommends does not fit.
    """
    params, limits = recommended.params(source, params, validate)
    found, trial = exports.find(source, folder), Trial()
    trial.unread_files = _unread(found.unmapped, source, folder)
    samples: dict[str, _Sample] = {}
    blocks: dict[str, list[Block]] = {}
    told = set(source.products_from_events.texts.values()) if source.products_from_events else set()
    with tempfile.TemporaryDirectory(prefix="check-", dir=scratch) as private:
        for table, listed in found.of.items():
            most = max(rows, CATALOGUE_ROWS) if table == "products" else rows
            for place, (block, files) in enumerate(listed):
                where = f"{table}-{place}"
                taken = _take(block, files, Path(private) / "raw" / where, most, told, trial)
                samples |= {f"{where}/{name}": sample for name, sample in taken.items()}
                if taken:
                    columns = {name for sample in taken.values() for name in sample.columns}
                    blocks.setdefault(table, []).append(_as_parquet(block, where, columns))
        if blocks.keys() & TELLING:
            judged = _with_allowed(_with(source, blocks), params, trial)
            _judge(judged, Path(private), samples, params, trial)
    if blocks.keys() == {table for table, listed in found.of.items() if listed}:  # else others lack what it tells
        trial.stops += bounds.refused(trial.accounts, limits)
    bounds.warn_of_future(trial.report.get("span"), limits)
    return trial


def _unread(names: list[str], source: Source, folder: Path) -> list[str]:
    """Files that hold data and that neither a block nor `pictures` reads."""
    patterns = [one.files or (one.links.files if one.links else "") for one in source.pictures]
    pictured = {path.relative_to(folder).as_posix() for pattern in patterns if pattern for path in folder.glob(pattern)}
    return [
        name
        for name in names
        if name.partition("!")[0] not in pictured and not alike.NO_DATA.search(PurePosixPath(name).name)
    ]


def _take(
    block: Block, files: list[Export], folder: Path, most: int, told: set[str], trial: Trial
) -> dict[str, _Sample]:
    """Write the first records of each file that can be read as Parquet; samples by name."""
    taken: dict[str, _Sample] = {}
    first = headers.model(files, block)
    unread: set[str] = set()
    for place, export in enumerate(files):
        header: list[str] = []
        try:
            header = exports.header(export, block)
            if changed := headers.difference(block, first, header, export):
                trial.stops.append(changed.message(export.name))
                if changed.stops_reading:
                    continue
            exports.check(header, export, block)
            cells, problems = _first(export, block, most, trial)
        except SourceError as error:
            trial.stops.append(f"{error}{headers.close(header, block)}")
            continue
        unread |= {name for name in header if name not in block.named and name not in told and name[0] != "@"}
        name, sound = f"{place:06}.parquet", pc.is_null(problems)
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(cells.filter(sound), folder / name)
        taken[name] = _Sample(export, np.flatnonzero(sound.to_numpy()) + 1, header)
        _note_unreadable(block, export, problems, trial)
        _note_repairs(block, cells, trial)
    if unread:
        trial.unread_columns[f"{block.table.name}: {block.files}"] = sorted(unread)
    return taken


def _first(export: Export, block: Block, most: int, trial: Trial) -> tuple[pa.Table, pa.ChunkedArray]:
    """The first records of a file, and the problem of each, if it has one."""
    cells: list[pa.RecordBatch] = []
    problems: list[pa.Array] = []
    left = most
    for batch in exports.batches(export, block):
        found = batch.problems if batch.problems is not None else pa.nulls(batch.cells.num_rows, pa.string())
        cells.append(batch.cells.slice(0, left))
        problems.append(found.slice(0, left))
        left -= batch.cells.num_rows
        if left < 0:
            trial.cut += 1
            break
    return pa.Table.from_batches(cells), pa.chunked_array(problems, pa.string())


def _note_unreadable(block: Block, export: Export, problems: pa.ChunkedArray, trial: Trial) -> None:
    """Rows that do not fit the header are refused before they are judged."""
    rows = np.flatnonzero(pc.is_valid(problems).to_numpy())
    if len(rows) == 0:
        return
    account = {"rows": len(rows), "kept": 0, "duplicates": 0, "refused": len(rows)}
    rule = "unreadable_row"
    trial.accounts.append({"table": block.table.name, "file": export.name, **account, "rules": {rule: len(rows)}})
    examples = [Example(export.name, int(row) + 1, problems[int(row)].as_py(), "") for row in rows[:EXAMPLES]]
    trial.examples.setdefault((block.table.name, rule), []).extend(examples)


def _note_repairs(block: Block, cells: pa.Table, trial: Trial) -> None:
    """Count the cells that are read otherwise than they are written."""
    for name in sorted(set(block.named) & set(cells.column_names)):
        column = cells.column(name)
        ours = [canonical for canonical in block.columns if name in block.raw_of(canonical)]
        tests = {"blank space around it taken off": r"^\s+\S|\S\s+$"}
        tests |= {"read as a whole number": r"^\s*[+-]?\d+\.0+\s*$"} if block.integers & set(ours) else {}
        tests |= {"put in capitals": r"[a-z]"} if block.upper & set(ours) else {}
        tests |= {"HTML entities resolved": r"&(#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);"} if name in block.prose else {}
        for what, pattern in tests.items():
            count = pc.sum(pc.match_substring_regex(column, pattern)).as_py() or 0
            _add_repair(trial, Repair(block.table.name, name, what, count))


def _add_repair(trial: Trial, repair: Repair) -> None:
    """Add up repairs of one kind over the files of a table."""
    key = (repair.table, repair.column, repair.what)
    same = next((r for r in trial.repairs if (r.table, r.column, r.what) == key), None)
    if same is not None:
        trial.repairs[trial.repairs.index(same)] = Repair(*key, same.cells + repair.cells)
    elif repair.cells:
        trial.repairs.append(repair)


def _as_parquet(block: Block, where: str, columns: set[str]) -> Block:
    """The block for records that were read already; those of JSON may lack any of the columns."""
    defaults = {key: type(block).model_fields[key].get_default(call_default_factory=True) for key in READING}
    mapped = {name: cell for name, cell in block.columns.items() if not isinstance(cell, Picture)}
    free = {"may_have": frozenset({*block.may_have, *block.named, *columns})} if block.format in FREE else {}
    return block.model_copy(
        update={**defaults, **free, "columns": mapped, "files": f"{where}/*.parquet", "format": "parquet"}
    )


def _with(source: Source, blocks: dict[str, list[Block]]) -> Source:
    """The source with these blocks alone, nothing to fetch, extract or pack."""
    tables = {table: tuple(blocks.get(table, ())) for table in source.blocks}
    told = source.products_from_events if tables["events"] else None
    return source.model_copy(
        update={**tables, "products_from_events": told, "pictures": (), "extracts": (), "fetch": ()}
    )


def _with_allowed(source: Source, params: IngestParams, trial: Trial) -> Source:
    """The source without attributes of users that would stop it, so that all else is tried."""
    users = []
    for block in source.users:
        try:
            attributes.allowed(block.attributes, params.privacy.user_attributes)
        except SourceError as error:
            trial.stops.append(str(error))
            block = block.model_copy(update={"attributes": {}})
        users.append(block)
    return source.model_copy(update={"users": tuple(users)})


def _judge(source: Source, folder: Path, samples: dict[str, _Sample], params: IngestParams, trial: Trial) -> None:
    """Run the judging and tell what came of it by the names and rows of the raw files."""
    key = secrets.token_bytes(vault.KEY_BYTES)
    off = params.cleaning.dominant_user.model_copy(update={"enabled": False})
    asked = params._replace(cleaning=params.cleaning.model_copy(update={"dominant_user": off}))
    try:
        with _hushed():
            trial.report = canonical.make(source, folder / "raw", key, folder / "tables", folder / "parts", asked)
    except TandemError as error:
        trial.stops.append(str(error))
        return
    trial.accounts += [account | {"file": samples[account["file"]].export.name} for account in trial.report["files"]]
    refused = pq.read_table(folder / "tables" / "refused.parquet").sort_by(
        [("file", "ascending"), ("row", "ascending")]
    )
    for row in refused.to_pylist():
        known = trial.examples.setdefault((row["table"], row["rule"]), [])
        if len(known) < EXAMPLES:
            sample = samples[row["file"]]
            reason = row["reason"].replace(row["file"], sample.export.name)
            known.append(Example(sample.export.name, int(sample.rows[row["row"] - 1]), reason, row["record"] or ""))


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep quiet about scratch files."""
    log = logging.getLogger("tandem")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
