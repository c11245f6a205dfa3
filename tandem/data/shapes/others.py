"""Shapes that need another raw file: one whose records stand beside these, or one in which they are looked up."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.data.batches import Batch, Export
from tandem.data.entries import Join
from tandem.data.shapes import batching
from tandem.errors import SourceError


class Other(NamedTuple):
    """Another raw file, read with the format options of the block that asks for it."""

    name: str
    header: list[str]
    batches: Iterator[Batch]


Open = Callable[[str, tuple[str, ...]], Other]
"""Opens the one raw file that a pattern matches; its columns are named by the header given, if any."""


def beside(stream: Iterator[Batch], export: Export, other: Other) -> Iterator[Batch]:
    """With the columns of the file whose n-th record belongs to the n-th record here."""
    read, rest = 0, chain.from_iterable(_slices(batch) for batch in other.batches)
    waiting: Batch | None = None
    for batch in stream:
        pieces, lacking = [], batch.cells.num_rows
        while lacking:
            waiting = waiting or next(rest, None)
            if waiting is None:
                raise SourceError(
                    f"{other.name} ends after {read} records, {export.name} has more: they are not aligned"
                )
            size = min(lacking, waiting.cells.num_rows)
            pieces.append(_slice(waiting, 0, size))
            waiting = _slice(waiting, size) if size < waiting.cells.num_rows else None
            lacking, read = lacking - size, read + size
        yield from _put_beside(batch, pieces, other.name)
    if waiting is not None or next(rest, None) is not None:
        raise SourceError(f"{export.name} ends after {read} records, {other.name} has more: they are not aligned")


def _slices(batch: Batch) -> Iterator[Batch]:
    if batch.cells.num_rows:
        yield batch


def _slice(batch: Batch, begin: int, size: int | None = None) -> Batch:
    problems = None if batch.problems is None else batch.problems.slice(begin, size)
    return Batch(batch.cells.slice(begin, size), problems)


def _put_beside(batch: Batch, pieces: list[Batch], name: str) -> Iterator[Batch]:
    """Columns side by side, piece by piece; a row has the problem of either."""
    begin = 0
    for piece in pieces:
        here = _slice(batch, begin, piece.cells.num_rows)
        begin += piece.cells.num_rows
        own = here.problems if here.problems is not None else pa.nulls(piece.cells.num_rows, pa.string())
        if piece.problems is not None:
            own = pc.coalesce(own, pc.binary_join_element_wise(f"{name}:", piece.problems, " "))
        there = {column: piece.cells.column(column) for column in piece.cells.schema.names}
        yield batching.put(Batch(here.cells, own if own.null_count < len(own) else None), there)


def joined(stream: Iterator[Batch], join: Join, other: Other) -> Iterator[Batch]:
    """With the columns of the file in which the record's key is looked up; that file is held in memory."""
    places, found = _index(join, other)
    for batch in stream:
        keys = pc.utf8_trim_whitespace(batch.cells.column(join.by)).to_pylist()
        rows = pa.array([places.get(key) for key in keys], pa.int64())
        yield batching.put(batch, {name: found.column(name).take(rows).combine_chunks() for name in found.column_names})


def _index(join: Join, other: Other) -> tuple[dict[str | None, int], pa.Table]:
    """The row of each key, and the other columns."""
    batches: list[pa.RecordBatch] = []
    for batch in other.batches:
        if (broken := np.flatnonzero(~batching.sound_rows(batch))).size and batch.problems is not None:
            row = sum(held.num_rows for held in batches) + int(broken[0]) + 1
            problem = batch.problems[int(broken[0])].as_py()
            raise SourceError(f"{other.name}, which is looked up by `{join.by}`: row {row}: {problem}")
        batches.append(batch.cells)
    held = pa.Table.from_batches(batches, pa.schema([(name, pa.string()) for name in other.header]))
    keys = pc.utf8_trim_whitespace(held.column(join.by)).to_pylist()
    places = {key: row for row, key in enumerate(keys) if key}
    if len(places) < sum(bool(key) for key in keys):
        first, last = next((row, places[key]) for row, key in enumerate(keys) if key and places[key] != row)
        raise SourceError(
            f"{other.name} has the same `{join.by}` in records {first + 1} and {last + 1}: "
            "what is looked up there must be one row"
        )
    return places, held.drop_columns([join.by]).combine_chunks()
