"""A ranker that takes part in a blend, and how the blend reads it."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.ranking.ranker import Ranker


@runtime_checkable
class Timeless(Ranker, Protocol):
    """A ranker that can leave out what recent demand adds to its scores."""

    def without_recent(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) the scores without it."""
        ...


@dataclass(frozen=True)
class Component:
    """A ranker as a blend reads it; a score of 0, of logs one that is not above 0, says that it knows nothing.

    Rankers that can are read without recent demand, which has columns of its own; a trend is part of the ranker.
    """

    ranker: Ranker
    logs: bool = True  # the score's log counts
    of_content: bool = False  # it needs no basket that held the product asked about
    weighed: bool = True  # its scores are columns; else it may be the anchor, and no more

    @property
    def name(self) -> str:
        """The ranker's."""
        return self.ranker.name

    def fit(self, dataset: Dataset, validation: Cases) -> "Component":
        """With a ranker that made its choices on validation."""
        return replace(self, ranker=self.ranker.fit(dataset, validation))

    def refit(self, dataset: Dataset) -> "Component":
        """With a ranker of the same choices."""
        return replace(self, ranker=self.ranker.refit(dataset))

    def read(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) the scores."""
        ranker = self.ranker
        return (ranker.without_recent if isinstance(ranker, Timeless) else ranker.scores)(histories, demand)

    def columns(self, scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The scores or their logs, 0 where nothing is known, and 1 there."""
        known = scores > 0 if self.logs else scores != 0
        told = np.log(scores, where=known, out=np.zeros_like(scores)) if self.logs else scores
        return told, (~known).astype(np.float32)
