"""Parquet: row groups one after another, values of every type as text."""

from collections.abc import Iterator
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.readers import archives, rows, texts
from tandem.errors import SourceError

EXACT = 2.0**53
"""Up to here a float tells whole numbers apart."""


def batches(export: Export, block: Block) -> Iterator[Batch]:
    """The rows of a Parquet file. Columns that have no text and that the block does not name are left out.

    Raises:
        SourceError: a file cut short, or a column that the block names and whose values have no text.
    """
    with archives.seekable(export) as stream, archives.faults(export):
        file = pq.ParquetFile(stream)
        names = [field.name for field in file.schema_arrow if field.name in block.named or _has_text(field.type)]
        header = rows.names(names)
        yield rows.empty(header, export, block)
        for batch in file.iter_batches(rows.ROWS, columns=names):
            cells = [_text(batch, name, export) for name in names]
            yield _without_nul(pa.RecordBatch.from_arrays(cells, names=header))


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        return all(_has_text(field.type) for field in fields)
    return not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _text(batch: pa.RecordBatch, name: str, export: Export) -> pa.Array:
    try:
        found = text(batch.column(name))
        found.validate(full=True)  # Parquet's own texts may be bytes that are not UTF-8
        return found
    except (pa.ArrowException, UnicodeDecodeError):
        kind = batch.schema.field(name).type
        raise SourceError(
            f"{archives.where(export)}: the values of column `{name}` ({kind}) cannot be read as text"
        ) from None


def _without_nul(cells: pa.RecordBatch) -> Batch:
    """The rows, without their cells where one of them holds a NUL."""
    held = [pc.match_substring(column, "\0").fill_null(False) for column in cells.columns]
    broken = reduce(pc.or_, held, pa.array(np.zeros(cells.num_rows, bool)))
    if not pc.any(broken).as_py():
        return Batch(cells)
    columns = [pc.if_else(broken, None, column) for column in cells.columns]
    problems = pc.if_else(broken, "a cell holds a NUL character", None)
    return Batch(pa.RecordBatch.from_arrays(columns, names=cells.schema.names), problems)


def text(values: pa.Array) -> pa.Array:
    """Each value as text: whole numbers without a point, times in ISO 8601, those with a zone in UTC, lists as JSON."""
    kind = values.type
    if isinstance(values, pa.ExtensionArray):
        return text(values.storage)
    if pa.types.is_dictionary(kind):
        return text(values.dictionary_decode())
    if pa.types.is_nested(kind):
        return pa.array([None if found is None else texts.text(found) for found in values.to_pylist()], pa.string())
    if pa.types.is_floating(kind):
        return _floats(values.cast(pa.float32()) if pa.types.is_float16(kind) else values)
    if pa.types.is_timestamp(kind):
        return _without_zeros(values.cast(pa.timestamp(kind.unit, "UTC")) if kind.tz else values)
    if pa.types.is_time(kind):
        return _without_zeros(values)
    return (values.cast(pa.date32()) if pa.types.is_date64(kind) else values).cast(pa.string())


def _floats(values: pa.Array) -> pa.Array:
    whole = pc.and_(pc.equal(pc.trunc(values), values), pc.less_equal(pc.abs(values), EXACT))
    numbers = pc.if_else(whole, values, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(numbers, values.cast(pa.string()))


def _without_zeros(values: pa.Array) -> pa.Array:
    """Times without zeros at the end of their fraction."""
    found = values.cast(pa.string())
    return pc.replace_substring_regex(pc.replace_substring_regex(found, r"(\.\d*?)0+(Z?)$", r"\1\2"), r"\.(Z?)$", r"\1")
