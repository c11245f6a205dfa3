"""Datasets: all that may be learned from, up to one moment."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem import files
from tandem.data import schema
from tandem.data.sources import Source
from tandem.features import dataset, products
from tandem.features.dataset import Dataset
from tandem.params import FeaturesParams

AS_OF = pd.Timestamp("2020-02-01", tz="UTC")
PARAMS = FeaturesParams(target_kinds=("purchase",), kind_weight={"purchase": 1.0, "view": 0.1, "return": 0.0})


@pytest.fixture
def built(make_events, make_products) -> Dataset:
    events = make_events(
        [
            ("u", "a", "view", "2020-01-01", None),
            ("u", "b", "purchase", "2020-01-02", "o1"),
            (None, "c", "purchase", "2020-01-02", "o2"),
            ("u", "d", "return", "2020-01-03", "o3"),
            ("u", "e", "purchase", "2020-02-01", "o4"),
        ]
    )
    return dataset.build(events, make_products({"product_id": "b", "brand": "Oak", "title": "Mug"}), AS_OF, PARAMS)


def test_the_vocabulary_is_what_had_an_event_worth_learning_from(built: Dataset) -> None:
    """Viewed or bought, by anyone; neither only returned nor first seen at `as_of`."""
    assert built.vocabulary.ids == ("a", "b", "c")
    assert len(built.baskets) == 2
    assert built.products.brand[:, 0].tolist() == [0, 0, 1, 0]
    assert built.as_of_us == AS_OF.value // 1000 == built.demand.as_of_us


def test_the_weight_of_a_kind_stands_at_its_code(built: Dataset) -> None:
    weight = built.kind_weight
    assert weight.tolist() == pytest.approx([0, 0.1, 0, 0, 0, 1, 0, 0])
    assert weight[schema.KIND_CODE["purchase"]] == 1


def test_the_price_is_what_was_paid_before_and_else_the_sheets(make_events, make_products) -> None:
    """Standardised logs: a was bought for 1 and 1 and 4 (median 1), b only seen: e² of the sheet."""
    bought = {"2020-01-01": 1.0, "2020-01-02": 1.0, "2020-01-03": 4.0, "2020-02-01": 99.0}
    told = [*(("a", "purchase", day, price) for day, price in bought.items()), ("b", "view", "2020-01-01", 9.0)]
    events = make_events([("u", product, kind, day, day) for product, kind, day, _ in told])
    events["unit_price"] = [price for *_, price in told]
    table = make_products({"product_id": "a", "price": 50.0}, {"product_id": "b", "price": np.e**2})
    price = dataset.build(events, table, AS_OF, PARAMS).products.price
    z = 1 / 1.4826  # both lie as far from the median as the median of these distances
    assert price[:, 0] == pytest.approx([np.nan, -z, z], rel=1e-4, nan_ok=True)


def test_new_products_are_in_the_vocabulary_where_wanted_and_known_by_their_sheet_alone(
    make_events, make_products
) -> None:
    events = make_events([("u", "a", "purchase", "2020-01-01", "o"), ("u", "new", "purchase", "2020-02-01", "o4")])
    table = make_products({"product_id": "new", "brand": "Oak", "price": 2.0}, {"product_id": "a"})
    wanted = dataset.build(events, table, AS_OF, PARAMS.model_copy(update={"new_products": True}))
    assert wanted.vocabulary.ids == ("a", "new")
    assert wanted.products.met.tolist() == [False, True, False]
    assert {name for name in products.MODALITIES if wanted.products.known(name)[2]} == {"brand", "price"}
    assert not wanted.baskets.content[:, [2]].sum()


def test_without_a_sheet_products_are_not_known_before_their_first_event(root: Path) -> None:
    sources = [Source.read(path) for path in sorted((root / "sources").glob("*.yaml"))]
    told = [source for source in sources if not source.products]
    assert len(told) > 3
    for source in told:
        assert source.params["features"]["new_products"] is False, source.name


def test_vectors_are_added_to_a_copy(built: Dataset) -> None:
    text = np.ones((4, 2), np.float32)
    assert built.with_vectors(text, built.products.picture).products.text is text
    assert built.products.text.shape == (4, 0)


def test_a_dataset_comes_back_and_writes_the_same_bytes(built: Dataset, tmp_path) -> None:
    built.write(tmp_path / "one")
    again = Dataset.read(tmp_path / "one")
    again.write(tmp_path / "two")
    assert files.hash_folder(tmp_path / "one") == files.hash_folder(tmp_path / "two")
    assert again.params == built.params
    assert again.baskets.content.toarray().tolist() == built.baskets.content.toarray().tolist()
    assert built.titles.nnz
    assert not (again.titles != built.titles).nnz


@given(rows=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60)), min_size=1, max_size=25))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_future_changes_nothing(make_events, make_products, tmp_path, rows: list[tuple[str, int]]) -> None:
    """A dataset of all events equals that of the events before `as_of`, byte for byte."""
    day = [(pd.Timestamp("2020-01-01") + pd.Timedelta(days=d)).isoformat() for _, d in rows]
    events = make_events([("u", product, "purchase", d, d) for (product, _), d in zip(rows, day, strict=True)])
    table = make_products(*({"product_id": p, "price": 2.0} for p in "abcdef"))
    past = events[events["time"] < AS_OF]
    if past.empty:
        return
    dataset.build(events, table, AS_OF, PARAMS).write(tmp_path / "all")
    dataset.build(past, table, AS_OF, PARAMS).write(tmp_path / "past")
    assert files.hash_folder(tmp_path / "all") == files.hash_folder(tmp_path / "past")
