"""How well a ranking met the truth, case by case: recall, NDCG, reciprocal rank, hit rate; coverage of the catalogue.

A case is a user, or a product that is asked about. Every metric takes the gains found at each place of the
ranking, best first, so that binary and graded truths are one thing. Definitions: docs/evaluation.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.ranking.ranker import Ranker, top_k

DEPTH = 100
"""Places that are looked at; a first relevant product beyond them counts as reciprocal rank 0."""
BLOCK = 256
"""Cases scored at once: bounds memory to BLOCK × catalogue."""

Option = TypeVar("Option")


@dataclass(frozen=True)
class Ideal:
    """What a perfect ranking would find: the same for every candidate, whatever products it knows."""

    gains: NDArray[np.float64]  # (cases, DEPTH) largest first, 0 where there is no more
    relevant: NDArray[np.int64]  # (cases,) number of relevant products
    products: int  # size of the catalogue, the unknown product not counted

    @classmethod
    def of(cls, cases: Cases) -> "Ideal":
        """The ideal of cases in the vocabulary that defines the truth."""
        return cls.of_truth(cases.truth)

    @classmethod
    def of_truth(cls, truth: sp.csr_array) -> "Ideal":
        """The same of a truth (cases, products) alone."""
        gains = np.zeros((truth.shape[0], DEPTH))
        for row in range(len(gains)):
            best = np.sort(truth.data[truth.indptr[row] : truth.indptr[row + 1]])[::-1][:DEPTH]
            gains[row, : len(best)] = best
        return cls(gains, np.diff(truth.indptr).astype(np.int64), truth.shape[1] - 1)


@dataclass(frozen=True)
class Measured:
    """One ranker on one set of cases."""

    by_case: dict[str, NDArray[np.float64]]  # metric: (cases,)
    coverage: dict[str, float]  # coverage_at_k
    recall_curve: NDArray[np.float64]  # (DEPTH,) mean recall@1…DEPTH


def metrics_at(cutoffs: Sequence[int]) -> tuple[str, ...]:
    """Names of all that `measure` finds case by case."""
    return ("mrr", *(f"{metric}_at_{k}" for k in cutoffs for metric in ("recall", "ndcg", "hit_rate")))


def measure(ranker: Ranker, cases: Cases, ideal: Ideal, cutoffs: Sequence[int]) -> Measured:
    """Full ranking over the catalogue for every one of at least one case.

    Args:
        cases: in the ranker's own vocabulary.
        ideal: of the same cases in the vocabulary that defines the truth, in the same order.
    """
    return judge(rank(ranker, cases, DEPTH), cases.truth, ideal, cutoffs)


def judge(ranked: NDArray[np.integer], truth: sp.csr_array, ideal: Ideal, cutoffs: Sequence[int]) -> Measured:
    """What a ranking (cases, DEPTH) is worth, by cutoffs of at most DEPTH."""
    gains = gains_at(ranked, truth)
    by_case = {"mrr": reciprocal_rank(gains)}
    for k in cutoffs:
        by_case[f"recall_at_{k}"] = recall_at_k(gains, ideal.relevant, k)
        by_case[f"ndcg_at_{k}"] = ndcg_at_k(gains, ideal.gains, k)
        by_case[f"hit_rate_at_{k}"] = hit_rate_at_k(gains, k)
    coverage = {f"coverage_at_{k}": coverage_at_k(ranked, ideal.products, k) for k in cutoffs}
    found = np.cumsum(gains > 0, axis=1) / ideal.relevant[:, None]
    return Measured(by_case, coverage, found.mean(axis=0))


def rank(ranker: Ranker, cases: Cases, k: int) -> NDArray[np.int32]:
    """(cases, k) best products of each case, masked ones left out; 0 where fewer are allowed."""
    blocks = []
    for start in range(0, len(cases), BLOCK):
        block = cases.take(np.arange(start, min(start + BLOCK, len(cases))))
        best = top_k(ranker.scores(block.histories, block.demand), k, block.masked)
        blocks.append(np.pad(best, ((0, 0), (0, k - best.shape[1]))))
    return np.concatenate(blocks) if blocks else np.zeros((0, k), np.int32)


def gains_at(ranked: NDArray[np.integer], truth: sp.csr_array) -> NDArray[np.float64]:
    """(cases, k) gain of the product at each place; 0 where it is not relevant or the place is empty."""
    rows = np.broadcast_to(np.arange(len(ranked))[:, None], ranked.shape)
    found = np.asarray(truth[rows.ravel(), ranked.ravel()]).reshape(ranked.shape)
    return np.where(ranked > 0, found, 0.0).astype(np.float64)


def recall_at_k(gains: NDArray[np.floating], relevant: NDArray[np.integer], k: int) -> NDArray[np.float64]:
    """Share of each case's relevant products found in the first k places.

    recall@k = |top k ∩ relevant| / |relevant|

    Args:
        gains: (cases, places) gain found at each place.
        relevant: (cases,) number of relevant products, at least 1.

    Returns:
        (cases,) in [0, 1].

    Source: the definition used by Liang et al. 2018, without their min(k, ·) in the divisor.
    """
    return (gains[:, :k] > 0).sum(axis=1) / relevant


def ndcg_at_k(gains: NDArray[np.floating], best: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Discounted gain of the first k places over that of the ideal order.

    ndcg@k = Σ_p gain_p / log2(p + 1)  over  Σ_p best_p / log2(p + 1), places p = 1…k; linear in the gain.

    Args:
        gains: (cases, places) gain found at each place.
        best: (cases, places) all gains of the truth, largest first; the first is above 0.

    Returns:
        (cases,) in [0, 1].

    Source: Järvelin & Kekäläinen 2002, as in scikit-learn's `ndcg_score`.
    """
    return discounted(gains, k) / discounted(best, k)


def discounted(gains: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """(cases,) Σ_p gain_p / log2(p + 1) over the first k places."""
    first = gains[:, :k]
    return (first / np.log2(np.arange(2, first.shape[1] + 2))).sum(axis=1)


def reciprocal_rank(gains: NDArray[np.floating]) -> NDArray[np.float64]:
    """(cases,) 1 / place of the first relevant product; 0 where there is none."""
    hits = gains > 0
    return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)


def hit_rate_at_k(gains: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """(cases,) 1 where a relevant product stands in the first k places, else 0."""
    return np.asarray((gains[:, :k] > 0).any(axis=1), np.float64)


def coverage_at_k(ranked: NDArray[np.integer], products: int, k: int) -> float:
    """Share of a catalogue of `products` that stands in the first k places for somebody."""
    shown = np.unique(ranked[:, :k])
    return float((shown > 0).sum() / max(products, 1))


def mean_ndcg(scores: NDArray[np.floating], cases: Cases, k: int) -> float:
    """Mean NDCG@k of given scores (cases, products) over cases with any truth, 0 without one: for choices."""
    gains, best = gains_at(top_k(scores, k, cases.masked), cases.truth), Ideal.of(cases).gains
    asked = best[:, 0] > 0
    return float(ndcg_at_k(gains[asked], best[asked], k).mean()) if asked.any() else 0.0


def choose_best(quality: Callable[[Option], float], options: Sequence[Option]) -> Option:
    """The option of highest quality; the first of equals."""
    return max(options, key=quality)
