"""A small shop that faults are planted in: its source, good rows, and how files of each format are made."""

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from tandem import files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.params import IngestParams

from ..shop import COLUMNS, KEY, Content, put, zipped

PARAMS = IngestParams.read(Path(__file__).parents[2] / "params.yaml")

USER = "uid-7f3a"
"""Every raw user id of the corpus begins with `uid-`; nothing that is written or said may hold that."""

PERSONAL = ("mallory", "1701234567", "4111111111111111", "13812345678")
"""What tells who somebody is: none of it stands in a canonical table, blanks aside."""

GOOD = {
    "item": "a1", "customer": USER, "when": "2026-03-01 12:00:00", "order": "1", "pieces": "2", "price": "9.99",
    "what": "buy", "note": "",
}  # fmt: skip
HEADER = ",".join(GOOD) + "\n"

EVENTS: dict[str, Any] = {
    "columns": COLUMNS,
    "kind": {"column": "what", "values": {"look": "view", "buy": "purchase"}},
}
EUROS = {"decimal": ",", "thousands": ".", "strip": ["€", "EUR"]}
SEQUENCES = {
    "columns": {"user_id": "user", "product_id": "item"}
    | {"time": {"ordinal": "@place_1", "start": "2026-01-01", "step_minutes": 1}},
    "kind": "view",
}
MATRIX = {
    "columns": {"product_id": "column", "time": {"ordinal": "row", "start": "2026-01-01", "step_minutes": 1}},
    "kind": "view",
}
FORMATS: dict[str, dict[str, Any]] = {
    "csv": {**EVENTS, "format": "csv", "files": "events/*.csv*"},
    "euros": {**EVENTS, "format": "csv", "files": "events/*.euros", "numbers": EUROS},
    "zip": {**EVENTS, "format": "csv", "files": "events/*.zip"},
    "json": {**EVENTS, "format": "json", "files": "events/*.json"},
    "jsonl": {**EVENTS, "format": "jsonl", "files": "events/*.jsonl"},
    "xlsx": {**EVENTS, "format": "excel", "files": "events/*.xlsx"},
    "parquet": {**EVENTS, "format": "parquet", "files": "events/*.parquet"},
    "inter": {**EVENTS, "format": "typed", "files": "events/*.inter"},
    "seq": {**SEQUENCES, "format": "sequences", "files": "events/*.seq"},
    "npz": {**MATRIX, "format": "matrix", "files": "events/*.npz"},
}
"""The block of events for files of each kind, by the end of their names."""

PRODUCTS = {
    "files": "products/*.csv",
    "format": "csv",
    "columns": {"product_id": "id", "title": "title", "category": {"column": "path", "split": ">"}, "price": "price"},
}
REVIEWS = {
    "files": "reviews/*.jsonl",
    "format": "jsonl",
    "columns": {"product_id": "item", "user_id": "customer", "time": "when", "rating": "stars", "text": "text"},
}
CATALOGUE = "id,title,path,price\na1,Cup,Home > Kitchen,9.99\nb2,Bowl,Home,3\n"


class Result(NamedTuple):
    """What became of the raw files."""

    report: dict[str, Any]
    work: Path
    log: str

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a canonical table, which has the columns and types of its schema."""
        path = self.work / "canonical" / f"{table}.parquet"
        return files.read(path, schema.TABLES[table]).to_dict("records")

    def account(self, file: str) -> dict[str, Any]:
        """What became of one file's rows."""
        return next(account for account in self.report["files"] if account["file"] == file)

    def written(self, folder: str) -> str:
        """All that was written, as text: the report, and the tables in `canonical` or the judged rows in `parts`."""
        tables = (pq.read_table(path).to_pylist() for path in sorted((self.work / folder).rglob("*.parquet")))
        return "\n".join(map(str, [self.report, *tables]))


def source(suffixes: set[str], change: Mapping[str, Any], more: Mapping[str, Any]) -> Source:
    """The shop with a block for each kind of file; `change` goes into these blocks, `more` into the source."""
    blocks = [{**FORMATS[suffix], **change} for suffix in FORMATS if suffix in suffixes]
    facts = {"name": "shop", "title": "a shop with faults", "timezone": "Europe/Berlin", "currency": "EUR"}
    return Source.model_validate({**facts, "events": blocks, "products": [PRODUCTS], **more})


def suffix(name: str) -> str:
    """The end of a raw file's name that tells its block."""
    return name.removesuffix(".gz").rpartition(".")[2]


def make(
    folder: Path,
    contents: Mapping[str, Content],
    change: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Result:
    """The canonical tables of these raw files and the catalogue, made in `folder`."""
    raw, work = folder / "raw", folder / "work"
    put(raw, {"products/all.csv": CATALOGUE, **contents})
    suffixes = {suffix(name) for name in contents if name.startswith("events/")}
    described = source(suffixes, change or {}, more or {})
    with logged() as log:
        report = canonical.make(described, raw, KEY, work / "canonical", work / "parts", PARAMS)
    return Result(report, work, log.getvalue())


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged meanwhile, of any level."""
    log, out = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(out), log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def leaks(text: str, unwanted: Iterable[str] = ("uid-",)) -> list[str]:
    """Where in the text raw user ids stand, or what else is unwanted, with some of what is around it."""
    plain = "".join(text.split())
    found = (plain.find(word) for word in unwanted)
    return [plain[max(at - 60, 0) : at + 60] for at in found if at >= 0]


# Files of good rows with changes


def rows(note: str, *changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Good rows with these changes; `note` and the number of the order tell them apart from all others."""
    return [{**GOOD, "order": str(number), "note": note, **change} for number, change in enumerate(changes, 1)]


def table(note: str, *changes: Mapping[str, Any], end: str = "\n", delimiter: str = ",") -> str:
    """The rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(GOOD), lineterminator=end, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows(note, *changes))
    return out.getvalue()


def lines(note: str, *changes: Mapping[str, Any]) -> str:
    """The rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows(note, *changes))


def workbook(note: str, *changes: Mapping[str, Any], alter: Callable[[Any], None] = lambda book: None) -> bytes:
    """The rows as an Excel workbook, altered at will before it is written."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for line in [list(GOOD), *(list(row.values()) for row in rows(note, *changes))]:
        book.active.append(line)
    alter(book)
    book.save(out)
    return out.getvalue()


def parquet(note: str, /, *changes: Mapping[str, Any], **columns: pa.Array) -> bytes:
    """The rows as Parquet; `columns` stand instead of the column of that name, or beside them."""
    found, out = pa.Table.from_pylist(rows(note, *changes)), io.BytesIO()
    for name, values in columns.items():
        place = found.schema.get_field_index(name)
        found = found.append_column(name, values) if place < 0 else found.set_column(place, name, values)
    pq.write_table(found, out)
    return out.getvalue()


def rezipped(content: bytes, changes: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """A zip with some of its members changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped({name: changes.get(name, bytes)(held) for name, held in members.items()})
