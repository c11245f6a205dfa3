import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import bootstrap

from tandem.evaluation import significance
from tandem.evaluation.significance import clustered, difference, intervals

HOW = {"resamples": 1000, "confidence": 0.95, "seed": 7}


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    samples = rng.exponential(size=(300, 120))  # true mean 1
    found = [intervals(sample[:, None], resamples=400, confidence=0.9, seed=i)[0] for i, sample in enumerate(samples)]
    share = np.mean([interval.low <= 1 <= interval.high for interval in found])
    assert 0.83 < share < 0.95


def test_the_bounds_are_scipys() -> None:
    values = np.random.default_rng(5).normal(size=400)
    ours = intervals(values[:, None], resamples=5000, confidence=0.95, seed=1)[0]
    theirs = bootstrap((values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(2))
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.01)


def test_pairing_sees_a_small_steady_difference_that_single_intervals_do_not() -> None:
    theirs = np.random.default_rng(5).uniform(size=300)
    ours = theirs + 0.01
    single = intervals(np.stack([ours, theirs], axis=1), **HOW)
    assert single[0].low < single[1].high
    found = difference(ours, theirs, **HOW)
    assert found.low == pytest.approx(0.01)
    assert found.high == pytest.approx(0.01)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)))
@settings(max_examples=40)
def test_the_mean_lies_between_the_extremes_and_bounds_are_in_order(values: np.ndarray) -> None:
    found = intervals(values[:, None], resamples=100, confidence=0.9, seed=0)[0]
    assert values.min() - 1e-9 <= found.low <= found.high <= values.max() + 1e-9
    assert found.mean == pytest.approx(values.mean())


def test_the_same_seed_gives_the_same_bounds_however_memory_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).normal(size=(50, 2))
    whole = intervals(values, **HOW)
    monkeypatch.setattr(significance, "BLOCK_CELLS", 500)
    assert intervals(values, **HOW) == whole


def test_nothing_to_resample_is_refused() -> None:
    with pytest.raises(ValueError, match="no case"):
        intervals(np.zeros((0, 1)), **HOW)
    with pytest.raises(ValueError, match="no case"):
        clustered(np.sum, np.zeros(0), **HOW)


def test_different_cases_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        difference(np.zeros(3), np.zeros(4), **HOW)


def test_rows_of_one_cluster_are_drawn_together() -> None:
    """Two clusters: a resample holds the first only, the second only, or both, so the mean is 0, 1 or 1/2."""
    cluster, value = np.repeat([4, 9], [10, 10]), np.repeat([0.0, 1.0], [10, 10])
    seen = set()

    def mean(weight: np.ndarray) -> float:
        seen.add(round(float(weight @ value / weight.sum()), 6))
        return float(weight @ value / weight.sum())

    found = clustered(mean, cluster, **HOW)
    assert (found.mean, found.low, found.high) == (0.5, 0, 1)
    assert seen == {0, 0.5, 1}
