"""The fusion network: what is known is mixed, what is missing takes no part."""

from dataclasses import replace

import numpy as np
import pytest

from models.products import FusedProducts
from tandem.features.products import ProductFeatures

NAN = np.nan


def features(**changes: np.ndarray) -> ProductFeatures:
    """Three products after the unknown one: all known, no text, nothing known."""
    nothing = np.full((4, 1), NAN, np.float32)
    plain = ProductFeatures(
        category=np.array([[0, 0], [1, 1], [1, 0], [0, 0]], np.int32),
        brand=np.zeros((4, 1), np.int32),
        price=np.array([[NAN], [2.0], [-1.0], [NAN]], np.float32),
        sales=nothing,
        season=nothing,
        age=nothing,
        sentiment=nothing,
        text=np.array([[NAN] * 3, [0.6, 0.0, 0.8], [NAN] * 3, [NAN] * 3], np.float32),
        picture=np.zeros((4, 0), np.float32),
    )
    return replace(plain, **changes)


ASKED = ("category", "brand", "price", "text", "picture")


@pytest.fixture
def fused() -> FusedProducts:
    return FusedProducts(features(), 5, ASKED)


def of_parts(fused: FusedProducts) -> dict[str, np.ndarray]:
    return {name: np.asarray(part.table()) for name, part in zip(fused.names, fused.parts, strict=True)}


def test_modalities_of_which_nothing_is_known_are_left_out(fused: FusedProducts) -> None:
    assert fused.names == ["category", "price", "text"]


def test_at_first_a_vector_is_the_mean_of_what_is_known_times_the_modalities(fused: FusedProducts) -> None:
    part, found = of_parts(fused), np.asarray(fused.table())
    assert found[1] == pytest.approx(part["category"][1] + part["price"][1] + part["text"][1], abs=1e-6)
    assert found[2] == pytest.approx(3 * (part["category"][2] + part["price"][2]) / 2, abs=1e-6)
    assert not found[[0, 3]].any()


def test_attention_follows_the_query_and_never_what_is_missing(fused: FusedProducts) -> None:
    """A query along the price's vector of product 2, and a bias of 50 for text, which that product lacks."""
    price = of_parts(fused)["price"][2]
    query = np.zeros((3, 5), np.float32)
    query[1] = 10 * price / (price @ price)
    fused.query.assign(query)
    fused.bias.assign([0.0, 0.0, 50.0])
    attention = fused.attention()
    odds = np.exp(10 / np.sqrt(5))
    assert attention[2] == pytest.approx([1 / (1 + odds), odds / (1 + odds), 0], abs=1e-6)
    assert attention[1, 2] > 0.99
    assert attention.sum(axis=1) == pytest.approx([0, 1, 1, 0], abs=1e-6)


def test_a_known_zero_is_not_a_missing_value() -> None:
    price = np.array([[NAN], [0.0], [-1.0], [NAN]], np.float32)
    assert FusedProducts(features(price=price), 5, ASKED).attention()[1].tolist() == pytest.approx([1 / 3] * 3)


def test_without_any_modality_vectors_are_zero() -> None:
    assert np.asarray(FusedProducts(features(), 5, ("brand", "sales")).table()).tolist() == np.zeros((4, 5)).tolist()


def test_rows_are_those_of_the_whole_table(fused: FusedProducts) -> None:
    rows = np.array([2, 0, 1, 2])
    assert np.asarray(fused.table(rows)) == pytest.approx(np.asarray(fused.table())[rows], abs=1e-6)
    nothing = FusedProducts(features(), 5, ("brand",))
    assert np.asarray(nothing.table(rows)).shape == (4, 5)
