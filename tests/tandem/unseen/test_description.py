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
    assert "a sign of GBP" in unsure


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
