"""What is true of the canonical tables, computed over their files: no table is ever in memory as a whole.

DuckDB reads the Parquet files through Ibis. What arrives in Python is one number per claim, and of rows that break a
claim the first few.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from tandem import files
from tandem.data import schema
from tandem.data.engines import duckdb
from tandem.data.schema import Table

MEMORY = "800MB"
"""What DuckDB may hold in memory; the rest goes to a scratch folder."""

SHOWN = 5
"""How many rows that break a claim are shown."""

PLACE = "file_row_number"
"""Row of the Parquet file, from 0: what comes first is shown first."""

SNAPSHOT = (schema.PRODUCTS, schema.EVENTS, schema.REVIEWS, schema.USERS, schema.RELATIONS)
"""The tables of a snapshot."""

RAW_FILES, RAW_TABLES = "raw_files", "raw_tables"
"""Two more tables: the account of each raw file, and of all raw files of each table."""

COUNTS = ("rows", "kept", "duplicates", "refused")
ACCOUNT = pa.schema([(name, pa.string()) for name in ("table", "file")] + [(name, pa.int64()) for name in COUNTS])

Tables = Mapping[str, ir.Table]


@dataclass(frozen=True)
class Rows:
    """How many rows break a condition; one that is null breaks nothing."""

    broken: Callable[[ir.Table], ir.BooleanValue]


@dataclass(frozen=True)
class Repeats:
    """How many rows have a key that another row has too."""

    key: tuple[str, ...]


@dataclass(frozen=True)
class Orphans:
    """How many rows speak of a product that products lacks."""

    column: str


@dataclass(frozen=True)
class Scalar:
    """One value of the tables; where there is None there is nothing to judge."""

    of: Callable[[Tables], Any]
    absent: str = ""  # why there is nothing


@dataclass(frozen=True)
class Known:
    """A value that was computed before."""

    value: float


Measure = Rows | Repeats | Orphans | Scalar | Known


@contextmanager
def open_tables(folder: Path, accounts: Sequence[Mapping[str, Any]]) -> Iterator[Tables]:
    """The canonical tables in `folder` and the account of the raw rows, as expressions over one database.

    Args:
        accounts: `files` of reports/ingest.json: table, file, rows, kept, duplicates, refused of each raw file.

    Returns:
        By name. RAW_FILES has `accounted` beside `rows`, RAW_TABLES the `refused_share`. All have PLACE.

    Raises:
        FileNotFoundError: a table's file is not there.
        TableError: a file does not have the columns or types of its table.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tandem-") as scratch,
        duckdb.connected("UTC", MEMORY, Path(scratch)) as database,
    ):
        found = {table.name: _read(database, folder, table) for table in (*SNAPSHOT, schema.REFUSED)}
        yield {**found, **_accounts(database, accounts)}


def _read(database: Backend, folder: Path, table: Table) -> ir.Table:
    """The table, and in PLACE the number of each row, over all its files."""
    # Whole paths, as Ibis hands them on: `filename` would equal no others.
    paths = [path.resolve() for path in files.checked(folder / f"{table.name}.parquet", table)]
    named = [str(path) for path in paths]
    rows = database.read_parquet(named, table_name=table.name, file_row_number=True, filename=True)
    counts = (pq.read_metadata(path).num_rows for path in paths)
    before = rows.filename.cases(*zip(named, accumulate(counts, initial=0), strict=False))
    return rows.mutate(**{PLACE: rows[PLACE] + before}).drop("filename")


def _accounts(database: Backend, accounts: Sequence[Mapping[str, Any]]) -> dict[str, ir.Table]:
    """RAW_FILES and RAW_TABLES."""
    rows = pa.Table.from_pylist([{name: account.get(name) for name in ACCOUNT.names} for account in accounts], ACCOUNT)
    of_files = rows.append_column(PLACE, pa.array(range(len(rows)), pa.int64()))
    stored = database.create_table(RAW_FILES, ibis.memtable(of_files))
    of_tables = stored.group_by("table").agg(
        *(stored[name].sum().name(name) for name in COUNTS), stored[PLACE].min().name(PLACE)
    )
    share = of_tables.refused / ibis.greatest(of_tables.rows, 1)
    accounted = stored.kept + stored.duplicates + stored.refused
    return {RAW_FILES: stored.mutate(accounted=accounted), RAW_TABLES: of_tables.mutate(refused_share=share)}


def measure(tables: Tables, asked: Sequence[tuple[str, Measure]]) -> list[Any]:
    """The value of each pair of a table's name and a measure, in their order; None where there is nothing to judge.

    All `Rows` of one table take one pass over its file.
    """
    values: dict[int, Any] = {}
    for name in dict.fromkeys(name for name, _ in asked):
        conditions = {place: m for place, (of, m) in enumerate(asked) if of == name and isinstance(m, Rows)}
        values |= _count(tables[name], conditions)
    for place, (name, one) in enumerate(asked):
        match one:
            case Repeats():
                values[place] = repeats(tables[name], one.key)
            case Orphans():
                values[place] = whole(_broken(tables, name, one).count())
            case Scalar():
                values[place] = one.of(tables)
            case Known():
                values[place] = one.value
    return [values[place] for place in range(len(asked))]


def _count(table: ir.Table, conditions: Mapping[int, Rows]) -> dict[int, int]:
    """How many rows break each condition, in one pass."""
    if not conditions:
        return {}
    counts = {str(place): table.count(where=rows.broken(table)) for place, rows in conditions.items()}
    (found,) = table.aggregate(**counts).to_pyarrow().to_pylist()
    return {int(place): count for place, count in found.items()}


def repeats(table: ir.Table, key: Sequence[str]) -> int:
    """Rows whose key another row has too; a row that lacks a part of its key is none of them.

    Exact, in two steps. Where there are as many different keys as rows no key repeats, and counting them is the
    cheapest exact way that was measured (docs/decisions/0009). Only otherwise are rows counted by key.
    """
    keys = table.select(*key).drop_null()
    (found,) = keys.aggregate(rows=keys.count(), different=keys.nunique()).to_pyarrow().to_pylist()
    if found["different"] == found["rows"]:
        return 0
    return whole(_twice(table, key).rows_of_key.sum())


def _twice(table: ir.Table, key: Sequence[str]) -> ir.Table:
    """Keys that more than one row has, with `rows_of_key`."""
    counted = table.drop_null(list(key)).group_by(list(key)).agg(rows_of_key=ibis._.count())
    return counted.filter(counted.rows_of_key > 1)


def first_rows(tables: Tables, name: str, one: Measure) -> list[dict[str, Any]]:
    """The first rows of the table that break the claim, as JSON knows them, without what is missing in them."""
    if isinstance(one, Scalar | Known):
        return []
    rows = _broken(tables, name, one).order_by(PLACE).limit(SHOWN).drop(PLACE)
    return plain_rows(rows)


def _broken(tables: Tables, name: str, one: Rows | Repeats | Orphans) -> ir.Table:
    """The rows that break the claim."""
    table = tables[name]
    match one:
        case Rows():
            return table.filter(one.broken(table))
        case Repeats():
            return table.semi_join(_twice(table, one.key), list(one.key))
        case Orphans():
            told, products = table.filter(table[one.column].notnull()), tables["products"]
            return told.anti_join(products, told[one.column] == products.product_id)


def refused(tables: Tables) -> list[dict[str, Any]]:
    """Refused rows by table and rule, the most frequent first: `table`, `rule`, `count`, `first` rows."""
    rows = tables["refused"]
    found = rows.group_by("table", "rule").agg(count=rows.count())
    counted = found.order_by(ibis.desc("count"), "table", "rule").to_pyarrow().to_pylist()
    place = ibis.row_number().over(group_by=["table", "rule"], order_by=PLACE)
    shown = rows.mutate(shown=place).filter(ibis._.shown < SHOWN).order_by(PLACE).drop(PLACE, "shown")
    first = plain_rows(shown)
    return [
        {**c, "first": [_without(r) for r in first if (r["table"], r["rule"]) == (c["table"], c["rule"])]}
        for c in counted
    ]


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("file", "row", "reason", "record") if name in row}


def whole(number: ir.IntegerScalar) -> int:
    """The number itself; of no rows it is 0."""
    return int(number.to_pyarrow().as_py() or 0)


def share_without(all_of: ir.Table, with_it: ir.Table) -> float | None:
    """1 - rows of `with_it` / rows of `all_of`, in one query; None where there are none."""
    both = all_of.aggregate(whole=all_of.count()).cross_join(with_it.aggregate(part=with_it.count()))
    (found,) = both.to_pyarrow().to_pylist()
    return 1 - found["part"] / found["whole"] if found["whole"] else None


def plain_rows(rows: ir.Table) -> list[dict[str, Any]]:
    """Few rows as JSON knows them, without what is missing in them."""
    found = rows.to_pyarrow().to_pylist()
    return [{name: plain(value) for name, value in row.items() if value is not None} for row in found]


def plain(value: Any) -> Any:
    """The value as JSON knows it: a time in ISO 8601, a number that is none in words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value
