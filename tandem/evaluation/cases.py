"""Questions with known answers: whom to rank for, what came true later, what may not be answered."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.features import baskets, histories
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.vocabulary import Vocabulary


@dataclass(frozen=True)
class Cases:
    """One row per user (or per antecedent product): input, truth and what is masked."""

    histories: Histories
    demand: Demand
    truth: sp.csr_array  # (cases, products) gain > 0 where relevant
    masked: sp.csr_array  # (cases, products) 1 where the product may not be recommended

    def __len__(self) -> int:
        return len(self.histories)


def of_users(
    known: Histories, demand: Demand, later: pd.DataFrame, vocabulary: Vocabulary, kinds: tuple[str, ...], *, new: bool
) -> Cases:
    """What each user with a history took in a later window, gain 1.

    Args:
        known: histories up to the start of the window.
        demand: the shop's demand up to the same moment.
        later: schema.EVENTS rows of the window.
        kinds: kinds that count as taking.
        new: leave out and mask what the user took before the window, of the same kinds.

    Returns:
        Only users with at least one relevant product of the vocabulary.
    """
    taken = later[later["kind"].isin(kinds) & later["user_id"].notna()]
    row = pd.Index(known.user_ids).get_indexer(pd.Index(taken["user_id"].astype(object)))
    product = vocabulary.encode(taken["product_id"])
    found = (row >= 0) & (product > 0)
    shape = (len(known), vocabulary.size)
    truth = sp.csr_array((np.ones(found.sum()), (row[found], product[found])), shape=shape)
    truth.sum_duplicates()
    truth.data[:] = 1
    masked = known.seen(kinds) if new else sp.csr_array(shape)
    if new:
        truth = (truth - truth.multiply(masked)).tocsr()
        truth.eliminate_zeros()
    rows = np.flatnonzero(np.diff(truth.indptr))
    return Cases(known.take(rows), demand, truth[rows], masked[rows])


def of_products(
    later: pd.DataFrame,
    demand: Demand,
    vocabulary: Vocabulary,
    kinds: tuple[str, ...],
    *,
    min_count: int,
    min_lift: float = 0.0,
    sizes: tuple[int, int] = (2, 100),
) -> Cases:
    """What went with each product in later baskets, the product itself masked.

    Relevant: at least `min_count` later baskets hold both, with lift ≥ `min_lift`. Gain: the number of
    such baskets, or 1 where a lift is asked for, so that popularity does not pay.

    Args:
        sizes: smallest and largest number of distinct products of a basket that counts.

    Source: truths T1 and T2 of the item-to-item protocol in docs/evaluation.md.
    """
    content = baskets.gather(later, vocabulary, kinds).content
    size = np.diff(content.indptr)
    content = content[(size >= sizes[0]) & (size <= sizes[1])]
    counts = (content.T @ content).tocoo()
    support = np.asarray(content.sum(axis=0)).ravel()
    a, b = counts.coords
    lift = counts.data * content.shape[0] / np.maximum(support[a] * support[b], 1)
    kept = (a != b) & (counts.data >= min_count) & (lift >= min_lift)
    gain = np.where(min_lift > 0, 1.0, counts.data)[kept]
    truth = sp.csr_array((gain, (a[kept], b[kept])), shape=(vocabulary.size, vocabulary.size))
    asked = np.flatnonzero(np.diff(truth.indptr))
    own = sp.csr_array((np.ones(len(asked)), (np.arange(len(asked)), asked)), shape=(len(asked), vocabulary.size))
    return Cases(_asking(asked, vocabulary, demand), demand, truth[asked], own)


def _asking(asked: NDArray[np.integer], vocabulary: Vocabulary, demand: Demand) -> Histories:
    return histories.of_products(asked, vocabulary.size, demand.as_of_us)
