"""What the network of relations is compared with, and how: scikit-learn's models, AUC by antecedents, calibration."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.labels import Ordered, roc_auc

BINS, RESAMPLES, SEED = 15, 500, 7
Probabilities = NDArray[np.float64]


def trees(learned: NDArray, label: NDArray, asked: NDArray) -> Probabilities:
    """P(substitute) of boosted trees that read missing numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=200, learning_rate=0.1, early_stopping=False, random_state=SEED)
    return model.fit(learned, label).predict_proba(asked)[:, 1]


def linear(learned: NDArray, label: NDArray, asked: NDArray, cost: float = 1.0) -> Probabilities:
    """P(substitute) of logistic regression; what is missing is the mean."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), SimpleImputer(), LogisticRegression(C=cost, max_iter=300))
    return model.fit(learned, label).predict_proba(asked)[:, 1]


def auc(score: Probabilities, label: NDArray, weight: NDArray | None = None) -> float:
    """Chance that a substitute is scored above a complement, ties half, pairs of weight `weight`."""
    return roc_auc(Ordered.of(label == 1, score), np.ones(len(score)) if weight is None else weight)


def interval(measure: Callable[[NDArray], float], source: NDArray) -> tuple[float, float]:
    """95 % of `measure(weight)` over resamples of the antecedents, each drawn with all its pairs."""
    _, cluster = np.unique(source, return_inverse=True)
    rng, count = np.random.default_rng(SEED), cluster.max() + 1
    found = [measure(np.bincount(rng.integers(count, size=count), minlength=count)[cluster]) for _ in range(RESAMPLES)]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def within(score: Probabilities, label: NDArray, source: NDArray) -> float:
    """Mean over antecedents that have both kinds of the AUC among their own pairs."""
    order = np.argsort(source, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(source[order])) + 1)
    mixed = [rows for rows in parts if 0 < label[rows].sum() < len(rows)]
    return float(np.mean([auc(score[rows], label[rows]) for rows in mixed]))


def ece(p: Probabilities, label: NDArray) -> float:
    """Σ_bins share of the bin · |mean P - share of substitutes|, over BINS bins of equal mass in order of P."""
    bins = np.array_split(np.argsort(p, kind="stable"), BINS)
    return float(sum(abs((p[rows] - label[rows]).sum()) for rows in bins) / len(p))


def log_loss(p: Probabilities, label: NDArray) -> float:
    """Mean of -log P(label)."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.where(label == 1, np.log(p), np.log(1 - p)).mean())
