"""What the network of relations is compared with, and how: scikit-learn's models, AUC by antecedents, log loss."""

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.labels import Ordered, roc_auc

SEED = 7
Probabilities = NDArray[np.float64]


def trees(learned: NDArray, substitute: NDArray, asked: NDArray) -> Probabilities:
    """P(substitute) of boosted trees that read missing numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=200, learning_rate=0.1, early_stopping=False, random_state=SEED)
    return model.fit(learned, substitute).predict_proba(asked)[:, 1]


def linear(learned: NDArray, substitute: NDArray, asked: NDArray, cost: float = 1.0) -> Probabilities:
    """P(substitute) of logistic regression; what is missing is the mean."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), SimpleImputer(), LogisticRegression(C=cost, max_iter=300))
    return model.fit(learned, substitute).predict_proba(asked)[:, 1]


def auc(score: Probabilities, substitute: NDArray) -> float:
    """Chance that a substitute is scored above a complement, ties half."""
    return roc_auc(Ordered.of(substitute, score), np.ones(len(score)))


def within(score: Probabilities, substitute: NDArray, source: NDArray) -> float:
    """Mean over antecedents that have both kinds of the AUC among their own pairs."""
    order = np.argsort(source, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(source[order])) + 1)
    mixed = [rows for rows in parts if 0 < substitute[rows].sum() < len(rows)]
    return float(np.mean([auc(score[rows], substitute[rows]) for rows in mixed]))


def log_loss(p: Probabilities, substitute: NDArray) -> float:
    """Mean of -log P(label)."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.where(substitute, np.log(p), np.log(1 - p)).mean())
