"""Rows of batches: which are sound, and batches of some of them, with other columns, or made anew."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tandem.data.batches import Batch

ROWS = 65_536
"""Rows in a batch that is made here."""


def sound_rows(batch: Batch) -> NDArray[np.bool_]:
    """(rows,) True where the row has no problem."""
    if batch.problems is None:
        return np.ones(batch.cells.num_rows, bool)
    return batch.problems.is_null().to_numpy(zero_copy_only=False)


def texts(batch: Batch, name: str) -> pa.Array:
    """The column; missing cells where the file lacks it."""
    held = name in batch.cells.schema.names
    return batch.cells.column(name) if held else pa.nulls(batch.cells.num_rows, pa.string())


def take(batch: Batch, rows: NDArray[np.int64]) -> Batch:
    """The rows at these places, in this order."""
    places = pa.array(rows)
    return Batch(batch.cells.take(places), None if batch.problems is None else batch.problems.take(places))


def put(batch: Batch, columns: dict[str, pa.Array]) -> Batch:
    """The batch with these columns, new ones at its end; rows with a problem have no cells."""
    held = {name: batch.cells.column(name) for name in batch.cells.schema.names}
    sound = pa.array(sound_rows(batch))
    if not pc.all(sound).as_py():
        columns = {name: pc.if_else(sound, column, None) for name, column in columns.items()}
    return Batch(record_batch(held | columns), batch.problems)


def record_batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """The cells of these columns, by name."""
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def cut(rows: Iterator[tuple[str, ...]], names: tuple[str, ...]) -> Iterator[Batch]:
    """Batches of these rows."""
    held: list[tuple[str, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) == ROWS:
            yield _of_rows(held, names)
            held = []
    if held:
        yield _of_rows(held, names)


def _of_rows(rows: list[tuple[str, ...]], names: tuple[str, ...]) -> Batch:
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return Batch(record_batch(dict(zip(names, texts, strict=True))))


def problems_only(batch: Batch, names: tuple[str, ...]) -> Iterator[Batch]:
    """The rows that have a problem, with nothing but missing cells in columns of these names."""
    rows = np.flatnonzero(~sound_rows(batch))
    if rows.size and batch.problems is not None:
        missing = {name: pa.nulls(len(rows), pa.string()) for name in names}
        yield Batch(record_batch(missing), batch.problems.take(pa.array(rows)))
