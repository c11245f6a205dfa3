"""The number by which networks stop: NDCG@10 over the whole catalogue on validation cases."""

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, gains_at, ndcg_at_k
from tandem.ranking.ranker import top_k


def ndcg_at_10(scores: NDArray[np.floating], cases: Cases) -> float:
    """Mean over cases, masked products left out; `tandem.evaluation.metrics` defines it."""
    ranked = top_k(scores, 10, cases.masked)
    return float(ndcg_at_k(gains_at(ranked, cases.truth), Ideal.of(cases).gains, 10).mean())
