"""How well an encoder finds a text's partners among texts it was not trained on."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.text.encoder import TextEncoder, normalised
from models.text.pairs import Pairs
from tandem.evaluation.metrics import BLOCK, DEPTH, gains_at, recall_at_k, reciprocal_rank
from tandem.ranking.ranker import top_k

METRIC = "mrr"
"""Chooses the epoch on validation and judges on test."""


def retrieve(encoder: TextEncoder, pairs: Pairs) -> dict[str, NDArray[np.float64]]:
    """Of each text with a partner (queries,): reciprocal rank of the first one, and share of them in the first ten.

    Ranked by cosine are all other texts of `pairs`.

    Raises:
        ValueError: no text has a partner.
    """
    asked = np.flatnonzero(np.diff(pairs.partners.indptr))
    gains = np.concatenate(list(_gains(normalised(encoder.encode(pairs.texts)), pairs.partners, asked)))
    return {
        "mrr": reciprocal_rank(gains),
        "recall_at_10": recall_at_k(gains, np.diff(pairs.partners.indptr)[asked], 10),
    }


def _gains(
    vectors: NDArray[np.float32], partners: sp.csr_array, asked: NDArray[np.int64]
) -> Iterator[NDArray[np.float64]]:
    """(queries, places) 1 where the text at that place is a partner, for a block of queries after the other."""
    truth = sp.hstack([sp.csr_array((len(vectors), 1)), partners]).tocsr()  # column 0 is nobody's, as `top_k` has it
    for begin in range(0, len(asked), BLOCK):
        rows = asked[begin : begin + BLOCK]
        scores = np.pad(vectors[rows] @ vectors.T, ((0, 0), (1, 0)))  # (queries, 1 + texts)
        scores[np.arange(len(rows)), rows + 1] = -np.inf  # itself
        yield gains_at(top_k(scores, DEPTH), truth[rows])
