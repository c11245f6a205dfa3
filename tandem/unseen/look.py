"""What a raw file looks like before anybody described it: format, encoding, delimiter, header, some of its records.

Memory is bounded whatever a file's size: small files are read whole, of large ones head, middle and tail.
"""

import csv
import gzip
import io
import json
import re
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from tandem.errors import SourceError
from tandem.unseen import books, pieces, sniffing

WHOLE_BYTES = 16 << 20
"""Files of up to so many bytes are read whole; of larger ones, pieces."""

RECORDS = 250_000
SNIFFED = 2_000
"""Records kept of a file, and lines from which its format is told."""

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
BOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
TYPED = re.compile(r"^[^:\s]+:(token|float|token_seq|float_seq)$")


@dataclass(frozen=True)
class Look:
    """One raw file, or the tables of one archive."""

    name: str  # path below the folder looked at
    format: str  # of blocks.Block, else `pictures` or `unknown`
    size: int  # bytes on disk
    encoding: str | None = None
    delimiter: str | None = None
    header: tuple[str, ...] = ()
    named: bool = True  # the header came from the file
    records: list[list[str | None]] = field(default_factory=list)
    whole: bool = False  # `records` are all there are
    sheet: str | None = None  # of a workbook with several
    title_lines: int = 0  # of csv: lines above the header
    window: tuple[int, int, int] | None = None  # of a bipartite matrix: users, first item, end
    notes: tuple[str, ...] = ()  # what is doubtful

    def column(self, place: int) -> list[str | None]:
        """The values of one column, in order."""
        return [record[place] for record in self.records]


def of_file(path: Path, name: str, most: int = WHOLE_BYTES) -> list[Look]:
    """How the file looks, or each sheet of a workbook; the arguments are those of `at`."""
    listed = books.sheets(path) if path.suffix.casefold() in BOOKS else ()
    return [at(path, name, most, sheet) for sheet in listed or (None,)]


def at(path: Path, name: str, most: int = WHOLE_BYTES, sheet: str | None = None) -> Look:
    """How the file at `path` looks; what cannot be told is `unknown` and says why in its notes.

    Args:
        path: a file.
        name: its path below the folder that is described.
        most: bytes up to which it is read whole.
        sheet: of a workbook; by default the first.

    Raises:
        SourceError: it cannot be read at all.
    """
    size = path.stat().st_size if path.exists() else 0
    blank = Look(name, "unknown", size)
    try:
        return _at(path, blank, most, sheet)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, EOFError, ValueError, csv.Error) as error:
        return replace(blank, notes=(f"cannot be read: {str(error)[:150]}",))


def _at(path: Path, blank: Look, most: int, sheet: str | None) -> Look:
    suffix = path.suffix.casefold()
    if suffix in PICTURES:
        return replace(blank, format="pictures")
    if blank.size == 0:
        return replace(blank, notes=("empty",))
    if suffix == ".zip":
        return _zip(path, blank, most)
    if suffix == ".gz":
        with gzip.open(path) as stream:
            return _stream(stream, replace(blank, name=blank.name[:-3]), None, most, blank.name)  # type: ignore[arg-type]
    if suffix in BOOKS:
        return books.look(path, blank, sheet)
    if suffix == ".parquet":
        return _parquet(path, blank)
    if suffix == ".npz":
        return _sparse(path, blank)
    with path.open("rb") as stream:
        return _stream(stream, blank, blank.size, most, blank.name)


def _zip(path: Path, blank: Look, most: int) -> Look:
    """A zip of pictures, or its first table; the other members are taken to be of the same kind."""
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
        tables = [m for m in members if not m.filename.casefold().endswith(PICTURES)]
        if members and not tables:
            named: list[list[str | None]] = [[member.filename] for member in members]
            return replace(blank, format="pictures", records=named, notes=(f"{len(members)} pictures",))
        if not tables:
            return replace(blank, notes=("an empty archive",))
        with archive.open(tables[0]) as stream:
            found = _stream(stream, replace(blank, name=tables[0].filename), None, most, blank.name)  # type: ignore[arg-type]
    more = (f"holds {len(tables)} files, of which only {tables[0].filename} was looked at",) if len(tables) > 1 else ()
    return replace(found, notes=(*found.notes, *more))


def _stream(stream: BinaryIO, blank: Look, size: int | None, most: int, name: str) -> Look:
    """Look at text or, where the name says so, at JSON; `blank.name` is the name without compression."""
    chunks, whole = pieces.read(stream, size, most)
    encoding, texts, notes = pieces.decode(chunks)
    look = replace(blank, encoding=encoding, whole=whole, notes=tuple(notes))
    if not texts:
        return replace(look, name=name)
    head = texts[0].lstrip()
    if PurePosixPath(blank.name).suffix.casefold() in (".xlsx", ".parquet", ".npz"):
        found = replace(look, format="unknown", notes=("a binary file in an archive: unpack it first",))
    elif head[:1] in ("{", "["):
        found = _json(texts, look)
    else:
        found = _lines(texts, look)
    thinned = found.records[:: 1 + len(found.records) // RECORDS]
    return replace(found, name=name, records=thinned, whole=whole and len(thinned) == len(found.records))


def _json(texts: list[str], look: Look) -> Look:
    """JSON lines, a list of objects, or one object of many keys."""
    lines = [line for line in texts[0].splitlines()[:50] if line.strip()]
    parsed = [sniffing.record(line) for line in lines]
    if len(lines) > 1 and sum(isinstance(p, dict) for p in parsed) >= 0.9 * len(lines):
        literal = any(sniffing.loads(line) is None for line in lines if sniffing.record(line) is not None)
        doubt = ("lines are Python literals, not JSON",) if literal else ()
        records = [r for text in texts for line in text.splitlines() if isinstance(r := sniffing.record(line), dict)]
        return _objects(records, replace(look, format="jsonl", notes=(*look.notes, *doubt)))
    values = list(sniffing.members(texts[0]))
    if values and all(isinstance(value, dict) for value in values):
        return _objects(values, replace(look, format="json"))
    if texts[0].lstrip()[:1] == "{":
        rows: list[list[str | None]] = [[key, _text(value)] for key, value in values]
        return replace(look, format="json", header=("@key", "@value"), records=rows)
    return replace(look, notes=(*look.notes, "JSON, but neither objects nor one object of many keys"))


def _objects(objects: list[dict[str, Any]], look: Look) -> Look:
    header = tuple(dict.fromkeys(key for record in objects for key in record))
    rows = [[None if record.get(name) is None else _text(record[name]) for name in header] for record in objects]
    return replace(look, header=header, records=rows)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(texts: list[str], look: Look) -> Look:
    lines = [line for line in texts[0].splitlines()[:SNIFFED] if line.strip()]
    if not lines:
        return replace(look, notes=("nothing but blank lines",))
    if all(TYPED.match(name) for name in lines[0].split("\t")):
        return _table(texts, replace(look, format="typed", delimiter="\t"))
    delimiter, width, share = sniffing.delimiter(lines)
    if width > 20 and all(re.fullmatch(r"[\d.\s,;-]+", line) for line in lines[:50]):
        return replace(look, format="matrix", delimiter=delimiter, notes=(f"a matrix of numbers with {width} columns",))
    if share < 0.9 and sniffing.are_codes(lines):
        return _listed(texts, look)
    return _table(texts, replace(look, format="csv", delimiter=delimiter or ","))


def _listed(texts: list[str], look: Look) -> Look:
    """`user item item …` where no line begins as another does, else baskets `item item …`."""
    lines = [line.split() for text in texts for line in text.splitlines() if line.strip()]
    firsts = [line[0] for line in lines]
    if len(set(firsts)) == len(firsts):
        rows: list[list[str | None]] = [[line[0], item] for line in lines for item in line[1:]]
        return replace(look, format="sequences", header=("user", "item"), records=rows)
    return replace(look, format="baskets", header=("item",), records=[[item] for line in lines for item in line])


def _table(texts: list[str], look: Look) -> Look:
    """Cells under a header; of chunks from the middle, records that a cut made odd are left out."""
    delimiter = look.delimiter or ","
    parts = [list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)) for text in texts]
    rows = [row for part in parts for row in part if row]
    above = 0
    if look.format == "typed":
        header, named = [name.partition(":")[0] for name in rows[0]], True
    else:
        rows = rows[sniffing.header_place(rows[:SNIFFED]) :]
        above = parts[0].index(rows[0])
        named = sniffing.is_header(rows[0], rows[1:SNIFFED])
        header = [n.strip() or f"column_{p}" for p, n in enumerate(rows[0], 1)] if named else _numbered(len(rows[0]))
    fitting: list[list[str | None]] = [list(row) for row in rows[named:] if len(row) == len(header)]
    odd = len(rows) - named - len(fitting)
    doubt = (f"{odd} of {len(rows)} records have another number of cells than the header",) if odd else ()
    notes = (*look.notes, *doubt)
    return replace(
        look, header=tuple(header), named=named, title_lines=above if named else 0, records=fitting, notes=notes
    )


def _numbered(width: int) -> list[str]:
    return [f"column_{place}" for place in range(1, width + 1)]


def _parquet(path: Path, blank: Look) -> Look:
    import pyarrow.parquet as pq

    content = pq.ParquetFile(path)
    groups = sorted({0, content.num_row_groups // 2, content.num_row_groups - 1}) if content.num_row_groups else []
    rows: list[list[str | None]] = []
    for group in groups:
        batch = next(content.iter_batches(RECORDS // 6, row_groups=[group]), None)
        rows += [[_stored(v) for v in record.values()] for record in (batch.to_pylist() if batch else [])]
    whole = len(rows) == content.metadata.num_rows
    return replace(blank, format="parquet", header=tuple(content.schema_arrow.names), records=rows, whole=whole)


def _stored(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)


def _sparse(path: Path, blank: Look) -> Look:
    """A SciPy sparse matrix; of one that has users before items on both sides, the window of users' items."""
    import numpy as np

    with np.load(path, allow_pickle=False) as stored:
        if not {"indptr", "indices", "shape"} <= set(stored.files):
            return replace(blank, notes=(f"arrays {', '.join(stored.files)}: no sparse matrix",))
        shape = [int(n) for n in stored["shape"]]
        starts, columns = stored["indptr"], stored["indices"]
    facts = f"{shape[0]} × {shape[1]}, {len(columns)} stored values"
    window = None
    if shape[0] == shape[1] and len(columns):
        border = int(columns[: starts[1]].min()) if starts[1] else int(columns.min())
        ours, theirs = columns[: starts[border]], columns[starts[border] :]
        if len(ours) and ours.min() >= border and (not len(theirs) or theirs.max() < border):
            window = (border, border, shape[1])
    header = ("row", "column", "value")
    return replace(blank, format="matrix", header=header, window=window, notes=(facts,))
