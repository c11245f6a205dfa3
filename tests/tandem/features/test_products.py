"""Product features by index."""

import numpy as np
import pytest

from tandem.features import products
from tandem.features.demand import Demand
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
    return products.describe(table, IDS, np.array([9, 0, 0, 0, 0, np.e**5 - 1]), Demand(daily, 0))


def test_a_category_is_a_path_not_a_name(described: ProductFeatures) -> None:
    """`cases` of phones and `cases` of tea are two categories; a missing level is 0."""
    assert described.category[:, 0].tolist() == [0, 1, 1, 2, 0, 0]
    assert described.category[:, 1].tolist() == [0, 0, 1, 2, 0, 0]
    assert not described.category[:, 2].any()


def test_brands_of_the_catalogue_are_numbered_from_one(described: ProductFeatures) -> None:
    assert described.brand.tolist() == [0, 1, 2, 2, 0, 0]


def test_a_price_is_compared_within_its_widest_category(described: ProductFeatures) -> None:
    """ln 1 and ln 4: mean ln 2, standard deviation √2 ln 2 (one degree of freedom), so ∓ 1/√2; alone: 0."""
    assert described.price == pytest.approx([0, -(2**-0.5), 2**-0.5, 0, 0, 0])
    assert described.price_known.tolist() == [0, 1, 1, 1, 0, 0]


def test_sales_are_standardised_logs(described: ProductFeatures) -> None:
    """Logs 0 0 0 0 5: mean 1, deviation 2. Logs 1 0 0 0 0: mean .2, deviation .4. The unknown product has none."""
    assert described.sales[:, 0] == pytest.approx([0, -0.5, -0.5, -0.5, -0.5, 2])
    assert described.sales[:, 1] == pytest.approx([0, 2, -0.5, -0.5, -0.5, -0.5])


def test_features_have_no_text_yet_and_come_back_from_their_file(described: ProductFeatures, tmp_path) -> None:
    assert described.text.shape == (6, 0)
    assert len(described) == 6
    described.write(tmp_path / "p.npz")
    again = ProductFeatures.read(tmp_path / "p.npz")
    for name, value in vars(described).items():
        assert getattr(again, name).tolist() == value.tolist()
        assert getattr(again, name).dtype == value.dtype
