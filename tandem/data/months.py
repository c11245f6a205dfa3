"""Events by month: a folder with a Parquet file for each month of UTC, so that one without news is not written again.

Files by name are in order of time, so that such a folder is read as one table by whatever reads folders of Parquet.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import pyarrow as pa

from tandem import files
from tandem.data.schema import TIME, Table

NONE = "none.parquet"
"""The file of a table without rows."""

WRITERS, HELD = 2, 1_000_000
"""Months that are written while the next is gathered, and from how many rows on one is written alone, as it comes."""


def of(times: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The month of each time in UTC, such as 2026-03, as datetime64[M]."""
    return times.cast(TIME).cast(pa.int64()).to_numpy().astype("datetime64[us]").astype("datetime64[M]")


def bounds(month: np.datetime64) -> tuple[int, int]:
    """Microseconds after 1970-01-01 UTC of the first moments of the month and of the next one."""
    first, after = np.array([month, month + 1]).astype("datetime64[us]").astype(np.int64).tolist()
    return first, after


def path(folder: Path, month: np.datetime64) -> Path:
    """The file of the month."""
    return folder / f"{month}.parquet"


def write(batches: Iterable[pa.RecordBatch], folder: Path, table: Table) -> set[Path]:
    """Write the rows, in order of `time`, as one file for each month that they have, and tell the files.

    Months of fewer rows than HELD are written side by side, while the next ones come.

    Raises:
        TableError: they have not the columns of the table.
    """
    written, waiting = set(), deque[Future[int]]()
    pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="month")
    try:
        for month, cuts in groupby(_cut(batches), key=lambda cut: cut[0]):
            rows, to = (batch for _, batch in cuts), path(folder, month)
            written.add(to)
            if len(waiting) == WRITERS:
                waiting.popleft().result()
            held = _held(rows)
            if sum(batch.num_rows for batch in held) < HELD:
                waiting.append(pool.submit(files.write_batches, held, to, table))
            else:
                files.write_batches(chain(_passed(held), rows), to, table)
        for found in waiting:
            found.result()
    finally:
        pool.shutdown(cancel_futures=True)
    return written


def finish(folder: Path, table: Table) -> None:
    """See to it that there is one file at least: without rows that of NONE."""
    if any(path.name != NONE for path in files.of(folder)):
        (folder / NONE).unlink(missing_ok=True)
    else:
        files.write_batches([], folder / NONE, table)


def _held(rows: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The first of them, so many that they have HELD rows, or all."""
    held: list[pa.RecordBatch] = []
    while sum(batch.num_rows for batch in held) < HELD and (batch := next(rows, None)) is not None:
        held.append(batch)
    return held


def _passed(held: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Them, and none is held any more."""
    while held:
        yield held.pop(0)


def _cut(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[np.datetime64, pa.RecordBatch]]:
    """The batches, cut where a month ends."""
    for batch in batches:
        found = of(batch.column("time"))
        starts = [0, *(np.flatnonzero(found[1:] != found[:-1]) + 1).tolist()] if len(found) else []
        for first, end in zip(starts, [*starts[1:], len(found)], strict=True):
            yield found[first], batch.slice(first, end - first)
