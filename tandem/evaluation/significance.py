"""How sure a mean over cases is: percentile bootstrap intervals, paired where two rankers meet."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_CELLS = 4_000_000
"""Resampling counts held at once."""


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds between which its resamples lie."""

    mean: float
    low: float
    high: float


def intervals(values: NDArray[np.floating], *, resamples: int, confidence: float, seed: int) -> list[Interval]:
    """Percentile bootstrap over cases, each column on the same resamples.

    Args:
        values: (cases, columns), at least one case.
        confidence: share of resampled means between the bounds, e.g. 0.95.

    Raises:
        ValueError: no case.

    Source: Efron 1979; on paired tests of rankings Sakai 2006.
    """
    if not len(values):
        raise ValueError("no case to resample")
    means = _resampled_means(values.astype(np.float64), resamples, np.random.default_rng(seed))
    outside = (1 - confidence) / 2
    low, high = np.quantile(means, [outside, 1 - outside], axis=0)
    return [Interval(float(m), float(a), float(b)) for m, a, b in zip(values.mean(axis=0), low, high, strict=True)]


def difference(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], *, resamples: int, confidence: float, seed: int
) -> Interval:
    """Interval of the mean of ours - theirs, (cases,) each, paired by case.

    Raises:
        ValueError: the two are not of the same cases.
    """
    return differences(ours[:, None], theirs[:, None], resamples=resamples, confidence=confidence, seed=seed)[0]


def differences(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], *, resamples: int, confidence: float, seed: int
) -> list[Interval]:
    """The same of each column of (cases, columns), on the same resamples.

    Raises:
        ValueError: the two are not of the same cases and columns.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{ours.shape} and {theirs.shape} cases cannot be paired")
    return intervals(ours - theirs, resamples=resamples, confidence=confidence, seed=seed)


def resamples_of(cases: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Blocks (draws, cases) of how often each resample holds each case; it draws as many as there are."""
    at_once = max(1, BLOCK_CELLS // cases)
    for start in range(0, resamples, at_once):
        draws = min(at_once, resamples - start)
        drawn = rng.integers(cases, size=(draws, cases)) + cases * np.arange(draws)[:, None]
        yield np.bincount(drawn.ravel(), minlength=draws * cases).reshape(draws, cases)


def _resampled_means(values: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(resamples, columns)."""
    return np.concatenate([counts @ values / len(values) for counts in resamples_of(len(values), resamples, rng)])
