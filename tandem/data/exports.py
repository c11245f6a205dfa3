"""A shop's exported files as tables of text: every cell as it came, with the file and row it came from."""

import csv
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from zipfile import BadZipFile

import pyarrow as pa

from tandem.data.sources import Block, Picture, Source
from tandem.errors import SourceError


@dataclass(frozen=True)
class Export:
    """One raw file: `name` is its path below the source's folder."""

    name: str
    path: Path


@dataclass(frozen=True)
class Exports:
    """The raw files of one source: of each block, and those that no block speaks of."""

    of: dict[str, list[tuple[Block, list[Export]]]]  # by table
    unmapped: list[str]


@dataclass(frozen=True)
class Rows:
    """Rows of one file. A row that does not fit the header has no cells but a `problem`."""

    header: list[str]
    cells: list[list[str | None]]  # (rows, columns)
    problems: list[str | None]  # (rows,)


def find(source: Source, folder: Path) -> Exports:
    """The raw files below `folder` by table and block, in order of their names. Hidden files do not count.

    Raises:
        SourceError: no such folder, a block or a picture archive without files, or one file in two blocks of a table.
    """
    names = _names(folder)
    of = {
        table: [(block, _matching(source, folder, block, names)) for block in blocks]
        for table, blocks in source.blocks.items()
    }
    for table, blocks in of.items():
        _each_once(source, table, [export.name for _, exports in blocks for export in exports])
    read = {export.name for blocks in of.values() for _, exports in blocks for export in exports}
    return Exports(of, [name for name in names if name not in read | _archives(source, names)])


def read(exports: list[Export], block: Block) -> pa.Table:
    """The rows of one block's files as `file`, `row` (from 1), `problem` and `raw`, a struct of all raw cells.

    Raises:
        SourceError: a file that cannot be read as the block describes it, or lacks a column that the block names.
    """
    origins, cells = [], []
    for export in exports:
        rows = _rows(export, block)
        _check(rows.header, export, block)
        columns = list(zip(*rows.cells, strict=True)) or [()] * len(rows.header)
        text = [pa.array(column, pa.string()) for column in columns]
        cells.append(pa.table(text, names=rows.header))
        origins.append(_origin(export, rows))
    together = pa.concat_tables(cells, promote_options="default")
    _distinct(together.column_names, exports[-1].path.parent)
    return pa.concat_tables(origins).append_column("raw", together.to_struct_array())


def _check(header: list[str], export: Export, block: Block) -> None:
    """Raise unless the header has every needed column once. What may be a row of data is not put into the message."""
    needed = f"`{'`, `'.join(block.named)}`, which the source's {block.table.name} need"
    lacking = [name for name in block.named if name not in header]
    if lacking == block.named:
        raise SourceError(f"{export.path}: its first line names none of the columns {needed}; has it a header?")
    if lacking:
        raise SourceError(
            f"{export.path} has no column `{'`, `'.join(lacking)}`, which the source's {block.table.name} need; "
            f"it has {', '.join(header)}"
        )
    _distinct(header, export.path)


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder; it should hold the shop's raw files (`tandem ingest` puts them)")
    try:
        next(folder.iterdir(), None)  # rglob is silent about a folder that may not be read
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from None
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def _matching(source: Source, folder: Path, block: Block, names: list[str]) -> list[Export]:
    found = {path.relative_to(folder).as_posix() for path in folder.glob(block.files)}
    exports = [Export(name, folder / name) for name in names if name in found]
    if not exports:
        raise SourceError(
            f"{folder} has no file that matches `{block.files}`, as the {block.table.name} of source {source.name} "
            f"need; it has {_some(names)}"
        )
    return exports


def _each_once(source: Source, table: str, names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []:
        raise SourceError(f"source {source.name}: two blocks of {table} match the same file: {_some(twice)}")


def _archives(source: Source, names: list[str]) -> set[str]:
    cells = [block.columns.get("image") for block in source.products]
    archives = {cell.archive for cell in cells if isinstance(cell, Picture)}
    if lacking := sorted(archives - set(names)):
        raise SourceError(f"source {source.name}: no picture archive {_some(lacking)} among the raw files")
    return archives


def _some(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more if names else "no file at all"


def _origin(export: Export, rows: Rows) -> pa.Table:
    count = len(rows.cells)
    return pa.table(
        {
            "file": pa.array([export.name] * count, pa.string()),
            "row": pa.array(range(1, count + 1), pa.int64()),
            "problem": pa.array(rows.problems, pa.string()),
        }
    )


def _rows(export: Export, block: Block) -> Rows:
    try:
        match block.format:
            case "csv":
                return _csv(export, block)
            case "jsonl":
                return _jsonl(export, block)
            case "excel":
                return _excel(export, block)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{export.path} is not {block.encoding}: byte {error.start} cannot be read ({error.reason}); "
            f"the source's YAML sets `encoding`"
        ) from None
    except OSError as error:
        raise SourceError(f"{export.path} cannot be read: {error.strerror}") from None


def _csv(export: Export, block: Block) -> Rows:
    encoding = "utf-8-sig" if block.encoding == "utf-8" else block.encoding
    with export.path.open(encoding=encoding, newline="") as stream:
        return _aligned(_lines(stream, export, block), export)


def _lines(stream: TextIO, export: Export, block: Block) -> Iterator[list[str]]:
    """The records that are not blank. A quote out of place would swallow the rows after it, so none is let pass."""
    reader, begins = csv.reader(stream, delimiter=block.delimiter, strict=True), 1
    try:
        for line in reader:
            begins = reader.line_num + 1
            if line:
                yield line
    except csv.Error as error:
        raise SourceError(
            f"{export.path} cannot be read as CSV: {error}, in the row that begins in line {begins}"
        ) from None


def _excel(export: Export, block: Block) -> Rows:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(export.path))
        sheet = block.sheet or book.sheet_names[0]
        if sheet not in book.sheet_names:
            raise SourceError(f"{export.path} has no sheet `{sheet}`; it has {', '.join(book.sheet_names)}")
        grid = book.get_sheet_by_name(sheet).to_python()
    except (CalamineError, BadZipFile) as error:
        raise SourceError(f"{export.path} cannot be read as an Excel workbook: {error}") from None
    lines = ([_text(cell) for cell in line] for line in grid)
    return _aligned((line for line in lines if any(line)), export)


def _aligned(lines: Iterator[list[str]], export: Export) -> Rows:
    """Lines under the header that is the first of them; their cells are withheld where their number is wrong."""
    header = [name.strip() or f"column_{place}" for place, name in enumerate(next(lines, []), start=1)]
    if not header:
        raise SourceError(f"{export.path} is empty: it has no header")
    width, blank = len(header), [None] * len(header)
    cells: list[list[str | None]] = []
    problems: list[str | None] = []
    for line in lines:
        fits = len(line) == width
        cells.append(line if fits else blank)  # type: ignore[arg-type]
        problems.append(None if fits else f"{len(line)} cells where the header has {width}")
    return Rows(header, cells, problems)


def _jsonl(export: Export, block: Block) -> Rows:
    encoding = "utf-8-sig" if block.encoding == "utf-8" else block.encoding
    with export.path.open(encoding=encoding) as stream:
        records = [_record(line) for line in stream if line.strip()]
    header = list(dict.fromkeys(key for record, _ in records for key in record))
    if not header:
        raise SourceError(f"{export.path} holds no JSON object: one per line is expected")
    cells = [[record.get(name) for name in header] for record, _ in records]
    return Rows(header, cells, [problem for _, problem in records])


def _record(line: str) -> tuple[dict[str, str | None], str | None]:
    try:
        value = json.loads(line, parse_float=str, parse_int=str)
        if not isinstance(value, dict):
            return {}, f"a JSON {type(value).__name__} where an object is expected"
        record = {key: None if cell is None else _text(cell) for key, cell in value.items()}
        "".join(cell or "" for pair in record.items() for cell in pair).encode()
    except (ValueError, RecursionError) as error:
        return {}, f"not a JSON object ({error.msg if isinstance(error, json.JSONDecodeError) else 'unreadable text'})"
    return record, None


def _text(cell: Any) -> str:
    """A cell as text: whole numbers without a point, times in ISO 8601, truth as true and false."""
    match cell:
        case str():
            return cell
        case bool() | list() | dict():
            return json.dumps(cell, ensure_ascii=False)
        case float():
            return str(int(cell)) if cell.is_integer() else repr(cell)
        case datetime.datetime():
            return cell.isoformat(" ")
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case _:
            return str(cell)


def _distinct(header: list[str], where: Path) -> None:
    folded = [name.casefold() for name in header]
    if twice := [name for name in header if folded.count(name.casefold()) > 1]:
        raise SourceError(f"{where}: columns `{'`, `'.join(twice)}` have the same name but for capitals")
