"""What a product that nobody met yet would have learned, by those like it: ridge regression on what is known of it.

y_i = mean + Σ_k K_ik α_k,   α = (K + I)⁻¹ (Y - mean),   K = Σ_m w_m K_m over modalities m

K_m is the number of codes that two products share, or the product of their centred numbers, scaled so that products are
on average 1 times like themselves. The strengths w_m are those with the least error where each product is left out in
turn, for which one fit suffices: e_k = α_k / ((K + I)⁻¹)_kk. A modality that does not help gets 0. Source: Allen 1974.
"""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.association.learned import Roles
from tandem.features.products import LASTING, ProductFeatures

STRENGTHS = (0.0, 0.03, 0.3, 3.0, 30.0)
START = 0.3
LEARNERS = 2000
"""Products that are learned from at most, those with the largest share of pairs: the work grows with their cube."""

BLOCK = 4096
"""Products that are foretold at once."""

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


def foretold(roles: Roles, features: ProductFeatures, log_demand: NDArray[np.float32]) -> Roles:
    """The same with vectors, share and demand of products that nobody met yet, as far as those like them tell.

    Args:
        log_demand: (products,) log(1 + demand) of the last days.
    """
    new = np.flatnonzero(~features.met[1:]) + 1
    known = np.flatnonzero(features.met)
    learners = known[np.argsort(-roles.log_share[known], kind="stable")[:LEARNERS]]
    if not len(new) or not len(learners):
        return roles
    vectors = foretell(features, learners, np.concatenate([roles.source, roles.target], axis=1), new)
    sales = foretell(features, learners, np.stack([roles.log_share, log_demand], axis=1), new)
    source, target, log_share, demand = (a.copy() for a in (roles.source, roles.target, roles.log_share, log_demand))
    source[new], target[new] = np.split(vectors, 2, axis=1)
    log_share[new], demand = sales[:, 0], np.zeros_like(log_demand)
    demand[new] = np.maximum(np.expm1(sales[:, 1]), 0)
    return replace(roles, source=source, target=target, log_share=log_share, new_demand=demand)


def foretell(
    features: ProductFeatures, learners: NDArray[np.integer], told: NDArray[np.float32], new: NDArray[np.integer]
) -> Array:
    """(new, columns) of `told`, of which (products, columns) the rows `learners` are known."""
    mean = told[learners].mean(axis=0, dtype=np.float64)
    names = [name for name in LASTING if features.known(name)[learners].any()]
    alike = np.array([likeness(features, name, learners, learners) for name in names])  # (modalities, k, k)
    if not names:
        return np.tile(mean, (len(new), 1))
    strengths, coefficients = fitted(alike, told[learners] - mean)
    log.info("new products by their like: %s", ", ".join(f"{n} {s:g}" for n, s in zip(names, strengths, strict=True)))
    found = np.tile(mean, (len(new), 1))
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


def fitted(alike: Array, told: Array) -> tuple[Array, Array]:
    """Strengths (modalities,) found one after the other until none gets better, and α (learners, columns)."""
    strengths = np.full(len(alike), START)
    least, coefficients = _left_out(strengths, alike, told)
    changed = True
    while changed:
        changed = False
        for modality in range(len(alike)):
            for strength in STRENGTHS:
                tried = strengths.copy()
                tried[modality] = strength
                error, found = _left_out(tried, alike, told)
                if error < least:
                    least, strengths, coefficients, changed = error, tried, found, True
    return strengths, coefficients


def _left_out(strengths: Array, alike: Array, told: Array) -> tuple[float, Array]:
    """Squared error where each is left out in turn, and α."""
    inverse = np.linalg.inv(np.tensordot(strengths, alike, 1) + np.eye(len(told)))
    coefficients = inverse @ told
    return float(((coefficients / inverse.diagonal()[:, None]) ** 2).sum()), coefficients
