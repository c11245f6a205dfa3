"""Rankers of content, by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tandem.features import histories
from tandem.features.dataset import Dataset
from tandem.params import CountingParams
from tandem.ranking.content import CosineOfLike, NearText, SameBrand, SameCategory, nearest
from tandem.ranking.neighbours import WeightedCosine


@pytest.fixture
def three(shop: Callable[..., Dataset]) -> Dataset:
    """a and b sold together; c was looked at, its words are those of a; b's stand at a right angle."""
    known = shop([("u", "a b", 1), ("v", "a b", 2), ("w", "c", 1, "view")])
    words = np.array([[np.nan, np.nan], [1, 0], [0, 1], [1, 0]], np.float32)
    sheet = replace(
        known.products,
        category=np.array([[0, 0], [1, 1], [1, 2], [2, 0]], np.int32),
        brand=np.array([[0], [1], [0], [1]], np.int32),
        text=words,
    )
    return replace(known, products=sheet)


def scores(ranker: object, known: Dataset) -> list[list[float]]:
    asked = histories.of_products(np.array([1, 2, 3]), 4, known.as_of_us)
    return ranker.fit(known).scores(asked, known.demand)[:, 1:].tolist()  # type: ignore[attr-defined]


def test_words_are_as_near_as_their_vectors(three: Dataset, counting: CountingParams) -> None:
    assert scores(NearText(counting), three) == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_shared_levels_count_and_what_is_unknown_is_not_shared(three: Dataset, counting: CountingParams) -> None:
    assert scores(SameCategory(counting), three) == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 0.5]]
    assert scores(SameBrand(counting), three) == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]


def test_a_product_without_baskets_goes_with_what_its_like_goes_with(three: Dataset, counting: CountingParams) -> None:
    """c's like is a, which goes with b alone; a's like c was never sold, so a has nobody to stand in for it."""
    own = WeightedCosine(counting).fit(three).matrix.toarray()
    like = CosineOfLike(counting).fit(three).of_products(np.arange(4)).toarray()
    assert like[3].tolist() == own[1].tolist()
    assert own[1, 2] > 0
    assert not like[1].any()


def test_the_nearest_are_others_and_only_those_that_may_be() -> None:
    vectors = np.array([[0, 0], [1, 0], [1, 0], [0.6, 0.8]], np.float32)
    found = nearest(vectors, np.array([False, True, True, False])).toarray()
    assert found == pytest.approx(np.array([[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0.6, 0.6, 0]]))
