"""Faults within a file whose other rows are sound: which rows are refused, by which rule, and why."""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from .shop import GOOD, HEADER, lines, parquet, rezipped, table, workbook, zipped

LINE = "a1,uid-7f3a,2026-03-01,1,2,9.99,buy,"


class Refusal(NamedTuple):
    """A fault, the raw file that has it, and what becomes of its rows."""

    name: str
    file: str
    content: bytes | str
    rules: Mapping[str, int]  # refused rows by rule
    kept: int
    reasons: str = ""  # a pattern that every reason of a refusal fits
    duplicates: int = 0


def wrong(name: str, rule: str, reasons: str, *changes: Mapping[str, Any], end: str = "csv") -> Refusal:
    """CSV with one good row and one for each of the changes, all of which are refused for one rule."""
    return Refusal(name, f"events/{_stem(name)}.csv", table(name, {}, *changes), {rule: len(changes)}, 1, reasons)


def harmless(name: str, *changes: Mapping[str, Any]) -> Refusal:
    """CSV with a row for each of the changes, all of which are kept."""
    return Refusal(name, f"events/{_stem(name)}.csv", table(name, *changes), {}, len(changes))


def in_euros(name: str, prices: Sequence[str], strange: Sequence[str]) -> Refusal:
    """CSV whose block says that numbers are written like `€ 1.299,00`: prices, and what is none there."""
    content = table(name, *each("price", *prices), *each("price", *strange))
    refused = {"unreadable_unit_price": len(strange)}
    reason = "is not a number written as `numbers` says"
    return Refusal(name, f"events/{_stem(name)}.euros", content, refused, len(prices), reason)


def each(column: str, *cells: Any) -> list[dict[str, Any]]:
    """One change for each of the cells."""
    return [{column: cell} for cell in cells]


def _stem(name: str) -> str:
    return re.sub(r"\W+", "-", name)


CELLS = [
    wrong("the user's id where the time is", "unreadable_row", "written like a time: are columns swapped",
          *({"customer": time, "when": "uid-7f3a"} for time in ("2026-03-01", "2026-03-01T12:00:00Z",
          "31.12.2026 12:00"))),
    wrong("swapped columns", "unreadable_time", r"time `9\.99` is not a time", {"when": "9.99", "price": "2026-03-01"}),
    wrong("days that are not", "unreadable_time", "is not a time",
          *each("when", "2026-02-31", "2026-02-29", "2026-13-01", "2026-00-10", "31.02.2026", "0000-01-01")),
    wrong("hours that are not", "unreadable_time", "is not a time",
          *each("when", "2026-03-01 25:00", "2026-03-01 12:60", "2026-03-01 12:00:61", "2026-03-01 24:30")),
    wrong("zones that are not", "unreadable_time", "is not a time",
          *each("when", "2026-03-01 12:00+25:00", "2026-03-01 12:00 CEST", "2026-03-01 12:00+05:75")),
    wrong("years beyond all tools", "unreadable_time", "is not a time",
          *each("when", "0001-01-01", "9999-12-31 23:59:59Z", "99999-01-01", "-2026-01-01")),
    wrong("the clock's zero", "impossible_value", "in the year 19[678].*, before 1990-01-01",
          *each("when", "1970-01-01", "1970-01-01T00:00:00Z", "1969-12-31 23:59:59", "1980-01-01")),
    wrong("Excel's serial dates", "unreadable_time", r"`4608\d(\.5)?` is not a time",
          *each("when", "46082", "46082.5")),
    wrong("words for nothing as times", "unreadable_time", "is not a time",
          *each("when", "NULL", "None", "NaN", r"\N", "-", "n/a", "infinity", "epoch", "now", "today")),
    wrong("words for nothing as numbers", "unreadable_unit_price", "is not a number",
          *each("price", "NULL", "None", "NaN", r"\N", "-", "n/a", "#N/A", "inf", "-Infinity")),
    wrong("decimal commas", "unreadable_unit_price", "is not a number", *each("price", "9,99", "1.299,00", "٣,٥")),
    wrong("thousands separators", "unreadable_unit_price", "is not a number",
          *each("price", "1,299.00", "1 299", "1'299", "1_299")),
    wrong("signs of currency", "unreadable_unit_price", "is not a number",
          *each("price", "€9.99", "9.99 EUR", "$5", "¥100", "£1")),
    in_euros("points and commas swapped", ["9,99", "1.299,00"], ["9.99", "1,299.00", "0.125", "1.299.00", "12.5"]),
    in_euros("groups that are not of three", ["1.299.000"], ["1.29", "12.99.000", "1299.000", "1..299", ".299"]),
    in_euros("signs of currency beside others", ["€ 9,99", "9,99EUR", "€\u00a01.299,00"],
             ["$5", "5 euro", "€", "€€5", "EUR,5", "€ x", "USD 5"]),
    in_euros("signs that are not", ["+€ 9,99", "€ +9"], ["--5", "-€-5", "€ - 5", "- 5", "5-", "(5)"]),
    in_euros("powers of ten where commas are", ["999"], ["1e3", "9,99e2"]),
    wrong("numbers that are not", "unreadable_unit_price", "is not a number",
          *each("price", "1e309", "-1e999", "0x1F", "1e", "--1", ".", "１２", "9" * 10_000)),
    wrong("prices of nobody", "impossible_value", r"unit_price \d+\.00 is above 1e\+07",
          *each("price", "1e308", "10000001")),
    wrong("negative prices", "price_not_positive", "of a sale is not positive",
          *each("price", "-1", "-0.01", "0", "-1e308")),
    wrong("a negative price of a look", "unit_price_out_of_range", "is below 0", {"what": "look", "price": "-1"}),
    wrong("pieces of nobody", "impossible_value", r"quantity \d+\.00 is above 1e\+06",
          *each("pieces", "1e7", "1000001")),
    wrong("no pieces", "quantity_not_positive", "is not positive", *each("pieces", "0", "-1", "-0.0")),
    wrong("pieces not told", "missing_quantity", "of a sale is missing", *each("pieces", "", " ", "\u3000")),
    wrong("a time not told", "missing_time", "time is missing", *each("when", "", "\u00a0")),
    wrong("a product not told", "missing_product_id", "product_id is missing", *each("item", "", "\ufeff")),
    wrong("a kind not told", "missing_kind", "kind is missing", *each("what", "", "\t")),
    wrong("a kind that nobody knows", "unknown_kind", "`steal` is none of look, buy", *each("what", "steal")),
    wrong("orphan products", "unknown_product", "no row of products has",
          *each("item", "zz", "A1", "a1\u200b", "\u202ea1")),
    wrong("ids that are SQL", "unknown_product", "no row of products has",
          *each("item", "'; DROP TABLE events; --", "a1' OR '1'='1", 'a1"; --', "a1\\'; --")),
    wrong("ids that are code", "unknown_product", "no row of products has",
          *each("item", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "../../etc/passwd", "=cmd|' /C calc'!A0")),
    wrong("somebody's data in a quantity", "unreadable_quantity",
          r"quantity `(\[email\]|\[phone\]|\[card\])` is not a number",
          *each("pieces", "mallory@mail.example", "+49 170 1234567", "4111 1111 1111 1111")),
    wrong("somebody's data in a time", "unreadable_time", r"time `call \[phone\] now` is not",
          *each("when", "call 13812345678 now")),
    wrong("somebody's data in a product", "unknown_product", r"has `\[email\]`", *each("item", "mallory@mail.example")),
    wrong("NULs", "unreadable_row", "a cell holds a NUL character", {"note": "a\0b"}, {"item": "\0"}),
]  # fmt: skip

HARMLESS = [
    harmless("users that are SQL", *each("customer", "uid-'; DROP TABLE events; --", "uid-\u202e", "uid-{{1}}")),
    harmless("orphan users", *each("customer", "uid-nobody-lists", "")),
    harmless("formulas", *each("note", "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1")),
    harmless(
        "some times with zones", *each("when", "2026-03-01 12:00", "2026-03-01T12:00:00Z", "2026-03-01 12:00+08:00")
    ),
    harmless("hours that the clocks skip or repeat", *each("when", "2026-03-29 02:30", "2026-10-25 02:30")),
    harmless("times that have yet to come", *each("when", "2099-01-01", "9999-12-31")),
    harmless("a quote within a text", *each("note", '5" pipe', '"quoted"', '""')),
    harmless("lines in a text", *each("note", "a\nb", "a\r\nb", "\n")),
    harmless("numbers in other clothes", *each("price", "+9.99", "009.990", "999e-2", " 9.99 ", ".5", "5.")),
    harmless("one of a million pieces", *each("pieces", "0.001", "1e6")),
]


# Lines


def behind(
    name: str, *more: str, rules: Mapping[str, int], reasons: str = "", kept: int = 1, end: str = "\n"
) -> Refusal:
    """CSV with one good row and further lines."""
    content = table(name, {}, end=end) + "".join(more)
    return Refusal(name, f"events/{_stem(name)}.csv", content, rules, kept, reasons)


LINES = [
    behind("rows of another length", "a1,uid-7f3a\n", LINE + "x,y,uid-7f3a\n", ",,\n", LINE[:-1] + "\n",
           rules={"unreadable_row": 4}, reasons=r"^(2|10|3|7) cells where the header has 8$"),
    behind("a byte-order mark in the middle", "\ufeff" + HEADER + "\ufeff" + LINE + "bom\n",
           rules={"unreadable_time": 1},
           reasons="time `when` is not a time", kept=2),
    behind("ends of lines of three kinds", LINE + "x1\r", LINE + "x2\r\n", LINE + "x3\n\r\n\n", LINE + "x4", rules={},
           kept=5),
    behind("carriage returns alone", LINE + "x5\r", "\r", LINE + "x6", rules={}, kept=3, end="\r"),
    behind("the same row three times", *[LINE + "x7\n"] * 3, rules={}, kept=2)._replace(duplicates=2),
    Refusal("a row of another file", "events/the-same-row.csv", HEADER + LINE + "x7\n", {}, 0, duplicates=1),
    Refusal("a header and nothing else", "events/header-only.csv", HEADER, {}, 0),
    Refusal("a header without an end", "events/header-cut.csv", HEADER[:-1], {}, 0),
    Refusal("a long name with marks of every kind", f"events/{'x' * 200} 岁 %20%s [a]{{b}}'; --=1+1.csv",
            table("name", {}, {"price": "-1"}), {"price_not_positive": 1}, 1),
    Refusal("a gzip of two members", "events/two.csv.gz",
            gzip.compress(table("gz", {}).encode()) + gzip.compress((LINE + "gz\n").encode()), {}, 2),
    Refusal("UTF-16 with its mark", "events/utf16.csv", table("utf-16 岁", {}, {"when": "?"}).encode("utf-16"),
            {"unreadable_time": 1}, 1),
    Refusal("GBK", "events/gbk.csv", table("岁月静好", {}, {"when": "?"}).encode("gbk"), {"unreadable_time": 1}, 1),
    Refusal("one member of a zip", "events/two.zip!a.csv",
            zipped({"a.csv": table("za", {}), "b.csv": table("zb", {}, {"price": "x"})}),
            {}, 1),
    Refusal("the other member of a zip", "events/two.zip!b.csv", b"", {"unreadable_unit_price": 1}, 1),
]  # fmt: skip


# JSON lines, typed lines, sequences

ODD = {
    '["a1"]': "a JSON list where an object is expected",
    "null": "a JSON NoneType where an object is expected",
    "{}": "time is missing|product_id is missing",
    '{"item": "a1", "item": "b2"}': "a key stands twice",
    '{"item": "a1",}': "not a JSON object",
    "{'item': 'a1', 'when': undefined}": "not a JSON object",
    '{"item": "a1"': "not a JSON object",
    "[" * 100_000: "nested too deeply",
    '{"item": "\\ud800"}': "unreadable text",
    '{"item": "a\\u0000b"}': "a cell holds a NUL character",
}
BAD_NUMBERS = ("NaN", "Infinity", "1e400", "[9.99]", '{"amount": 9.99}', "true")
JSON = [
    Refusal("lines that are no object", "events/odd.jsonl", lines("odd", {}) + "\n".join(ODD),
            {"unreadable_row": len(ODD) - 1, "missing_product_id": 1}, 1, "|".join(ODD.values())),
    Refusal("numbers that JSON allows or not", "events/numbers.jsonl",
            lines("numbers", {}) + "\n".join(json.dumps(GOOD | {"price": "?"}).replace('"?"',
            bad) for bad in BAD_NUMBERS),
            {"unreadable_unit_price": len(BAD_NUMBERS)}, 1, "is not a number"),
    Refusal("values of other types", "events/types.jsonl",
            lines("types", {"item": None}, {"when": 20260301}, {"pieces": []}, {"what": {}}),
            {"missing_product_id": 1, "unreadable_time": 1, "unreadable_quantity": 1, "unknown_kind": 1}, 0),
    Refusal("a typed line that is short", "events/short.inter",
            "\t".join(f"{name}:token" for name in GOOD) + "\n" + "\t".join(GOOD.values()) + "typed\na1\tuid-7f3a\n",
            {"unreadable_row": 1}, 1, "2 cells where the header has 8"),
    Refusal("users without items", "events/some.seq", "uid-1 a1 zz\nuid-2\n\nuid-3 b2\n", {"unknown_product": 1}, 2),
]  # fmt: skip


# Workbooks and Parquet


def _alter(book: Any) -> None:
    """Dates as numbers, formulas that were never computed, errors, merged cells, a cell in the last corner."""
    sheet = book.active
    sheet["C3"].value, sheet["C3"].number_format = 60, "yyyy-mm-dd"  # 1900-02-29, which never was
    sheet["C4"].value = 46082  # a date without the format of one
    sheet["F5"].value, sheet["F5"].data_type = "#N/A", "e"
    sheet["F6"].value, sheet["F6"].data_type = "#REF!", "e"
    sheet["E7"].value = "=1+1"
    sheet.merge_cells("A8:A9")
    sheet["XFD1048576"] = "x"
    sheet["C2"].value, sheet["C2"].number_format = 46082.5, "yyyy-mm-dd hh:mm"
    sheet["H10"].value, sheet["H10"].data_type = "=cmd|' /C calc'!A0", "s"


def _claims(sheet: bytes) -> bytes:
    return re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', sheet)


SHEET = "/".join(("xl", "worksheets", "sheet1.xml"))
TYPED = [
    Refusal("cells of Excel", "events/cells.xlsx", workbook("cells", *[{}] * 9, alter=_alter),
            {"impossible_value": 1, "unreadable_time": 1, "unreadable_unit_price": 2, "missing_quantity": 1,
             "missing_product_id": 1, "unreadable_row": 1}, 3),
    Refusal("a sheet that claims to be the largest", "events/claims.xlsx",
            rezipped(workbook("claims", {}, {}), {SHEET: _claims}), {}, 2),
    Refusal("nested values in Parquet", "events/nested.parquet",
            parquet("nested", {}, {}, price=pa.array([[1.0], None]), pieces=pa.array([{"a": 1}, {"a": 2}])),
            {"unreadable_quantity": 2}, 0, r'quantity `\{"a": \d\}` is not a number'),
    Refusal("numbers in Parquet", "events/numbers.parquet",
            parquet("numbers", {}, {}, {}, price=pa.array([float("nan"), float("inf"), 1.5])),
            {"unreadable_unit_price": 2}, 1, "unit_price `(nan|inf)` is not a number"),
    Refusal("NULs in Parquet", "events/nul.parquet", parquet("nul", {}, {"note": "a\0b"}), {"unreadable_row": 1}, 1,
            "NUL"),
]  # fmt: skip

REFUSALS = [*CELLS, *HARMLESS, *LINES, *JSON, *TYPED]
