"""Rankers that look at no other product: what everybody buys, what everybody bought lately, what the user buys."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.ranking.base import RECENT_DAYS, CountingRanker, decayed, with_recent


class Popular(CountingRanker):
    """Number of baskets that ever held a product, the same for everyone."""

    name = "popular"
    tasks: ClassVar[tuple[str, ...]] = ("recommend", "related")

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """`baskets` (products,): how many held the product."""
        return {"baskets": np.asarray(dataset.baskets.content.sum(axis=0)).ravel().astype(np.float32)}

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """One row, repeated."""
        return np.tile(self.learned["baskets"], (len(histories), 1))


class RecentPopular(CountingRanker):
    """Demand of the last seven days, the same for everyone; learns nothing."""

    name = "popular_7d"
    tasks: ClassVar[tuple[str, ...]] = ("recommend", "related")

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """Nothing: demand comes with each question."""
        return {}

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """One row, repeated."""
        return np.tile(demand.last(RECENT_DAYS), (len(histories), 1))


class Personal(CountingRanker):
    """How often the user took a product, older times counting less; then recent demand."""

    name = "personal"
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """`kind_weight` alone: the history itself is the score."""
        return {"kind_weight": dataset.kind_weight}

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """Decayed frequency."""
        own = decayed(histories, self.learned["kind_weight"], self.params.half_life_days)
        return with_recent(own.toarray(), demand)

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """The product itself where the user has it."""
        own = decayed(histories, self.learned["kind_weight"], self.params.half_life_days).toarray()
        return np.where(np.take_along_axis(own, items, axis=1) > 0, items, 0).astype(np.int32)
