"""A person's rows in raw files: found by the readers that `ingest` uses, and taken out of files of every format.

What stays keeps its bytes, but for Parquet, workbooks and sparse matrices, which are written anew with the same values,
and archives, which are packed anew. In a matrix the person's numbers become 0: places there are ids of others.
"""

import csv
import gzip
import io
import json
import logging
import shutil
import zipfile
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.data import exports
from tandem.data.batches import Export
from tandem.data.blocks import AUTO, Block
from tandem.data.entries import KindColumn, OwnRule
from tandem.data.readers import archives, encodings, workbooks
from tandem.data.records import spelled
from tandem.data.sources import Source
from tandem.errors import SourceError

log = logging.getLogger(__name__)

NUMBERED = OwnRule(name="numbered", where={"@row": "^"}, refuse="asks the reader for the record's number")
ALONE: dict[str, Any] = {
    "beside": (),
    "parts": {},
    "only": {},
    "join": (),
    "unpivot": None,
    "explode": (),
    "pairs": None,
}
LISTS, SPACE = ("sequences", "baskets"), " "


@dataclass
class Cut:
    """Records of one raw file, numbered from 0, that are a person's."""

    export: Export
    block: Block
    records: set[int] = field(default_factory=set)


def find(source: Source, folder: Path, user_id: str) -> list[Cut]:
    """The person's records in the source's raw files below `folder`, by file.

    Args:
        source: how the files are read; decides, as in `ingest`, which spellings of an id are the same user.
        folder: where they are.
        user_id: the shop's own id.

    Raises:
        SourceError: a file cannot be read as the source describes it.
    """
    cuts: dict[tuple[Path, str | None], Cut] = {}
    for blocks in exports.find(source, folder).of.values():
        for block, found in blocks:
            for export in found if block.user_column else ():
                for file, kind, records in _records(export, block, folder, user_id):
                    cut = cuts.setdefault((file.path, file.member), Cut(file, kind))
                    cut.records |= records
    return [cut for cut in cuts.values() if cut.records]


def remove(cuts: Iterable[Cut]) -> None:
    """Take the records out of their files, each file all or nothing.

    Raises:
        SourceError: a file's format cannot be written (`.xls`).
    """
    of: dict[Path, list[Cut]] = {}
    for cut in cuts:
        of.setdefault(cut.export.path, []).append(cut)
    for path, parts in of.items():
        partial = path.with_name(f".{path.name}.partial")
        try:
            _rewrite(path, partial, parts)
            shutil.copymode(path, partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        log.info("%s: took out %d records", path, sum(len(cut.records) for cut in parts))


def count(source: Source, folder: Path) -> int:
    """Rows that the source's blocks with users give, for a check that nothing else went."""
    return sum(
        sum(batch.cells.num_rows for batch in exports.batches(export, _reduced(block)))
        for blocks in exports.find(source, folder).of.values()
        for block, found in blocks
        for export in (found if block.user_column else ())
    )


def _records(export: Export, block: Block, folder: Path, user_id: str) -> Iterator[tuple[Export, Block, set[int]]]:
    """Files that hold records of the person, among them those that stand beside `export` or are looked up by it."""
    if block.format in ("sequences", "matrix"):
        yield export, block, _lines(export, block, user_id)
        return
    mine = set(map(int, _cells(export, _reduced(block), user_id, "@row")))
    yield export, block, mine
    for pattern in block.beside:
        yield _only(folder, pattern, block), block, mine
    for join in block.join:
        other = _only(folder, join.files, block)
        alone = block.model_copy(update={**ALONE, "header": join.header, "may_have": frozenset()})
        if block.user_column in exports.header(other, _reduced(alone, asks=False)):
            yield other, alone, set(map(int, _cells(other, _reduced(alone), user_id, "@row")))


def _only(folder: Path, pattern: str, block: Block) -> Export:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"`{block.files}`: `{pattern}` names {len(found)} files below {folder}, one is expected")
    return Export(found[0].relative_to(folder).as_posix(), found[0])


def _reduced(block: Block, *, asks: bool = True) -> Block:
    """The block with no more than the user mapped, which also asks for the number of the record."""
    kind = {"kind": ""} if isinstance(block.kind_of, str | KindColumn) else {}
    attributes: dict[str, Any] = {"attributes": {}} if block.attribute_columns else {}
    rules = (NUMBERED,) if asks else ()
    return block.model_copy(update={"columns": {"user_id": block.user_column}, "rules": rules, **kind, **attributes})


def _cells(export: Export, block: Block, user_id: str, column: str) -> set[str]:
    """What stands in a raw column of the person's rows."""
    column_of_users = str(block.user_column)
    person = spelled(pa.array([user_id]), block)[0]
    found: set[str] = set()
    for batch in exports.batches(export, block):
        mine = pc.equal(spelled(batch.cells.column(column_of_users), block), person)
        found |= set(batch.cells.column(column).filter(mine).to_pylist())
    return found


def _lines(export: Export, block: Block, user_id: str) -> set[int]:
    """Of lists and matrices, the numbers of the lines; the user of a matrix is its row."""
    column = str(block.user_column)
    users = _cells(export, _reduced(block, asks=False), user_id, column)
    if block.format == "matrix":
        if column != "row":
            raise SourceError(f"`{block.files}`: users must be the rows of a matrix to be erased, not `{column}`")
        top = (block.matrix.rows or (0, 0))[0]
        return {int(user) + top for user in users}
    lines = (line for part in encodings.lines(export, block.encoding) for line in part)
    firsts = (line.split(block.delimiter)[0].strip() for line in lines if _items(line, block))
    return {number for number, first in enumerate(firsts) if first in users}


def _items(line: str, block: Block) -> list[str]:
    items = [item.strip() for item in line.split(block.delimiter)]
    return [] if items in ([], [""]) else items


# Writing files without records


def _rewrite(path: Path, target: Path, cuts: list[Cut]) -> None:
    members = archives.members(path)
    with target.open("wb") as out:
        if members is not None:
            _rewrite_zip(path, out, {cut.export.member or members[0]: cut for cut in cuts})
        elif _is_gzip(path):
            with gzip.GzipFile(path.stem, "wb", fileobj=out, mtime=0) as packed:
                _write(cuts[0], packed)  # type: ignore[arg-type]
        else:
            _write(cuts[0], out)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == archives.GZIP


def _rewrite_zip(path: Path, out: IO[bytes], cuts: dict[str, Cut]) -> None:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        new.comment = old.comment
        for info in old.infolist():
            with old.open(info) as before, new.open(_same(info), "w", force_zip64=True) as after:
                cut = cuts.get(info.filename)
                if cut:
                    _write(cut, after)
                else:
                    shutil.copyfileobj(before, after)


def _same(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(info.filename, info.date_time)
    made.compress_type, made.external_attr, made.comment = info.compress_type, info.external_attr, info.comment
    return made


def _write(cut: Cut, out: IO[bytes]) -> None:
    """Write the file's content, unpacked, without the records."""
    writers = {"json": _json, "parquet": _parquet, "excel": _workbook, "matrix": _matrix}
    writers.get(cut.block.format, _text)(cut, out)


def _text(cut: Cut, out: IO[bytes]) -> None:
    """CSV and lines: whatever is not dropped keeps its characters, the byte-order mark included."""
    block = cut.block
    encoding = encodings.detect(cut.export) if block.encoding == AUTO else block.encoding
    with archives.stream(cut.export) as stream:
        reader = io.TextIOWrapper(io.BufferedReader(_Raw(stream)), encoding, newline="")
        writer = io.TextIOWrapper(out, encoding, newline="", write_through=True)
        for number, lines in _numbered(reader, block):
            if number is None or number not in cut.records:
                writer.writelines(lines)
        writer.flush()
        writer.detach()


def _numbered(lines: Iterable[str], block: Block) -> Iterator[tuple[int | None, list[str]]]:
    """Each record's number and its lines; no number for the header and for blank lines."""
    if block.format in (*LISTS, "jsonl"):
        number = 0
        for line in lines:
            counts = bool(line.strip() if block.format == "jsonl" else _items(line.rstrip("\r\n"), block))
            yield (number if counts else None), [line]
            number += counts
        return
    csv.field_size_limit(encodings.MAX_LINE)
    tape = _Tape(lines)
    number = 0 if block.header else -1
    for cells in csv.reader(tape, delimiter=block.delimiter or ("\t" if block.format == "typed" else ",")):
        yield (number if cells and number >= 0 else None), tape.take()
        number += bool(cells)


class _Tape:
    """Lines that remember which of them were read since the last look."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken.append(line)
        return line

    def take(self) -> list[str]:
        taken, self._taken = self._taken, []
        return taken


class _Raw(io.RawIOBase):
    """What only knows `read` as a stream for Python's text layer."""

    def __init__(self, stream: archives.Readable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def _json(cut: Cut, out: IO[bytes]) -> None:
    """A list without some elements, or an object without some members; the others keep their characters."""
    encoding = encodings.detect(cut.export) if cut.block.encoding == AUTO else cut.block.encoding
    with archives.stream(cut.export) as stream:
        text = io.BufferedReader(_Raw(stream)).read().decode(encoding).removeprefix("\ufeff")
    begin = len(text) - len(text.lstrip())
    opening, closing = text[begin], {"[": "]", "{": "}"}[text[begin]]
    kept = [part for number, part in enumerate(_parts(text, begin + 1)) if number not in cut.records]
    out.write("\n".join([opening, ",\n".join(kept), closing, ""]).encode(encoding))


def _parts(text: str, place: int) -> Iterator[str]:
    """The elements of a list, or the members of an object, as they are written."""
    decoder = json.JSONDecoder()
    while text[(place := _skip(text, place))] not in "]}":
        begin = place
        _, place = decoder.raw_decode(text, place)
        after = _skip(text, place)
        if text[after] == ":":
            _, place = decoder.raw_decode(text, _skip(text, after + 1))
        yield text[begin:place]
        place = _skip(text, place)
        place += text[place] == ","


def _skip(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def _parquet(cut: Cut, out: IO[bytes]) -> None:
    with archives.seekable(cut.export) as stream:
        file = pq.ParquetFile(stream)
        groups = file.metadata.num_row_groups
        compression = file.metadata.row_group(0).column(0).compression if groups else "snappy"
        first = 0
        with pq.ParquetWriter(out, file.schema_arrow, compression=compression.lower()) as writer:
            for group in range(groups):
                table = file.read_row_group(group)
                writer.write_table(table.filter(_kept(table.num_rows, first, cut.records)))
                first += table.num_rows


def _kept(count: int, first: int, dropped: Container[int]) -> pa.Array:
    return pa.array([number not in dropped for number in range(first, first + count)], pa.bool_())


def _workbook(cut: Cut, out: IO[bytes]) -> None:
    """The workbook without some rows; formulas become what they showed."""
    import openpyxl

    with archives.seekable(cut.export) as stream:
        if stream.read(4) == workbooks.OLE:
            raise SourceError(f"{cut.export.path} is an .xls workbook, which cannot be written: save it as .xlsx")
        stream.seek(0)
        book = openpyxl.load_workbook(stream, data_only=True)
    sheet = book[cut.block.sheet] if cut.block.sheet else book.worksheets[0]
    filled = [row[0].row for row in sheet.iter_rows() if any(cell.value not in (None, "") for cell in row)]
    for number in sorted(cut.records, reverse=True):
        sheet.delete_rows(filled[number + 1])  # the first filled row is the header
    book.save(out)


def _matrix(cut: Cut, out: IO[bytes]) -> None:
    """The matrix with 0 in the lines."""
    with archives.seekable(cut.export) as stream:
        is_sparse = stream.read(2) == b"PK"
        stream.seek(0)
        if is_sparse:
            _sparse(stream, cut.records, out)
            return
    delimiter, number = cut.block.delimiter, 0
    for lines in encodings.lines(cut.export, cut.block.encoding):
        for line in lines:
            items = _items(line, cut.block)
            text = (delimiter or SPACE).join("0" for _ in items) if items and number in cut.records else line
            out.write(f"{text}\n".encode())
            number += bool(items)


def _sparse(stream: IO[bytes], dropped: set[int], out: IO[bytes]) -> None:
    import numpy as np
    import scipy.sparse as sp

    found = sp.load_npz(stream)
    entries = sp.coo_array(found)
    keep = ~np.isin(entries.row, list(dropped))
    left = sp.coo_array((entries.data[keep], (entries.row[keep], entries.col[keep])), shape=found.shape)
    sp.save_npz(out, left.asformat(found.format))
