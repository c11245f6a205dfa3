"""Matrices: numbers in lines of text, or SciPy's sparse `.npz`; one row for each number that is not zero."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.entries import Window
from tandem.data.readers import archives, columnar, encodings, rows
from tandem.data.readers.rows import Row
from tandem.errors import SourceError

HEADER = ["row", "column", "value"]
AXES = {"csr": ("indptr", "indices"), "csc": ("indptr", "indices"), "coo": ("row", "col")}
"""Of each format that is read, the arrays that tell the place of a number."""

STEP = rows.ROWS

MAX_ENDS = 2**27
"""Rows (csr) or columns (csc): where each ends is held in memory, 8 bytes for one."""


def batches(export: Export, block: Block) -> Iterator[Batch]:
    """`row`, `column` (from 0 within the window) and `value` of every number but zero, in the file's order.

    Raises:
        SourceError: an `.npz` that is no sparse matrix, or of a format other than csr, csc and coo.
    """
    yield rows.empty(HEADER, export, block)
    if _is_npz(export):
        yield from _sparse(export, block.matrix)
    else:
        yield from rows.batches(HEADER, _dense(export, block), export)


def _is_npz(export: Export) -> bool:
    with archives.stream(export, own_zip=True) as stream:
        return stream.read(4).startswith(archives.ZIP)


def _dense(export: Export, block: Block) -> Iterator[Row]:
    width, number = 0, 0
    top, bottom, left, right = _corners(block.matrix)
    for lines in encodings.lines(export, block.encoding):
        for line in lines:
            cells = [cell.strip() for cell in line.split(block.delimiter)]
            if cells in ([], [""]):
                continue
            width, row = width or len(cells), number - top
            number += 1
            if not 0 <= row < bottom - top:
                continue
            if problem := _problem(cells, width):
                yield Row(None, problem)
                continue
            for column, cell in enumerate(cells[left:right]):
                if float(cell):
                    yield Row((str(row), str(column), cell))


def _problem(cells: list[str], width: int) -> str | None:
    if len(cells) != width:
        return f"{len(cells)} numbers where the first line has {width}"
    try:
        list(map(float, cells))
    except ValueError:
        return "a cell is not a number"
    return None


def _corners(window: Window) -> tuple[int, int, int, int]:
    """First row, end of rows, first column, end of columns."""
    return *(window.rows or (0, 2**62)), *(window.columns or (0, 2**62))


def _sparse(export: Export, window: Window) -> Iterator[Batch]:
    with archives.faults(export), ExitStack() as stack:
        archive = stack.enter_context(ZipFile(stack.enter_context(archives.seekable(export))))
        kind = _kind(archive, export)
        shape = _Array(archive, "shape.npy", export).read(2).tolist()
        outer, inner = (stack.enter_context(_Array(archive, f"{name}.npy", export)) for name in AXES[kind])
        values = stack.enter_context(_Array(archive, "data.npy", export))
        ends = outer.read(min(outer.size, MAX_ENDS))[1:] if kind != "coo" else None
        fits = len(shape) == 2 and inner.size == values.size == (outer.size if ends is None else inner.size)
        if not fits or (ends is not None and not _bounds(ends, shape[kind == "csc"], values.size)):
            raise SourceError(f"{archives.where(export)} is no sound sparse matrix: its arrays do not fit one another")
        for begin in range(0, values.size, STEP):
            within, data = inner.read(STEP), values.read(STEP)
            entries = np.arange(begin, begin + len(data))
            places = outer.read(STEP) if ends is None else np.searchsorted(ends, entries, side="right")
            row, column = (within, places) if kind == "csc" else (places, within)
            if not (_fits(row, shape[0]) and _fits(column, shape[1])):
                raise SourceError(
                    f"{archives.where(export)} is no sound sparse matrix: a number lies outside its shape"
                )
            yield _cut(row.astype(np.int64), column.astype(np.int64), data, window)


def _bounds(ends: NDArray[Any], count: int, last: int) -> bool:
    """Whether the ends of the rows (or columns) are as many as there are, rise, and reach the last number."""
    return len(ends) == count and bool((np.diff(ends) >= 0).all()) and (count == 0 or ends[-1] == last)


def _fits(places: NDArray[Any], size: int) -> bool:
    return not len(places) or (places.min() >= 0 and places.max() < size)


def _cut(row: NDArray[np.int64], column: NDArray[np.int64], data: NDArray[Any], window: Window) -> Batch:
    top, bottom, left, right = _corners(window)
    held = (data != 0) & (row >= top) & (row < bottom) & (column >= left) & (column < right)
    texts = [pa.array(row[held] - top).cast(pa.string()), pa.array(column[held] - left).cast(pa.string())]
    return Batch(pa.RecordBatch.from_arrays([*texts, columnar.text(pa.array(data[held]))], names=HEADER))


def _kind(archive: ZipFile, export: Export) -> str:
    """The sparse format that the archive says it holds."""
    found = ""
    if "format.npy" in archive.namelist():
        with _Array(archive, "format.npy", export) as array:
            named = array.read(1)[0] if array.size == 1 else b""
            found = named.decode("ascii", "replace") if isinstance(named, bytes) else str(named)
    if found not in AXES:
        raise SourceError(
            f"{archives.where(export)} is no sparse matrix of a format that is read ({', '.join(AXES)}); "
            f"it is {found or 'not one of SciPy'}"
        )
    return found


class _Array:
    """An array of numbers within an npz, read from front to back."""

    def __init__(self, archive: ZipFile, name: str, export: Export) -> None:
        if name not in archive.namelist():
            raise SourceError(f"{archives.where(export)} is no sound sparse matrix: {name} is not in it")
        self._stream = archive.open(name)
        try:
            shape, self._type = _head(self._stream)  # type: ignore[arg-type]
        except ValueError as error:
            raise SourceError(f"{archives.where(export)}: {name} cannot be read: {error}") from None
        if self._type.hasobject:
            raise SourceError(f"{archives.where(export)}: {name} holds Python objects, which are not read")
        self.size = int(np.prod(shape))

    def __enter__(self) -> "_Array":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, count: int) -> NDArray[Any]:
        """The next numbers, as many as asked for or are left."""
        found = self._stream.read(count * self._type.itemsize)
        if len(found) % self._type.itemsize:
            raise EOFError("an array ends within a number")
        return np.frombuffer(found, self._type)


def _head(stream: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    return shape, kind
