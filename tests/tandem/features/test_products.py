"""Product features by index."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tandem.features import products
from tandem.features.baskets import Baskets
from tandem.features.demand import Demand
from tandem.features.histories import DAY_US
from tandem.features.products import ProductFeatures
from tandem.features.vocabulary import Vocabulary

IDS = Vocabulary.of(["a", "b", "c", "d", "e"])  # `e` is in no table


@pytest.fixture
def described(make_products) -> ProductFeatures:
    table = make_products(
        {"product_id": "d", "price": 0.0},
        {"product_id": "b", "category": ["phones", "cases"], "brand": "Oak", "price": 4.0},
        {"product_id": "a", "category": ["phones"], "brand": "Elm", "price": 1.0},
        {"product_id": "c", "category": ["tea", "cases"], "brand": "Oak", "price": 7.0},
        {"product_id": "sold by no one", "category": ["aaa"], "brand": "Ash", "price": 7.0},
    )
    daily = np.zeros((60, 6), np.float32)
    daily[0, 1] = np.e - 1
    first_us = np.array([0, 400 - 364, 400, 0, 400, 400]) * DAY_US
    says = np.full((6, 1), np.nan, np.float32)
    return products.describe(table, IDS, together({0: [5, 5]}), Demand(daily, 400 * DAY_US), first_us, says)


def together(sold: dict[int, list[int]]) -> Baskets:
    """One basket for each product that is sold, in the middle of the months, counted from January 1970."""
    cells = [(month, product) for month, of_month in sold.items() for product in of_month]
    content = sp.lil_array((len(cells), 6))
    for basket, (_, product) in enumerate(cells):
        content[basket, product] = 1
    months = np.array([month for month, _ in cells], "datetime64[M]") + np.timedelta64(14, "D")
    return Baskets(content.tocsr(), months.astype("datetime64[us]").astype(np.int64), np.full(len(months), -1))


def test_a_category_is_a_path_not_a_name(described: ProductFeatures) -> None:
    """`cases` of phones and `cases` of tea are two categories; a missing level is 0."""
    assert described.category[:, 0].tolist() == [0, 1, 1, 2, 0, 0]
    assert described.category[:, 1].tolist() == [0, 0, 1, 2, 0, 0]
    assert not described.category[:, 2].any()


def test_brands_of_the_catalogue_are_numbered_from_one(described: ProductFeatures) -> None:
    assert described.brand[:, 0].tolist() == [0, 1, 2, 2, 0, 0]


def test_a_described_price_is_the_level_among_all_where_categories_are_small(described: ProductFeatures) -> None:
    """ln 1, ln 4, ln 7: median ln 4; deviations ln 4, 0, ln 7/4: their median is ln 7/4."""
    scale = 1.4826 * np.log(7 / 4)
    expected = [np.nan, -np.log(4) / scale, 0, 1 / 1.4826, np.nan, np.nan]
    assert described.price[:, 0] == pytest.approx(expected, nan_ok=True)
    assert described.known("price").tolist() == [False, True, True, True, False, False]


def priced(make_products, *rows: tuple[float | None, str, list[str]]) -> pd.DataFrame:
    return make_products(
        *(
            {"product_id": str(place), "price": price, "currency": currency, "category": category}
            for place, (price, currency, category) in enumerate(rows)
        )
    )


def test_a_price_is_compared_in_the_narrowest_category_with_enough_prices(make_products) -> None:
    """Cases of 1, 2, 4: median 2, steps of ln 2. The lone tea among 1, 2, 4, 64: log2 is 0 1 2 6, median 1.5, of whose
    deviations 1.5 .5 .5 4.5 the median is 1."""
    cases = [(price, "EUR", ["phones", "cases"]) for price in (1.0, 2.0, 4.0)]
    table = priced(make_products, *cases, (64.0, "EUR", ["tea", "green"]), (None, "EUR", ["phones", "cases"]))
    found = products.price_level(table, min_products=3)
    assert found[:3] == pytest.approx([-1 / 1.4826, 0, 1 / 1.4826])
    assert found[3] == pytest.approx(4.5 / 1.4826)
    assert found[4] == 0


def test_prices_of_different_currencies_are_never_compared(make_products) -> None:
    euros = [(price, "EUR", ["tea"]) for price in (1.0, 2.0, 4.0)]
    yen = [(price * 1000, "JPY", ["tea"]) for price in (1.0, 2.0, 4.0)]
    together = products.price_level(priced(make_products, *euros, *yen), min_products=3)
    assert together[:3] == pytest.approx(products.price_level(priced(make_products, *euros), min_products=3))
    assert together[3:] == pytest.approx(together[:3])


def test_where_most_cost_the_same_the_mean_deviation_is_the_scale(make_products) -> None:
    table = priced(make_products, *((price, "EUR", ["tea"]) for price in (2.0, 2.0, 2.0, 4.0)))
    found = products.price_level(table, min_products=1)
    assert found == pytest.approx([0, 0, 0, 4 / np.sqrt(np.pi / 2)])  # one of four deviates: mean ln 2 / 4


@given(
    st.lists(st.tuples(st.floats(0.01, 1e9), st.sampled_from("AB"), st.sampled_from("xyz")), min_size=1, max_size=20)
)
def test_doubling_every_price_changes_no_level(rows: list[tuple[float, str, str]]) -> None:
    table = pd.DataFrame(rows, columns=["price", "currency", "category"])
    table["category"] = table["category"].map(lambda name: [name])
    before = products.price_level(table, 3)
    assert np.abs(before).max() <= products.FARTHEST
    assert products.price_level(table.assign(price=table["price"] * 2), 3) == pytest.approx(before, abs=1e-5)


def test_sales_are_standardised_logs_of_the_products_that_were_met(described: ProductFeatures) -> None:
    """Logs of all time 0 0 0 ln 3: mean ln 3 / 4, deviation √3 of it. Of 30 days 1 0 0 0 likewise."""
    step = 1 / np.sqrt(3)
    assert described.sales[:, 0] == pytest.approx([np.nan, -step, -step, np.nan, -step, 3 * step], nan_ok=True)
    assert described.sales[:, 1] == pytest.approx([np.nan, 3 * step, -step, np.nan, -step, -step], nan_ok=True)
    assert described.met.tolist() == [False, True, True, False, True, True]


def test_age_is_the_log_of_days_in_years(described: ProductFeatures) -> None:
    assert described.age[:, 0] == pytest.approx([np.nan, np.log(365) / np.log(366), 0, np.nan, 0, 0], nan_ok=True)


def test_a_season_points_to_the_month_in_which_a_product_sells_more_than_the_shop() -> None:
    """A product that sells as the shop does has none; one of July alone points there, the more it sells the longer."""
    year = {month: [1] * 4 for month in range(12)}
    year[6] = [1] * 4 + [2] * 40 + [3]
    found = products.season(together(year))
    july = np.array([np.cos(2 * np.pi * 6.5 / 12), np.sin(2 * np.pi * 6.5 / 12)])
    length, rare = found[2] @ july, found[3] @ july
    assert 0.3 < length < 1
    assert 0 < rare < length / 5
    assert np.linalg.norm(found[2] - length * july) < 1e-6
    assert np.isnan(found[[0, 4, 5]]).all()


def test_equal_shares_in_every_month_are_no_season() -> None:
    assert products.season(together({month: [1, 2] for month in range(5)}))[1:3] == pytest.approx(np.zeros((2, 2)))


def test_three_months_show_no_season() -> None:
    assert np.isnan(products.season(together({month: [1] for month in range(3)}))).all()


def test_features_have_no_vectors_yet_and_come_back_from_their_file(described: ProductFeatures, tmp_path) -> None:
    assert described.text.shape == described.picture.shape == (6, 0)
    assert not described.known("text").any()
    assert len(described) == 6
    described.write(tmp_path / "p.npz")
    again = ProductFeatures.read(tmp_path / "p.npz")
    for name, value in vars(described).items():
        assert np.array_equal(getattr(again, name), value, equal_nan=value.dtype != np.int32)
        assert getattr(again, name).dtype == value.dtype
