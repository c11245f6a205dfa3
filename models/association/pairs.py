"""Directed, weighted pairs of products: bought together, or one after the other."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.association.params import AssociationParams
from tandem.data import schema
from tandem.features.baskets import Baskets
from tandem.features.dataset import Dataset
from tandem.features.histories import DAY_US, Histories


def gather(dataset: Dataset, params: AssociationParams) -> sp.csr_array:
    """(products, products) weight of i → j, the diagonal empty.

    weight(i, j) = Σ_{baskets b ∋ i, j} w_b + later_weight · Σ_{b ∋ i, next basket b' ∋ j, j ∉ b} √(w_b w_b')
    w_b = 2^(-age / half-life) · size^-exponent
    """
    pairs = together(dataset.baskets, dataset.as_of_us, params)
    if params.later_days > 0 and params.later_weight > 0:
        pairs = pairs + params.later_weight * afterwards(dataset.histories, dataset.params.target_kinds, params)
    return _without_diagonal(pairs)


def together(baskets: Baskets, as_of_us: int, params: AssociationParams) -> sp.csr_array:
    """(products, products) symmetric: Σ w_b over baskets that hold both."""
    weight = _weight(baskets.time_us, baskets.size, as_of_us, params)
    return _without_diagonal(baskets.content.T @ _scaled(baskets.content, weight))


def afterwards(histories: Histories, kinds: tuple[str, ...], params: AssociationParams) -> sp.csr_array:
    """(products, products) directed: i in a user's basket, j new in the next one, `later_days` after at most."""
    own = _own_baskets(histories, kinds)
    weight = np.sqrt(_weight(own.time_us, own.size, histories.as_of_us, params))
    gap = np.diff(own.time_us)
    first = np.flatnonzero((own.user[1:] == own.user[:-1]) & (gap > 0) & (gap <= params.later_days * DAY_US))
    before, after = own.content[first], own.content[first + 1]
    fresh = (after - after.multiply(before)).tocsr()
    return _without_diagonal(_scaled(before, weight[first]).T @ _scaled(fresh, weight[first + 1]))


@dataclass(frozen=True)
class OwnBaskets(Baskets):
    """Baskets of known users, each user's own in order of time."""

    user: NDArray[np.int64]  # (baskets,)


def _own_baskets(histories: Histories, kinds: tuple[str, ...]) -> OwnBaskets:
    target = np.isin(histories.kind, [schema.KIND_CODE[kind] for kind in kinds])
    user, basket, time_us = histories.user[target], histories.basket[target], histories.time_us[target]
    keys: NDArray[np.int64]
    keys, first, row = np.unique(np.stack([user, basket]), axis=1, return_index=True, return_inverse=True)
    cells = np.ones(target.sum()), (row.ravel(), histories.product[target])
    content = sp.csr_array(cells, shape=(keys.shape[1], histories.products))
    content.sum_duplicates()
    content.data[:] = 1
    return OwnBaskets(content, time_us[first], keys[0])


def _weight(
    time_us: NDArray[np.int64], size: NDArray[np.int64], as_of_us: int, params: AssociationParams
) -> NDArray[np.float64]:
    age_days = (as_of_us - time_us) / DAY_US
    return 0.5 ** (age_days / params.basket_half_life_days) * np.maximum(size, 1.0) ** -params.basket_size_exponent


def _scaled(rows: sp.csr_array, weight: NDArray[np.floating]) -> sp.csr_array:
    return sp.dia_array((weight[None, :], [0]), shape=(len(weight), len(weight))).tocsr() @ rows


def _without_diagonal(pairs: sp.csr_array) -> sp.csr_array:
    pairs = sp.coo_array(pairs)
    row, column = pairs.coords
    kept = (row != column) & (pairs.data > 0)
    return sp.csr_array((pairs.data[kept], (row[kept], column[kept])), shape=pairs.shape)
