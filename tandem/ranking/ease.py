"""EASE: the linear item-to-item model in closed form (Steck 2019), and its form that looks at what is bought now."""

import itertools
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
from tandem.features.histories import Histories
from tandem.ranking.base import decayed, trend, with_recent
from tandem.ranking.neighbours import CHOOSE_ON, ItemToItem, Weights, basket_weight, together


class Ease(ItemToItem):
    """Every product of a weighted basket from the others of it: min ‖X - XW‖² + λ‖W‖², diag W = 0."""

    name = "ease"
    tasks: ClassVar[tuple[str, ...]] = ("recommend", "related")

    def weights(self, dataset: Dataset) -> Weights:
        """EASE over baskets, weighted as in ItemKNN."""
        counts, amount = together(dataset.baskets, basket_weight(dataset, self.params))
        part = most(amount, self.params.ease_max_products)
        inverse = ridge(counts[part][:, part].toarray().astype(np.float32), self.params.ease_l2)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return spread(weights, part, len(amount))


class EaseTrend(ItemToItem):
    """What a user's past says of purchases of the last weeks, × trend, beside the user's own purchases.

    score(u, j) = (relu(Σ_i x_ui W_ij) + ω · own_uj) · (recent count_j + 1)^g
    W = argmin ‖Y - XW‖² + λ‖W‖², diag W = 0, with x_ui = √own_ui,
    own_ui the decayed frequency and Y the purchases alone with a much shorter half-life.
    With Y = X this is EASE; a recent Y makes it tell what those users buy now.
    λ, Y's half-life, g and ω are chosen on validation.
    """

    name = "ease_trend"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)

    def weights(self, dataset: Dataset) -> Weights:
        """The regression from whole histories to recent purchases."""
        past, part, gram = self._past(dataset)
        cross = self._cross(dataset, past, part, self.choice("trend_half_life_days"))
        return spread(without_diagonal(ridge(gram, self.choice("trend_l2")), cross), part, past.shape[1])

    def asked(self, histories: Histories) -> sp.csr_array:
        """Square root of decayed frequency."""
        return root(decayed(histories, self.learned["kind_weight"], self.params.half_life_days))

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(relu(history times matrix) + ω · own frequency) × trend."""
        own = self.asked(histories).power(2).toarray()
        return with_recent(self._blend(self.linear(histories), own, demand, self.choices), demand)

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
        chosen = {"trend_l2": shape[0], "trend_half_life_days": shape[1]}
        return {**chosen, "trend_exponent": exponent, "own_weight": weight}

    def _candidates(self, dataset: Dataset, asked: sp.csr_array) -> dict[tuple[float, float], NDArray]:
        """History times matrix for each λ and half-life, without ever forming the matrix."""
        past, part, gram = self._past(dataset)
        crosses = {days: self._cross(dataset, past, part, days) for days in self.params.trend_half_life_days}
        found = {}
        for l2 in self.params.trend_l2:
            inverse = ridge(gram, l2)
            halfway = asked[:, part] @ inverse  # (cases, part)
            for days, cross in crosses.items():
                scores = np.zeros(asked.shape, np.float32)
                scores[:, part] = halfway @ cross - halfway * pull(inverse, cross)
                found[l2, days] = scores
        return found

    def _past(self, dataset: Dataset) -> tuple[sp.csr_array, NDArray[np.int64], NDArray[np.float32]]:
        """X, the products that take part, and X'X among them."""
        past = root(decayed(dataset.histories, dataset.kind_weight, self.params.half_life_days))
        part = most(np.asarray(past.power(2).sum(axis=0)).ravel(), self.params.ease_max_products)
        return past, part, (past[:, part].T @ past[:, part]).toarray().astype(np.float32)

    def _cross(self, dataset: Dataset, past: sp.csr_array, part: NDArray, half_life_days: float) -> NDArray[np.float32]:
        """X'Y among the products that take part."""
        codes = [schema.KIND_CODE[kind] for kind in dataset.params.target_kinds]
        weight = np.where(np.isin(np.arange(len(dataset.kind_weight)), codes), dataset.kind_weight, 0.0)
        lately = decayed(dataset.histories, weight, half_life_days)
        return (past[:, part].T @ lately[:, part]).toarray().astype(np.float32)

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


def pull(inverse: NDArray[np.floating], cross: NDArray[np.floating]) -> NDArray[np.floating]:
    """(products,) γ_j = (P·C)_jj / P_jj for a symmetric P."""
    return (inverse * cross).sum(axis=0) / np.diag(inverse)


def without_diagonal(inverse: NDArray[np.floating], cross: NDArray[np.floating]) -> NDArray[np.floating]:
    """W = P·C - P·diag(γ), γ_j = (P·C)_jj / P_jj: the ridge solution under diag W = 0.

    With C = X'X it comes to -P_ij / P_jj (Steck 2019, equation 8).
    """
    weights = inverse @ cross - inverse * pull(inverse, cross)
    np.fill_diagonal(weights, 0.0)
    return weights


def most(amount: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """Indices of at most `limit` products with the largest positive amount, ascending; never 0, the unknown one."""
    order = np.argsort(-amount[1:], kind="stable")[:limit] + 1
    return np.sort(order[amount[order] > 0])


def spread(weights: NDArray[np.floating], part: NDArray[np.int64], products: int) -> NDArray[np.float32]:
    """(products, products) with `weights` among `part`, 0 elsewhere."""
    full = np.zeros((products, products), np.float32)
    full[np.ix_(part, part)] = weights
    return full


def root(matrix: sp.csr_array) -> sp.csr_array:
    """Element-wise square root."""
    return matrix.sqrt()
