"""EASE, the linear item-to-item model in closed form (Steck 2019), and its forms that look at what is bought now."""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.data import schema
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import choose_best, mean_ndcg
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.graph import weighted_baskets
from tandem.features.histories import Histories
from tandem.params import CountingParams
from tandem.ranking.base import decayed, trend
from tandem.ranking.neighbours import CHOOSE_ON, ItemToItem, Weights, strongest


@dataclass(frozen=True)
class Gram:
    """X'X of (rows, products) amounts, among the products that take part."""

    content: sp.csr_array
    part: NDArray[np.int64]
    matrix: NDArray[np.float32]  # (part, part)

    def spread(self, weights: NDArray[np.floating]) -> NDArray[np.float32]:
        """(products, products) with `weights` among the products that take part, 0 elsewhere."""
        full = np.zeros((self.content.shape[1],) * 2, np.float32)
        full[np.ix_(self.part, self.part)] = weights
        return full


def gram(content: sp.csr_array, params: CountingParams) -> Gram:
    """That of the `ease_max_products` products with the largest amount."""
    part = most(np.asarray(content.power(2).sum(axis=0)).ravel(), params.ease_max_products)
    return Gram(content, part, (content[:, part].T @ content[:, part]).toarray().astype(np.float32))


@lru_cache(maxsize=2)
def gram_of_users(dataset: Dataset, params: CountingParams) -> Gram:
    """That of the square root of decayed frequency; remembered for the two datasets that take turns."""
    return gram(root(decayed(dataset.histories, dataset.kind_weight, params.half_life_days)), params)


@lru_cache(maxsize=8)
def ease_of_users(dataset: Dataset, params: CountingParams, l2: float) -> sp.csr_array:
    """The strongest weights of EASE over histories, for every ranker that is made of them."""
    return _solve(gram_of_users(dataset, params), params, l2)


@lru_cache(maxsize=8)
def ease_of_baskets(dataset: Dataset, params: CountingParams, l2: float) -> sp.csr_array:
    """The strongest weights of EASE over weighted baskets."""
    return _solve(gram(weighted_baskets(dataset), params), params, l2)


def _solve(common: Gram, params: CountingParams, l2: float) -> sp.csr_array:
    return strongest(common.spread(among_themselves(ridge(common.matrix, l2))), params.neighbours)


class Ease(ItemToItem):
    """Every product of a history from the others of it: min ‖X - XW‖² + λ‖W‖², diag W = 0, x_ui = √own_ui.

    own_ui is the decayed frequency; λ is chosen on validation.
    """

    name = "ease"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    solve = staticmethod(ease_of_users)
    l2 = "ease_l2"

    def weights(self, dataset: Dataset) -> Weights:
        """The strongest in closed form."""
        return self.solve(dataset, self.params, self.choice(self.l2))

    def asked(self, histories: Histories) -> sp.csr_array:
        """Square root of decayed frequency."""
        return root(decayed(histories, self.learned["kind_weight"], self.params.half_life_days))

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """The λ with the best NDCG@10."""
        cases = validation.spread(CHOOSE_ON)
        asked = root(decayed(cases.histories, dataset.kind_weight, self.params.half_life_days))
        linear = {l2: asked @ self.solve(dataset, self.params, l2) for l2 in getattr(self.params, self.l2)}
        return {self.l2: choose_best(lambda l2: mean_ndcg(linear[l2].toarray(), cases, 10), list(linear))}


class EaseTrend(Ease):
    """EASE × recent trend, beside the user's own purchases.

    score(u, j) = scaled(relu(Σ_i x_ui W_ij) · (recent count_j + 1)^g) + ω · scaled(own_uj)
    Both parts are divided by their largest for the user. λ as in EASE, then g and ω are chosen on validation.
    """

    name = "ease_trend"

    def without_recent(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """Scaled EASE × trend, and scaled own frequency."""
        now = trend(demand, self.params.trend_days, self.choice("trend_exponent"))
        own = self.asked(histories).power(2).toarray()
        linear = np.maximum(self.linear(histories), 0.0)
        return scaled(linear * now) + self.choice("own_weight") * scaled(own)

    def terms(
        self, products: NDArray, amounts: NDArray, wanted: NDArray[np.integer], weights: NDArray
    ) -> NDArray[np.floating]:
        """As in ItemToItem, but for a product of the history nothing else speaks, where own frequency counts."""
        itself = products[:, None] == wanted[None, :]
        return np.where(itself & (self.choice("own_weight") > 0), np.inf, amounts[:, None] * weights)

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """As in EASE; then the pair of g and ω with the best NDCG@10."""
        chosen, cases = super().choose(dataset, validation), validation.spread(CHOOSE_ON)
        own = decayed(cases.histories, dataset.kind_weight, self.params.half_life_days)
        linear = (root(own) @ self.solve(dataset, self.params, chosen[self.l2])).toarray()
        linear, own = np.maximum(linear, 0.0), scaled(own.toarray())
        now = {g: trend(cases.demand, self.params.trend_days, g) for g in self.params.trend_exponent}
        parts = {g: scaled(linear * now[g]) for g in now}
        blends = list(itertools.product(self.params.trend_exponent, self.params.own_weight))
        exponent, weight = choose_best(lambda b: mean_ndcg(parts[b[0]] + b[1] * own, cases, 10), blends)
        return {**chosen, "trend_exponent": exponent, "own_weight": weight}


class BasketEase(Ease):
    """Every product of a weighted basket from the others of it, weighted as in WeightedCosine; λ as in EASE."""

    name = "basket_ease"
    tasks: ClassVar[tuple[str, ...]] = ("related",)
    solve = staticmethod(ease_of_baskets)
    l2 = "basket_l2"


class RecentEase(ItemToItem):
    """What a user's past says of purchases of the last weeks, × trend, beside the user's own purchases.

    score(u, j) = (relu(Σ_i x_ui W_ij) + ω · own_uj) · (recent count_j + 1)^g
    W = argmin ‖Y - XW‖² + λ‖W‖², diag W = 0, with x_ui = √own_ui,
    own_ui the decayed frequency and Y the purchases alone with a much shorter half-life.
    With Y = X this is EASE; a recent Y makes it tell what those users buy now.
    λ, Y's half-life, g and ω are chosen on validation.
    """

    name = "recent_ease"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)

    def weights(self, dataset: Dataset) -> Weights:
        """The regression from whole histories to recent purchases."""
        past = gram_of_users(dataset, self.params)
        cross = self._cross(dataset, past, self.choice("recent_half_life_days"))
        return past.spread(without_diagonal(ridge(past.matrix, self.choice("recent_l2")), cross))

    def asked(self, histories: Histories) -> sp.csr_array:
        """Square root of decayed frequency."""
        return root(decayed(histories, self.learned["kind_weight"], self.params.half_life_days))

    def without_recent(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(relu(history times matrix) + ω · own frequency) × trend."""
        own = self.asked(histories).power(2).toarray()
        return self._blend(self.linear(histories), own, demand, self.choices)

    def terms(
        self, products: NDArray, amounts: NDArray, wanted: NDArray[np.integer], weights: NDArray
    ) -> NDArray[np.floating]:
        """As in ItemToItem, and a product's own frequency for itself."""
        itself = products[:, None] == wanted[None, :]
        return amounts[:, None] * weights + itself * self.choice("own_weight") * amounts[:, None] ** 2

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """By NDCG@10: λ and half-life on products new to their users, then exponent and own weight on all."""
        cases = validation.spread(CHOOSE_ON)
        new = cases.only_new(dataset.params.target_kinds)
        own = decayed(cases.histories, dataset.kind_weight, self.params.half_life_days)
        linear = self._candidates(dataset, root(own))
        own = own.toarray()

        def blended(shape: tuple[float, float], exponent: float, weight: float) -> NDArray[np.floating]:
            return self._blend(linear[shape], own, cases.demand, {"trend_exponent": exponent, "own_weight": weight})

        first = self.params.trend_exponent[0]
        shape = choose_best(lambda s: mean_ndcg(blended(s, first, 0.0), new, 10), list(linear))
        blends = list(itertools.product(self.params.trend_exponent, self.params.own_weight))
        exponent, weight = choose_best(lambda b: mean_ndcg(blended(shape, *b), cases, 10), blends)
        chosen = {"recent_l2": shape[0], "recent_half_life_days": shape[1]}
        return {**chosen, "trend_exponent": exponent, "own_weight": weight}

    def _candidates(self, dataset: Dataset, asked: sp.csr_array) -> dict[tuple[float, float], NDArray]:
        """History times matrix for each λ and half-life, without ever forming the matrix."""
        past = gram_of_users(dataset, self.params)
        crosses = {days: self._cross(dataset, past, days) for days in self.params.recent_half_life_days}
        found = {}
        for l2 in self.params.recent_l2:
            inverse = ridge(past.matrix, l2)
            halfway = asked[:, past.part].astype(np.float32) @ inverse  # (cases, part)
            for days, cross in crosses.items():
                scores = np.zeros(asked.shape, np.float32)
                scores[:, past.part] = halfway @ cross - halfway * pull(inverse, cross)
                found[l2, days] = scores
        return found

    def _cross(self, dataset: Dataset, past: Gram, half_life_days: float) -> NDArray[np.float32]:
        """X'Y among the products that take part."""
        codes = [schema.KIND_CODE[kind] for kind in dataset.params.target_kinds]
        weight = np.where(np.isin(np.arange(len(dataset.kind_weight)), codes), dataset.kind_weight, 0.0)
        lately = decayed(dataset.histories, weight, half_life_days)
        return (past.content[:, past.part].T @ lately[:, past.part]).toarray().astype(np.float32)

    def _blend(self, linear: NDArray, own: NDArray, demand: Demand, choices: dict[str, float]) -> NDArray[np.floating]:
        exponent = choices.get("trend_exponent", self.params.trend_exponent[0])
        weight = choices.get("own_weight", self.params.own_weight[0])
        return (np.maximum(linear, 0.0) + weight * own) * trend(demand, self.params.trend_days, exponent)


def ridge(gram: NDArray[np.float32], l2: float) -> NDArray[np.float32]:
    """(X'X + λI)^-1 with λ = `l2` mean diagonals of X'X.

    Symmetric and positive definite by construction, so by Cholesky; single precision is enough, as λ bounds
    the condition number.
    """
    penalised = gram.copy()
    penalised[np.diag_indices_from(gram)] += l2 * np.diag(gram).mean()
    factor, _ = scipy.linalg.lapack.spotrf(penalised.T, overwrite_a=True)
    inverse, _ = scipy.linalg.lapack.spotri(factor, overwrite_c=True)
    upper = np.triu(inverse)
    return upper + np.triu(upper, 1).T


def among_themselves(inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    """W_ij = -P_ij / P_jj, the diagonal 0: EASE in closed form (Steck 2019, equation 8)."""
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def pull(inverse: NDArray[np.floating], cross: NDArray[np.floating]) -> NDArray[np.floating]:
    """(products,) γ_j = (P·C)_jj / P_jj for a symmetric P."""
    return (inverse * cross).sum(axis=0) / np.diag(inverse)


def without_diagonal(inverse: NDArray[np.floating], cross: NDArray[np.floating]) -> NDArray[np.floating]:
    """W = P·C - P·diag(γ), γ_j = (P·C)_jj / P_jj: the ridge solution under diag W = 0.

    With C = X'X it comes to `among_themselves`.
    """
    weights = inverse @ cross - inverse * pull(inverse, cross)
    np.fill_diagonal(weights, 0.0)
    return weights


def most(amount: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """Indices of at most `limit` products with the largest positive amount, ascending; never 0, the unknown one."""
    order = np.argsort(-amount[1:], kind="stable")[:limit] + 1
    return np.sort(order[amount[order] > 0])


def scaled(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Each row divided by its largest; a row of nothing stays as it is."""
    largest = scores.max(axis=1, keepdims=True, initial=0.0)
    return scores / np.where(largest > 0, largest, 1.0)


def root(matrix: sp.csr_array) -> sp.csr_array:
    """Element-wise square root."""
    return matrix.sqrt()
