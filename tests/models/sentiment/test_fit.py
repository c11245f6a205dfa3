"""Training: what stars want, what is held out, what calibration does, what is refused."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.sentiment import fit, network, terms
from models.sentiment.errors import SentimentError
from models.sentiment.head import read


def test_three_stars_are_half_good_and_half_bad() -> None:
    assert fit.target(np.array([1, 2, 3, 4, 5])).tolist() == [0, 0, 0.5, 1, 1]


def test_log_loss_is_that_of_the_book() -> None:
    """P = 3/4 for a good one, 1/2 for a half good one: (-ln 3/4 + ln 2) / 2."""
    assert fit.log_loss(np.log([3.0, 1]), np.array([1, 0.5])) == pytest.approx((np.log(4 / 3) + np.log(2)) / 2)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=40))
def test_equal_texts_stay_on_one_side(rows) -> None:
    texts, wanted = [text for text, _ in rows], np.array([of for _, of in rows], np.float32)
    held = fit.held_out(texts, wanted, 0.3, np.random.default_rng(0))
    assert {t for t, h in zip(texts, held, strict=True) if h}.isdisjoint(
        t for t, h in zip(texts, held, strict=True) if not h
    )
    assert len({t for t, h in zip(texts, held, strict=True) if h}) == int(0.3 * len(set(texts)) + 1e-9)


def test_of_each_kind_the_same_share_is_held_out() -> None:
    texts, wanted = [str(n) for n in range(100)], np.repeat([0, 1], [20, 80]).astype(np.float32)
    held = fit.held_out(texts, wanted, 0.25, np.random.default_rng(0))
    assert (held[:20].sum(), held[20:].sum()) == (5, 20)


def test_calibration_is_logistic_regression_on_platts_targets() -> None:
    """Rows of both kinds weighed by the target: what scikit-learn minimises without a penalty."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=500)
    wanted = (rng.random(500) < expit(3 * logits - 1)).astype(np.float32)
    good = wanted.sum()
    hoped = np.where(wanted == 1, (good + 1) / (good + 2), 1 / (500 - good + 2))
    book = LogisticRegression(C=np.inf, tol=1e-8).fit(
        np.tile(logits, 2)[:, None], np.repeat([1, 0], 500), np.concatenate([hoped, 1 - hoped])
    )
    assert fit.calibrated(logits, wanted) == pytest.approx([book.coef_[0, 0], book.intercept_[0]], abs=1e-3)


def test_a_head_that_is_too_sure_learns_to_doubt() -> None:
    """Logits three times too large and one too low: on others of their kind the log loss is that of the true ones."""
    rng = np.random.default_rng(2)
    true = rng.normal(0, 2, size=(2, 5000))
    wanted = (rng.random(true.shape) < expit(true)).astype(np.float32)
    slope, shift = fit.calibrated(3 * true[0] - 1, wanted[0])
    best, raw = fit.log_loss(true[1], wanted[1]), fit.log_loss(3 * true[1] - 1, wanted[1])
    assert raw > best + 0.2
    assert fit.log_loss(slope * (3 * true[1] - 1) + shift, wanted[1]) == pytest.approx(best, abs=0.005)


def test_a_head_without_a_mistake_is_not_believed_without_end() -> None:
    """Two points and two numbers: P is Platt's target itself, 3/4 of 2 good ones and 1/4 of 2 bad ones."""
    slope, shift = fit.calibrated(np.array([5.0, 5, -5, -5]), np.array([1, 1, 0, 0], np.float32))
    assert expit(slope * np.array([5, -5]) + shift) == pytest.approx([3 / 4, 1 / 4], abs=1e-4)


@pytest.mark.parametrize(
    ("wanted", "said"), [([1.0] * 40, "40 good and 0 bad"), ([0.5] * 40, "0 good and 0 bad"), ([], "0 good and 0 bad")]
)
def test_one_kind_alone_is_refused(params: Callable, wanted: list[float], said: str) -> None:
    texts = [f"text {n}" for n in range(len(wanted))]
    with pytest.raises(SentimentError, match=f"{said} reviews with words; sentiment.min_reviews = 10 of each fit"):
        fit.fit(texts, np.zeros((len(texts), 0), np.float32), np.array(wanted, np.float32), params())


def test_numpy_and_keras_say_the_same(params: Callable) -> None:
    texts = ["good delivery", "差", "", "nothing known 🎁"]
    columns = terms.columns(terms.hashed(texts[:2]), 1)
    words = read(texts, np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32), columns)
    made = network.Network(len(columns), words.dense.shape[1], params())
    expected = made(network.inputs(words)).numpy()
    assert made.head(columns).logits(words) == pytest.approx(expected, abs=1e-6)
    assert len(set(expected.tolist())) == 4


def test_batches_hold_each_review_once() -> None:
    """Of 201 reviews four fit: 51 batches; so that there are 50 of 60 reviews, batches shrink."""
    for count, sizes in ((201, {3, 4}), (60, {1, 2}), (3, {1})):
        texts = [f"n{n}" for n in range(count)]
        words = read(texts, np.zeros((count, 0), np.float32), terms.columns(terms.hashed(texts), 1))
        batches = network.Batches(words, np.arange(count, dtype=np.float32), size=4, seed=0)
        first, second = ([wanted for _, wanted in batches.epoch()] for _ in range(2))
        assert {len(wanted) for wanted in first} == sizes
        assert len(first) == len(batches) == {201: 51, 60: 50, 3: 3}[count]
        assert sorted(np.concatenate(first)) == list(range(count)) == sorted(np.concatenate(second))
        assert not np.array_equal(np.concatenate(first), np.concatenate(second)) or count == 3


def test_too_few_different_texts_are_refused(params: Callable) -> None:
    """A fifth of four texts is none: nothing would be left to calibrate on."""
    texts, wanted = ["good", "fine", "bad", "poor"] * 20, np.array([1, 1, 0, 0] * 20, np.float32)
    with pytest.raises(SentimentError, match=r"4 different texts; a share of 0\.2 of them is none"):
        fit.fit(texts, np.zeros((80, 0), np.float32), wanted, params())
