"""Both engines mean the same: patterns, times, texts, and whole shops, byte for byte."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
import yaml

from tandem import demo, files
from tandem.data import canonical, cells, schema
from tandem.data.engine import Engine, open_engine
from tandem.data.engines import patterns
from tandem.data.entries import Numbers
from tandem.data.records import BLANK
from tandem.data.sources import Source
from tandem.errors import SettingsError, SourceError
from tandem.params import IngestParams

pytestmark = pytest.mark.filterwarnings(  # PySpark leaves its socket to Java to the garbage collector
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
KEY = bytes(range(32))
ENGINES = ("duckdb", "spark")

PATTERNS = {  # RE2's, and texts of which some match
    r"^\d+$": ["12", "12\n", "1a", "٣"],
    r"^C": ["C1", "c1", "\nC"],
    r"(?i)ä|k": ["Ä", "ä", "K", "a"],
    r"a.b": ["a\nb", "a\rb", "a\u2028b", "axb"],
    r"\ba": ["éa", "a", "_a", "xa"],
    r"a\B": ["ab", "aé", "a", "a_"],
    r"^[^\s]+$": ["a\x0bb", "a b", "a\u00a0b"],
    r"\s": ["\x0b", "\t", " "],
    r"[[:alpha:]]": ["1", "a", "é"],
    r"[^[:space:]]": ["\x0b", "x", " "],
    r"[a[&&b^]": ["[", "&", "^", "c"],
    r"[]x]": ["]", "x", "y"],
    r"x{,3}$": ["x{,3}", "xxx"],
    r"\p{Han}|\p{Lu}": ["\u4e2d", "A", "a", "\u0410"],
    r"\Qa.b\E$": ["a.b", "axb", "xa.b"],
    r"(?P<sku_1>\d)\$": ["1$", "1"],
    r"(?:a|b)(?s:.)c": ["a\nc", "a\n\nc"],
}
TIMES = [
    "2026-1-2",
    "2026-01-02 03:04",
    "2026-01-02T03:04:05.6",
    "2026-01-02 03:04:05.1234567",
    "2020-03-29 02:30",  # skipped in Berlin
    "2020-10-25 02:30",  # twice in Berlin
    "2020-10-25 01:59:59.999999",
    "2020-10-25 03:00",
    "2026-01-02 24:00",
    "2026-01-02 24:01",
    "2026-01-02 23:59:60",
    "2026-02-29",
    "2024-02-29",
    "2026-01-02 03:04Z",
    "2026-01-02 03:04 UTC",
    "2026-01-02 03:04UTC",
    "2026-01-02 03:04+05",
    "2026-01-02 03:04-0230",
    "2026-01-02 03:04+05:30",
    "1850-06-01 12:00",
    "1945-05-24 02:30",
    "0001-01-01",
    "9999-12-31",
    "12/1/2010 8:26",
    "13/1/2010 8:26",
    "1/1/10 8:26",
    "2010年1月2日",
    "Jan 5 2010 12 am",
    "jan 5 2010 12 PM",
    "Jan 5 2010 0 PM",
    "20100131",
    "2010131",
    "5.1.69",
    "5.1.68",
    "2026-01-02 03.04.05.25 +0130",
    "1700000000",
    "1700000000.5",
    "-1",
    "1e3",
    "",
    None,
]
FORMATS = (
    "%m/%d/%Y %H:%M",
    "%Y年%m月%d日",
    "%b %d %Y %I %p",
    "%Y%m%d",
    "%d.%m.%y",
    "%Y-%m-%d %H.%M.%S.%f %z",
    "unix_s",
)
NUMBERS = [
    "1",
    "-1.50",
    "+.5",
    "1.",
    "1e-7",
    "1e22",
    "123456.789",
    "0.1",
    "2e-3",
    "1e400",
    "1d",
    "0x1",
    "NaN",
    "-0",
    None,
]
WRITTEN = [  # by how a source says that it writes them: texts and what they are
    (
        Numbers(decimal=",", thousands=".", strip=("€", "EUR", ",-", "NT $")),
        {"1.108,85": 1108.85, "12.345.678": 12345678.0, "1108,85": 1108.85, "€ 12,50": 12.5, "12,50EUR": 12.5,
         "-€ 5,00": -5.0, "€ -5,00": -5.0, "€-5": -5.0, "+ €5": 5.0, "€ 5 EUR": 5.0, "12,-": 12.0, "€ ,5": 0.5,
         "NT $ 1.000": 1000.0, "7,": 7.0, "-,5": -0.5, f"€{BLANK}5{BLANK}EUR": 5.0,
         "1.5": None, "0.123": None, "1.1088": None, "1234.567": None, "1,299.00": None, "-€-5": None, "- 5": None,
         "€ - 5": None, "€€5": None, "5€€": None, "€": None, "5,00-": None, "eur 5": None, "1e3": None, "1 299": None,
         "Euro 5": None, "EUR,5": None, "١": None, "€\n": None, "": None},
    ),
    (
        Numbers(decimal=",", thousands=" ", strip=("kr", "kr.", "\\d", "[ab]*")),
        {"1 299,00 kr": 1299.0, "1\u00a0299\u202f000,5 kr.": 1299000.5, "kr. 5": 5.0, "kr.5": 5.0, "\\d5": 5.0,
         "5 [ab]*": 5.0, "1\u2009299": None, "12 99": None, "1  299": None, "d5": None, "5 ab": None, "5 krx": None},
    ),
    (
        Numbers(strip=("$", "￥", "Rs")),
        {"$1299.00": 1299.0, "￥9.90": 9.9, "$.50": 0.5, "Rs 50": 50.0, "Rs50": 50.0, ".5": 0.5,
         "Rs.50": None, "¥9.90": None, "1,299.00": None, "9" * 400: None},
    ),
    (Numbers(thousands="'"), {"1'299.5": 1299.5, "1'299'000": 1299000.0, "1’299": None, "'299": None, "1'29": None}),
    (Numbers(thousands="’"), {"1’299.5": 1299.5, "1'299": None}),
    (Numbers(thousands=",", strip=("$",)), {"$1,299.00": 1299.0, "1,29": None, "12,50": None, "1.299,00": None}),
    (Numbers(), {"1.5": 1.5, "-.5": -0.5, "5.": 5.0, "1e3": None, "1,5": None}),
]  # fmt: skip
WORDS = ["straße", "ŉﬁ", "ıǆ", "ΐ", "ab1", " \t\u00a0x\n\x0b", "😀é\u0301\u4e2d", "a`b'c\\d", "", None]


@pytest.fixture(params=["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest) -> str:
    return request.param


def on_both(tmp_path: Path, zone: str, ask: Callable[[Engine], ibis.Table]) -> Iterator[list[dict[str, Any]]]:
    """What each engine answers."""
    for name in ENGINES:
        with open_engine(zone, tmp_path / "scratch", name) as engine:
            yield _plain(engine.batches(ask(engine)).read_all())


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    """The rows, times as microseconds."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(place, field.name, rows.column(place).cast(pa.int64()))
    return rows.to_pylist()


@pytest.mark.slow
def test_patterns_match_the_same_texts(tmp_path: Path) -> None:
    def ask(engine: Engine) -> ibis.Table:
        texts = sorted({text for some in PATTERNS.values() for text in some})
        rows = engine.store(pa.table({"text": texts}))
        found = {f"p{n}": rows.text.re_search(pattern) for n, pattern in enumerate(PATTERNS)}
        put = rows.text.re_replace(r"^([a-z]+)\.?([a-z])", r"\2$\\\1")
        return rows.mutate(**found, put=put).order_by("text")

    duckdb, spark = on_both(tmp_path, "UTC", ask)
    assert duckdb == spark
    assert all(
        any(row[f"p{n}"] for row in duckdb) and not all(row[f"p{n}"] for row in duckdb) for n in range(len(PATTERNS))
    )


@pytest.mark.slow
def test_times_are_read_and_cut_the_same(tmp_path: Path, zone: str) -> None:
    def ask(engine: Engine) -> ibis.Table:
        hours = [f"2020-{day}T{hour:02}:{minute}Z" for day in DAYS for hour in range(24) for minute in (15, 45)]
        texts = pa.array([*TIMES, *hours])
        rows = engine.store(pa.table({"place": range(len(texts)), "text": texts}))
        rows = rows.mutate(time=cells.moment(engine, rows.text, FORMATS))
        cut = {unit: rows.time.truncate(unit) for unit in "hD"}
        parts = {"minute": rows.time.minute(), "year": rows.time.year()}
        return rows.mutate(written=rows.time.cast("string"), **cut, **parts).order_by("place")

    duckdb, spark = on_both(tmp_path, zone, ask)
    assert duckdb == spark
    unread = {row["text"] for row in duckdb if row["time"] is None}
    assert unread - {"9999-12-31"} == {None, "", *NO_TIMES}


NO_TIMES = ("2026-01-02 24:01", "2026-01-02 23:59:60", "2026-02-29", "13/1/2010 8:26", "Jan 5 2010 0 PM")
NO_TIMES += ("2026-01-02 03:04UTC", "0001-01-01")
DAYS = ("03-29", "10-25", "04-05", "10-04", "02-16", "07-01")  # clocks change on some of them somewhere


@pytest.mark.slow
def test_a_hash_tells_values_and_their_places_apart_and_knows_missing_ones(tmp_path: Path) -> None:
    told = [("a", 1.0), ("a", None), (None, 1.0), (None, None), ("b", 1.0), ("a", -1.0), ("a", 1.0), (None, None)]

    def ask(engine: Engine) -> ibis.Table:
        rows = engine.store(pa.table({"word": [word for word, _ in told], "number": [n for _, n in told]}))
        nothing = engine.hash(ibis.null(str), rows.number)
        return rows.mutate(
            found=engine.hash(rows.word, rows.number), turned=engine.hash(rows.number, rows.word), nothing=nothing
        )

    for found in on_both(tmp_path, "UTC", ask):
        hashes = {(row["word"], row["number"]): row["found"] for row in found}
        turned = {row["turned"] for row in found if row["word"] or row["number"]}
        assert len({*hashes.values(), *turned}) == 2 * len(set(told)) - 1  # nothing and nothing, turned, is the same
        assert all(row["found"] == hashes[row["word"], row["number"]] for row in found)
        nothing = {row["number"]: row["nothing"] for row in found}
        assert (nothing[1.0], nothing[None]) == (hashes[None, 1.0], hashes[None, None])  # of whatever type it is
        assert all(-(2**63) <= of < 2**63 for of in hashes.values())


@pytest.mark.slow
def test_numbers_and_words_are_the_same(tmp_path: Path) -> None:
    def ask(engine: Engine) -> ibis.Table:
        count = max(len(NUMBERS), len(WORDS))
        columns = {name: (some + [None] * count)[:count] for name, some in (("number", NUMBERS), ("word", WORDS))}
        rows = engine.store(pa.table({"place": range(count), **columns}))
        value = cells.number(rows.number)
        path = rows.word.split("x").map(lambda level: level.strip())
        return rows.mutate(
            value=value,
            written=value.cast("string"),
            upper=rows.word.upper(),
            short=rows.word.substr(0, 2),
            path=path.filter(lambda level: level != ""),
        ).order_by("place")

    duckdb, spark = on_both(tmp_path, "UTC", ask)
    assert duckdb == spark


@pytest.mark.slow
def test_numbers_are_read_as_the_source_writes_them(tmp_path: Path) -> None:
    def ask(engine: Engine) -> ibis.Table:
        texts = [{"how": how, "text": text} for how, (_, some) in enumerate(WRITTEN) for text in some]
        rows = engine.store(pa.Table.from_pylist(texts))
        read = [(rows.how == how, cells.number(rows.text, written)) for how, (written, _) in enumerate(WRITTEN)]
        return rows.mutate(value=ibis.cases(*read))

    for found in on_both(tmp_path, "UTC", ask):
        read = {(row["how"], row["text"]): row["value"] for row in found}
        assert read == {(how, text): value for how, (_, some) in enumerate(WRITTEN) for text, value in some.items()}


@pytest.mark.slow
def test_medians_are_exact_on_both(tmp_path: Path) -> None:
    prices = [0.1, 0.2, 0.3, 1.1, 2.2, 49.99, 50.01, 1 / 3]

    def ask(engine: Engine) -> ibis.Table:
        pairs = [(f"{a}-{b}", price) for a in prices for b in prices for price in (a, b)]
        rows = engine.store(pa.table({"pair": [p for p, _ in pairs], "price": [v for _, v in pairs]}))
        return rows.group_by("pair").agg(median=rows.price.median()).order_by("pair")

    duckdb, spark = on_both(tmp_path, "UTC", ask)
    assert duckdb == spark
    assert {row["pair"]: row["median"] for row in duckdb}["0.1-0.3"] == pytest.approx(0.2)


@pytest.mark.parametrize("pattern", [r"(?m)^a$", r"(?U)a+", r"\C"])
def test_a_pattern_that_java_lacks_is_refused(pattern: str) -> None:
    with pytest.raises(SourceError, match="Spark knows no"):
        patterns.to_java(pattern)


@pytest.mark.slow
def test_a_time_format_that_spark_lacks_is_refused(tmp_path: Path) -> None:
    with open_engine("UTC", tmp_path / "scratch", "spark") as engine, pytest.raises(SourceError, match="reads no %j"):
        engine.strptime(ibis.literal("2026 1"), "%Y %j")


def test_without_java_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    scratch = tmp_path / "scratch"
    with pytest.raises(SettingsError, match="openjdk-17-jre-headless"), open_engine("UTC", scratch, "spark"):
        pass
    assert not scratch.exists()


def make(source: Source, raw: Path, work: Path, root: Path) -> list[dict[str, Any]]:
    """The reports of both engines; their tables lie in `work`."""
    params = IngestParams.read(root / "params.yaml")
    attributes = {name for block in source.users for name in block.attributes}
    params = params._replace(privacy=params.privacy.model_copy(update={"user_attributes": tuple(attributes)}))
    return [
        canonical.make(source, raw, KEY, work / name, work / f"{name}-parts", params, engine_name=name)
        for name in ENGINES
    ]


def assert_equal(work: Path) -> None:
    for table in schema.TABLES:
        on_duckdb, on_spark = (
            [(path.name, files.hash_file(path)) for path in files.of(work / name / f"{table}.parquet")]
            for name in ENGINES
        )
        assert on_duckdb, table
        assert on_duckdb == on_spark, table


@pytest.mark.slow
def test_the_demo_shop_is_the_same(tmp_path: Path, root: Path) -> None:
    demo.generate(tmp_path / "raw", tmp_path / "truth", demo.DemoSize.small(), seed=7)
    duckdb, spark = make(Source.read(root / "sources/demo.yaml"), tmp_path / "raw", tmp_path, root)
    assert duckdb == spark
    assert_equal(tmp_path)


@pytest.mark.slow
def test_a_shop_with_corrections_and_names_from_events_is_the_same(tmp_path: Path, root: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    raw.joinpath("events.csv").write_text(SHOP_ROWS)
    source = Source.model_validate(yaml.safe_load(SHOP))
    make(source, raw, tmp_path, root)
    assert_equal(tmp_path)
    raw.joinpath("events-2.csv").write_text(MORE_ROWS)  # to which alone both give their time
    duckdb, spark = make(source, raw, tmp_path, root)
    assert duckdb == spark
    assert_equal(tmp_path)
    rules = {rule for account in duckdb["files"] for rule in account["rules"]}
    assert {"corrected", "unreadable_time", "voucher"} <= rules


SHOP = r"""
name: shop
title: a shop for this test
timezone: Europe/Berlin
currency: EUR
events:
  - files: events*.csv
    columns: {product_id: Item, user_id: Who, time: When, order_id: Order, quantity: Pieces, unit_price: Price}
    format: csv
    time_formats: ["%d.%m.%Y %H:%M:%S"]
    upper: [product_id]
    integers: [user_id]
    kind: {column: What, values: {look: view, buy: purchase, hide: null}}
    rules: [{name: voucher, where: {name: '(?i)\bvoucher$'}, refuse: a voucher}]
    corrections: [order_id, product_id]
    session_gap_minutes: 30
products_from_events: {title: name, price: unit_price}
"""
SHOP_ROWS = """Item,Who,When,Order,Pieces,Price,What,name,Told
a1,7.0,2020-10-25 02:30,,,,look,Straße,x
a1,7,25.10.2020 02:30:01,,,,look,Straße,x
a1,7,25.10.2020 02:30:01,,,,look,Straße,y
b-ß,7,25.10.2020 03:40:00,o1,2,1.5,buy,Tee,
b-ß,7,25.10.2020 03:40:00,o1,3,1.5,buy,Tee,
b-ß,8,25.10.2020 03:41:00,o2,1,0.1,buy,Tea,
c,8,2020-13-01,o3,1,0.1,buy,C,
c,8,2020-12-01,o4,1,0.1,buy,Gift VOUCHER,
c,,2020-12-01,o5,1e7,0.1,buy,C,
"""
MORE_ROWS = """Item,Who,When,Order,Pieces,Price,What,name,Told
a1,7,25.10.2020 02:15:00,,,,look,Straße,x
a1,7.0,2020-10-25 02:30,,,,look,Straße,x
b-ß,9,25.10.2020 03:50:00,o1,4,1.5,buy,Thé,
d,7,31.12.2020 23:59:00,o6,1,1.5,buy,D,
"""


@pytest.mark.slow
@pytest.mark.real_data("online_retail")
@pytest.mark.parametrize("days", ["2011-01-*.csv", pytest.param("*.csv", marks=pytest.mark.full)])
def test_online_retail_is_the_same(days: str, real_data: Path, tmp_path: Path, root: Path) -> None:
    (tmp_path / "raw").mkdir()
    for day in sorted((real_data / "by-day").glob(days)):
        shutil.copy(day, tmp_path / "raw")
    duckdb, spark = make(Source.read(root / "sources/online_retail.yaml"), tmp_path / "raw", tmp_path, root)
    assert duckdb == spark
    assert_equal(tmp_path)
