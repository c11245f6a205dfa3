"""Which texts belong together, how much each pair counts, and that no product is on both sides of a split."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.text.errors import EncoderError
from models.text.pairs import Pairs, gather, split

from . import small

PARAMS = small.PARAMS


def made(baskets: list[list[int]], titles: list, descriptions: list | None = None, **changes: Any) -> Pairs:
    """Of baskets as lists of products."""
    cells = [(row, product) for row, basket in enumerate(baskets) for product in basket]
    rows, columns = np.array(cells, np.int64).reshape(-1, 2).T
    content = sp.csr_array((np.ones(len(cells)), (rows, columns)), shape=(len(baskets), len(titles)))
    return gather(content, titles, descriptions, PARAMS.model_copy(update=changes))


def named(pairs: Pairs) -> dict[tuple[str, str], float]:
    """Weight by the texts of the ends."""
    ends = ((pairs.texts[left], pairs.texts[right]) for left, right in pairs.ends)
    return dict(zip(ends, pairs.weight.tolist(), strict=True))


def test_small_baskets_count_more_and_best_sellers_less() -> None:
    """Baskets {a, b}, {a, b, c}: together(a, b) = 1 + 1/2, with c 1/2; a and b are in two baskets, c is in one.

    weight(a, b) = 1.5 / 2, with c 0.5 / √2; all three made to sum to 3 titles.
    """
    found = named(made([[0, 1], [0, 1, 2], [2]], ["a", "b", "c"]))
    expected = np.array([0.75, 0.5 / np.sqrt(2), 0.5 / np.sqrt(2)])
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert list(found.values()) == pytest.approx(expected * 3 / expected.sum())


def test_only_the_strongest_partners_of_either_end_are_pairs() -> None:
    """c is the strongest partner of d, but not d of c."""
    baskets = [[0, 1]] * 3 + [[1, 2]] * 2 + [[2, 3]] + [[2, 4]] * 3
    assert set(named(made(baskets, list("abcde"), partners=1))) == {("a", "b"), ("c", "d"), ("c", "e")}


def test_a_pair_needs_so_many_baskets() -> None:
    assert set(named(made([[0, 1], [0, 1], [1, 2]], list("abc"), min_baskets=2))) == {("a", "b")}


def test_equal_titles_are_one_and_blank_ones_none() -> None:
    """Products 0 and 3 are both `a`: a basket of the two holds one title."""
    found = made([[0, 1], [3, 1], [0, 3], [2, 1], [4, 1]], ["a", "b", " ", "a ", None])
    assert found.texts == ("a", "b")
    assert set(named(found)) == {("a", "b")}


def test_a_title_and_its_description_are_a_pair() -> None:
    """Boilerplate of two titles, blanks and what is a title itself teach nothing."""
    descriptions = ["of a", "same", "same", "a", None, "of a"]
    found = made([], ["a", "b", "c", "d", "e", "a"], descriptions)
    assert found.texts == ("a", "b", "c", "d", "e", "of a")
    assert named(found) == {("a", "of a"): 1.0}
    assert found.owner.tolist() == [0, 1, 2, 3, 4, 0]


def test_both_kinds_count_by_their_titles() -> None:
    """Three titles are bought together, one is described."""
    found = named(made([[0, 1, 2]], list("abc"), ["of a", None, None]))
    assert found.pop(("a", "of a")) == pytest.approx(1)
    assert sum(found.values()) == pytest.approx(3)


def test_texts_and_products_must_be_as_many() -> None:
    with pytest.raises(EncoderError, match="2 titles came for baskets of 3 products"):
        gather(sp.csr_array((1, 3)), ["a", "b"], None, PARAMS)
    with pytest.raises(EncoderError, match="1 descriptions came for baskets of 2 products"):
        gather(sp.csr_array((1, 2)), ["a", "b"], ["c"], PARAMS)


@given(
    st.lists(st.lists(st.integers(0, 19), unique=True, max_size=6), max_size=30),
    st.lists(st.integers(0, 14), min_size=20, max_size=20),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
def test_no_product_is_in_two_parts(baskets: list, titles: list[int], held_out: float, seed: int) -> None:
    """Some products share a title; every other one is described. Each part is made of whole products."""
    descriptions = [f"about {n}" if n % 2 else None for n in range(20)]
    pairs = made(baskets, [f"title {n}" for n in titles], descriptions)
    parts = split(pairs, held_out, seed)
    texts = [set(part.texts) for part in parts]
    assert sum(map(len, texts)) == len(set.union(*texts)) == len(pairs.texts)
    of = {pairs.texts[text]: pairs.texts[owner] for text, owner in enumerate(pairs.owner)}
    titles_in_held_out = 0
    for part, mine in zip(parts, texts, strict=True):
        assert {of[text] for text in mine} <= mine
        assert set(named(part)) == {ends for ends in named(pairs) if set(ends) <= mine}
        titles_in_held_out += 0 if part is parts.train else len({of[text] for text in mine})
    assert titles_in_held_out <= held_out * len(set(titles)) + 1


def test_of_pairs_that_share_no_product_the_share_is_held_out() -> None:
    """Fifty pairs of a hundred titles; of 0.4, ten pairs judge and ten choose."""
    pairs = made([[2 * n, 2 * n + 1] for n in range(50)], [f"title {n}" for n in range(100)])
    assert [len(part) for part in split(pairs, 0.4, seed=1)] == [30, 10, 10]
    again, other = split(pairs, 0.4, seed=1), split(pairs, 0.4, seed=2)
    assert again.test.texts == split(pairs, 0.4, seed=1).test.texts != other.test.texts
