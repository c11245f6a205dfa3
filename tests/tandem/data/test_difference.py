"""The comparison of two snapshots, on tables small enough to count by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem import files
from tandem.data import difference, schema
from tandem.data.difference import Distribution
from tandem.errors import TableError

Event = tuple[str | None, str, str, str, float | None]  # user, product, kind, time, price


def snapshot(folder: Path, events: list[Event], products: dict[str, tuple[list[str], float | None]]) -> Path:
    table = pd.DataFrame(events, columns=["user_id", "product_id", "kind", "time", "unit_price"])
    table["event_id"] = [f"f:{row}" for row in range(1, len(table) + 1)]
    table["time"] = pd.to_datetime(table["time"], utc=True).astype("datetime64[us, UTC]")
    files.write(table.assign(session_id=None, order_id=None, quantity=1.0), folder / "events.parquet", schema.EVENTS)
    rows = [{"product_id": name, "category": path, "price": price} for name, (path, price) in products.items()]
    frame = pd.DataFrame(rows, columns=schema.PRODUCTS.names).astype({"price": float})
    files.write(frame, folder / "products.parquet", schema.PRODUCTS)
    return folder


@pytest.fixture
def before(tmp_path: Path) -> Path:
    events: list[Event] = [
        ("ann", "p1", "view", "2026-01-01T10:00Z", None),
        ("ann", "p1", "purchase", "2026-01-01T23:59Z", 2.0),
        ("bob", "p2", "purchase", "2026-01-02T00:00Z", 4.0),
        (None, "p3", "view", "2026-01-02T01:00Z", None),
    ]
    return snapshot(tmp_path / "a", events, {"p1": (["Tea", "Green"], 2.0), "p2": (["Tea"], 4.0), "p3": ([], None)})


@pytest.fixture
def after(tmp_path: Path) -> Path:
    events: list[Event] = [
        ("ann", "p1", "purchase", "2026-01-03T10:00Z", 3.0),
        ("cat", "p4", "purchase", "2026-01-03T11:00Z", 5.0),
        ("dan", "p4", "view", "2026-01-03T12:00Z", None),
        ("dan", "p4", "cart", "2026-01-04T12:00Z", None),
        ("dan", "p1", "cart", "2026-01-04T13:00Z", None),
    ]
    return snapshot(tmp_path / "b", events, {"p1": (["Tea"], 3.0), "p4": (["Mugs"], 5.0)})


def test_rows_are_counted_by_table_and_a_missing_file_is_no_zero(before: Path, after: Path) -> None:
    rows = difference.compare(before, after)["rows"]
    assert rows["events"] == {"a": 4, "b": 5}
    assert rows["products"] == {"a": 3, "b": 2}
    assert rows["reviews"] == {"a": None, "b": None}


def test_users_and_products_gone_and_new_are_counted(before: Path, after: Path) -> None:
    ids = difference.compare(before, after)["ids"]
    assert ids["users"] == {"a": 2, "b": 3, "gone": 1, "new": 2}  # bob; cat and dan
    assert ids["products"] == {"a": 3, "b": 2, "gone": 2, "new": 1}  # p2 and p3; p4


def test_who_only_writes_reviews_is_a_user_too(before: Path, after: Path) -> None:
    row = {"review_id": "r:1", "user_id": "eve", "product_id": "p1", "time": pd.Timestamp("2026-01-01", tz="UTC")}
    row |= {"rating": 5.0, "title": None, "text": None, "language": None}
    files.write(pd.DataFrame([row]), after / "reviews.parquet", schema.REVIEWS)
    found = difference.compare(before, after)
    assert found["ids"]["users"] == {"a": 2, "b": 4, "gone": 1, "new": 3}
    assert found["rows"]["reviews"] == {"a": None, "b": 1}


def test_shares_of_kinds_and_widest_categories_add_up(before: Path, after: Path) -> None:
    mix = difference.compare(before, after)["mix"]
    assert mix["kind"]["shares"] == {
        "cart": {"a": 0.0, "b": 0.4},
        "view": {"a": 0.5, "b": 0.2},
        "purchase": {"a": 0.5, "b": 0.4},
    }
    assert list(mix["kind"]["shares"]) == ["cart", "view", "purchase"]  # what changed most comes first
    assert mix["category"]["shares"] == {
        "Mugs": {"a": 0.0, "b": 0.6},
        "Tea": {"a": 0.75, "b": 0.4},
        "(none)": {"a": 0.25, "b": 0.0},
    }


def test_psi_of_kinds_is_the_formula_by_hand(before: Path, after: Path) -> None:
    found = difference.compare(before, after)["mix"]["kind"]["psi"]
    p = [0.5 / 5.5, 2.5 / 5.5, 2.5 / 5.5]  # cart, purchase, view: 0, 2, 2 and half a case each
    q = [2.5 / 6.5, 2.5 / 6.5, 1.5 / 6.5]  # 2, 2, 1
    assert found == pytest.approx(sum((y - x) * math.log(y / x) for x, y in zip(p, q, strict=True)))


def test_quantiles_of_prices_and_of_events_per_day_and_user(before: Path, after: Path) -> None:
    numbers = difference.compare(before, after)["numbers"]
    quantiles = {"0.05": 2.0, "0.25": 2.0, "0.5": 2.0, "0.75": 4.0, "0.95": 4.0}
    assert numbers["unit_price"]["a"] == {"count": 2, "quantiles": quantiles}  # of purchases: 2 and 4
    assert numbers["product_price"]["a"]["count"] == 2  # one product has none
    assert numbers["events_per_day"]["a"]["quantiles"]["0.5"] == 2  # two on each day, by UTC
    assert numbers["events_per_day"]["b"]["quantiles"] == {"0.05": 2, "0.25": 2, "0.5": 2, "0.75": 3, "0.95": 3}
    assert numbers["events_per_user"]["b"] == {
        "count": 3,
        "quantiles": {"0.05": 1, "0.25": 1, "0.5": 1, "0.75": 3, "0.95": 3},
    }


def test_numbers_are_binned_by_the_deciles_of_the_first(before: Path, after: Path) -> None:
    """Prices 2 and 4, then 3 and 5: bins up to 2, up to 4, above; counts (1, 1, 0) and (0, 1, 1)."""
    found = difference.compare(before, after)["numbers"]["unit_price"]["psi"]
    assert found == pytest.approx(difference.psi(np.array([1, 1, 0]), np.array([0, 1, 1])))
    assert found == pytest.approx(2 * (1.5 - 0.5) / 3.5 * math.log(3))


def test_a_snapshot_differs_from_itself_in_nothing(before: Path) -> None:
    found = difference.compare(before, before)
    assert all(of["gone"] == of["new"] == 0 for of in found["ids"].values())
    assert all(of["a"] == of["b"] for of in found["rows"].values())
    assert {of["psi"] for of in (*found["mix"].values(), *found["numbers"].values())} == {0.0}


def test_where_there_are_no_prices_nothing_is_claimed(tmp_path: Path, after: Path) -> None:
    views = snapshot(tmp_path / "views", [("ann", "p1", "view", "2026-01-01T10:00Z", None)], {"p1": (["Tea"], None)})
    found = difference.compare(views, after)["numbers"]["unit_price"]
    assert found["psi"] is None
    assert found["a"] == {"count": 0, "quantiles": dict.fromkeys(("0.05", "0.25", "0.5", "0.75", "0.95"))}


def test_the_table_says_what_the_numbers_say(before: Path, after: Path) -> None:
    shown = difference.text(difference.compare(before, after), "old", "new").splitlines()
    assert shown[0] == "old → new"
    assert "events     4  5  +25.0%" in shown
    assert "users     2  3     1    2" in shown
    assert "cart" in next(line for line in shown if "40.00%" in line)
    assert "reviews    –  –" in shown
    priced = next(line for line in shown if line.startswith("unit_price"))
    assert priced.split() == ["unit_price", "0.6278", "a", "2", "2", "2", "2", "4", "4"]


def test_a_folder_without_tables_is_refused(tmp_path: Path, before: Path) -> None:
    with pytest.raises(TableError, match=r"nothing is no snapshot: it has none of events\.parquet"):
        difference.compare(before, tmp_path / "nothing")


counts = st.lists(st.integers(0, 10**7), min_size=1, max_size=20)


@given(st.data())
def test_psi_is_never_negative_and_the_same_both_ways(data: st.DataObject) -> None:
    a = np.array(data.draw(counts), dtype=np.int64)
    b = np.array(data.draw(st.lists(st.integers(0, 10**7), min_size=len(a), max_size=len(a))), dtype=np.int64)
    there, back = difference.psi(a, b), difference.psi(b, a)
    assert (there is None) == (not a.sum() or not b.sum())
    if there is not None and back is not None:
        assert there >= 0
        assert there == pytest.approx(back)
        assert math.isfinite(there)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.sampled_from(difference.QUANTILES))
def test_quantiles_are_those_of_numpy_over_every_value(values: list[int], share: float) -> None:
    distinct, counted = np.unique(np.array(values, dtype=float), return_counts=True)
    expected = np.quantile(values, share, method="inverted_cdf")
    assert Distribution(distinct, counted.astype(np.int64)).quantile(share) == expected
