"""The draft of a source, on files made here and, with the project's own sources as truth, on real ones."""

import zipfile
from pathlib import Path

import pytest
import yaml

from tandem.data.entries import KindColumn
from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.unseen import description

PEOPLE = [f"anna{n}@mail.example" for n in range(30)]


def events(**columns: str) -> str:
    """A csv file of 60 rows, its columns made by formatting `n`."""
    lines = [
        ",".join(pattern.format(n=n, m=n % 7, k=n % 5, two=f"{n % 60:02}") for pattern in columns.values())
        for n in range(60)
    ]
    return "\n".join([",".join(columns), *lines]) + "\n"


PLAIN = {"用户ID": "U{m}", "商品ID": "P{k}", "行为类型": "pv", "时间": "2026-01-03 10:{two}:00"}


def written(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def test_a_chinese_log_is_described(tmp_path) -> None:
    log = events(**PLAIN).splitlines()
    rows = [line.replace("pv", kind) for line, kind in zip(log[1:], ["pv", "buy", "cart", "fav"] * 15, strict=True)]
    written(tmp_path, log="\n".join([log[0], *rows]))
    block = description.describe(tmp_path, "shop").source.events[0]
    assert block.columns == {"product_id": "商品ID", "user_id": "用户ID", "time": "时间"}
    assert block.kind == KindColumn(
        column="行为类型", values={"pv": "view", "buy": "purchase", "cart": "cart", "fav": "favourite"}
    )


def test_a_log_without_names_is_described_with_doubt(tmp_path) -> None:
    lines = [
        f"{n % 50 + 100},{n % 40 + 7000},{n % 20 + 30},{['pv', 'buy'][n % 2]},{1511544070 + n}" for n in range(200)
    ]
    written(tmp_path, log="\n".join(lines))
    draft = description.describe(tmp_path / "log.csv", "shop")
    block = draft.source.events[0]
    assert block.columns == {"user_id": "column_1", "product_id": "column_2", "time": "column_5"}
    assert (block.kind.column, block.time_formats) == ("column_4", ("unix_s",))
    assert any("no line of names" in doubt for doubt in draft.unsure)


def test_nobody_is_named_in_a_draft(tmp_path) -> None:
    lines = [f"{mail},Anna Muster {n},+49 170 1234{n:03},SKU{n % 9},2026-01-01" for n, mail in enumerate(PEOPLE)]
    written(tmp_path, log="\n".join(["customer_id,full_name,tel,sku,day", *lines]))
    text = description.describe(tmp_path, "shop").text
    assert "user_id" in text
    assert "withheld" in text
    for secret in ("anna", "mail.example", "Muster", "170 1234"):
        assert secret not in text


def test_doubts_are_said(tmp_path) -> None:
    written(
        tmp_path, log=events(customer_id="A{m}", buyer_id="B{k}", sku="S{m}", date="01/02/2026 10:{two}", price="£1.5")
    )
    unsure = "\n".join(description.describe(tmp_path, "shop").unsure)
    assert "user_id: `customer_id`, or `buyer_id`?" in unsure
    assert "%m/%d/%Y %H:%M and %d/%m/%Y %H:%M" in unsure
    assert "time zone" in unsure
    assert "kind of events" in unsure


def test_files_that_look_alike_are_one_block_and_nothing_else_matches(tmp_path) -> None:
    for month in (1, 2, 3):
        written(tmp_path, **{f"log-2026-0{month}": events(**PLAIN)})
    goods = "商品ID,标题,价格\n" + "".join(f"P{n},杯子 {n},{n}.5\n" for n in range(30))
    written(tmp_path, goods=goods)
    source = description.describe(tmp_path, "shop").source
    assert source.events[0].files == "log-*.csv"
    assert source.products[0].columns == {"product_id": "商品ID", "title": "标题", "price": "价格"}


def test_references_between_files_are_evidence(tmp_path) -> None:
    goods = "sku,title\n" + "".join(f"P{n},cup {n}\n" for n in range(30))
    sold = "article,customer,time\n" + "".join(f"P{n % 25},U{n % 4},2026-01-01 10:{n % 60:02}\n" for n in range(80))
    assert "100% are in `sku` of goods.csv" in description.describe(written(tmp_path, goods=goods, sold=sold)).text


def test_pictures_called_after_products_are_theirs(tmp_path) -> None:
    written(tmp_path, goods="id,title\n" + "".join(f"{n},cup number {n}\n" for n in range(100, 130)))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for n in range(100, 120):
            archive.writestr(f"{n}.jpg", b"")
    source = description.describe(tmp_path, "shop").source
    assert (source.products[0].columns["image"].column, source.products[0].columns["image"].suffix) == ("id", ".jpg")
    assert source.pictures[0].files == "photos.zip"


def test_a_file_a_folder_and_a_pattern_can_be_named(tmp_path) -> None:
    written(tmp_path, log=events(**PLAIN))
    for path in (tmp_path, tmp_path / "log.csv", tmp_path / "*.csv"):
        assert description.describe(path, "shop").source.events[0].files == "log.csv"
    with pytest.raises(SourceError, match="no raw file is there"):
        description.describe(tmp_path / "none*.csv")


def test_a_draft_that_is_no_source_yet_says_so(tmp_path) -> None:
    draft = description.describe(written(tmp_path, odd="a,b\n" + "x,y\n" * 5), "shop")
    assert draft.source is None
    assert "UNSURE: this draft cannot be used as it is" in draft.text
    assert yaml.safe_load(draft.text)["name"] == "shop"


def test_prices_are_read_as_the_shop_writes_them(described, rows) -> None:
    header = "Bestell-Nr;Kunde;Artikel;Menge;VK-Preis;Kategorie;Marke;Bestelldatum"
    text = rows(header, "B{n};{n};A{a};1;€ {b}.108,85;Schuhe;X;{day}.01.2026").replace("€ 0.108", "€ 108")
    source = described({"export.csv": text}).source
    assert source.events[0].numbers.model_dump() == {"decimal": ",", "thousands": ".", "strip": ("€",)}
    assert source.events[0].columns == {
        **{"product_id": "Artikel", "user_id": "Kunde", "time": "Bestelldatum", "order_id": "Bestell-Nr"},
        **{"quantity": "Menge", "unit_price": "VK-Preis"},
    }
    assert source.products_from_events.texts == {"category": "Kategorie", "brand": "Marke"}
    assert source.currency == "EUR"


def test_columns_written_in_two_ways_are_unsure(described, rows) -> None:
    draft = described({"a.csv": rows("sku;user;time;price;qty", "S{a};U{b};2026-01-{day};2,5{a};1.{a}")})
    assert any("is not written as `numbers` says" in doubt for doubt in draft.unsure)


def test_a_cell_that_is_no_number_does_not_lose_its_column(described, rows) -> None:
    text = rows("sku,user_id,time,qty", "S{a},U{a},2026-01-{day} 10:00,{b}", 400)
    draft = described({"orders.csv": text.replace(",2\n", ",two\n", 1)})
    assert draft.source.events[0].columns["quantity"] == "qty"
    assert "1 of 400 cells are no numbers such as 'two': their rows are refused" in draft.text
    many = described({"orders.csv": text.replace(",2\n", ",two\n", 20)})
    assert any("`qty` is no number in 20 of 400 cells" in doubt for doubt in many.unsure)


def test_texts_alone_are_reviews_and_no_views(described, rows) -> None:
    source = described({"a.csv": rows("product_id,user_id,review,created_at", "P{a},U{b},very nice {n},2026-01-{day}")})
    assert source.source.events == ()
    assert source.source.reviews[0].columns["text"] == "review"


def test_stars_are_ratings(described, rows) -> None:
    text = rows("商品ID,用户ID,评价内容,评分,评论时间", "P{a},U{b},很好用{n},{b}星,2026-01-{day}").replace("0星", "3星")
    draft = described({"r.csv": text})
    block = draft.source.reviews[0]
    assert (block.columns["rating"], block.columns["text"]) == ("评分", "评价内容")
    assert block.translate == {"rating": {"1星": "1", "2星": "2", "3星": "3"}}
    assert any("`评分` is put into numbers by `translate`" in doubt for doubt in draft.unsure)


def test_a_short_chinese_text_says_as_much_as_a_longer_one(described, rows) -> None:
    source = described({"r.csv": rows("商品ID,用户ID,评价内容,评论时间", "P{a},U{b},质量好,2026-01-{day}")}).source
    assert source.reviews[0].columns["text"] == "评价内容"


def test_attributes_of_users_are_proposed_to_be_let_in(described, rows) -> None:
    files = {"users.csv": rows("user_id,age,gender", "U{n},{n},f"), "log.csv": events(**PLAIN)}
    draft = described(files)
    assert draft.source.params == {"privacy": {"user_attributes": ["age", "gender"]}}
    assert any("attributes of users" in doubt for doubt in draft.unsure)


def test_files_held_out_are_left_out_of_the_pattern(described) -> None:
    files = {f"log_{part}.csv": events(**PLAIN) for part in ("future", "history", "latest")}
    draft = described(files)
    assert draft.source.events[0].files == "log_[hl]*.csv"
    assert any("held out for evaluation, by the name: log_future.csv: they are left out" in d for d in draft.unsure)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("orders-2026.csv", "orders-*.csv"),
        ("orders_20260131.csv", "orders_*.csv"),
        ("sales-Q1-2026.csv", "sales-*.csv"),
        ("Umsatz_März_2026.csv", "Umsatz_*.csv"),
        ("bought-31.12.2025.csv", "bought-*.csv"),
        ("shop-2026-01-31T23-59-00Z.csv", "shop-*.csv"),
        ("订单2026年3月.csv", "订单*.csv"),
        ("sales-Dec2026.csv", "sales-*.csv"),
        ("orders202601.csv", "orders*.csv"),
        ("orders2026-01.csv", "orders*.csv"),
        ("sold-2026-marz.csv", "sold-*.csv"),
        ("2026-sold.csv", "*-sold.csv"),
        ("2026-Oct.csv", "2026-Oct.csv"),
        ("2011-12.csv", "2011-12.csv"),
        ("top2000.csv", "top2000.csv"),
        ("mayhem-2026.csv", "mayhem-*.csv"),
        ("top100.csv", "top100.csv"),
        ("june.csv", "june.csv"),
        ("lot-120261.csv", "lot-120261.csv"),
    ],
)
def test_a_date_in_the_name_of_one_file_stands_for_any_date(described, name, pattern) -> None:
    draft = described({name: events(**PLAIN)})
    assert draft.source.events[0].files == pattern
    assert (f"reads {name}, and later exports that are called so but for the date" in draft.text) == (name != pattern)
    assert ("# Read alone: " in draft.text) == (name == pattern)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        (f"orders-2024-{'1' * 60}f.csv", f"orders-*-{'1' * 60}f.csv"),
        (f"orders-2024{'sept1' * 40}f.csv", f"orders-*{'sept1' * 40}f.csv"),
        (f"{'mar-' * 50}orders.csv", f"{'mar-' * 50}orders.csv"),
    ],
    ids=["digits", "months", "months before"],
)
def test_a_long_name_that_is_nearly_a_date_is_answered(described, name, pattern) -> None:
    """Were each way to read it tried, no answer would come."""
    assert described({name: events(**PLAIN)}).source.events[0].files == pattern


def test_a_date_that_tells_files_of_two_kinds_apart_stays(described, rows) -> None:
    goods = rows("sku,title,price", "S{n},cup {n},2.50")
    draft = described({"shop-2025.csv": events(**PLAIN), "shop-2026.csv": goods})
    assert (draft.source.events[0].files, draft.source.products[0].files) == ("shop-2025.csv", "shop-2026.csv")


def test_names_without_a_date_are_said_to_be_read_alone(described, rows) -> None:
    draft = described({"orders.csv": events(**PLAIN), "goods.csv": rows("sku,title", "S{n},cup {n}")})
    assert draft.text.splitlines()[1] == (
        "# Read alone: orders.csv, goods.csv. A later export has to bear another name: for it to be read as well, "
        "widen `files` to a pattern such as orders*.csv."
    )


def test_files_put_beside_one_another_keep_their_dates(described) -> None:
    log = events(**PLAIN)
    titles = "title\n" + "".join(f"cup number {n % 9}\n" for n in range(log.count("\n") - 1))
    draft = described({"log-2026.csv": log, "titles-2026.csv": titles})
    block = draft.source.events[0]
    assert (block.files, block.beside) == ("log-2026.csv", ("titles-2026.csv",))
    assert "# Read alone: " not in draft.text  # a wider pattern would have no later titles beside it


def test_files_joined_are_not_advised_to_be_read_by_a_pattern(described, rows) -> None:
    files = {"goods-2026.csv": rows("sku,title", "P{n},cup {n}"), "prices-2026.csv": rows("sku,price", "P{n},2.50")}
    draft = described(files | {"log.csv": events(**PLAIN)})
    block = draft.source.products[0]
    assert (block.files, [other.files for other in block.join]) == ("goods-2026.csv", ["prices-2026.csv"])
    assert "# Read alone: log.csv. A later" in draft.text


def test_lines_that_wait_for_a_person_are_found_with_their_numbers() -> None:
    text = "name: shop\n# UNSURE: the time zone\nevents:\n  # UNSURE: what is 3?\n  - kind: view # not UNSURE: sure\n"
    assert description.unsure(text) == {2: "the time zone", 4: "what is 3?"}


def test_few_missing_cells_are_not_called_none(described, rows) -> None:
    text = rows("sku,user_id,time,title", "S{a},U{a},2026-01-{day} 10:00,cup {n}", 2_000)
    assert "<0.1% missing" in described({"log.csv": text.replace("U3,", ",", 1)}).text


def test_all_levels_of_a_category_have_their_evidence(described, rows) -> None:
    text = described({"p.csv": rows("sku,title,category,sub_category", "S{n},cup {n},C{b},D{a}")}).text
    assert "# category: by name and values (1.00): text; 3 different in 60" in text
    assert "| sub_category: by name and values (1.00): text; 7 different in 60" in text


def cells(source: Source) -> set[tuple[str, str, tuple[str, ...]]]:
    """What a source maps: table, our column, raw columns."""
    blocks = [(table, block) for table, listed in source.blocks.items() for block in listed]
    mapped = {(table, name, block.raw_of(name)) for table, block in blocks for name in block.columns}
    return mapped | {(t, "kind", (b.kind_of.column,)) for t, b in blocks if isinstance(b.kind_of, KindColumn)}


def missing(root: Path, name: str, folder: Path) -> set[tuple[str, str, tuple[str, ...]]]:
    """What the project's own source maps and the draft does not."""
    draft = description.describe(folder, name)
    assert draft.source is not None
    return cells(Source.read(root / "sources" / f"{name}.yaml")) - cells(draft.source)


def real(name: str, folder: str, *lacking: tuple[str, str]):
    """A dataset and what its draft need not find, as table and column."""
    return pytest.param(name, set(lacking), marks=pytest.mark.real_data(folder), id=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        real("online_retail", "online_retail/by-day"),
        real("jdata", "jdata"),
        real("amazon_grocery", "amazon_grocery"),
        real("movielens", "movielens_100k"),
        real("myntra", "myntra"),
        real("tafeng", "tafeng"),
        real("amazon", "amazon_gift_cards", ("products", "price")),  # a piece of a text
        real("s3rec", "amazon_beauty", ("products", "product_id")),  # a file of attributes without names
        real("bundles", "bundles_electronic", ("events", "session_id"), ("products", "category")),
    ],
)
def test_columns_of_real_data_are_proposed_right(root, real_data, name, lacking) -> None:
    assert {(table, column) for table, column, _ in missing(root, name, real_data)} <= lacking
