"""Rows of SQL databases as raw files: what a query returns becomes typed Parquet that never changes.

Reads   the database whose SQLAlchemy URL stands in the environment variable that an extract names
Writes  data/raw/<source>/<name>-<n>.parquet, n counting up from 000001

The URL is a secret: no log line and no error holds it or a part of it.
"""

import datetime
import hashlib
import json
import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq
from sqlalchemy import URL, Connection, bindparam, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from tandem.data.sources import Extract, Source
from tandem.errors import SettingsError, SourceError

log = logging.getLogger(__name__)

BATCH = 50_000
"""Rows held in memory at a time, and in one row group."""

PROGRESS = 20 * BATCH
CONTENT = b"tandem.content"
"""Key of the Parquet file's metadata under which the hash of its rows stands, whatever their order."""

NATIVE = {bool, int, float, str, bytes, Decimal, datetime.datetime, datetime.date}
"""Types of cells that Parquet keeps; others become text."""

MIXES = ({int, float}, {int, Decimal})
DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


def urls(source: Source) -> dict[str, URL]:
    """The database's URL by name of the extract.

    Raises:
        SettingsError: a variable that an extract names is missing, or holds no URL.
    """
    return {extract.name: _url(extract) for extract in source.extracts}


def draw(extract: Extract, url: URL, folder: Path) -> dict[Path, Path]:
    """What the query returns now: a finished hidden file below `folder` and the place it belongs to, if that is new.

    Nothing is new when no row came, or the rows are those of the last file in any order. Memory holds one batch; rows
    wait in files of Arrow's beside, until their types are known.

    Raises:
        SourceError: the database or the query failed, or what it returns fits no table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(extract, folder)
    with _emptied(folder / f".{extract.name}.partial") as spool:
        content, types = _spool(_batches(extract, url, _since(extract, earlier)), spool)
        if not types or (earlier and content == _content(earlier[-1])):
            log.info("extract %s: nothing new", extract.name)
            return {}
        number = 1 + max((int(path.stem[-6:]) for path in earlier), default=0)
        target = folder / f"{extract.name}-{number:06d}.parquet"
        partial = target.with_name(f".{target.name}.partial")
        rows = _write(spool, _schema(types, content), partial)
    log.info("extract %s: %d rows into %s", extract.name, rows, target)
    return {partial: target}


def _url(extract: Extract) -> URL:
    found = os.environ.get(extract.url_variable, "")
    wanted = "a SQLAlchemy URL such as postgresql://user:password@host/database or sqlite:////path/to/file.db"
    if not found:
        raise SettingsError(f"{extract.url_variable} is not set: extract {extract.name} needs {wanted} there")
    try:
        url = make_url(found)
        return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    except (ArgumentError, ValueError):  # they may hold parts of it
        raise SettingsError(f"{extract.url_variable} (for extract {extract.name}) does not hold {wanted}") from None


def _earlier(extract: Extract, folder: Path) -> list[Path]:
    """Files of this extract, the oldest first."""
    return sorted(folder.glob(f"{extract.name}-{'[0-9]' * 6}.parquet"))


def _content(path: Path) -> bytes | None:
    return (pq.read_metadata(path).metadata or {}).get(CONTENT)


def _since(extract: Extract, earlier: Iterable[Path]) -> Any:
    """The cursor's largest value in the earlier files; None where there is none."""
    if not extract.cursor:
        return None
    largest = [value for path in earlier for value in _largest(path, extract.cursor)]
    try:
        return max(largest, default=None)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in largest})
        raise SourceError(
            f"extract {extract.name}: `{extract.cursor}` is {' and '.join(kinds)} in earlier files, which cannot be "
            f"compared; cast it in the query and take the extract under another name"
        ) from None


def _largest(path: Path, column: str) -> Iterator[Any]:
    """The column's largest value in each row group, from statistics where the file has them."""
    file = pq.ParquetFile(path)
    place = file.schema_arrow.get_field_index(column)
    if place < 0:
        raise SourceError(f"{path} has no column `{column}`, the cursor; it has {', '.join(file.schema_arrow.names)}")
    for group in range(file.num_row_groups):
        statistics = file.metadata.row_group(group).column(place).statistics
        if statistics is not None and statistics.has_min_max:
            yield statistics.max
        elif (value := pc.max(file.read_row_group(group, [column]).column(0)).as_py()) is not None:
            yield value


def _batches(extract: Extract, url: URL, since: Any) -> Iterator[tuple[tuple[str, ...], Sequence[tuple[Any, ...]]]]:
    """Names of the columns and up to `BATCH` rows at a time."""
    query = text(extract.query)
    if extract.cursor:  # written into the query: PostgreSQL's cursors cannot tell the type of a parameter that is null
        query = query.bindparams(bindparam("since", since, literal_execute=True))
    with _told(extract, url), _connect(extract, url) as connection:
        streaming = connection.execution_options(stream_results=True, yield_per=BATCH)
        result = streaming.execute(query)
        if not result.returns_rows:
            raise SourceError(f"extract {extract.name}: `query` returns no table; a SELECT is expected")
        names = tuple(result.keys())
        _check(extract, names)
        for rows in result.partitions(BATCH):
            yield names, [tuple(row) for row in rows]


@contextmanager
def _connect(extract: Extract, url: URL) -> Iterator[Connection]:
    """A connection that can only read, where the database knows such; times come in UTC."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise SourceError(f"extract {extract.name}: there is no SQLite file where {extract.url_variable} says")
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execution_options(postgresql_readonly=True).exec_driver_sql("SET TIME ZONE 'UTC'")
            elif engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _told(extract: Extract, url: URL) -> Iterator[None]:
    """What the database says against the query, without any part of the URL."""
    try:
        yield
    except (SQLAlchemyError, ImportError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        raise SourceError(f"extract {extract.name}: {_without(url, said[0])}") from None


def _without(url: URL, message: str) -> str:
    parts = [url.password, url.username, url.host, url.database, *map(str, url.query.values())]
    secrets = [url.render_as_string(hide_password=False), *(str(part) for part in parts if part)]
    for secret in sorted(secrets, key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", message)
    return message


def _check(extract: Extract, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"extract {extract.name}: two columns are named `{'`, `'.join(twice)}`; use `AS` in `query`")
    if extract.cursor and extract.cursor not in names:
        raise SourceError(
            f"extract {extract.name}: `query` returns no column `{extract.cursor}`, its cursor, but {', '.join(names)}"
        )


def _spool(
    batches: Iterator[tuple[tuple[str, ...], Sequence[tuple[Any, ...]]]], folder: Path
) -> tuple[bytes, dict[str, set[pa.DataType]]]:
    """Keep each batch as a file in `folder`; return the hash of all rows in any order, and the types by column."""
    total, rows = 0, 0
    types: dict[str, set[pa.DataType]] = {}
    for number, (names, batch) in enumerate(batches):
        columns = [_array(values) for values in zip(*batch, strict=True)]
        for name, column in zip(names, columns, strict=True):
            types.setdefault(name, set()).add(column.type)
        table = pa.table(columns, names=list(names))
        with pa.ipc.new_file(folder / f"{number:06d}.arrow", table.schema) as out:
            out.write_table(table)
        total += sum(int.from_bytes(hashlib.blake2b(repr(row).encode("utf-8", "replace")).digest()) for row in batch)
        rows += len(batch)
        if rows % PROGRESS == 0:
            log.info("%d rows so far", rows)
    return f"{rows} {list(types)} {total % 2**512:0128x}".encode(), types


def _array(values: Sequence[Any]) -> pa.Array:
    """Cells as typed as they come; as text, where their types differ or Parquet has none for them."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= NATIVE and (len(kinds) < 2 or kinds in MIXES):
        try:
            return pa.array(values)
        except (ValueError, TypeError, OverflowError):  # too large for any type, or not a number
            pass
    return _texts(values)


def _texts(values: Iterable[Any]) -> pa.Array:
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    match value:
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value).encode("utf-8", "replace").decode()


def _schema(types: dict[str, set[pa.DataType]], content: bytes) -> pa.Schema:
    fields = [pa.field(name, _together(found)) for name, found in types.items()]
    return pa.schema(fields, metadata={CONTENT: content})


def _together(types: Iterable[pa.DataType]) -> pa.DataType:
    """The type that holds values of all these; text where there is no other, or no value at all."""
    fields = [pa.schema([("column", one)]) for one in sorted(types, key=str)]
    try:
        found = pa.unify_schemas(fields, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()
    return pa.string() if pa.types.is_null(found) else found


def _write(spool: Path, schema: pa.Schema, path: Path) -> int:
    """Write the kept batches as one Parquet file; return how many rows that are."""
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in sorted(spool.glob("*.arrow")):
            with pa.memory_map(str(part)) as source:
                table = pa.ipc.open_file(source).read_all()
                columns = [_fitting(table.column(field.name), field) for field in schema]
                writer.write_table(pa.table(columns, schema=schema))
    return int(pq.read_metadata(path).num_rows)


def _fitting(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if column.type == field.type:
        return column
    if pa.types.is_string(field.type):
        return _texts(column.to_pylist())
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"column `{field.name}` is {column.type} and {field.type} by turns: {error}; cast it"
        ) from None


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A folder with nothing in it, gone when the block ends; what a killed run left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
