"""Rankers made of one weight per directed pair of products, applied to what a history holds.

score(u, j) = Σ_i x_ui · W_ij, with x_u the user's decayed history, or one product that is asked about.
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import choose_best, mean_ndcg
from tandem.features.baskets import Baskets
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import DAY_US, Histories
from tandem.ranking.base import CountingRanker, decayed, positive, trend, with_recent

Weights = NDArray[np.floating] | sp.csr_array


class ItemToItem(CountingRanker):
    """A matrix of directed weights applied to the history; subclasses write `weights`."""

    def weights(self, dataset: Dataset) -> Weights:
        """(products, products) what having the row's product says for the column's."""
        raise NotImplementedError

    def asked(self, histories: Histories) -> sp.csr_array:
        """(users, products) how much of each product a history holds; never negative."""
        return decayed(histories, self.learned["kind_weight"], self.params.half_life_days)

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """`kind_weight`, and the strongest weights of each product as a sparse matrix."""
        kept = strongest(self.weights(dataset), self.params.neighbours)
        parts = {"data": kept.data, "indices": kept.indices, "indptr": kept.indptr}
        return {"kind_weight": dataset.kind_weight, **parts}

    @property
    def matrix(self) -> sp.csr_array:
        """(products, products) the learned weights."""
        parts = self.learned["data"], self.learned["indices"], self.learned["indptr"]
        size = len(self.learned["indptr"]) - 1
        return sp.csr_array(parts, shape=(size, size))

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """History times matrix; where it says nothing, recent demand."""
        return with_recent(self.linear(histories), demand)

    def linear(self, histories: Histories) -> NDArray[np.float32]:
        """(users, products) history times matrix."""
        return (self.asked(histories).astype(np.float32) @ self.matrix).toarray()

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """The product with the largest term x_ui · W_ij of the sum, exactly."""
        asked, matrix = self.asked(histories), self.matrix
        reasons = np.zeros(items.shape, np.int32)
        for row, wanted in enumerate(items):
            held = slice(asked.indptr[row], asked.indptr[row + 1])
            products, amounts = asked.indices[held], asked.data[held]
            if len(products):
                terms = self.terms(products, amounts, wanted, matrix[products][:, wanted].toarray())
                best = terms.argmax(axis=0)
                reasons[row] = np.where(terms.max(axis=0) > 0, products[best], 0)
        return reasons

    def terms(
        self, products: NDArray, amounts: NDArray, wanted: NDArray[np.integer], weights: NDArray
    ) -> NDArray[np.floating]:
        """(held, wanted) what each held product adds to each wanted one's score."""
        return amounts[:, None] * weights


class CoCount(ItemToItem):
    """Number of baskets with both; for one antecedent the same order as confidence."""

    name = "co_count"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """n_ij, the diagonal empty."""
        return hollow(together(dataset.baskets)[0])


class Cosine(ItemToItem):
    """n_ij / √(n_i n_j), shrunk by n_ij / (n_ij + shrinkage)."""

    name = "cosine"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """Cosine of the two products' baskets."""
        counts, support = together(dataset.baskets)
        a, b, n = pairs(counts)
        cosine = n / np.sqrt(support[a] * support[b])
        return as_matrix(cosine * shrink(n, self.params.shrinkage), a, b, counts)


class Lift(ItemToItem):
    """n_ij · N / (n_i n_j) among products with enough support: evidence to show, a poor order."""

    name = "lift"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """How many times likelier together than by chance."""
        counts, support = together(dataset.baskets)
        a, b, n = pairs(counts)
        lift = n * len(dataset.baskets) / (support[a] * support[b])
        enough = np.minimum(support[a], support[b]) >= self.params.min_support
        return as_matrix(np.where(enough, lift, 0.0), a, b, counts)


class Npmi(ItemToItem):
    """ln(p_ij / (p_i p_j)) / -ln p_ij, in [-1, 1]: Bouma 2009. Only positive association is kept."""

    name = "npmi"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """Pointwise mutual information, normalised."""
        counts, support = together(dataset.baskets)
        a, b, n = pairs(counts)
        share = n / max(len(dataset.baskets), 1)
        pmi = np.log(n * len(dataset.baskets) / (support[a] * support[b]))
        npmi = np.where(share < 1, pmi / -np.log(np.where(share < 1, share, 0.5)), 1.0)
        return as_matrix(np.maximum(npmi, 0.0), a, b, counts)


class Llr(ItemToItem):
    """Log-likelihood ratio G² of the 2 × 2 table of two products: Dunning 1993. Only positive association is kept."""

    name = "llr"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """2 Σ observed · ln(observed / expected) over the four cells."""
        counts, support = together(dataset.baskets)
        a, b, n = pairs(counts)
        total = len(dataset.baskets)
        ratio = np.zeros_like(n)
        for has_a in (True, False):
            for has_b in (True, False):
                observed, expected = _cell(n, support[a], support[b], total, has_a, has_b)
                safe = np.where(observed > 0, observed, 1.0)
                ratio += np.where(observed > 0, 2 * safe * np.log(safe / np.maximum(expected, 1e-300)), 0.0)
        attracted = n * total > support[a] * support[b]
        return as_matrix(np.where(attracted, ratio, 0.0), a, b, counts)


class ItemKNN(ItemToItem):
    """Weighted cosine: recent and small baskets say more, and the two products' popularity is divided out unequally.

    W_ij = c_ij / (c_i^α c_j^(1 - α)) · n_ij / (n_ij + shrinkage)
    c_ij = Σ over baskets with both of 0.5^(age / half-life) · size^-exponent, and c_i = c_ii.
    """

    name = "itemknn"
    tasks: ClassVar[tuple[str, ...]] = ("recommend", "related")

    def weights(self, dataset: Dataset) -> Weights:
        """Asymmetric weighted cosine, shrunk by the plain count."""
        params = self.params
        weighted, amount = together(dataset.baskets, basket_weight(dataset, params))
        counts, _ = together(dataset.baskets)
        a, b, n = pairs(counts)
        norm = amount[a] ** params.asymmetry * amount[b] ** (1 - params.asymmetry)
        return as_matrix(pairs(weighted)[2] / norm * shrink(n, params.shrinkage), a, b, counts)


class ItemKNNTrend(ItemKNN):
    """Weighted cosine × trend: of the products that go with it, those that sell now."""

    name = "itemknn_trend"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """The trend's exponent with the best NDCG@10."""
        trial = type(self)(self.params).fit(dataset)
        linear = trial.linear(validation.histories)

        def quality(exponent: float) -> float:
            return mean_ndcg(linear * trend(validation.demand, self.params.trend_days, exponent), validation, 10)

        return {"trend_exponent": choose_best(quality, self.params.trend_exponent)}

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """Weighted cosine × (recent count + 1)^g."""
        now = trend(demand, self.params.trend_days, self.choice("trend_exponent"))
        return with_recent(self.linear(histories) * now, demand)


class Markov(ItemToItem):
    """What followed a product within a few steps, nearer steps counting more.

    W_ij = t_ij / (Σ_j t_ij + shrinkage), t_ij = Σ over i followed by j at gap g ≤ window of weight_j / g.
    """

    name = "markov"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)

    def weights(self, dataset: Dataset) -> Weights:
        """Shrunk share of each follower."""
        counts = transitions(dataset.histories, dataset.kind_weight, self.params.markov_window)
        share = 1.0 / (np.asarray(counts.sum(axis=1)).ravel() + self.params.shrinkage)
        return sp.csr_array(sp.diags_array(np.where(np.isfinite(share), share, 0.0)) @ counts)

    def asked(self, histories: Histories) -> sp.csr_array:
        """The last events, weight of the kind / steps back, the last event being one step back."""
        kept = worth(histories, self.learned["kind_weight"])
        back = np.repeat(kept.offsets[1:], np.diff(kept.offsets)) - np.arange(len(kept.product))  # 1 = last
        near = back <= self.params.markov_window
        return positive(kept.matrix(self.learned["kind_weight"][kept.kind] * near / back))


def together(baskets: Baskets, weight: NDArray[np.floating] | None = None) -> tuple[sp.csr_array, NDArray]:
    """Weighted number of baskets with both products, and with each.

    Returns:
        (products, products) with the diagonal, columns sorted, and (products,) that diagonal.
    """
    content = baskets.content
    if weight is not None:
        content = sp.csr_array(sp.diags_array(np.sqrt(weight)) @ content)
    counts = sp.csr_array(content.T @ content)
    counts.sort_indices()
    return counts, counts.diagonal()


def basket_weight(dataset: Dataset, params: object) -> NDArray[np.float64]:
    """(baskets,) 0.5^(age / half-life) · size^-exponent; size as far as the vocabulary knows it."""
    age_days = (dataset.as_of_us - dataset.baskets.time_us) / DAY_US
    size = np.maximum(dataset.baskets.size, 1).astype(np.float64)
    return 0.5 ** (age_days / params.basket_half_life_days) * size**-params.basket_size_exponent


def pairs(counts: sp.csr_array) -> tuple[NDArray, NDArray, NDArray[np.float64]]:
    """Rows, columns and values of all pairs of two products, in order."""
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    other = rows != counts.indices
    return rows[other], counts.indices[other], counts.data[other].astype(np.float64)


def as_matrix(values: NDArray[np.floating], a: NDArray, b: NDArray, like: sp.csr_array) -> sp.csr_array:
    """(products, products) with `values` at (a, b)."""
    return sp.csr_array((values, (a, b)), shape=like.shape)


def hollow(counts: sp.csr_array) -> sp.csr_array:
    """The same without its diagonal."""
    a, b, values = pairs(counts)
    return as_matrix(values, a, b, counts)


def shrink(count: NDArray[np.floating], shrinkage: float) -> NDArray[np.floating]:
    """n / (n + shrinkage): how far a pair seen n times is believed."""
    return count / (count + shrinkage)


def worth(histories: Histories, kind_weight: NDArray[np.floating]) -> Histories:
    """The histories without events that weigh nothing."""
    kept = kind_weight[histories.kind] > 0
    before = np.concatenate([[0], np.cumsum(kept)])
    columns = {name: getattr(histories, name)[kept] for name in ("product", "kind", "time_us", "basket")}
    return replace(histories, offsets=before[histories.offsets].astype(np.int64), **columns)


def transitions(histories: Histories, kind_weight: NDArray[np.floating], window: int) -> sp.csr_array:
    """(products, products) Σ weight of the later event / gap over pairs of a user's events ≤ `window` steps apart."""
    kept = worth(histories, kind_weight)
    user, product, weight = kept.user, kept.product, kind_weight[kept.kind].astype(np.float64)
    shape = (histories.products, histories.products)
    counts = sp.csr_array(shape, dtype=np.float64)
    for gap in range(1, window + 1):
        same = user[gap:] == user[:-gap]
        cells = (weight[gap:] / gap)[same], (product[:-gap][same], product[gap:][same])
        counts = counts + sp.csr_array(cells, shape=shape)
    return counts


def strongest(weights: Weights, k: int) -> sp.csr_array:
    """(products, products) float32 with the k entries of largest magnitude of each row; ties to the smaller column."""
    rows = []
    for start in range(0, weights.shape[0], 1024):
        block = weights[start : start + 1024]
        dense = block.toarray() if sp.issparse(block) else np.array(block)
        rows.append(_strongest_of(dense.astype(np.float32), k))
    return sp.csr_array(sp.vstack(rows, format="csr"))


def _strongest_of(dense: NDArray[np.float32], k: int) -> sp.csr_array:
    if dense.shape[1] > k:
        order = np.argsort(-np.abs(dense), axis=1, kind="stable")[:, k:]
        np.put_along_axis(dense, order, 0.0, axis=1)
    return sp.csr_array(dense)


def _cell(
    n: NDArray, of_a: NDArray, of_b: NDArray, total: int, has_a: bool, has_b: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed and expected baskets of one cell of the 2 × 2 table."""
    row = of_a if has_a else total - of_a
    column = of_b if has_b else total - of_b
    both = n if has_b else of_a - n
    neither = of_b - n if has_b else total - of_a - of_b + n
    return (both if has_a else neither), row * column / total
