"""Questions with known answers: whom to rank for, what came true later, what may not be answered."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.features import baskets, histories
from tandem.features.dataset import Dataset
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

    def take(self, rows: NDArray[np.integer]) -> "Cases":
        """The cases at `rows`, in that order."""
        return Cases(self.histories.take(rows), self.demand, self.truth[rows], self.masked[rows])

    def spread(self, limit: int) -> "Cases":
        """At most `limit` cases, evenly spread over their order."""
        if len(self) <= limit:
            return self
        return self.take(np.linspace(0, len(self) - 1, limit).astype(np.int64))

    def only_new(self, kinds: tuple[str, ...]) -> "Cases":
        """The same rows with what each user took before, by `kinds`, masked and out of the truth."""
        masked = self.histories.seen(kinds)
        truth = (self.truth - self.truth.multiply(masked)).tocsr()
        truth.eliminate_zeros()
        return Cases(self.histories, self.demand, truth, masked)

    def recode(self, old: Vocabulary, new: Vocabulary) -> "Cases":
        """The same cases in another vocabulary: what it does not know is left out of histories, truth and mask.

        A case keeps its place even when nothing of it is known. What a ranker of that vocabulary cannot
        recommend stays part of the truth it is measured by: see `metrics.Ideal`.
        """
        if old.ids == new.ids:
            return self
        index = np.concatenate([[0], new.encode(old.ids)])
        daily = np.zeros((len(self.demand.daily), new.size), np.float32)
        known = np.flatnonzero(index)
        daily[:, index[known]] = self.demand.daily[:, known]
        return Cases(
            _recode_histories(self.histories, index, new.size),
            Demand(daily, self.demand.as_of_us),
            _recode_matrix(self.truth, index, new.size),
            _recode_matrix(self.masked, index, new.size),
        )


VIEWS = {"recommend": ("all", "new"), "related": ("together", "beyond_popularity")}
"""Views of each task; the first is the one that decides."""

BEYOND_POPULARITY_LIFT = 5.0


def views(task: str, known: Dataset, later: pd.DataFrame, *, min_count: int) -> dict[str, Cases]:
    """The cases of each view of a task, for what is known up to one moment and what came in a window after it.

    Args:
        known: histories, demand and vocabulary; its `target_kinds` are what counts as taking.
        later: schema.EVENTS rows of the window.
        min_count: later baskets that must hold a pair, for `related`.
    """
    kinds, vocabulary, demand = known.params.target_kinds, known.vocabulary, known.demand
    if task == "recommend":
        bought = partial(of_users, known.histories, demand, later, vocabulary, kinds)
        return {"all": bought(new=False), "new": bought(new=True)}
    went_with = partial(of_products, later, demand, vocabulary, kinds, min_count=min_count)
    return {"together": went_with(), "beyond_popularity": went_with(min_lift=BEYOND_POPULARITY_LIFT)}


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
    cases = Cases(known, demand, truth, sp.csr_array(shape))
    cases = cases.only_new(kinds) if new else cases
    return cases.take(np.flatnonzero(np.diff(cases.truth.indptr)))


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
    """What went with each product in later baskets, the product itself masked: `of_baskets` of their events."""
    content = baskets.gather(later, vocabulary, kinds).content
    return of_baskets(content, demand, min_count=min_count, min_lift=min_lift, sizes=sizes)


def of_baskets(
    content: sp.csr_array, demand: Demand, *, min_count: int, min_lift: float = 0.0, sizes: tuple[int, int] = (2, 100)
) -> Cases:
    """What went with each product in later baskets (baskets, products), the product itself masked.

    Relevant: at least `min_count` later baskets hold both, with lift ≥ `min_lift`. Gain: the number of
    such baskets, or 1 where a lift is asked for, so that popularity does not pay.

    Args:
        sizes: smallest and largest number of distinct products of a basket that counts.

    Source: truths T1 and T2 of the item-to-item protocol in docs/evaluation.md.
    """
    size = np.diff(content.indptr)
    content = content[(size >= sizes[0]) & (size <= sizes[1])]
    counts = (content.T @ content).tocoo()
    support = np.asarray(content.sum(axis=0)).ravel()
    a, b = counts.coords
    lift = counts.data * content.shape[0] / np.maximum(support[a] * support[b], 1)
    kept = (a != b) & (counts.data >= min_count) & (lift >= min_lift)
    gain = np.where(min_lift > 0, 1.0, counts.data)[kept]
    truth = sp.csr_array((gain, (a[kept], b[kept])), shape=counts.shape)
    asked = np.flatnonzero(np.diff(truth.indptr))
    own = sp.csr_array((np.ones(len(asked)), (np.arange(len(asked)), asked)), shape=(len(asked), content.shape[1]))
    return Cases(histories.of_products(asked, content.shape[1], demand.as_of_us), demand, truth[asked], own)


def _recode_histories(known: Histories, index: NDArray[np.integer], products: int) -> Histories:
    product = index[known.product]
    kept = product > 0
    return replace(known.keep(kept), product=product[kept].astype(np.int32), products=products)


def _recode_matrix(matrix: sp.csr_array, index: NDArray[np.integer], products: int) -> sp.csr_array:
    cells = matrix.tocoo()
    rows, columns = cells.coords
    kept = index[columns] > 0
    values = cells.data[kept], (rows[kept], index[columns[kept]])
    return sp.csr_array(values, shape=(matrix.shape[0], products))
