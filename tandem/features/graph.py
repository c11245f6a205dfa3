"""The product graph: directed, counted edges of four kinds between products, from what a dataset knows.

    together   A and B stand in one basket
    after      a user buys B within `after_days` of their first basket with A, which has no B
    viewed     A and B are looked at in one session
    instead    A and B are looked at in one session; within `instead_days` B is bought and A is not

So that the habits of a few do not look like the will of many, `after` counts each user once for a pair. To it, baskets
of one user in one second are one basket.

Each kind is counted in rows, baskets or sessions: a row holds some products as sources and some as targets, and an edge
A → B counts the rows with A as source and B as target. `together` and `viewed` are symmetric and count everybody;
`after` and `instead` need to know who it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.data import schema
from tandem.features import pairs
from tandem.features.baskets import Baskets
from tandem.features.dataset import VIEWED, Dataset
from tandem.features.histories import DAY_US, Histories
from tandem.features.pairs import Pairs

Kind: TypeAlias = Literal["together", "after", "viewed", "instead"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DIRECTED: tuple[Kind, ...] = ("after", "instead")

SECOND_US = 1_000_000


@dataclass(frozen=True)
class Rows:
    """What edges of one kind are counted in; a cell above 0 is a product that is there."""

    source: sp.csr_array  # (rows, products)
    target: sp.csr_array | None  # (rows, products); None: the sources
    weight: NDArray[np.float64]  # (rows,)
    user: NDArray[np.int64]  # (rows,) row of the user among the known ones, -1 where nobody is known
    time_us: NDArray[np.int64]  # (rows,) when it began

    def __len__(self) -> int:
        return len(self.weight)

    def witnesses(self, a: int, b: int) -> NDArray[np.int64]:
        """The rows that hold a as source and b as target."""
        return np.intersect1d(_rows_with(self.source, a), _rows_with(_targets(self), b))

    def edge(self, a: int, b: int) -> Pairs:
        """What `edges` counts of a → b, without counting the others; n is 0 where no row holds it."""
        held, targets = self.witnesses(a, b), _targets(self)
        cells = self.source[held][:, [a]].toarray() * targets[held][:, [b]].toarray()  # (rows, 1)
        ids = np.array([a], np.int32), np.array([b], np.int32)
        n, weight = np.array([len(held)], np.float64), self.weight[held] @ cells
        return Pairs(*ids, n, weight, _rows_of_each(self.source), _rows_of_each(targets), len(self))

    @property
    def pairs(self) -> float:
        """How many directed pairs of different products stand in the rows: Σ n of all edges."""
        sources, targets = self.source > 0, _targets(self) > 0
        of_rows = sources.sum(axis=1) @ targets.sum(axis=1)
        return float(of_rows - sources.multiply(targets).sum())


@lru_cache(maxsize=8)
def edges(dataset: Dataset, kind: Kind) -> Pairs:
    """The counted edges of a kind; remembered for the two datasets that take turns.

    Weight of a row: 0.5^(age / half-life) · size^-exponent, size its number of products; of a pair of baskets the
    geometric mean of theirs, and where B follows A in several baskets the sum. A product that its buyer reviewed before
    `as_of` counts 1 + sentiment_weight · (mean tone) times.
    """
    found = rows(dataset, kind)
    return pairs.count(found.source, found.target, weight=found.weight)


def rows(dataset: Dataset, kind: Kind) -> Rows:
    """What `edges` of a kind are counted in."""
    make: dict[Kind, Callable[[Dataset], Rows]] = {
        "together": _together,
        "after": _after,
        "viewed": _viewed,
        "instead": _instead,
    }
    return make[kind](dataset)


@lru_cache(maxsize=2)
def weighted_baskets(dataset: Dataset) -> sp.csr_array:
    """(baskets, products) X with X'X the weights of `together`, those of each product with itself on the diagonal."""
    found = _together(dataset)
    return _scaled(found.source, np.sqrt(found.weight))


def users(found: Rows, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """(pairs,) how many different known users stand behind the rows that hold a as source and b as target."""
    own = sp.diags_array((found.user >= 0).astype(np.float64))
    sources, targets = (sp.csr_array(own @ of) for of in (found.source, _targets(found)))
    for cells in (sources, targets):
        cells.eliminate_zeros()
    with_source, counted = sp.csc_array(sources), np.zeros(len(a), np.int64)
    order = np.argsort(a, kind="stable")
    for asked in np.split(order, np.flatnonzero(np.diff(a[order])) + 1) if len(a) else []:
        product = a[asked[0]]
        rows = with_source.indices[with_source.indptr[product] : with_source.indptr[product + 1]]
        cells = targets[rows]
        user = np.repeat(found.user[rows], np.diff(cells.indptr))
        met = np.unique(user * targets.shape[1] + cells.indices) % targets.shape[1]
        counted[asked] = np.bincount(met, minlength=targets.shape[1])[b[asked]]
    return counted


def _targets(found: Rows) -> sp.csr_array:
    return found.source if found.target is None else found.target


def one_number(dataset: Dataset) -> sp.csr_array:
    """(products, products) weight together + after_weight · weight after: how much speaks for A → B as such."""
    near, later = edges(dataset, "together"), dataset.params.graph.after_weight
    found = near.matrix(near.weight)
    if later:
        apart = edges(dataset, "after")
        found = sp.csr_array(found + later * apart.matrix(apart.weight))
    return found


def _together(dataset: Dataset) -> Rows:
    bought = dataset.baskets
    weight = _weight(dataset, bought.time_us, bought.size)
    return Rows(_told(dataset, bought), None, weight, bought.user, bought.time_us)


def _after(dataset: Dataset) -> Rows:
    own = _moments(dataset.baskets)
    weight = np.sqrt(_weight(dataset, own.time_us, own.size))
    content = _scaled(_told(dataset, own), weight)
    later = _later(own.user, own.time_us, dataset.params.graph.after_days) @ content
    source = sp.csr_array(content.multiply(_first(own)))
    return Rows(source, _without(later, own.content), np.ones(len(own)), own.user, own.time_us)


def _viewed(dataset: Dataset) -> Rows:
    seen = dataset.views
    weight = _weight(dataset, seen.time_us, seen.size)
    return Rows(seen.content, None, weight, seen.user, seen.time_us)


def _instead(dataset: Dataset) -> Rows:
    seen = sessions(dataset.histories)
    row = np.repeat(np.arange(len(seen)), seen.size)
    taken = _taken_within(dataset, seen.user[row], seen.content.indices, seen.time_us[row])
    left, bought = (_only(seen.content, of) for of in (~taken, taken))
    bought = _told(dataset, Baskets(bought, seen.time_us, seen.user))
    weight = _weight(dataset, seen.time_us, seen.size)
    return Rows(left, bought, weight, seen.user, seen.time_us)


def sessions(histories: Histories) -> Baskets:
    """What known users looked at, session by session."""
    seen = np.isin(histories.kind, [schema.KIND_CODE[kind] for kind in VIEWED])
    user, session, time_us = histories.user[seen], histories.basket[seen], histories.time_us[seen]
    of_user, first, row = np.unique(np.stack([user, session]), axis=1, return_index=True, return_inverse=True)
    cells = np.ones(seen.sum()), (row.ravel(), histories.product[seen])
    content = sp.csr_array(cells, shape=(len(first), histories.products))
    content.sum_duplicates()
    content.data[:] = 1
    return Baskets(content, time_us[first], of_user[0])


def _weight(dataset: Dataset, time_us: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.float64]:
    """(rows,) 0.5^(age / half-life) · size^-exponent."""
    params = dataset.params.graph
    age_days = (dataset.as_of_us - time_us) / DAY_US
    return 0.5 ** (age_days / params.half_life_days) * np.maximum(size, 1.0) ** -params.size_exponent


def _told(dataset: Dataset, bought: Baskets) -> sp.csr_array:
    """(baskets, products) 1 + sentiment_weight · the buyer's mean tone, without a review 1."""
    strength = dataset.params.graph.sentiment_weight
    if not strength:
        return bought.content
    known = np.flatnonzero(bought.user >= 0)
    shape = (len(bought), len(dataset.histories))
    buyers = sp.csr_array((np.ones(len(known)), (known, bought.user[known])), shape=shape)
    return sp.csr_array(bought.content + strength * bought.content.multiply(buyers @ _tone(dataset.histories)))


def _tone(histories: Histories) -> sp.csr_array:
    """(users, products) mean tone of the user's reviews of the product."""
    reviews = histories.kind == schema.KIND_CODE["review"]
    total, count = (histories.matrix(np.where(reviews, of, 0.0)) for of in (histories.opinion[:, 0], 1.0))
    count.data = 1 / np.maximum(count.data, 1)
    return sp.csr_array(total.multiply(count))


def _moments(bought: Baskets) -> Baskets:
    """What known users took, in order of user and time; baskets of one second, of which none is the first, are one."""
    known = np.flatnonzero(bought.user >= 0)
    own = bought.take(known[np.lexsort((bought.time_us[known], bought.user[known]))])
    when = np.stack([own.user, own.time_us // SECOND_US])
    begins = np.flatnonzero(np.diff(when, axis=1, prepend=-1).any(axis=0))
    offsets = np.append(begins, len(own))
    shape = len(begins), len(own)
    content = sp.csr_array((np.ones(len(own)), np.arange(len(own)), offsets), shape=shape) @ own.content
    return Baskets(sp.csr_array(content > 0, dtype=np.float64), own.time_us[begins], own.user[begins])


def _later(user: NDArray[np.int64], time_us: NDArray[np.int64], days: float) -> sp.csr_array:
    """(baskets, baskets) 1 where the column's is of the row's user and up to `days` later; as of `_moments`."""
    second = time_us // SECOND_US
    second -= second.min(initial=second.max(initial=0))
    window = int(days * DAY_US // SECOND_US)
    line = user * (second.max(initial=0) + window + 1) + second  # one line of time after the other
    begin, end = (np.searchsorted(line, line + ahead, side="right") for ahead in (0, window))
    offsets = np.concatenate([[0], np.cumsum(end - begin)])
    columns = np.repeat(begin - offsets[:-1], end - begin) + np.arange(offsets[-1])
    return sp.csr_array((np.ones(len(columns)), columns, offsets), shape=(len(user),) * 2)


def _taken_within(
    dataset: Dataset, user: NDArray[np.int64], product: NDArray[np.integer], begin_us: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(cells,) whether the user took the product within `instead_days` of that moment."""
    known = dataset.histories
    bought = np.isin(known.kind, [schema.KIND_CODE[kind] for kind in dataset.params.target_kinds])
    of_purchase = known.user[bought] * known.products + known.product[bought]
    pair, code = np.unique(of_purchase, return_inverse=True)
    end, window = known.as_of_us // SECOND_US, int(dataset.params.graph.instead_days * DAY_US // SECOND_US)
    start = known.time_us.min(initial=known.as_of_us) // SECOND_US
    second, moment = (of // SECOND_US - start for of in (known.time_us[bought], begin_us))
    length = end - start + window + 2
    line = np.sort(code * length + second)
    asked = user * known.products + product
    place = np.searchsorted(pair, asked)
    bought_ever = (place < len(pair)) & (np.append(pair, -1)[place] == asked)
    first, last = (np.searchsorted(line, place * length + moment + of) for of in (0, window + 1))
    return bought_ever & (last > first)


def _first(own: Baskets) -> sp.csr_array:
    """(baskets, products) 1 where the user takes the product for the first time; as of `_moments`."""
    row = np.repeat(np.arange(len(own)), own.size)
    taken = own.user[row] * own.content.shape[1] + own.content.indices
    first = np.zeros(len(taken), bool)
    first[np.unique(taken, return_index=True)[1]] = True
    return _only(own.content, first)


def _scaled(cells: sp.csr_array, weight: NDArray[np.floating]) -> sp.csr_array:
    """Each row times its weight."""
    return sp.csr_array(sp.diags_array(weight) @ cells)


def _without(cells: sp.csr_array, other: sp.csr_array) -> sp.csr_array:
    """The cells where `other`, of zeros and ones, has none."""
    left = sp.csr_array(cells - cells.multiply(other))
    left.eliminate_zeros()
    return left


def _only(cells: sp.csr_array, kept: NDArray[np.bool_]) -> sp.csr_array:
    """Those of the cells that are `kept`."""
    found = cells.copy()
    found.data = kept.astype(np.float64)
    found.eliminate_zeros()
    return found


def _rows_of_each(cells: sp.csr_array) -> NDArray[np.float64]:
    """(products,) rows with a cell above 0 of it."""
    return np.asarray((cells > 0).sum(axis=0), np.float64).ravel()


def _rows_with(cells: sp.csr_array, product: int) -> NDArray[np.int64]:
    """The rows with a cell above 0 of the product, in order."""
    held = np.flatnonzero((cells.indices == product) & (cells.data > 0))
    return np.unique(np.searchsorted(cells.indptr, held, side="right") - 1)
