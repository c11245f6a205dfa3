"""How the benchmark of sentiment measures calibration."""

import numpy as np
import pytest

from benchmarks.sentiment import ece


def test_each_of_fifteen_bins_is_compared_with_its_own_share() -> None:
    """P = k / 14 for two reviews each, one of them good: |k / 14 - 1/2| sums to 2 (1 + … + 7) / 14 = 4 over the bins.

    Over all together the mean of P is that of the good ones, 1/2: faults of different bins do not make up for each
    other.
    """
    p = np.repeat(np.arange(15) / 14, 2)
    good = np.tile([0, 1], 15)
    mixed = np.random.default_rng(3).permutation(30)
    assert ece(p[mixed], good[mixed]) == pytest.approx(4 / 15)


def test_probabilities_that_come_true_have_no_error() -> None:
    """Two bins' worth of sure ones and thirteen of which half come true, two reviews each."""
    p = np.array([0.0] * 2 + [0.5] * 26 + [1.0] * 2)
    good = np.array([0, 0] + [0, 1] * 13 + [1, 1])
    assert ece(p, good) == pytest.approx(0.0)
