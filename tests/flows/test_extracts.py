"""What a query returns becomes raw files: typed, whole, once, and without a word of the database's URL."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, make_url

from flows import extracts
from tandem.data.sources import Extract, Source
from tandem.errors import SettingsError, SourceError

SINCE = "SELECT * FROM orders WHERE :since IS NULL OR number > :since ORDER BY number"

Draw = Callable[..., Path | None]


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Run an extract called `orders` as `tandem ingest` does, and return the new file."""

    def run(url: str, query: str, cursor: str | None = None, name: str = "orders") -> Path | None:
        monkeypatch.setenv("SHOP_DB", url)
        described = {"name": name, "url_variable": "SHOP_DB", "query": query, "cursor": cursor}
        source = Source.model_construct(extracts=(Extract.model_validate(described),))
        drawn = extracts.draw(source.extracts[0], extracts.urls(source)[name], tmp_path / "raw")
        for partial, target in drawn.items():
            partial.replace(target)
        assert not list((tmp_path / "raw").glob(".*"))
        return next(iter(drawn.values()), None)

    return run


def sqlite(path: Path, *statements: str) -> str:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)
    return f"sqlite:///{path}"


def postgres(url: str, *statements: str) -> str:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return url


def rows(path: Path | None) -> list[dict[str, Any]]:
    assert path is not None
    return pq.read_table(path).to_pylist()


def orders(path: Path, count: int = 3) -> str:
    insert = [f"INSERT INTO orders VALUES ({number}, 'u{number}', {number}.5)" for number in range(1, count + 1)]
    return sqlite(path, "CREATE TABLE orders (number INTEGER, customer TEXT, price REAL)", *insert)


def test_rows_of_a_query_become_a_typed_file(tmp_path: Path, draw: Draw) -> None:
    made = draw(
        orders(tmp_path / "shop.db"), "SELECT number, customer, price, NULL AS note FROM orders ORDER BY number"
    )
    assert made == tmp_path / "raw" / "orders-000001.parquet"
    table = pq.read_table(made)
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64(), pa.string()]
    assert table.to_pylist()[0] == {"number": 1, "customer": "u1", "price": 1.5, "note": None}
    assert table.num_rows == 3


def test_what_did_not_change_is_not_written_again_whatever_its_order(tmp_path: Path, draw: Draw) -> None:
    url = orders(tmp_path / "shop.db")
    assert draw(url, "SELECT * FROM orders ORDER BY number")
    assert draw(url, "SELECT * FROM orders ORDER BY number DESC") is None
    sqlite(tmp_path / "shop.db", "UPDATE orders SET price = 9 WHERE number = 2")
    changed = draw(url, "SELECT * FROM orders")
    assert changed is not None
    assert changed.name == "orders-000002.parquet"
    assert {row["number"]: row["price"] for row in rows(changed)} == {1: 1.5, 2: 9.0, 3: 3.5}
    sqlite(tmp_path / "shop.db", "UPDATE orders SET price = 2.5 WHERE number = 2")
    assert draw(url, "SELECT * FROM orders") == tmp_path / "raw" / "orders-000003.parquet"  # the last file counts


def test_a_cursor_brings_only_later_rows(tmp_path: Path, draw: Draw) -> None:
    url = orders(tmp_path / "shop.db")
    assert [row["number"] for row in rows(draw(url, SINCE, "number"))] == [1, 2, 3]
    assert draw(url, SINCE, "number") is None
    sqlite(tmp_path / "shop.db", "INSERT INTO orders VALUES (7, 'u7', 1), (2, 'late', 1)")
    second = draw(url, SINCE, "number")
    assert second == tmp_path / "raw" / "orders-000002.parquet"
    assert rows(second) == [{"number": 7, "customer": "u7", "price": 1.0}]
    assert draw(url, SINCE, "number") is None


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, draw: Draw) -> None:
    url = orders(tmp_path / "shop.db")
    first, second = (draw(url, "SELECT * FROM orders", name=name) for name in ("one", "two"))
    assert first is not None
    assert second is not None
    assert first.read_bytes() == second.read_bytes()


def test_memory_holds_a_batch_and_types_settle_over_all(tmp_path: Path, draw: Draw, monkeypatch) -> None:
    """A column's first values say little: empty at first, whole numbers before fractions, numbers before words."""
    monkeypatch.setattr(extracts, "BATCH", 2)
    values = ["(1, NULL, 1, 1)", "(2, NULL, 2, 2)", "(3, 7, 2.5, 'A3')", "(4, 8, 4, NULL)", "(5, 9, 5, 5.5)"]
    make = "CREATE TABLE t (number INTEGER, late, price NUMERIC, code)"
    made = draw(sqlite(tmp_path / "t.db", make, f"INSERT INTO t VALUES {', '.join(values)}"), "SELECT * FROM t")
    assert made is not None
    assert pq.ParquetFile(made).num_row_groups == 3
    table = pq.read_table(made)
    assert table["late"].to_pylist() == [None, None, 7, 8, 9]
    assert table["price"].to_pylist() == [1.0, 2.0, 2.5, 4.0, 5.0]
    assert table["code"].to_pylist() == ["1", "2", "A3", None, "5.5"]
    assert table.schema.types == [pa.int64(), pa.int64(), pa.float64(), pa.string()]


def test_a_column_that_cannot_keep_its_digits_is_refused(tmp_path: Path, draw: Draw, monkeypatch) -> None:
    monkeypatch.setattr(extracts, "BATCH", 1)
    url = sqlite(tmp_path / "t.db", "CREATE TABLE t (a NUMERIC)", "INSERT INTO t VALUES (9007199254740993), (0.5)")
    with pytest.raises(SourceError, match=r"column `a` is int64 and double by turns: .*cast it"):
        draw(url, "SELECT a FROM t")


@pytest.mark.parametrize(
    ("query", "cursor", "said"),
    [
        ("SELECT * FROM nowhere", None, r"extract orders: no such table: nowhere"),
        ("SELECT number, number FROM orders", None, r"two columns are named `number`; use `AS`"),
        (SINCE, "updated", r"no column `updated`, its cursor, but number, customer, price"),
        ("DELETE FROM orders", None, r"attempt to write a readonly database"),
        ("SELECT :other FROM orders", None, r"bind parameter 'other'"),
    ],
)
def test_a_query_that_fails_is_one_sentence_and_writes_nothing(tmp_path, draw, query, cursor, said) -> None:
    url = orders(tmp_path / "shop.db")
    with pytest.raises(SourceError, match=said) as refused:
        draw(url, query, cursor)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert not list((tmp_path / "raw").iterdir())
    assert len(rows(draw(url, "SELECT * FROM orders"))) == 3


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, draw: Draw) -> None:
    with pytest.raises(SourceError, match="no SQLite file where SHOP_DB says"):
        draw(f"sqlite:///{tmp_path}/nosuch.db", "SELECT 1")
    assert not (tmp_path / "nosuch.db").exists()


@pytest.mark.parametrize("url", ["", "shop:hunter2", "nosuchdb://shop:hunter2@host/db", "postgresql://a:hunter2@h:x/d"])
def test_a_url_that_does_not_fit_is_named_by_its_variable_only(draw: Draw, url: str) -> None:
    with pytest.raises((SettingsError, SourceError)) as refused:
        draw(url, "SELECT 1")
    assert "SHOP_DB" in str(refused.value) or "nosuchdb" in str(refused.value)
    assert "hunter2" not in str(refused.value)


PEOPLE = """
CREATE TABLE people (
    number bigint, price numeric(10, 2), seen timestamptz, born date, active boolean, raw bytea, tags text[],
    extra jsonb, code uuid, name text, nothing integer
)"""
ALICE = """
INSERT INTO people VALUES (
    9007199254740993, 12.50, '2026-03-01 12:00+02', '1990-05-06', true, 'ab', '{a,b}', '{"ä": 1}',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '小明', NULL
)"""


@pytest.mark.slow
def test_postgresql_keeps_its_types(postgresql: str, draw: Draw) -> None:
    postgres(postgresql, "DROP TABLE IF EXISTS people", PEOPLE, ALICE)
    made = draw(postgresql, "SELECT * FROM people WHERE name LIKE '%明' AND born::text = '1990-05-06'")
    assert rows(made) == [
        {
            "number": 9007199254740993,
            "price": Decimal("12.50"),
            "seen": datetime(2026, 3, 1, 10, tzinfo=UTC),
            "born": date(1990, 5, 6),
            "active": True,
            "raw": b"ab",
            "tags": '["a", "b"]',
            "extra": '{"ä": 1}',
            "code": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "name": "小明",
            "nothing": None,
        }
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "first", "later"),
    [
        ("bigint", ["1", "9007199254740993"], "9007199254740994"),
        ("numeric(12,2)", ["1.25", "100.5"], "100.51"),
        ("timestamptz", ["'2026-01-01 00:00:00.000001+00'", "'2026-01-02+05'"], "'2026-01-01 23:00+00'"),
        ("timestamp", ["'2026-01-01'", "'2026-01-02 10:00'"], "'2026-01-02 10:00:00.000001'"),
        ("date", ["'2026-01-01'", "NULL"], "'2026-01-02'"),
        ("text", ["'a'", "'it''s 50%% of :x \\'"], "'z'"),
    ],
)
def test_a_cursor_of_any_type_goes_on_where_it_stopped(postgresql: str, draw: Draw, kind, first, later) -> None:
    query = "SELECT at FROM moves WHERE :since IS NULL OR at > :since"
    postgres(postgresql, "DROP TABLE IF EXISTS moves", f"CREATE TABLE moves (at {kind})")
    assert draw(postgresql, query, "at") is None
    postgres(postgresql, *(f"INSERT INTO moves VALUES ({value})" for value in first))
    assert len(rows(draw(postgresql, query, "at"))) == 2
    assert draw(postgresql, query, "at") is None
    postgres(postgresql, f"INSERT INTO moves VALUES ({later})")
    assert len(rows(draw(postgresql, query, "at"))) == 1


@pytest.mark.slow
def test_postgresql_is_only_read_and_its_url_stays_secret(postgresql: str, draw: Draw, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    url = make_url(postgresql)
    postgres(postgresql, "DROP TABLE IF EXISTS moves", "CREATE TABLE moves (at timestamptz)")
    postgres(postgresql, "INSERT INTO moves VALUES ('infinity')", "CREATE SEQUENCE numbers")
    queries = {
        "SELECT nextval('numbers')": "read-only transaction",
        "SELECT * FROM nowhere": 'relation "nowhere" does not exist',
        "SELECT * FROM moves": "timestamp too large",
    }
    for query, said in queries.items():
        with pytest.raises(SourceError, match=said) as refused:
            draw(postgresql, query)
        assert str(url.password) not in str(refused.value)
    wrong = url.set(password="hunter2", username="clerk").render_as_string(hide_password=False)
    with pytest.raises(SourceError, match="password authentication failed") as refused:
        draw(wrong, "SELECT 1")
    assert not {"hunter2", "clerk"} & set(str(refused.value).replace('"', " ").split())
    assert str(url.password) not in caplog.text


@pytest.mark.slow
def test_rows_stream_from_postgresql(postgresql: str, draw: Draw, monkeypatch) -> None:
    """A server-side cursor: were all rows fetched at first, the client's share would be those of the whole result."""
    fetched: list[int] = []
    array = extracts._array

    def count(values):
        fetched.append(len(values))
        return array(values)

    monkeypatch.setattr(extracts, "_array", count)
    made = draw(postgresql, "SELECT n FROM generate_series(1, 120000) AS n")
    assert fetched == [50_000, 50_000, 20_000]
    assert pq.read_metadata(made).num_rows == 120_000
