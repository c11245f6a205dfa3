"""The number by which networks stop: NDCG@10 over the whole catalogue on validation cases."""

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.ranking.ranker import top_k


def ndcg_at_10(scores: NDArray[np.floating], cases: Cases) -> float:
    """Mean over cases of DCG / ideal DCG of the ten best products, masked ones left out.

    DCG = Σ_{place p = 1…10} gain / log2(p + 1)
    """
    ranked = top_k(scores, 10, cases.masked)
    discount = 1 / np.log2(np.arange(2, 12))
    values = []
    for row, best in enumerate(ranked):
        gain = np.zeros(cases.truth.shape[1])
        known = slice(cases.truth.indptr[row], cases.truth.indptr[row + 1])
        gain[cases.truth.indices[known]] = cases.truth.data[known]
        ideal = np.sort(cases.truth.data[known])[::-1][:10]
        values.append((gain[best] @ discount[: len(best)]) / (ideal @ discount[: len(ideal)]))
    return float(np.mean(values))
