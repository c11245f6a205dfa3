"""What every ranker that counts shares: choices, learned arrays, decayed histories, the last word of recent demand."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files
from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.params import CountingParams

RECENT_DAYS = 7
TIE_BREAK = 1e-6
"""Share of a row's largest score that recent demand may add: it parts ties and fills what nothing is known of."""


class CountingRanker:
    """A ranker whose knowledge is a few named arrays: `learn` makes them, `scores` reads them.

    Subclasses set `name` and `tasks` and write `learn` and `scores`; `choose` where something is open,
    `because` where a history speaks.
    """

    name: str
    tasks: ClassVar[tuple[str, ...]]

    def __init__(self, params: CountingParams) -> None:
        self.params = params
        self.choices: dict[str, float] = {}
        self.learned: dict[str, NDArray] = {}

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Choose on validation where there is any, then learn."""
        if validation is not None and len(validation):
            self.choices = self.choose(dataset, validation)
        self.learned = self.learn(dataset)
        return self

    def refit(self, dataset: Dataset) -> Self:
        """A new ranker with this one's choices, learned from `dataset`."""
        again = type(self)(self.params)
        again.choices = dict(self.choices)
        again.learned = again.learn(dataset)
        return again

    def choose(self, dataset: Dataset, validation: Cases) -> dict[str, float]:
        """Values of params that hold candidates; none by default."""
        return {}

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """The arrays that `scores` needs, by name."""
        raise NotImplementedError

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) higher is better."""
        raise NotImplementedError

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """(users, k) 0: no product of the history speaks for anything."""
        return np.zeros(items.shape, np.int32)

    def choice(self, name: str) -> float:
        """The value chosen for a param that holds candidates, or the first of them."""
        return float(self.choices.get(name, getattr(self.params, name)[0]))

    def save(self, folder: Path) -> None:
        """Write params and choices as JSON, learned arrays as `.npz`."""
        files.write_json(
            {"params": self.params.model_dump(mode="json"), "choices": self.choices}, folder / "ranker.json"
        )
        files.write_arrays(folder / "learned.npz", **self.learned)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The ranker written by `save`."""
        stored = files.read_json(folder / "ranker.json")
        ranker = cls(CountingParams.parse(stored["params"], str(folder / "ranker.json")))
        ranker.choices = stored["choices"]
        ranker.learned = files.read_arrays(folder / "learned.npz")
        return ranker


def decayed(histories: Histories, kind_weight: NDArray[np.floating], half_life_days: float) -> sp.csr_array:
    """(users, products) Σ kind_weight[kind] × 0.5^(age / half-life) over a user's events with a product."""
    weight = kind_weight[histories.kind] * 0.5 ** (histories.age_days() / half_life_days)
    return positive(histories.matrix(weight))


def positive(matrix: sp.csr_array) -> sp.csr_array:
    """The same with its zeros left out and columns sorted."""
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def with_recent(scores: NDArray[np.floating], demand: Demand) -> NDArray[np.float32]:
    """Scores plus at most `TIE_BREAK` of each row's largest, in proportion to recent demand.

    A row that knows nothing is recent popularity, and products of score 0 come in order of recent demand. Ties above
    0 are parted as finely as single precision can: at the top of a row into some 16 steps of demand, further down
    into more. Two scores closer than `TIE_BREAK` of the largest count as a tie.
    """
    recent = demand.last(RECENT_DAYS)
    share = recent / max(float(recent.max(initial=0.0)), 1.0)
    largest = np.abs(scores).max(axis=1, keepdims=True, initial=0.0)
    return (scores + TIE_BREAK * np.where(largest > 0, largest, 1.0) * share[None, :]).astype(np.float32)


def trend(demand: Demand, days: int, exponent: float) -> NDArray[np.float32]:
    """(products,) (weighted count over the last `days` + 1) ** exponent: what sells now, sells on."""
    return ((demand.last(days) + 1.0) ** exponent).astype(np.float32)
