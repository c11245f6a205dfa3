"""Draws with known odds."""

import numpy as np
import scipy.sparse as sp

from models.candidates import Candidates

MET = np.array([False, True, True, False])
TAKEN = sp.csr_array(np.array([[0, 1, 1, 0], [0, 1, 0, 0]], float))


def test_without_draws_every_product_that_was_met_is_a_candidate() -> None:
    chosen, extra = Candidates.of(TAKEN, MET, None).choose(np.array([1]), np.random.default_rng(7))
    assert chosen.tolist() == [1, 2]
    assert extra == {}


def test_the_expected_number_of_draws_is_what_is_drawn_on_average() -> None:
    candidates = Candidates.of(TAKEN, MET, 20_000)
    chosen, extra = candidates.choose(np.array([2]), np.random.default_rng(7))
    assert chosen[0] == 2
    assert extra["drawn"][0] == 0
    draws, expected = chosen[1:], np.exp(extra["log_expected"][1:])
    odds = 2**0.75 / (2**0.75 + 1)
    assert set(draws.tolist()) == {1, 2}
    assert np.isclose((draws == 1).mean(), odds, atol=0.01)
    assert np.allclose(expected[draws == 1], 20_000 * odds)


def test_half_of_the_draws_are_hard_ones_and_odds_say_so() -> None:
    taken = sp.csr_array(np.array([[0, 1, 1, 1, 1]], float))
    hard = np.array([False, False, False, True, True])
    chosen, extra = Candidates.of(taken, taken.toarray()[0] > 0, 40_000).choose(
        np.array([1]), np.random.default_rng(7), hard
    )
    draws, expected = chosen[1:], np.exp(extra["log_expected"][1:])
    for product, odds in ((1, 0.125), (3, 0.375)):  # ¼ · ½, and ¼ · ½ + ½ · ½
        assert np.isclose((draws == product).mean(), odds, atol=0.01)
        assert np.allclose(expected[draws == product], 40_000 * odds)


def test_where_nothing_is_hard_draws_are_as_ever() -> None:
    candidates, none = Candidates.of(TAKEN, MET, 50), np.zeros(4, bool)
    plain, with_none = (
        candidates.choose(np.array([1]), np.random.default_rng(7), *rest)[0].tolist() for rest in ((), (none,))
    )
    assert plain == with_none
