"""How well scores of pairs tell labels apart, and how far probabilities can be believed.

The pairs of one product stand and fall together, so intervals resample products (antecedents) with all their pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tandem.errors import EvaluationError
from tandem.evaluation import significance
from tandem.evaluation.significance import Interval

Metric = Callable[["Ordered", NDArray[np.float64]], float]


@dataclass(frozen=True)
class Ordered:
    """Labels in order of their score, highest first: sorted once for all resamples."""

    label: NDArray[np.bool_]  # (pairs,)
    ends: NDArray[np.int64]  # (distinct scores,) place of the last pair of each
    order: NDArray[np.int64]  # (pairs,) where each stood before

    @classmethod
    def of(cls, label: NDArray, score: NDArray[np.floating]) -> "Ordered":
        """Labels 0 or 1 by their scores.

        Raises:
            EvaluationError: sizes that differ, a score that is no number, or labels of one kind only.
        """
        if len(label) != len(score):
            raise EvaluationError(f"{len(label)} labels and {len(score)} scores: one score for each label is needed")
        if not np.isfinite(score).all():
            raise EvaluationError(f"{(~np.isfinite(score)).sum()} of {len(score)} scores are no numbers")
        truth = np.asarray(label).astype(bool)
        if truth.all() or not truth.any():
            raise EvaluationError(f"all {len(truth)} labels are alike: there is nothing to tell apart")
        order = np.argsort(-np.asarray(score), kind="stable")
        ends = np.append(np.flatnonzero(np.diff(np.asarray(score)[order])), len(order) - 1)
        return cls(truth[order], ends, order)

    def found(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(distinct scores,) weight of the true and of the false labels down to each score.

        Args:
            weight: (pairs,) in the order before sorting.
        """
        sorted_weight = weight[self.order]
        true = np.cumsum(np.where(self.label, sorted_weight, 0.0))[self.ends]
        return true, np.cumsum(sorted_weight)[self.ends] - true


def roc_auc(ordered: Ordered, weight: NDArray[np.float64]) -> float:
    """P(a true label scores above a false one), ties counting half; NaN where the weights leave one kind.

    Equal to scikit-learn's `roc_auc_score` with `sample_weight`. Source: Hanley & McNeil 1982.
    """
    true, false = ordered.found(weight)
    if not true[-1] or not false[-1]:
        return float("nan")
    steps = np.diff(false, prepend=0.0)
    return float(steps @ (true - np.diff(true, prepend=0.0) / 2)) / float(true[-1] * false[-1])


def average_precision(ordered: Ordered, weight: NDArray[np.float64]) -> float:
    """Σ_n (R_n - R_{n-1}) P_n over the distinct scores, best first; NaN where the weights leave no true label.

    Equal to scikit-learn's `average_precision_score` with `sample_weight`.
    """
    true, false = ordered.found(weight)
    if not true[-1]:
        return float("nan")
    steps, total = np.diff(true, prepend=0.0), true + false
    return float(steps @ (true / np.where(total > 0, total, 1.0))) / float(true[-1])


def clustered(
    metric: Metric,
    label: NDArray,
    score: NDArray[np.floating],
    cluster: NDArray,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """The metric over all pairs, and its percentile bootstrap interval over clusters.

    Args:
        label: (pairs,) 0 or 1.
        cluster: (pairs,) whatever names the antecedent.

    Raises:
        EvaluationError: as `Ordered.of`.

    Source: the cluster bootstrap, Davison & Hinkley 1997, section 3.8.
    """
    figure = partial(metric, Ordered.of(label, score))
    return significance.clustered(figure, cluster, resamples=resamples, confidence=confidence, seed=seed)


@dataclass(frozen=True)
class Reliability:
    """What came true of what was said, by bins of the probability; bins without pairs are left out."""

    mass: NDArray[np.float64]  # (bins,) weight of the pairs
    said: NDArray[np.float64]  # (bins,) mean probability
    true: NDArray[np.float64]  # (bins,) share that came true

    @property
    def ece(self) -> float:
        """Expected calibration error: Σ_b mass_b · |true_b - said_b| / Σ_b mass_b. Source: Naeini et al. 2015."""
        return float(self.mass @ np.abs(self.true - self.said) / self.mass.sum())


def reliability(
    label: NDArray, probability: NDArray[np.floating], weight: NDArray[np.floating] | None = None, bins: int = 15
) -> Reliability:
    """Bins of equal mass in order of the probability, so that rare relations fill more than one; equal ones share one.

    Args:
        label: (pairs,) 0 or 1.
        weight: (pairs,) above 0; without it all pairs weigh 1.

    Raises:
        EvaluationError: no pair, or a probability outside [0, 1].

    Source: Nguyen & O'Connor 2015 (equal mass).
    """
    p = np.asarray(probability, np.float64)
    if not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise EvaluationError(f"{len(p)} probabilities, of which {((p < 0) | (p > 1)).sum()} lie outside [0, 1]")
    weight = np.ones(len(p)) if weight is None else np.asarray(weight, np.float64)
    equal = np.unique(p, return_inverse=True)[1]
    of_equal = np.bincount(equal, weight)  # (distinct probabilities,)
    middle = np.cumsum(of_equal) - of_equal / 2
    place = (bins * middle / of_equal.sum()).astype(np.int64)[equal]  # (pairs,)
    values = np.stack([np.ones(len(p)), p, np.asarray(label, np.float64)])
    sums = np.stack([np.bincount(place, of, bins) for of in weight * values])
    mass, said, true = sums[:, sums[0] > 0]
    return Reliability(mass, said / mass, true / mass)
