"""Rankers of content, by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from tandem.features import histories, text
from tandem.features.dataset import Dataset
from tandem.params import CountingParams
from tandem.ranking.content import CosineOfLike, NearText, NearTitle, SameBrand, SameCategory, nearest
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


def test_titles_are_as_near_as_their_ngrams(three: Dataset, counting: CountingParams) -> None:
    grams = np.zeros((4, text.HASHES), np.float32)
    grams[1:, :2] = [[1, 0], [0, 1], [0.6, 0.8]]
    titled = replace(three, titles=sp.csr_array(grams))
    assert scores(NearTitle(counting), titled) == pytest.approx(np.array([[1, 0, 0.6], [0, 1, 0.8], [0.6, 0.8, 1]]))


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


@pytest.fixture
def launch(shop: Callable[..., Dataset]) -> Dataset:
    """a sold with d more than with e, b with e alone; n, only looked at, is as near to a as to b: by .6 and by .8."""
    known = shop([("u", "a d", 1), ("v", "a d", 2), ("u", "a e", 3), ("w", "b e", 4), ("w", "n", 1, "view")])
    assert known.vocabulary.ids == ("a", "b", "d", "e", "n")
    words = np.array([[np.nan] * 2, [1, 0], [0, 1], [-1, 0], [-1, 0], [0.6, 0.8]], np.float32)
    return replace(known, products=replace(known.products, text=words))


def test_all_that_any_of_the_like_goes_with_is_told(launch: Dataset, counting: CountingParams) -> None:
    """Though of each product the strongest partner alone is kept: d of a, e of b."""
    narrow = counting.model_copy(update={"neighbours": 1})
    own, like = WeightedCosine(narrow).fit(launch), CosineOfLike(narrow).fit(launch)
    weights = own.matrix.toarray()
    expected = np.array([0, 0, 0, 0.6 * weights[1, 3], 0.8 * weights[2, 4], 0])
    assert (expected > 0).sum() == 2
    asked = histories.of_products(np.array([5]), 6, launch.as_of_us)
    assert like.linear(asked)[0] == pytest.approx(expected)
    assert like.because(asked, np.array([[3, 4, 1]])).tolist() == [[5, 5, 0]]


def test_the_nearest_are_others_and_only_those_that_may_be() -> None:
    vectors = np.array([[0, 0], [1, 0], [1, 0], [0.6, 0.8]], np.float32)
    found = nearest(vectors, np.array([False, True, True, False])).toarray()
    assert found == pytest.approx(np.array([[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0.6, 0.6, 0]]))
