"""Rules over more than one row: tables worked by hand, what holds for every input, and what real data loses."""

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.data import cleaning, schema
from tandem.errors import ParamsError
from tandem.params import CleaningParams

# Ibis 12 asks DuckDB 2 for what it calls by other names now.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_:DeprecationWarning")

NOON = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
TYPES = pa.schema(
    [
        *schema.EVENTS.arrow,
        pa.field("file", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("place", "row", "microseconds")),
    ]
)


ALONE = {
    "impossible_value": cleaning.impossible_values,
    "price_outlier": cleaning.price_outliers,
    "bot": cleaning.bots,
    "dominant_user": cleaning.dominant_users,
    "near_duplicate": cleaning.near_duplicates,
}
"""Each rule, asked of all rows."""


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    database = ibis.duckdb.connect()
    database.con.execute("SET TimeZone = 'UTC'")
    yield database
    database.disconnect()


@pytest.fixture
def params(root: Path) -> CleaningParams:
    """The project's own."""
    return CleaningParams.read(root / "params.yaml")


def bounded(params: CleaningParams, rule: str, **bounds: Any) -> CleaningParams:
    changed = getattr(params, rule).model_copy(update=bounds)
    return params.model_copy(update={rule: changed})


def event(row: int, second: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A view of one user, `second` after `NOON`."""
    good = {
        "event_id": f"e.csv:{row}",
        "user_id": "u",
        "product_id": "p",
        "kind": "view",
        "time": NOON + timedelta(seconds=second),
        "quantity": 1.0,
        "file": "e.csv",
        "place": row,
        "row": row,
    }
    return good | changes


def arrow(rows: list[dict[str, Any]]) -> pa.Table:
    of = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in TYPES}
    return pa.table(of | {"microseconds": of["time"].cast(pa.int64())})


def store(database: Any, rows: ir.Table) -> ir.Table:
    return database.create_table(ibis.util.gen_name("stored"), rows)


@pytest.fixture
def verdicts(database) -> Callable[..., dict[int, tuple[str, str]]]:
    """Rule and reason of the refused rows, by number, after one rule or after all of them, which must agree."""

    def judge(rows: list[dict[str, Any]], params: CleaningParams, rule: str = "") -> dict[int, tuple[str, str]]:
        live = with_met(store(database, ibis.memtable(arrow(rows))))
        if not rule:
            return told(cleaning.clean(cleaning.slim(live, params, functools.partial(store, database)), params))
        return told([ALONE[rule](live, getattr(params, rule))] if getattr(params, rule).enabled else [])

    return judge


def with_met(rows: ir.Table) -> ir.Table:
    """With the two hashes that narrow down."""
    user = rows.user_id.notnull().ifelse(rows.user_id.hash(), ibis.null("int64"))
    return rows.mutate(user=user, met=user ^ rows.product_id.hash() ^ rows.kind.hash())


def told(found: list[ir.Table]) -> dict[int, tuple[str, str]]:
    """What rules found, by number of row; no row is found twice."""
    rows = [row for these in found for row in these.order_by("place").to_pyarrow().to_pylist()]
    assert len({row["place"] for row in rows}) == len(rows)
    return {row["place"]: (row["rule"], row["reason"]) for row in rows}


def both_ways(verdicts, rows, params, rule) -> dict[int, tuple[str, str]]:
    alone, together = verdicts(rows, params, rule), verdicts(rows, params)
    assert alone == together
    return alone


# Near duplicates


def test_an_event_that_repeats_the_one_before_is_refused_and_names_the_first(verdicts, params) -> None:
    rows = [event(1), event(2, 0.4), event(3, 0.8), event(4, 1.4), event(5, 60, product_id="other")]
    assert both_ways(verdicts, rows, params, "near_duplicate") == {
        2: ("near_duplicate", "repeats e.csv row 1 within 0.5 s"),
        3: ("near_duplicate", "repeats e.csv row 1 within 0.5 s"),  # close to row 2, which began with row 1
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "v"},
        {"user_id": None},
        {"product_id": "q"},
        {"kind": "cart"},
        {"order_id": "1"},
        {"quantity": 2.0},
        {"unit_price": 3.0},
        {"time": NOON + timedelta(seconds=0.6)},
    ],
)
def test_what_says_anything_else_is_no_near_duplicate(verdicts, params, changes) -> None:
    found = both_ways(verdicts, [event(1), event(2, 0.1, **changes)], params, "near_duplicate")
    assert [rule for rule, _ in found.values() if rule == "near_duplicate"] == []


def test_events_of_nobody_do_not_repeat_each_other(verdicts, params) -> None:
    assert both_ways(verdicts, [event(1, user_id=None), event(2, user_id=None)], params, "near_duplicate") == {}


def test_lines_of_one_order_are_no_near_duplicates_as_shipped(verdicts, params) -> None:
    rows = [event(1, kind="purchase", order_id="1"), event(2, kind="purchase", order_id="1")]
    assert both_ways(verdicts, rows, params, "near_duplicate") == {}


def test_a_purchase_sent_twice_is_caught_where_the_window_is_given(verdicts, params) -> None:
    """Lines of the same order with another quantity or price are lines."""
    params = bounded(params, "near_duplicate", window_s={"purchase": 2.0})
    sold = {"kind": "purchase", "order_id": "1", "unit_price": 5.0}
    rows = [event(1, **sold), event(2, 1, **sold), event(3, 1, **sold | {"quantity": 2.0}), event(4, 1, kind="view")]
    assert list(both_ways(verdicts, rows, params, "near_duplicate")) == [2]


@pytest.mark.parametrize("second", [0, -7])
def test_times_by_the_minute_say_nothing_about_seconds(verdicts, params, second) -> None:
    """Of 7 and 0 seconds past the minute; most of the others are whole minutes."""
    rows = [event(1, second), event(2, second), *(event(3 + i, 53 + 60 * i, user_id=None) for i in range(3))]
    assert both_ways(verdicts, rows, params, "near_duplicate") == {}


# Bots and dominant users


def crawl(first: int, count: int, pause_s: float, user: str = "bot") -> list[dict[str, Any]]:
    return [event(first + i, i * pause_s, user_id=user, product_id=f"p{i}") for i in range(count)]


def test_a_user_too_fast_and_too_broad_is_a_bot(verdicts, params) -> None:
    """30 products, one every 100 s from 12:00:07: 36 of them in the first hour, so 30 in one hour and one day."""
    params = bounded(params, "bot", max_actions_per_hour=20, max_products_per_day=25)
    rows = [*crawl(1, 30, 100), event(31), event(32, 9)]
    reason = (
        "user with 30 actions in 1 active hours and 30 products in 1 active days, more than 20 an hour and 25 a day"
    )
    assert both_ways(verdicts, rows, params, "bot") == dict.fromkeys(range(1, 31), ("bot", reason))


@pytest.mark.parametrize(("per_hour", "per_day"), [(30, 25), (20, 30)])
def test_neither_speed_nor_breadth_alone_makes_a_bot(verdicts, params, per_hour, per_day) -> None:
    params = bounded(params, "bot", max_actions_per_hour=per_hour, max_products_per_day=per_day)
    assert both_ways(verdicts, crawl(1, 30, 100), params, "bot") == {}


def test_lines_of_one_order_are_one_action(verdicts, params) -> None:
    params = bounded(params, "bot", max_actions_per_hour=20, max_products_per_day=25)
    rows = [row | {"kind": "purchase", "order_id": "1"} for row in crawl(1, 30, 0)]
    assert both_ways(verdicts, rows, params, "bot") == {}


def test_times_by_the_day_say_nothing_about_an_hour(verdicts, params) -> None:
    params = bounded(params, "bot", max_actions_per_hour=20, max_products_per_day=25)
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    assert both_ways(verdicts, [row | {"time": midnight} for row in crawl(1, 30, 0)], params, "bot") == {}


def test_purchases_by_the_day_do_not_hide_a_bot_among_views(verdicts, params) -> None:
    """25 products an hour in two hours; with the 60 days of purchases the user would seem slow."""
    params = bounded(params, "bot", max_actions_per_hour=20, max_products_per_day=20)
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    views = [*crawl(1, 25, 100), *(row | {"time": row["time"] + timedelta(hours=1)} for row in crawl(26, 25, 100))]
    bought = [
        event(51 + i, user_id="bot", kind="purchase", time=midnight + timedelta(days=i % 58), order_id=str(i))
        for i in range(60)
    ]
    assert set(both_ways(verdicts, [*views, *bought], params, "bot")) == set(range(1, 51))


def test_a_user_with_a_large_share_of_all_events_is_refused(verdicts, params) -> None:
    params = bounded(params, "dominant_user", min_users=8)
    rows = [*crawl(1, 3, 100, "big"), *(event(4 + i, user_id=f"u{i}") for i in range(7))]
    reason = "user with 3 of all 10 events, 30 percent; at most 25 percent are believed"
    assert both_ways(verdicts, rows, params, "dominant_user") == dict.fromkeys((1, 2, 3), ("dominant_user", reason))


def test_a_small_shop_may_have_one_large_customer(verdicts, params) -> None:
    rows = [*crawl(1, 30, 100, "big"), *(event(31 + i, user_id=f"u{i}") for i in range(98))]
    assert both_ways(verdicts, rows[:-1], params, "dominant_user") == {}


# Values


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unit_price": 1e308}, "unit_price 10000000000000.00 is above 1e+07"),
        ({"unit_price": 20000000.256}, "unit_price 20000000.25 is above 1e+07"),
        ({"quantity": 1000001.0}, "quantity 1000001.00 is above 1e+06"),
        ({"time": datetime(1970, 1, 1, tzinfo=UTC)}, "time is in the year 1970, before 1990-01-01"),
    ],
)
def test_a_value_that_nobody_can_mean_is_refused(verdicts, params, changes, reason) -> None:
    rows = [
        event(1),
        event(2, **changes),
        event(3, unit_price=1e7, quantity=1e6, time=datetime(1990, 1, 1, tzinfo=UTC)),
    ]
    assert both_ways(verdicts, rows, params, "impossible_value") == {2: ("impossible_value", reason)}


def test_other_tables_are_held_to_the_same_bounds(database, params) -> None:
    rows = ibis.memtable(pa.table({"place": [1, 2], "file": ["f", "f"], "price": [1e8, None]}))
    found = told([cleaning.impossible_values(rows, params.impossible_value)])
    assert found == {1: ("impossible_value", "price 100000000.00 is above 1e+07")}


def test_a_price_far_from_the_usual_one_is_refused_where_asked_for(verdicts, params) -> None:
    rows = [event(i, i * 60, unit_price=price) for i, price in enumerate((2.0, 2.0, 2.5, 250.0, 0.01), start=1)]
    assert both_ways(verdicts, rows, params, "price_outlier") == {}
    params = bounded(params, "price_outlier", enabled=True, min_events=5)
    away = "is more than 100 times away from the product's median 2.00"
    assert both_ways(verdicts, rows, params, "price_outlier") == {
        4: ("price_outlier", f"unit_price 250.00 {away}"),
        5: ("price_outlier", f"unit_price 0.01 {away}"),
    }
    assert both_ways(verdicts, rows, bounded(params, "price_outlier", min_events=6), "price_outlier") == {}


# All rules


def test_the_first_rule_speaks_and_later_ones_see_what_it_left(verdicts, params) -> None:
    """Row 2 repeats row 1, which is impossible: nothing is left to repeat."""
    rows = [event(1, quantity=2e6), event(2, 0.1, quantity=2e6), event(3, 0.2), event(4, 0.3)]
    found = verdicts(rows, params)
    assert {row: rule for row, (rule, _) in found.items()} == {
        1: "impossible_value",
        2: "impossible_value",
        4: "near_duplicate",
    }


def test_a_rule_that_is_switched_off_finds_nothing(verdicts, params) -> None:
    rows = [event(1), event(2, 0.1), event(3, quantity=2e6)]
    for rule in ("impossible_value", "near_duplicate"):
        params = bounded(params, rule, enabled=False)
    assert verdicts(rows, params) == {}
    assert verdicts(rows, params, "near_duplicate") == {}


SOME = st.builds(
    lambda second, user, product, kind, quantity, price, order: {
        "time": NOON + timedelta(seconds=second / 4),
        "user_id": user,
        "product_id": product,
        "kind": kind,
        "quantity": quantity,
        "unit_price": price,
        "order_id": order,
    },
    st.integers(0, 40),
    st.sampled_from(["u", "v", None]),
    st.sampled_from("pq"),
    st.sampled_from(["view", "cart", "purchase"]),
    st.sampled_from([1.0, 2e6]),
    st.sampled_from([None, 1.0, 500.0]),
    st.sampled_from([None, "1"]),
)


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.lists(SOME, max_size=12))
def test_no_row_is_refused_twice_and_each_has_a_reason(database, params, raw) -> None:
    params = bounded(params, "bot", max_actions_per_hour=3, max_products_per_day=1)
    params = bounded(params, "dominant_user", min_users=2, max_share=0.6)
    params = bounded(params, "price_outlier", enabled=True, min_events=3)
    rows = [event(row, **changes) for row, changes in enumerate(raw, start=1)]
    live = with_met(store(database, ibis.memtable(arrow(rows))))
    found = told(cleaning.clean(cleaning.slim(live, params, functools.partial(store, database)), params))
    assert set(found) <= set(range(1, len(rows) + 1))
    assert {rule for rule, _ in found.values()} <= {rule.name for rule in cleaning.RULES}
    assert all(reason for _, reason in found.values())


def test_the_report_has_every_rule_with_switch_bounds_and_count(params) -> None:
    report = cleaning.report(params, {"bot": 7, "fee": 3}, {"text": {"changed": 2, "cut": 0}})
    assert list(report) == list(CleaningParams.model_fields)
    assert report["bot"] == {
        "enabled": True,
        "bounds": {"max_actions_per_hour": 1000.0, "max_products_per_day": 500.0},
        "rows": 7,
    }
    assert report["near_duplicate"]["rows"] == 0
    assert report["text"] == {"enabled": True, "bounds": {"max_characters": 10000}, "changed": 2, "cut": 0}


def test_a_window_of_an_unknown_kind_is_refused(params) -> None:
    values = params.model_dump()
    values["near_duplicate"]["window_s"] = {"look": 1.0}
    with pytest.raises(ParamsError, match="look is none of the kinds view, click"):
        CleaningParams.parse(values)


JDATA = """
    SELECT DISTINCT user_id, sku_id AS product_id, time, type, model_id,
        CASE type WHEN 1 THEN 'view' WHEN 2 THEN 'cart' WHEN 4 THEN 'purchase' WHEN 5 THEN 'favourite' ELSE 'click' END
        AS kind, NULL AS order_id, 1.0 AS quantity, NULL::DOUBLE AS unit_price
    FROM read_csv('{}/JData_Action_*.csv') WHERE type <> 3
"""
ONLINE_RETAIL = """
    SELECT DISTINCT CustomerID AS user_id, upper(StockCode) AS product_id, InvoiceDate AS time, Description,
        'purchase' AS kind, InvoiceNo AS order_id, Quantity::DOUBLE AS quantity, UnitPrice AS unit_price
    FROM read_csv('{}/by-day/*.csv', types = {{'InvoiceNo': 'VARCHAR', 'StockCode': 'VARCHAR'}})
    WHERE Quantity > 0 AND UnitPrice > 0 AND StockCode SIMILAR TO '[0-9]{{5}}.*'
"""


@pytest.mark.parametrize(
    ("sql", "least"),
    [
        pytest.param(JDATA, 65_000, marks=pytest.mark.real_data("jdata"), id="jdata"),
        pytest.param(
            ONLINE_RETAIL,
            500_000,
            marks=[pytest.mark.real_data("online_retail"), pytest.mark.slow],
            id="online_retail",
        ),
    ],
)
def test_nothing_of_real_shops_is_refused_as_shipped(database, params, real_data, sql, least) -> None:
    """Trade customers who order 540 products in a minute stay, and so do several clicks in one second."""
    database.con.execute(f"CREATE OR REPLACE TABLE shop AS {sql.format(real_data)}")
    database.con.execute("ALTER TABLE shop ALTER time TYPE TIMESTAMPTZ; ALTER TABLE shop ALTER user_id TYPE VARCHAR")
    rows = database.table("shop").mutate(file=ibis.literal("all"), row=ibis.row_number(), place=ibis.row_number())
    microseconds = rows.time.epoch_seconds() * 1_000_000
    rows = rows.mutate(order_id=rows.order_id.cast("string"), microseconds=microseconds)
    live = store(database, with_met(rows))
    assert live.count().to_pyarrow().as_py() > least
    assert cleaning.clean(cleaning.slim(live, params, functools.partial(store, database)), params) == []


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")  # PySpark 4.0 leaves sockets open and speaks to an older pandas
def test_spark_refuses_the_same_rows_for_the_same_reasons(database, params, tmp_path) -> None:
    from pyspark.sql import SparkSession

    params = bounded(params, "bot", max_actions_per_hour=20, max_products_per_day=25)
    params = bounded(params, "dominant_user", min_users=3, max_share=0.3)
    params = bounded(params, "price_outlier", enabled=True, min_events=3)
    rows = [*crawl(1, 30, 100), event(31), event(32, 0.3), event(33, 0.5, user_id="v", quantity=2e6)]
    rows += [event(40 + i, 3 + i, user_id="v", unit_price=price) for i, price in enumerate((2.0, 2.0, 2.5, 250.0))]
    rows += [event(50 + i, 60 + i, user_id="w", product_id=f"q{i}") for i in range(20)]
    data = arrow(rows)
    live = with_met(store(database, ibis.memtable(data)))
    expected = told(cleaning.clean(cleaning.slim(live, params, functools.partial(store, database)), params))
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "1")
    spark = builder.getOrCreate()
    try:
        engine = ibis.pyspark.connect(spark)
        pq.write_table(data, tmp_path / "events.parquet")
        live = with_met(engine.read_parquet(tmp_path / "events.parquet"))
        found = told(cleaning.clean(cleaning.slim(live, params, lambda table: table.cache()), params))
    finally:
        spark.stop()
    assert {rule for rule, _ in expected.values()} == set(ALONE)
    assert found == expected
