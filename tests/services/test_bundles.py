"""Whole sets beside pairs, with what was counted of them."""

import pytest

from services import answers
from services.schemas import Bundle, Product, Related
from services.shelf import Shelf


def bundles(shop: Shelf, product_id: str, **question) -> list[Bundle]:
    return answers.related(shop, Related(product_id=product_id, **question)).bundles


def others(found: list[Bundle]) -> list[list[str]]:
    return [[product.product_id for product in bundle.products] for bundle in found]


def test_a_bundle_tells_its_other_products_and_counts(shop: Shelf) -> None:
    first, second = bundles(shop, "phone-a")
    assert first == Bundle(
        products=[
            Product(product_id="case-a", title="Case A", price=20.0, currency="EUR"),
            Product(product_id="cable", title="Cable", price=5.0, currency="EUR"),
        ],
        baskets=2, expected=0.04, lift=49.95, probability=0.6667,
        reason="bought together with Phone A in 2 baskets, by chance in 0.04",
    )  # fmt: skip
    assert others([second]) == [["phone-b", "case-b", "case-a"]]


def test_the_probability_is_of_the_product_asked_about(shop: Shelf) -> None:
    assert [bundle.probability for bundle in bundles(shop, "case-b")] == [0.5, 0.5]  # in one of its two baskets each
    assert [bundle.probability for bundle in bundles(shop, "cable")] == [0.6667, 0.3333]  # in two of three, in one


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"exclude": ["cable"]}, [["phone-b", "case-b", "case-a"]]),
        ({"exclude": ["case-a"]}, []),
        ({"price_max": 20}, [["case-a", "cable"]]),  # the product asked about costs more, and stays
        ({"brand": "Acme"}, []),
    ],
)
def test_a_bundle_with_a_product_that_is_not_allowed_is_left_out(shop: Shelf, filters: dict, expected: list) -> None:
    assert others(bundles(shop, "phone-a", filters=filters)) == expected


def test_a_product_without_bundles_has_an_empty_list(shop: Shelf) -> None:
    assert bundles(shop, "tea") == []
