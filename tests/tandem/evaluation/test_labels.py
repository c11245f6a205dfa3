"""Metrics of labelled pairs: equal to scikit-learn's, with intervals that know that a product's pairs go together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tandem.errors import EvaluationError
from tandem.evaluation.labels import (
    Ordered,
    average_precision,
    clustered,
    reliability,
    roc_auc,
)

HOW = {"resamples": 400, "confidence": 0.95, "seed": 7}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=30))
@settings(max_examples=200, deadline=None)
def test_both_are_scikit_learns_with_any_ties_and_weights(pairs: list[tuple[bool, int, int]]) -> None:
    label, score, weight = (np.array(column) for column in zip(*pairs, strict=True))
    if not weight[label].sum() or not weight[~label].sum():
        return
    ordered = Ordered.of(label, score.astype(float))
    assert roc_auc(ordered, weight.astype(float)) == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    found = average_precision_score(label, score, sample_weight=weight)
    assert average_precision(ordered, weight.astype(float)) == pytest.approx(found)


def test_by_hand() -> None:
    """True at places 1 and 3 of four: 3 of the 4 pairs (true, false) are in order; precision 1/1 and 2/3."""
    ordered = Ordered.of(np.array([1, 0, 1, 0]), np.array([4.0, 3.0, 2.0, 1.0]))
    assert roc_auc(ordered, np.ones(4)) == pytest.approx(3 / 4)
    assert average_precision(ordered, np.ones(4)) == pytest.approx((1 + 2 / 3) / 2)


def test_copies_of_a_products_pairs_make_no_interval_narrower() -> None:
    rng = np.random.default_rng(3)
    label = rng.random(200) < 0.5
    score = label + rng.normal(size=200)
    once = clustered(roc_auc, label, score, np.arange(200), **HOW)
    copied = clustered(roc_auc, np.tile(label, 9), np.tile(score, 9), np.tile(np.arange(200), 9), **HOW)
    assert (copied.mean, copied.low, copied.high) == pytest.approx((once.mean, once.low, once.high))
    assert once.low < once.mean < once.high


def test_an_interval_holds_the_truth_about_as_often_as_it_says_only_if_it_knows_of_clusters() -> None:
    """Normal scores one deviation apart: the true area is Φ(1/√2) = .760. Products give all their pairs one label."""
    rng, held = np.random.default_rng(5), {"cluster": 0, "pair": 0}
    for trial in range(100):
        cluster = np.repeat(np.arange(150), 4)
        label = (rng.random(150) < 0.5)[cluster]
        score = label + np.sqrt(0.8) * rng.normal(size=150)[cluster] + np.sqrt(0.2) * rng.normal(size=600)
        for of, member in (("cluster", cluster), ("pair", np.arange(600))):
            found = clustered(roc_auc, label, score, member, resamples=100, confidence=0.9, seed=trial)
            held[of] += found.low <= 0.7602 <= found.high
    assert 83 <= held["cluster"] <= 97
    assert held["pair"] < 75


@pytest.mark.parametrize(
    ("label", "score", "told"),
    [([1, 0], [1.0], "2 labels and 1 scores"), ([1, 1], [1.0, 2.0], "alike"), ([1, 0], [np.nan, 1.0], "1 of 2 scores")],
)
def test_what_cannot_be_told_apart_is_refused(label: list, score: list, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        Ordered.of(np.array(label), np.array(score))


def test_each_bin_is_held_against_its_own_share() -> None:
    """P = k / 14 for two pairs each, one of them true: |k / 14 - 1/2| sums to 2 (1 + … + 7) / 14 = 4 over the bins.

    Over all together the mean of P is that of the true ones, 1/2: faults of different bins do not make up for each
    other.
    """
    p = np.repeat(np.arange(15) / 14, 2)
    label = np.tile([0, 1], 15)
    mixed = np.random.default_rng(3).permutation(30)
    found = reliability(label[mixed], p[mixed])
    assert found.mass.tolist() == [2] * 15
    assert found.said == pytest.approx(np.arange(15) / 14)
    assert found.true.tolist() == [0.5] * 15
    assert found.ece == pytest.approx(4 / 15)


def test_equal_probabilities_are_judged_together_and_each_pair_by_its_weight() -> None:
    """Ten pairs at .25, three true; thirty at .95 and ten at 1, all true; of those at .25 each stands for three."""
    p = np.repeat([0.25, 0.95, 1.0], [10, 30, 10])
    label = np.repeat([1, 0, 1], [3, 7, 40])
    weight = np.repeat([3.0, 1.0], [10, 40])
    found = reliability(label, p, weight, bins=10)
    assert found.mass.tolist() == [30, 30, 10]
    assert found.true == pytest.approx([0.3, 1, 1])
    assert found.said == pytest.approx([0.25, 0.95, 1])
    assert found.ece == pytest.approx((30 * 0.05 + 30 * 0.05) / 70)


@pytest.mark.parametrize("p", [[], [0.5, 1.2], [-0.1]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    with pytest.raises(EvaluationError, match="probabilities"):
        reliability(np.ones(len(p)), np.array(p))
