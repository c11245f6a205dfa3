"""CSV and its like: Arrow reads what is plainly regular, Python's strict reader what is not; both give the same rows.

A piece of the file goes to Arrow when each of its quotes opens or closes a field. Where a quote stands elsewhere, a row
does not fit the header, or a NUL or a byte-order mark stands in the text, the strict reader takes that piece.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.readers import encodings, rows
from tandem.data.readers.archives import where
from tandem.data.readers.rows import Row
from tandem.errors import SourceError

BOM = b"\xef\xbb\xbf"


class Dialect(NamedTuple):
    """How the cells of a file are set apart, and of which file it is."""

    delimiter: str
    header: tuple[str, ...]  # empty: the first line
    typed: bool  # names are written `user_id:token`
    export: Export


def batches(export: Export, block: Block) -> Iterator[Batch]:
    """The rows of a delimited file; row n is the n-th record after the header, blank lines not counted.

    Raises:
        SourceError: no header, a column twice, a quote out of place, an endless field, not of the block's encoding.
    """
    typed = block.format == "typed"
    dialect = Dialect(block.delimiter or ("\t" if typed else ","), block.header, typed, export)
    text = _Text(encodings.blocks(export, block.encoding), dialect)
    if text.is_empty():
        raise SourceError(f"{where(export)} is empty: it has no header")
    header = list(block.header) or _names(text.first(), dialect)
    yield rows.empty(header, export, block)
    while (piece := text.regular()) != b"":
        if piece is None:
            yield from rows.batches(header, text.strict(), export)
        else:
            yield from _fast(piece, header, dialect)


def _names(first: list[str], dialect: Dialect) -> list[str]:
    if not first:
        raise SourceError(f"{where(dialect.export)} is empty: it has no header")
    if dialect.typed and (plain := [place for place, name in enumerate(first, start=1) if ":" not in name]):
        raise SourceError(
            f"{where(dialect.export)}: name {plain[0]} of its first line has no type; format `typed` needs `name:type`"
        )
    names = [name.rpartition(":")[0] for name in first] if dialect.typed else first
    return rows.names(names)


def _fast(piece: bytes, header: list[str], dialect: Dialect) -> Iterator[Batch]:
    """The rows of a piece whose quotes are regular."""
    if b"\0" not in piece and not piece.startswith(BOM):
        try:
            found = _arrow(piece, header, dialect.delimiter)
        except pa.ArrowInvalid:  # a row that does not fit the header, or nothing but blank lines
            pass
        else:
            yield from map(Batch, found.combine_chunks().to_batches(rows.ROWS))
            return
    reader = csv.reader(io.StringIO(piece.decode(), newline=""), delimiter=dialect.delimiter, strict=True)
    yield from rows.batches(header, (Row(line) for line in reader if line), dialect.export)


def _arrow(piece: bytes, header: list[str], delimiter: str) -> pa.Table:
    return pyarrow.csv.read_csv(
        pa.BufferReader(piece),
        pyarrow.csv.ReadOptions(use_threads=False, block_size=len(piece) + 1, column_names=header),
        pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in piece),
        pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
    )


class _Text:
    """The rest of a file: whole records in one piece while quotes are regular, else record by record."""

    def __init__(self, blocks: Iterator[bytes], dialect: Dialect) -> None:
        self._blocks, self._dialect = blocks, dialect
        self._held, self._ended = b"", False
        self._lines: deque[str] = deque()
        self._line = 1  # number of the line that `_held` begins with

    def is_empty(self) -> bool:
        """Whether nothing is left."""
        while not self._held and not self._ended:
            self._fill()
        return not self._held and not self._lines

    def first(self) -> list[str]:
        """The first record, which names the columns; empty where there is none."""
        found: Row | None = None
        while found is None and not self.is_empty():
            found = next(self.strict(), None)
        self._held = "".join(self._lines).encode() + self._held
        self._lines.clear()
        return [cell or "" for cell in found.cells or ()] if found else []

    def regular(self) -> bytes | None:
        """The next piece: b"" at the end of the file, None where `strict` has to read on."""
        while True:
            self._fill()
            if not self._dialect.delimiter.isascii() and self._held:
                return None
            quotes = _quotes(self._held)
            if not _are_regular(self._held, quotes, self._dialect.delimiter):
                return None
            if self._ended and len(quotes) % 2 == 0:
                return self._take(len(self._held))
            if self._ended or len(self._held) > encodings.MAX_LINE + encodings.BLOCK:
                return None
            if cut := _record_end(self._held, quotes):
                return self._take(cut)

    def strict(self) -> Iterator[Row]:
        """Records until one ends with a block, so that the next piece may be regular again.

        A quote out of place would swallow the rows after it, so none is let pass.
        """
        csv.field_size_limit(encodings.MAX_LINE)
        begin, begins = self._line, 0
        reader = csv.reader(self._next_lines(), delimiter=self._dialect.delimiter, strict=True)
        try:
            for cells in reader:
                begins = reader.line_num
                self._line = begin + begins
                if cells:
                    yield Row(cells)
                if not self._lines:
                    return
        except csv.Error as error:
            raise SourceError(
                f"{where(self._dialect.export)} cannot be read as CSV: {error}, "
                f"in the row that begins in line {begin + begins}"
            ) from None

    def _fill(self) -> None:
        block = b"" if self._ended else next(self._blocks, b"")
        self._ended = not block
        self._held += block

    def _take(self, cut: int) -> bytes:
        piece, self._held = self._held[:cut], self._held[cut:]
        returns = piece.count(b"\r")
        self._line += piece.count(b"\n") + (returns - piece.count(b"\r\n") if returns else 0)
        return piece

    def _next_lines(self) -> Iterator[str]:
        while True:
            if not self._lines:
                cut = len(self._held) if self._ended else encodings.line_end(self._held)
                self._lines.extend(io.StringIO(self._held[:cut].decode(), newline=""))
                self._held = self._held[cut:]
                encodings.check_length(self._held, self._dialect.export)
            if self._lines:
                yield self._lines.popleft()
            elif self._ended:
                return
            else:
                self._fill()


def _quotes(text: bytes) -> NDArray[np.int64]:
    """Places of the quotes."""
    if b'"' not in text:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.frombuffer(text, np.uint8) == ord('"'))


def _are_regular(text: bytes, quotes: NDArray[np.int64], delimiter: str) -> bool:
    """Whether the 1st, 3rd … quote begins a field and the 2nd, 4th … ends one, or two of them stand for one."""
    if not len(quotes):
        return True
    letters = np.frombuffer(text, np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    doubled = opening[1:] == closing[: len(opening) - 1] + 1
    borders = [ord(letter) for letter in (delimiter, "\n", "\r")]
    begins = np.isin(letters[opening - 1], borders)
    begins[0] |= opening[0] == 0
    begins[1:] |= doubled
    ends = np.isin(letters[np.minimum(closing + 1, len(text) - 1)], borders)
    ends |= closing == len(text) - 1
    ends[: len(doubled)] |= doubled
    return bool(begins.all() and ends.all())


def _record_end(text: bytes, quotes: NDArray[np.int64]) -> int:
    """Where the last record that is surely complete ends; 0 if none is."""
    end = len(text)
    while end := encodings.line_end(text[:end] if end < len(text) else text):
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            return end
        end = int(quotes[before - 1])  # within a quoted field: look before it
    return 0
