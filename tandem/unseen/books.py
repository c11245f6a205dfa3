"""What the sheets of a workbook look like: header and records, and the lines of title that stand above a header."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tandem.unseen import sniffing

if TYPE_CHECKING:
    from tandem.unseen.look import Look

ROWS = 20_000
"""Rows that are read of a sheet."""


def sheets(path: Path) -> tuple[str, ...]:
    """Names of the workbook's sheets; none where it is no workbook."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return tuple(CalamineWorkbook.from_path(str(path)).sheet_names)
    except CalamineError:
        return ()


def look(path: Path, blank: "Look", sheet: str | None) -> "Look":
    """How one sheet looks, by default the first; what cannot be told is `unknown` and says why in its notes."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(path))
        named = sheet or book.sheet_names[0]
        found = book.get_sheet_by_name(named)
        grid, first = found.to_python(nrows=ROWS), (found.start or (0, 0))[0] + 1
    except CalamineError as error:
        return replace(blank, notes=(f"not a workbook: {error}",))
    lines = [(first + place, [_cell(cell) for cell in row]) for place, row in enumerate(grid)]
    rows = [(line, row) for line, row in lines if any(row)]
    known = replace(blank, sheet=named if len(book.sheet_names) > 1 else None)
    if not rows:
        return replace(known, notes=(f"sheet {named} is empty",))
    place = sniffing.header_place([[cell or "" for cell in row] for _, row in rows])
    header = tuple(name or f"column_{n}" for n, name in enumerate(rows[place][1], 1))
    return replace(
        known, format="excel", header=header, records=[row for _, row in rows[place + 1 :]], notes=_titled(rows, place)
    )


def _titled(rows: list[tuple[int, list[str | None]]], place: int) -> tuple[str, ...]:
    """What to do about lines above the header."""
    if not place:
        return ()
    return (
        f"line {rows[place][0]} looks like the header; `tandem ingest` takes the first line that is not empty for it, "
        "and no key skips lines: remove those above it, or save the sheet as CSV without them",
    )


def _cell(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if value != "" else None
