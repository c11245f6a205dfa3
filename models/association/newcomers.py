"""What a product that nobody met yet would have learned, by those like it: ridge regression on what is known of it.

y_i = mean + Σ_k K_ik α_k,   α = (K + I)⁻¹ (Y - mean),   K = Σ_m w_m K_m over modalities m

K_m is the number of codes that two products share, or the product of their centred numbers, scaled so that products are
on average 1 times like themselves. The strengths w_m are those with the least error where each product is left out in
turn, for which one fit suffices: e_k = α_k / ((K + I)⁻¹)_kk. A modality that does not help gets 0. Source: Allen 1974.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models.association.learned import Roles
from tandem.features.products import LASTING, ProductFeatures

STRENGTHS = (0.0, 0.03, 0.3, 3.0, 30.0)
START = 0.3
CHOOSERS, LEARNERS = 500, 2000
"""Products that strengths are chosen on, and that are learned from, at most: those with the most pairs. The work grows
with their cube.
"""

BLOCK = 4096
"""Products that are foretold at once."""

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


def foretold(
    roles: Roles,
    features: ProductFeatures,
    mass: NDArray[np.floating],
    log_demand: NDArray[np.float32],
    modalities: Collection[str] = LASTING,
) -> Roles:
    """The same with vectors, share and demand of products that nobody met yet, as far as those like them tell.

    Args:
        mass: (products,) weight of each product's pairs; from products without any nothing is learned.
        log_demand: (products,) log(1 + demand) of the last days.
        modalities: what may be known of products; those of the moment are not known of new ones.
    """
    new = np.flatnonzero(~features.met[1:]) + 1
    learners = np.argsort(-mass, kind="stable")[: min(LEARNERS, np.count_nonzero(mass))]
    if not len(new) or not len(learners):
        return roles
    known = roles.source, roles.target, roles.alike
    vectors = foretell(features, learners, np.concatenate(known, axis=1), new, modalities)
    sales = np.stack([roles.log_share, log_demand], axis=1)
    spread = np.maximum(sales[learners].std(axis=0), 1e-6)  # so that both count alike
    sales = foretell(features, learners, sales / spread, new, modalities) * spread
    source, target, alike, log_share = (of.copy() for of in (*known, roles.log_share))
    source[new], target[new], alike[new] = np.split(vectors, len(known), axis=1)
    log_share[new], demand = sales[:, 0], np.zeros_like(log_demand)
    demand[new] = np.maximum(np.expm1(sales[:, 1]), 0)
    return replace(roles, source=source, target=target, alike=alike, log_share=log_share, new_demand=demand)


def foretell(
    features: ProductFeatures,
    learners: NDArray[np.integer],
    told: NDArray[np.floating],
    new: NDArray[np.integer],
    modalities: Collection[str] = LASTING,
) -> Array:
    """(new, columns) of `told`, of which (products, columns) the rows `learners` are known."""
    mean = told[learners].mean(axis=0, dtype=np.float64)
    found = np.tile(mean, (len(new), 1))
    names = [name for name in LASTING if name in modalities and features.known(name)[learners].any()]
    if not names:
        return found
    alike = np.array([likeness(features, name, learners, learners) for name in names])  # (modalities, k, k)
    few = slice(CHOOSERS)
    strengths = chosen(alike[:, few, few], told[learners[few]] - mean)
    log.debug("new products by their like: %s", ", ".join(f"{n} {s:g}" for n, s in zip(names, strengths, strict=True)))
    coefficients = np.linalg.solve(_matrix(strengths, alike), told[learners] - mean)
    for begin in range(0, len(new), BLOCK):
        some = slice(begin, begin + BLOCK)
        for name, strength in zip(names, strengths, strict=True):
            if strength:
                found[some] += strength * (likeness(features, name, new[some], learners) @ coefficients)
    return found


def likeness(features: ProductFeatures, name: str, some: NDArray[np.integer], learners: NDArray[np.integer]) -> Array:
    """(some, learners) K_m; what nothing is known of is like nothing."""
    values, known = getattr(features, name), features.known(name)
    if values.dtype == np.int32:
        shared = [(of[some, None] == of[learners]) & (of[some, None] > 0) for of in values.T]
        return np.sum(shared, axis=0) / (values[learners[known[learners]]] > 0).sum(axis=1).mean()
    mean = values[learners[known[learners]]].mean(axis=0, dtype=np.float64)
    left, right = (np.where(known[of, None], values[of] - mean, 0.0) for of in (some, learners))
    return left @ right.T / max((right[known[learners]] ** 2).sum(axis=1).mean(), 1e-12)


def chosen(alike: Array, told: Array) -> Array:
    """(modalities,) strengths, found one after the other until none gets better."""
    strengths = np.full(len(alike), START)
    least, changed = left_out(strengths, alike, told), True
    while changed:
        changed = False
        for modality, strength in product(range(len(alike)), STRENGTHS):
            tried = strengths.copy()
            tried[modality] = strength
            if strength != strengths[modality] and (error := left_out(tried, alike, told)) < least:
                least, strengths, changed = error, tried, True
    return strengths


def left_out(strengths: Array, alike: Array, told: Array) -> float:
    """Squared error where each is left out in turn."""
    inverse = np.linalg.inv(_matrix(strengths, alike))
    return float(((inverse @ told / inverse.diagonal()[:, None]) ** 2).sum())


def _matrix(strengths: Array, alike: Array) -> Array:
    """K + I."""
    return np.tensordot(strengths, alike, 1) + np.eye(alike.shape[1])
