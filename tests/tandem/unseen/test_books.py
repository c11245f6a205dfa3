import openpyxl
import pytest

from tandem.unseen import description, look


@pytest.fixture
def book(tmp_path):
    """A workbook with a title above the orders, and the products in a second sheet."""
    found = openpyxl.Workbook()
    orders, products = found.active, found.create_sheet("商品")
    orders.title = "订单"
    for line in (["Sales report 2026"], [], ["订单号", "用户ID", "商品ID", "数量", "下单时间"]):
        orders.append(line)
    for n in range(40):
        orders.append([f"O{n}", f"U{n % 9}", f"P{n % 7}", 1, f"2026-01-{n % 28 + 1:02} 10:00:00"])
    products.append(["商品ID", "标题"])
    for n in range(7):
        products.append([f"P{n}", f"杯子 {n}"])
    (tmp_path / "export").mkdir()
    found.save(tmp_path / "export" / "shop.xlsx")
    return tmp_path / "export" / "shop.xlsx"


def test_each_sheet_is_looked_at(book) -> None:
    found = look.of_file(book, "shop.xlsx")
    assert [(one.sheet, one.header[:2], len(one.records)) for one in found] == [
        ("订单", ("订单号", "用户ID"), 40),
        ("商品", ("商品ID", "标题"), 7),
    ]


def test_each_sheet_that_fits_is_a_block(book) -> None:
    source = description.describe(book.parent, "shop").source
    assert (source.events[0].files, source.events[0].sheet) == ("shop.xlsx", "订单")
    assert (source.products[0].files, source.products[0].sheet) == ("shop.xlsx", "商品")


def test_lines_above_the_header_are_told(book) -> None:
    unsure = description.describe(book.parent, "shop").unsure
    assert any("line 3 looks like the header" in doubt and "no key skips lines" in doubt for doubt in unsure)


def test_two_sheets_of_one_table_cannot_both_be_read(tmp_path) -> None:
    found = openpyxl.Workbook()
    found.active.title = "Jan"
    for sheet in (found.active, found.create_sheet("Feb")):
        sheet.append(["sku", "user_id", "time"])
        for n in range(30):
            sheet.append([f"S{n % 7}", f"U{n % 5}", f"2026-01-{n % 28 + 1:02} 10:00:00"])
    found.save(tmp_path / "log.xlsx")
    draft = description.describe(tmp_path, "shop")
    assert [block.sheet for block in draft.source.events] == ["Jan"]
    assert any("log.xlsx, sheet Feb: holds events as sheet Jan does" in doubt for doubt in draft.unsure)


def test_lines_above_the_header_of_csv_are_read_past_by_naming_the_columns(described, rows) -> None:
    table = rows("Datum;Kunde;Artikel;Menge", "{day}.01.2026;{n};A{a};1")
    draft = described({"s.csv": f"Sales report;;;\n\n{table}"})
    assert draft.source.events[0].header == ("Datum", "Kunde", "Artikel", "Menge")
    assert any("line 3 looks like the header" in doubt for doubt in draft.unsure)
