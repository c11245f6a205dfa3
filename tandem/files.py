"""Read and write tables, arrays and JSON so that equal content gives equal bytes."""

import functools
import hashlib
import json
import logging
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tandem.data.schema import TIME, Table
from tandem.errors import TableError

if TYPE_CHECKING:  # importing pandas takes a fifth of a second, and most of those who write tables have no frames
    import pandas as pd
    import scipy.sparse as sp

log = logging.getLogger(__name__)

ROW_GROUP = 262_144
"""Rows that are written at once."""


def of(path: Path) -> list[Path]:
    """The Parquet files of a table: the one at `path`, or those in that folder by name; none if it is absent."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path] if path.exists() else []


def checked(path: Path, table: Table) -> list[Path]:
    """The Parquet files at `path`, in order, each with exactly the columns of `table`.

    Raises:
        FileNotFoundError: there is none.
        TableError: columns or types are not those of `table`.
    """
    found = of(path)
    if not found:
        raise FileNotFoundError(f"{path} is missing: the stage that writes {table.name} has not run")
    for file in found:
        columns = pq.read_schema(file)
        if not columns.remove_metadata().equals(table.arrow):
            raise TableError(f"{file} is not a {table.name} table: found {columns.names}, expected {table.names}")
    return found


def read(path: Path, table: Table) -> "pd.DataFrame":
    """The Parquet file at `path`, or those in that folder, as a frame with exactly the columns of `table`, in order.

    Raises:
        FileNotFoundError: there is none.
        TableError: columns or types are not those of `table`.
    """
    return pa.concat_tables(pq.read_table(file) for file in checked(path, table)).to_pandas()


def write(frame: "pd.DataFrame", path: Path, table: Table) -> None:
    """Write `frame` as Parquet with exactly the schema of `table`, all or nothing.

    Raises:
        TableError: a column is missing, superfluous, or cannot take its type.
    """
    if sorted(frame.columns) != sorted(table.names):
        raise TableError(f"{table.name}: columns {sorted(frame.columns)} given, {sorted(table.names)} expected")
    rows = frame[table.names]
    utc = {str(name): rows[name].dt.tz_convert(None) for name in rows.select_dtypes("datetimetz")}
    try:
        content = pa.Table.from_pandas(rows.assign(**utc), schema=table.arrow, preserve_index=False)
        content = content.replace_schema_metadata(None)
    except (ValueError, TypeError, pa.ArrowNotImplementedError) as error:  # Arrow's are among them
        raise TableError(f"{table.name}: {error}") from error
    _write_bytes(path, lambda target: pq.write_table(content, target, compression="zstd"))
    log.debug("wrote %s: %d rows", path, content.num_rows)


def write_batches(batches: Iterable[pa.RecordBatch], path: Path, table: Table) -> int:
    """Write batches as one Parquet file with exactly the schema of `table`, all or nothing, and count the rows.

    The same rows give the same bytes, however they are cut into batches. Memory holds ROW_GROUP rows.

    Raises:
        TableError: a column is missing, superfluous, or cannot take its type.
    """
    count, waiting = 0, table.arrow.empty_table()
    repeated = [field.name for field in table.arrow if field.name not in table.key and field.type != TIME]

    def save(target: Path) -> None:
        nonlocal count, waiting
        with pq.ParquetWriter(target, table.arrow, compression="zstd", use_dictionary=repeated) as out:
            for batch in batches:
                waiting = pa.concat_tables(
                    [waiting, pa.Table.from_batches([batch]).select(table.names).cast(table.arrow)]
                )
                while waiting.num_rows >= ROW_GROUP:
                    out.write_table(waiting.slice(0, ROW_GROUP).combine_chunks(), ROW_GROUP)  # pages end with chunks
                    count, waiting = count + ROW_GROUP, waiting.slice(ROW_GROUP)
            out.write_table(waiting.combine_chunks(), ROW_GROUP)
            count += waiting.num_rows

    try:
        _write_bytes(path, save)
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise TableError(f"{table.name}: {error}") from error
    log.debug("wrote %s: %d rows", path, count)
    return count


def copy(table: Path, to: Path) -> int:
    """Make `to` a copy of a table's file or folder of files, each file all or nothing, and count the rows."""
    if table.is_dir() and to.is_file():
        to.unlink()
    found = of(table)
    targets = [to / path.name if table.is_dir() else to for path in found]
    for path in set(of(to)) - set(targets):
        path.unlink()
    for path, target in zip(found, targets, strict=True):
        _write_bytes(target, functools.partial(shutil.copyfile, path))
    count = sum(pq.read_metadata(path).num_rows for path in found)
    log.debug("wrote %s: %d rows", to, count)
    return count


def write_json(value: Any, path: Path) -> None:
    """Write `value` as indented JSON with sorted keys, all or nothing; NaN is refused."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    _write_bytes(path, lambda target: target.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """The JSON value at `path`."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write named arrays as one `.npz`, all or nothing; equal arrays give equal bytes."""

    def save(target: Path) -> None:
        with target.open("wb") as out:
            np.savez(out, **arrays)

    _write_bytes(path, save)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Named arrays of an `.npz`; nothing in it is executed.

    Raises:
        ValueError: it is damaged, or none.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise ValueError(f"{path} holds no arrays that can be read: {error}") from error


def packed(matrix: "sp.csr_array", prefix: str = "") -> dict[str, np.ndarray]:
    """A sparse matrix as arrays whose names begin with `prefix`."""
    return {f"{prefix}data": matrix.data, f"{prefix}indices": matrix.indices, f"{prefix}indptr": matrix.indptr}


def unpacked(arrays: Mapping[str, np.ndarray], columns: int, prefix: str = "") -> "sp.csr_array":
    """(rows, columns) the matrix that `packed` took apart."""
    import scipy.sparse as sp

    data, indices, indptr = (arrays[prefix + part] for part in ("data", "indices", "indptr"))
    return sp.csr_array((data, indices, indptr), shape=(len(indptr) - 1, columns))


def hash_file(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_folder(folder: Path, ignore: frozenset[str] = frozenset()) -> str:
    """SHA-256 over relative names and contents of every file below `folder`, in hex; bytecode does not count."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.parent.name != "__pycache__"):
        name = path.relative_to(folder).as_posix()
        if name not in ignore:
            digest.update(f"{name}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()


def _write_bytes(path: Path, save: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    save(partial)
    partial.replace(path)
