"""Excel workbooks. Cells are what the workbook last showed: a formula gives its stored result and is never computed.

`.xlsx` is read by openpyxl, row by row. Calamine reads 14 times as many rows a second, yet holds the whole sheet, and a
workbook of 2 kB with one cell in the last corner makes it ask for 512 GiB and ends the process. `.xls` is read by
Calamine: that format ends at 65,536 rows of 256 cells.
"""

import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO
from zipfile import ZipFile

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.readers import archives, rows
from tandem.data.readers.archives import where
from tandem.data.readers.rows import Row
from tandem.data.readers.texts import text
from tandem.errors import SourceError

OLE = b"\xd0\xcf\x11\xe0"
"""How `.xls` begins."""

LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The stream of an OLE file in which Excel puts a workbook with a password."""

MAX_STRINGS = 2**29
"""Bytes of the texts that all cells share: the one part of a workbook that is held in memory."""

Line = list[str]


def batches(export: Export, block: Block) -> Iterator[Batch]:
    """The rows of one sheet; the first that is not empty names the columns. Cells that a short row lacks are empty.

    Raises:
        SourceError: no workbook, no such sheet, nothing in it, or more in it than a workbook holds.
    """
    with archives.seekable(export) as stream:
        old = stream.read(4) == OLE
        stream.seek(0)
        lines = _old(stream, export, block.sheet) if old else _lines(stream, export, block.sheet)
        found = filter(None, map(_trimmed, _sound(lines, export)))
        header = rows.names(next(found, []))
        if not header:
            raise SourceError(f"{where(export)} is empty: it has no header")
        yield rows.empty(header, export, block)
        blank = [""] * len(header)
        yield from rows.batches(header, (Row([*line, *blank[len(line) :]]) for line in found), export)


def _sound(lines: Iterator[Iterable[Any]], export: Export) -> Iterator[Iterable[Any]]:
    """The lines; whatever a parser stumbles over in a broken workbook is one sentence."""
    try:
        yield from lines
    except SourceError:
        raise
    except Exception as error:  # both parsers raise all kinds: KeyError, XML's errors, their own
        said = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{where(export)} cannot be read as an Excel workbook: {said}") from None


def _lines(stream: BinaryIO, export: Export, sheet: str | None) -> Iterator[Iterable[Any]]:
    import openpyxl

    _refuse_bomb(stream, export)
    book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    try:
        names = [found.title for found in book.worksheets]
        found = book[_chosen(names, sheet, export)]
        found.reset_dimensions()  # what the file says of its size may be wrong
        yield from found.iter_rows(values_only=True)
    finally:
        book.close()


def _old(stream: BinaryIO, export: Export, sheet: str | None) -> Iterator[Iterable[Any]]:
    from python_calamine import CalamineWorkbook

    content = stream.read()
    if LOCKED in content:
        raise SourceError(f"{where(export)} is protected by a password; save it without one, or export it as CSV")
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    yield from book.get_sheet_by_name(_chosen(book.sheet_names, sheet, export)).iter_rows()


def _chosen(names: list[str], sheet: str | None, export: Export) -> str:
    if not names:
        raise SourceError(f"{where(export)} has no sheet with cells")
    if sheet and sheet not in names:
        raise SourceError(f"{where(export)} has no sheet `{sheet}`; it has {', '.join(names)}")
    return sheet or names[0]


def _refuse_bomb(stream: BinaryIO, export: Export) -> None:
    """Raise where a part of the workbook unpacks to more than any has; zipfile reads no more than a part declares."""
    with ZipFile(stream) as archive:
        for part in archive.infolist():
            large = part.file_size > max(archives.FREE_BYTES, archives.MAX_RATIO * part.compress_size)
            if large or (part.file_size > MAX_STRINGS and "sharedStrings" in part.filename):
                raise SourceError(
                    f"{where(export)}: {part.filename} unpacks to {part.file_size:,} bytes from "
                    f"{part.compress_size:,}: no workbook of a shop does; if it is sound, export it as CSV"
                )
    stream.seek(0)


def _trimmed(line: Iterable[Any]) -> Line:
    """The cells as text, without the empty ones at the end."""
    cells = ["" if cell is None else text(cell) for cell in line]
    while cells and not cells[-1]:
        cells.pop()
    return cells
