"""Write the exports' file formats so that equal cells give equal bytes: no clock, no machine."""

import io
import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_CLOCK = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV file in UTF-8 with a header."""
    table.to_csv(path, index=False, lineterminator="\n")


def write_jsonl(table: pd.DataFrame, path: Path) -> None:
    """Write one JSON object a line."""
    lines = (json.dumps(record, ensure_ascii=False) for record in table.to_dict("records"))
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def write_excel(table: pd.DataFrame, path: Path, sheet: str) -> None:
    """Write one Excel sheet with a header; the workbook's dates are fixed."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    for row in (list(table.columns), *table.itertuples(index=False, name=None)):
        page.append(row)
    draft = io.BytesIO()
    book.save(draft)
    with zipfile.ZipFile(draft) as written:
        members = [(name, written.read(name)) for name in written.namelist()]
    write_zip([(name, _CLOCK.sub(rb"\g<1>1980-01-01T00:00:00Z", content)) for name, content in members], path)


def write_zip(members: Iterable[tuple[str, bytes]], path: Path) -> None:
    """Write a zip archive of named contents in the given order."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
