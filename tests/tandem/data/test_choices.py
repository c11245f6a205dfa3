"""One text for each product: the order of preference by hand, and the record of the others."""

from datetime import UTC, datetime

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.data import choices, schema

# Ibis 12 asks DuckDB 2 for what it calls by other names now.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_:DeprecationWarning")

TOLD = [
    ("often", "Cup", 1),
    ("often", "Cup", 2),
    ("often", "Mug", 9),
    ("latest", "Mug", 1),
    ("latest", "Cup", 3),
    ("alphabet", "b", 1),
    ("alphabet", "a", 1),
    ("alphabet", "c", 1),
    ("one", "x", 1),
    ("one", None, 2),
    ("none", None, 2),
]


def ranked(told: list[tuple[str, str | None, int]]) -> ir.Table:
    products, said, days = zip(*told, strict=True) if told else ((), (), ())
    columns = {"product_id": pa.array(products, pa.string()), "text": pa.array(said, pa.string())}
    columns["time"] = pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in days], schema.TIME)
    return choices.ranked(ibis.memtable(pa.table(columns)))


def test_the_most_frequent_is_chosen_then_the_latest_then_the_first_of_the_alphabet() -> None:
    found = choices.chosen(ranked(TOLD)).to_pyarrow().to_pandas()
    chosen = dict(zip(found["product_id"], found["text"], strict=True))
    assert chosen == {"often": "Cup", "latest": "Cup", "alphabet": "a", "one": "x"}


def test_what_was_not_chosen_is_recorded_those_with_most_texts_first() -> None:
    assert choices.record({"title": ranked(TOLD)}, examples=2) == {
        "title": {
            "products": 3,
            "others": 4,
            "first": [
                {"product_id": "alphabet", "chosen": ["a", 1], "others": [["b", 1], ["c", 1]]},
                {"product_id": "latest", "chosen": ["Cup", 1], "others": [["Mug", 1]]},
            ],
        }
    }


def test_where_all_agree_nothing_is_recorded() -> None:
    found = choices.record({"brand": ranked([("a", "x", 1), ("a", "x", 2)])}, examples=5)
    assert found == {"brand": {"products": 0, "others": 0, "first": []}}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("pq"), st.sampled_from(["a", "b", None]), st.integers(1, 3)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_events_does_not_matter(told, random) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)
    first, second = (
        choices.chosen(ranked(t)).to_pyarrow().to_pandas().sort_values("product_id") for t in (told, shuffled)
    )
    assert first.to_numpy().tolist() == second.to_numpy().tolist()


@pytest.mark.real_data("online_retail")
def test_a_real_shop_tells_several_descriptions_of_some_codes(real_data) -> None:
    raw = pd.concat(pd.read_csv(file, dtype=str) for file in sorted(real_data.glob("by-day/**/*.csv"))[:60])
    told = pd.DataFrame({"product_id": raw["StockCode"].str.upper(), "text": raw["Description"].str.strip()})
    said = told.dropna().groupby("product_id")["text"].nunique()
    rows = ibis.memtable(pa.Table.from_pandas(told, preserve_index=False)).mutate(time=ibis.timestamp("2011-01-01"))
    found = choices.record({"title": choices.ranked(rows)}, examples=1)["title"]
    assert found["products"] == (said > 1).sum() > 50
    assert found["others"] == (said - 1).sum()
