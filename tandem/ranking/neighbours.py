"""Rankers made of one weight per directed pair of products, applied to what a history holds.

score(u, j) = Σ_i x_ui · W_ij, with x_u the user's decayed history, or one product that is asked about.
"""

import itertools
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import choose_best, mean_ndcg
from tandem.features import pairs, strength
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.graph import edges, weighted_baskets
from tandem.features.histories import Histories
from tandem.features.pairs import Pairs
from tandem.params import CountingParams
from tandem.ranking.base import CountingRanker, decayed, positive, trend, with_recent

CHOOSE_ON = 1000
"""At most so many validation cases, evenly spread, take part in a choice."""

Weights: TypeAlias = NDArray[np.floating] | sp.csr_array


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
        return {"kind_weight": dataset.kind_weight, **files.packed(kept)}

    @property
    def matrix(self) -> sp.csr_array:
        """(products, products) the learned weights."""
        return files.unpacked(self.learned, len(self.learned["indptr"]) - 1)

    def of_products(self, rows: NDArray[np.integer]) -> sp.csr_array:
        """(rows, products) the weights of the products at `rows`."""
        return sp.csr_array(self.matrix[rows])

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """History times matrix; where it says nothing, recent demand."""
        return with_recent(self.without_recent(histories, demand), demand)

    def without_recent(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) the same before recent demand has the last word."""
        return self.linear(histories)

    def linear(self, histories: Histories) -> NDArray[np.float32]:
        """(users, products) history times matrix."""
        return (self.asked(histories).astype(np.float32) @ self.matrix).toarray()

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """The product with the largest term x_ui · W_ij of the sum, exactly."""
        asked, reasons = self.asked(histories), np.zeros(items.shape, np.int32)
        for row, wanted in enumerate(items):
            held = slice(asked.indptr[row], asked.indptr[row + 1])
            products, amounts = asked.indices[held], asked.data[held]
            if len(products):
                terms = self.terms(products, amounts, wanted, self.of_products(products)[:, wanted].toarray())
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
        found = edges(dataset, "together")
        return found.matrix(found.n)


class Cosine(ItemToItem):
    """n_ij / (√(n_i n_j) + shrinkage)."""

    name = "cosine"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """Cosine of the two products' baskets, shrunk towards the plain count."""
        found = edges(dataset, "together")
        return found.matrix(strength.cosine(found, self.params.cosine_shrinkage))


class Lift(ItemToItem):
    """n_ij · N / (n_i n_j) of pairs with enough support: evidence to show, a poor order."""

    name = "lift"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """How many times likelier together than by chance."""
        found = edges(dataset, "together")
        return found.matrix(np.where(found.n >= self.params.min_support, strength.lift(found), 0.0))


class Npmi(ItemToItem):
    """ln(p_ij / (p_i p_j)) / -ln p_ij of pairs with enough support. Only positive association is kept."""

    name = "npmi"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """Pointwise mutual information, normalised."""
        found = edges(dataset, "together")
        supported = found.n >= self.params.min_support
        return found.matrix(np.where(supported, np.maximum(strength.npmi(found), 0.0), 0.0))


class Llr(ItemToItem):
    """Log-likelihood ratio G² of the 2 × 2 table of two products. Only positive association is kept."""

    name = "llr"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """G² where attracted."""
        found = edges(dataset, "together")
        return found.matrix(np.maximum(strength.log_likelihood_ratio(found), 0.0))


class WeightedCosine(ItemToItem):
    """Recent and small baskets say more, and the two products' popularity is divided out unequally.

    W_ij = c_ij / (c_i^α c_j^(1 - α)) · n_ij / (n_ij + shrinkage)
    c_ij = Σ over baskets with both of 0.5^(age / half-life) · size^-exponent, and c_i = c_ii.
    α is chosen on validation.
    """

    name = "weighted_cosine"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def cosines(self, dataset: Dataset) -> "Cosines":
        """Weighted baskets."""
        return cosines_of_baskets(dataset, self.params)

    def weights(self, dataset: Dataset) -> Weights:
        """Asymmetric weighted cosine, shrunk by the plain count."""
        return self.cosines(dataset).at(self.choice("asymmetry"))

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """The exponent with the best NDCG@10."""
        cosines, cases = self.cosines(dataset), validation.spread(CHOOSE_ON)
        asked = decayed(cases.histories, dataset.kind_weight, self.params.half_life_days)

        def quality(asymmetry: float) -> float:
            return mean_ndcg((asked @ cosines.at(asymmetry)).toarray(), cases, 10)

        return {"asymmetry": choose_best(quality, self.params.asymmetry)}


class ItemKNN(WeightedCosine):
    """The same of users instead of baskets: c_ij = Σ_u √(x_ui x_uj), n_ij the users with both.

    x_ui = Σ over u's events with i of kind's weight · 0.5^(age / half-life) · (size of the event's basket)^-exponent.
    Few neighbours of each product are kept; how many is chosen on validation with α.
    """

    name = "itemknn"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)

    def cosines(self, dataset: Dataset) -> "Cosines":
        """Weighted histories."""
        return cosines_of_users(dataset, self.params)

    def weights(self, dataset: Dataset) -> Weights:
        """Asymmetric weighted cosine with the nearest neighbours."""
        return strongest(super().weights(dataset), int(self.choice("knn_neighbours")))

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """The pair of exponent and number of neighbours with the best NDCG@10."""
        cosines, cases = self.cosines(dataset), validation.spread(CHOOSE_ON)
        asked = decayed(cases.histories, dataset.kind_weight, self.params.half_life_days)
        wide = {a: strongest(cosines.at(a), max(self.params.knn_neighbours)) for a in self.params.asymmetry}

        def quality(option: tuple[float, int]) -> float:
            return mean_ndcg((asked @ narrowed(wide[option[0]], option[1])).toarray(), cases, 10)

        options = list(itertools.product(self.params.asymmetry, self.params.knn_neighbours))
        asymmetry, neighbours = choose_best(quality, options)
        return {"asymmetry": asymmetry, "knn_neighbours": neighbours}


class WeightedCosineTrend(WeightedCosine):
    """Weighted cosine × (recent count + 1)^g: of the products that go with it, those that sell now."""

    name = "weighted_cosine_trend"

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """The pair of exponents with the best NDCG@10."""
        cosines, cases = self.cosines(dataset), validation.spread(CHOOSE_ON)
        asked = decayed(cases.histories, dataset.kind_weight, self.params.half_life_days)
        linear = {a: (asked @ cosines.at(a)).toarray() for a in self.params.asymmetry}
        now = {g: trend(cases.demand, self.params.trend_days, g) for g in self.params.trend_exponent}
        options = list(itertools.product(linear, now))
        asymmetry, exponent = choose_best(lambda o: mean_ndcg(linear[o[0]] * now[o[1]], cases, 10), options)
        return {"asymmetry": asymmetry, "trend_exponent": exponent}

    def without_recent(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) weighted cosine × trend."""
        return self.linear(histories) * trend(demand, self.params.trend_days, self.choice("trend_exponent"))


class Markov(ItemToItem):
    """What followed a product within a few steps, nearer steps counting more.

    W_ij = t_ij / (Σ_j t_ij + shrinkage), t_ij = Σ over i followed by j at gap g ≤ window of weight_j / g.
    """

    name = "markov"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)

    def weights(self, dataset: Dataset) -> Weights:
        """Shrunk share of each follower."""
        counts = transitions(dataset.histories, dataset.kind_weight, self.params.markov_window)
        total = np.asarray(counts.sum(axis=1)).ravel() + self.params.shrinkage
        return sp.csr_array(sp.diags_array(1.0 / np.where(total > 0, total, 1.0)) @ counts)

    def asked(self, histories: Histories) -> sp.csr_array:
        """The last events, weight of the kind / steps back, the last event being one step back."""
        kept = worth(histories, self.learned["kind_weight"])
        back = np.repeat(kept.offsets[1:], np.diff(kept.offsets)) - np.arange(len(kept.product))  # 1 is the last
        near = back <= self.params.markov_window
        return positive(kept.matrix(self.learned["kind_weight"][kept.kind] * near / back))


@dataclass(frozen=True)
class Cosines:
    """Weighted cosines of every asymmetry."""

    pairs: Pairs
    alone: NDArray[np.float64]  # (products,) the weight of each product with itself
    shrinkage: float

    @classmethod
    def of(cls, pairs: Pairs, content: sp.csr_array, shrinkage: float) -> Self:
        """Those of pairs whose weights are X'X of `content`."""
        return cls(pairs, np.asarray(content.power(2).sum(axis=0)).ravel(), shrinkage)

    def at(self, asymmetry: float) -> sp.csr_array:
        """(products, products) `strength.weighted_cosine` of that asymmetry."""
        return self.pairs.matrix(strength.weighted_cosine(self.pairs, self.alone, asymmetry, self.shrinkage))


def cosines_of_baskets(dataset: Dataset, params: CountingParams) -> Cosines:
    """Cosines of baskets weighted by recency and size."""
    return Cosines.of(edges(dataset, "together"), weighted_baskets(dataset), params.shrinkage)


def cosines_of_users(dataset: Dataset, params: CountingParams) -> Cosines:
    """Cosines of histories weighted by recency and by the size of the basket of each event."""
    content = positive(dataset.histories.matrix(event_weight(dataset))).sqrt()
    return Cosines.of(pairs.count(content), content, params.shrinkage)


def event_weight(dataset: Dataset) -> NDArray[np.float64]:
    """(events,) weight of the kind · 0.5^(age / half-life) · (events of the user's basket)^-exponent."""
    known, params = dataset.histories, dataset.params.graph
    basket = np.unique(np.stack([known.user, known.basket]), axis=1, return_inverse=True)[1].ravel()
    size = np.bincount(basket)[basket].astype(np.float64)
    age = 0.5 ** (known.age_days() / params.half_life_days)
    return dataset.kind_weight[known.kind] * age * size**-params.size_exponent


def worth(histories: Histories, kind_weight: NDArray[np.floating]) -> Histories:
    """The histories without events that weigh nothing."""
    return histories.keep(kind_weight[histories.kind] > 0)


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
    """(products, products) float32 with the k entries of largest magnitude of each row, zeros left out.

    Of equals those of smaller index are kept.
    """
    if isinstance(weights, sp.csr_array) and np.diff(weights.indptr).max(initial=0) <= k:
        return weights.astype(np.float32)
    blocks = []
    for start in range(0, weights.shape[0], 1024):
        block = weights[start : start + 1024].astype(np.float32)
        dense = block.toarray() if isinstance(block, sp.csr_array) else block
        blocks.append(sp.csr_array(np.where(_largest(np.abs(dense), min(k, dense.shape[1])), dense, 0.0)))
    return sp.csr_array(sp.vstack(blocks, format="csr"))


def _largest(size: NDArray[np.float32], k: int) -> NDArray[np.bool_]:
    """(rows, columns) true at the k largest of each row, the first of equals."""
    edge = np.partition(size, -k, axis=1)[:, -k, None]
    above, level = size > edge, size == edge
    room = k - above.sum(axis=1, keepdims=True)
    return above | (level & (np.cumsum(level, axis=1) <= room))


def narrowed(weights: sp.csr_array, k: int) -> sp.csr_array:
    """As `strongest`, of a matrix with few entries."""
    row = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    kept = pairs.strongest(row, np.abs(weights.data), k)
    return sp.csr_array((weights.data[kept], (row[kept], weights.indices[kept])), shape=weights.shape)
