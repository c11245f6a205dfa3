"""The Ranker protocol: what every baseline and network can do, wherever it is used."""

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories


class Ranker(Protocol):
    """Scores the whole catalogue for each history.

    The same object answers "what does this user want next" (the user's history) and "what goes with
    this product" (a history that holds one event with that product).
    """

    name: str

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Learn from the dataset; choose what has to be chosen (epochs, blend) on validation."""
        ...

    def refit(self, dataset: Dataset) -> Self:
        """A new ranker, learned from `dataset` with the choices this one made in `fit`."""
        ...

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) higher is better; column 0 is never ranked. No side effects."""
        ...

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """(users, k) the product of the history that speaks most for each item; 0 where none does."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing, empty folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The saved ranker, ranking exactly as before; executes nothing stored in the folder."""
        ...


@runtime_checkable
class WithStandIns(Protocol):
    """What tells of a product without baskets by those of others."""

    def stand_ins(self, product: int) -> NDArray[np.int32]:
        """The products whose baskets stand in for those of `product`; none where it has its own."""
        ...


def top_k(
    scores: NDArray[np.floating], k: int, masked: sp.csr_array | NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """The k best product indices of each row, best first; ties go to the smaller index.

    Args:
        scores: (rows, products); column 0 is never returned.
        masked: (rows, products) true where a product may not be returned.

    Returns:
        (rows, k) indices; 0 fills the end where fewer products are allowed.
    """
    scores = np.array(scores, np.float32)
    scores[:, 0] = -np.inf
    if masked is not None:
        rows, columns = masked.nonzero()
        scores[rows, columns] = -np.inf
    k = min(k, scores.shape[1])
    order = _best(scores, k)
    return np.where(np.isneginf(np.take_along_axis(scores, order, axis=1)), 0, order).astype(np.int32)


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """(rows, k) columns of the largest scores, exact about ties at the edge."""
    columns = scores.shape[1]
    if columns <= 4 * k:
        return np.argsort(-scores, axis=1, kind="stable")[:, :k]
    edge = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
    chosen = np.empty((len(scores), k), np.int64)
    for row, (values, least) in enumerate(zip(scores, edge, strict=True)):
        candidates = np.flatnonzero(values >= least)
        chosen[row] = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
    return chosen
