"""Losses against sums worked out in plain NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses


def test_full_softmax_is_the_mean_surprise_of_what_was_taken() -> None:
    logits = np.log(np.array([[1.0, 2.0, 3.0, 4.0]], np.float32))
    taken = np.array([[0.0, 1.0, 0.0, 1.0]], np.float32)
    assert float(losses.full_softmax(logits, taken)[0]) == pytest.approx(-(np.log(0.2) + np.log(0.4)) / 2)


def test_sampled_softmax_corrects_draws_and_masks_hits_and_strangers() -> None:
    """Candidates a, b were taken in the batch; c, b, d are draws. The question took a alone, weight e^z = 2."""
    logits = np.log(np.array([[2.0, 5.0, 3.0, 5.0, 7.0]], np.float32))
    taken = np.array([[1.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    drawn = np.array([0.0, 0.0, 1.0, 1.0, 1.0], np.float32)
    log_expected = np.log(np.array([1.0, 1.0, 0.5, 2.0, 4.0], np.float32))
    total = 2.0 + 3.0 / 0.5 + 5.0 / 2.0 + 7.0 / 4.0  # b as taken by another question is left out
    loss = float(losses.sampled_softmax(logits, taken, drawn, log_expected)[0])
    assert loss == pytest.approx(-np.log(2.0 / total), rel=1e-5)


def test_an_accidental_hit_is_no_negative() -> None:
    """Drawing what was taken changes nothing."""
    logits = np.array([[1.0, 2.0, 9.0]], np.float32)
    taken = np.array([[1.0, 0.0, 1.0]], np.float32)  # the last column is a draw of the first product
    drawn, log_expected = np.array([0.0, 1.0, 1.0], np.float32), np.zeros(3, np.float32)
    loss = float(losses.sampled_softmax(logits, taken, drawn, log_expected)[0])
    assert loss == pytest.approx(np.log(np.exp(1) + np.exp(2)) - 1, rel=1e-5)


@settings(max_examples=25)
@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.integers(0, 5))
def test_drawing_everything_once_is_the_full_softmax(values: list[float], product: int) -> None:
    logits = np.array([values], np.float32)
    taken = np.zeros((1, 6), np.float32)
    taken[0, product] = 1
    full = float(losses.full_softmax(logits, taken)[0])
    columns = [product, *range(6)]
    drawn = np.array([0.0] + [1.0] * 6, np.float32)
    sampled = losses.sampled_softmax(logits[:, columns], taken[:, columns], drawn, np.zeros(7, np.float32))
    assert float(sampled[0]) == pytest.approx(full, abs=1e-5)


def test_a_question_that_took_nothing_costs_nothing() -> None:
    assert float(losses.full_softmax(np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32))[0]) == 0


def test_shares_are_a_softmax_over_what_is_allowed() -> None:
    logits = np.log(np.array([[1.0, 3.0, 100.0], [1.0, 1.0, 1.0]], np.float32))
    allowed = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    assert np.asarray(losses.shares(logits, allowed)) == pytest.approx(np.array([[0.25, 0.75, 0], [0, 0, 0]]))
