import datetime
import gzip
import io
import zipfile

import openpyxl
import pytest
from openpyxl.xml.constants import ARC_WORKBOOK

from tandem.data.readers import archives
from tandem.errors import SourceError

EXCEL = {"format": "excel"}


def book(*sheets: tuple[str, list[list]]) -> bytes:
    made, out = openpyxl.Workbook(), io.BytesIO()
    made.remove(made.active)
    for title, lines in sheets:
        sheet = made.create_sheet(title)
        for line in lines:
            sheet.append(line)
    made.save(out)
    return out.getvalue()


def changed(content: bytes, part: str, change) -> bytes:
    """The workbook with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == part else old.read(name))
    return out.getvalue()


SHEET = "/".join(("xl", "worksheets", "sheet1.xml"))
GOODS = book(("Goods", [["id", "n"], [1, "a"], [2, "b"]]))


def test_cells_become_the_text_a_person_sees(ask) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4)
    lines = [[], ["id", None, "d"], [10002, 2.5, moment], [], ["a ", True, datetime.date(2026, 1, 2)], ["b"]]
    assert ask("p.xlsx", book(("Goods", lines)), **EXCEL) == [
        {"id": "10002", "column_2": "2.5", "d": "2026-01-02 03:04:00"},
        {"id": "a ", "column_2": "true", "d": "2026-01-02 00:00:00"},
        {"id": "b", "column_2": "", "d": ""},
    ]


def test_sheets_are_chosen_by_name_and_cells_outside_the_header_are_a_problem(ask) -> None:
    content = book(("Notes", [["x"]]), ("Goods", [["id"], [1], [2, None, "aside"]]))
    assert ask("p.xlsx", content, sheet="Goods", **EXCEL) == [{"id": "1"}, "3 cells where the header has 1"]
    with pytest.raises(SourceError, match="has no sheet `Goodies`; it has Notes, Goods"):
        ask("p.xlsx", content, sheet="Goodies", **EXCEL)


def test_a_formula_gives_its_stored_result_and_text_like_one_stays_text(ask) -> None:
    content = book(("Goods", [["id", "n", "t"], [1, 2, "x"]]))
    stored = changed(
        content, SHEET, lambda xml: xml.replace(b'<c r="B2" t="n"><v>2</v>', b'<c r="B2"><f>1+1</f><v>2</v>')
    )
    assert b"<f>" in zipfile.ZipFile(io.BytesIO(stored)).read(SHEET)
    assert ask("p.xlsx", stored, **EXCEL) == [{"id": "1", "n": "2", "t": "x"}]
    never_computed = book(("Goods", [["id", "n"], [1, "=1+1"]]))
    assert ask("p.xlsx", never_computed, **EXCEL) == [{"id": "1", "n": ""}]
    made = openpyxl.load_workbook(io.BytesIO(GOODS))
    made.active["B2"].value = '=HYPERLINK("http://x.example")'
    made.active["B2"].data_type = "s"
    made.save(out := io.BytesIO())
    assert ask("p.xlsx", out.getvalue(), **EXCEL)[0]["n"] == '=HYPERLINK("http://x.example")'


def test_a_sheet_that_lies_about_its_size_is_read_whole(ask) -> None:
    lying = changed(GOODS, SHEET, lambda xml: xml.replace(b'ref="A1:B3"', b'ref="A1:A2"'))
    assert lying != GOODS
    assert ask("p.xlsx", lying, **EXCEL) == ask("p.xlsx", GOODS, **EXCEL)


def test_a_cell_in_the_last_corner_does_not_ask_for_all_between(ask) -> None:
    corner = b'<row r="1048576"><c r="XFD1048576"><v>3</v></c></row></sheetData>'
    found = ask("p.xlsx", changed(GOODS, SHEET, lambda xml: xml.replace(b"</sheetData>", corner)), **EXCEL)
    assert found[2:] == ["16384 cells where the header has 2"]


def test_a_workbook_is_no_archive_of_files_but_may_lie_in_one(ask) -> None:
    assert ask("p.xlsx.gz", gzip.compress(GOODS), **EXCEL) == ask("p.xlsx", GOODS, **EXCEL)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("p.xlsx", GOODS)
    assert ask("p.zip", out.getvalue(), **EXCEL) == ask("p.xlsx", GOODS, **EXCEL)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK no workbook", "cannot be read as an Excel workbook"),
        (b"id,n\n1,2\n", "cannot be read as an Excel workbook: File is not a zip file"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "cannot be read as an Excel workbook"),
        (GOODS[:-200], "is cut short or damaged"),
        (changed(GOODS, SHEET, lambda xml: xml[:300]), "cannot be read as an Excel workbook"),
        (changed(GOODS, ARC_WORKBOOK, lambda xml: b"<a>"), "cannot be read as an Excel workbook"),
        (changed(GOODS, SHEET, lambda xml: xml.replace(b'r="A2"', b'r="2A2"')), "cannot be read as an Excel workbook"),
        (book(("Goods", [])), "is empty: it has no header"),
        (book(("Goods", [["id", "ID"]])), "have the same name but for capitals"),
    ],
)
def test_a_broken_workbook_is_one_sentence(ask, content, said) -> None:
    with pytest.raises(SourceError) as caught:
        ask("p.xlsx", content, **EXCEL)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bomb_in_a_workbook_is_stopped_before_it_is_unpacked(ask, monkeypatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 2**20)
    bomb = changed(GOODS, SHEET, lambda xml: xml.replace(b"</sheetData>", b" " * 2**23 + b"</sheetData>"))
    with pytest.raises(SourceError, match=r"sheet1\.xml unpacks to .* bytes from .*: no workbook of a shop does"):
        ask("p.xlsx", bomb, **EXCEL)


def test_entities_that_multiply_are_not_followed(ask) -> None:
    levels = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "haha">{levels}]>'.encode()
    row = b'<row r="9"><c r="A9" t="str"><v>&a9;</v></c></row></sheetData>'
    laughing = changed(GOODS, SHEET, lambda xml: bomb + xml.replace(b"</sheetData>", row))
    with pytest.raises(SourceError, match="cannot be read as an Excel workbook"):
        ask("p.xlsx", laughing, **EXCEL)
