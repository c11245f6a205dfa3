"""Pairs are counted exactly, and once per basket."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from tandem import demo
from tandem.data import schema
from tandem.data.sources import Source
from tandem.features import dataset, engine_counts, graph
from tandem.features.graph import KINDS, Kind
from tandem.features.histories import basket_key
from tandem.params import FeaturesParams, GraphParams

KEY = bytes(range(32))
NOTHING = {"session_id": None, "quantity": 1.0, "unit_price": None}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    events = [
        {"event_id": f"f:{n}", "order_id": None, "kind": "purchase", **NOTHING, **row} for n, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(events, schema=schema.EVENTS.arrow)


@pytest.fixture(scope="module")
def database() -> Any:
    return ibis.duckdb.connect()


def count(database: Any, rows: list[dict[str, Any]], **bounds: Any) -> dict[tuple[str, str], tuple[int, ...]]:
    counted = engine_counts.edge_counts(ibis.memtable(table(rows)), "together", GraphParams(), ("purchase",), **bounds)
    found = database.to_pyarrow(counted).to_pylist()
    return {(row.pop("product_id"), row.pop("other_id")): tuple(row.values()) for row in found}


def bought(user: str | None, product: str, order: str | None = None, day: int = 1, **cells: Any) -> dict[str, Any]:
    time = pd.Timestamp(2026, 1, day, 12, tz="UTC")
    return {"user_id": user, "product_id": product, "order_id": order, "time": time, **cells}


def test_a_value_worked_by_hand(database: Any) -> None:
    rows = [bought("u", "a", "1"), bought("u", "b", "1"), bought("u", "b", "1")]  # b twice: one basket
    rows += [bought("u", "a", "2", day=2), bought("u", "b", "2", day=2), bought("u", "c", "2", day=2)]
    rows += [bought("v", "a"), bought("v", "b")]  # no order: user and day
    rows += [bought(None, "a", "3"), bought(None, "b", "3")]  # nobody
    rows += [bought(None, "a"), bought("w", "b", kind="view"), bought("w", "a", day=3)]  # alone, and no purchase
    # baskets: 1, 2, v's day, 3, nobody's alone, w's day
    assert count(database, rows) == {
        ("a", "b"): (4, 2, 6, 4, 6),
        ("b", "a"): (4, 2, 4, 6, 6),
        ("a", "c"): (1, 1, 6, 1, 6),
        ("c", "a"): (1, 1, 1, 6, 6),
        ("b", "c"): (1, 1, 4, 1, 6),
        ("c", "b"): (1, 1, 1, 4, 6),
    }


def test_a_large_basket_counts_nowhere(database: Any) -> None:
    rows = [bought("u", product, "1") for product in "abc"] + [bought("v", product, "2") for product in "ab"]
    assert count(database, rows, max_products=2) == {("a", "b"): (1, 1, 1, 1, 1), ("b", "a"): (1, 1, 1, 1, 1)}


def test_without_pairs_there_are_no_rows(database: Any) -> None:
    assert count(database, [bought("u", "a")]) == {}


ids = st.sampled_from(["x", "y"]) | st.none()
events = st.lists(
    st.builds(
        bought,
        ids,
        st.sampled_from("abcd"),
        ids,
        st.integers(1, 2),
        session_id=ids,
        kind=st.sampled_from(schema.KINDS[3:5]),
    ),
    min_size=1,
    max_size=25,
)


@given(rows=events)
def test_baskets_are_those_of_the_rankers(database: Any, rows: list[dict[str, Any]]) -> None:
    found = database.to_pyarrow(engine_counts.with_baskets(ibis.memtable(table(rows)))).to_pandas()
    key = basket_key(found)
    assert len(set(zip(key, found["basket"], strict=True))) == key.nunique() == found["basket"].nunique()


@given(rows=events)
@settings(max_examples=30)
def test_every_pair_is_counted_as_by_hand(database: Any, rows: list[dict[str, Any]]) -> None:
    frame = table(rows).to_pandas()
    frame = frame[frame["kind"] == "purchase"]
    baskets = [
        (set(of["product_id"]), min(of["user_id"].dropna(), default=None)) for _, of in frame.groupby(basket_key(frame))
    ]
    expected = {}
    for pair in permutations("abcd", 2):
        users = [user for products, user in baskets if products.issuperset(pair)]
        each = [sum(product in products for products, _ in baskets) for product in pair]
        if users:
            expected[pair] = (len(users), len(set(users) - {None}), *each, len(baskets))
    assert count(database, rows) == expected


@pytest.fixture(scope="module")
def demo_shop(
    make: Callable[..., Any], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, pd.DataFrame], Path]:
    """The canonical tables of the small demo shop, and where its events lie."""
    folder = tmp_path_factory.mktemp("demo")
    demo.generate(folder / "raw", folder / "truth", demo.DemoSize.small(), seed=7)
    tables = make(Source.read(root / "sources/demo.yaml"), folder / "raw", KEY, folder).tables
    return tables, folder / "canonical" / "events.parquet"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_counted_as_in_memory(
    database: Any, demo_shop: tuple[dict[str, pd.DataFrame], Path], kind: Kind
) -> None:
    tables, stored = demo_shop
    events = tables["events"]
    params = FeaturesParams(target_kinds=("purchase",), kind_weight=dict.fromkeys(schema.KINDS, 1.0))
    known = dataset.build(events, tables["products"], events["time"].max() + pd.Timedelta(days=1), params)
    pairs = graph.edges(known, kind)
    ids = np.array(["", *known.vocabulary.ids])
    expected = pd.DataFrame({"product_id": ids[pairs.a], "other_id": ids[pairs.b], "n": pairs.n})
    expected = expected.assign(source_rows=pairs.of_a, target_rows=pairs.of_b, all_rows=pairs.rows).astype(
        dict.fromkeys(["n", "source_rows", "target_rows", "all_rows"], "int64")
    )
    counted = engine_counts.edge_counts(ibis.memtable(pq.read_table(stored)), kind, params.graph, ("purchase",))
    found = database.to_pyarrow(counted.order_by(["product_id", "other_id"])).to_pandas()
    assert (found.pop("users") <= found["n"]).all()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert len(found) > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_spark_counts_the_same_edges(tmp_path: Path) -> None:
    from tandem.data.engine import open_engine

    rng = np.random.default_rng(1)
    rows = [
        bought(
            f"u{rng.integers(20)}" if rng.random() < 0.9 else None,
            f"p{rng.integers(12)}",
            day=int(rng.integers(1, 8)),
            kind=str(rng.choice(["view", "purchase"])),
        )
        for _ in range(900)
    ]
    pq.write_table(table(rows), tmp_path / "events.parquet")
    found: dict[str, list[Any]] = {}
    for name in ("duckdb", "spark"):
        with open_engine("Europe/Berlin", tmp_path / "scratch", name) as engine:
            events = engine.read([tmp_path / "events.parquet"])
            for kind in KINDS:
                counted = engine_counts.edge_counts(events, kind, GraphParams(), ("purchase",), max_products=6)
                rows_of = engine.batches(counted.order_by(["product_id", "other_id"])).read_all().to_pylist()
                found.setdefault(kind, []).append(rows_of)
    for one, other in found.values():
        assert one == other
        assert len(one) > 50
