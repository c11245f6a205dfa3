"""N-grams that are there or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sentiment import terms


def test_only_what_enough_texts_have_is_known() -> None:
    """Of ab, ac and a, all three have a; two have nothing else in common."""
    texts = ["ab", "ac", "a"]
    assert [len(terms.columns(terms.hashed(texts), least)) for least in (1, 2, 3, 4)] == [5, 1, 1, 0]  # a b c ab ac


def test_a_text_shares_what_it_is_among_its_known_terms() -> None:
    """ab has a, b, ab: 1/√3 each, however often they stand in it; abab has ba, aba and bab besides, unknown to it."""
    known = terms.columns(terms.hashed(["ab"]), 1)
    rows = terms.matrix(terms.hashed(["ab", "abab", "a", "x", ""]), known).toarray()
    assert np.sort(rows, axis=1) == pytest.approx(
        np.sort([[3**-0.5] * 3, [3**-0.5] * 3, [1, 0, 0], [0] * 3, [0] * 3], axis=1)
    )


def test_forms_of_one_character_are_one() -> None:
    known = terms.columns(terms.hashed(["red mug"]), 1)
    wide, plain = terms.matrix(terms.hashed(["ＲＥＤ　ｍｕｇ", "red mug"]), known).toarray()
    assert np.array_equal(wide, plain)


def test_texts_without_a_character_know_nothing() -> None:
    assert terms.columns(terms.hashed(["", " "]), 1).tolist() == []
    assert terms.matrix(terms.hashed(["a"]), np.zeros(0, np.int64)).shape == (1, 0)
    assert terms.matrix(terms.hashed([]), np.array([5])).shape == (0, 1)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_rows_have_length_one_or_zero(texts: list[str]) -> None:
    rows = terms.matrix(terms.hashed(texts), terms.columns(terms.hashed(texts[:2]), 1))
    lengths = np.sqrt(rows.power(2).sum(axis=1))
    assert np.all((lengths == 0) | (np.abs(lengths - 1) < 1e-5))
