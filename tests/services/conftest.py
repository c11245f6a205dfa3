"""A small shop with a planted answer, its releases made by a real ranker, and the service over them."""

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files, release
from tandem.data import schema
from tandem.evaluation.cases import Cases
from tandem.features import dataset
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.params import FeaturesParams


class CoCount:
    """Sum over the history of how many baskets held both products; a whole ranker in few lines."""

    name = "co_count"
    tasks = ("recommend", "related")

    def __init__(self, counts: sp.csr_array) -> None:
        self.counts = counts

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        content = dataset.baskets.content
        counts = sp.csr_array(content.T @ content)
        counts.setdiag(0)
        counts.eliminate_zeros()
        return type(self)(counts)

    def refit(self, dataset: Dataset) -> Self:
        return self.fit(dataset)

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        weight = np.ones(len(histories.product))
        return (histories.matrix(weight) @ self.counts).toarray().astype(np.float32)

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        why = np.zeros(items.shape, np.int32)
        for row in range(len(histories)):
            own = np.unique(histories.product[histories.offsets[row] : histories.offsets[row + 1]])
            votes = self.counts[own][:, items[row]].toarray()
            best = votes.argmax(axis=0)
            why[row] = np.where(votes.max(axis=0) > 0, own[best], 0)
        return why

    def save(self, folder: Path) -> None:
        sp.save_npz(folder / "counts.npz", self.counts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(sp.csr_array(sp.load_npz(folder / "counts.npz")))
