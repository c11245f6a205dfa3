"""What is counted beside the network: the user's own decayed events, and the shop's demand of the moment.

Both enter the scores with learned weights, so that a network never has to relearn counting.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.interest.questions import spread
from tandem.data import schema
from tandem.features.dataset import Dataset
from tandem.features.histories import DAY_US, Histories


@dataclass(frozen=True)
class Cells:
    """Counts where there are any: one row for each pair of a question and a product of the user's past."""

    row: NDArray[np.int64]  # (cells,) question
    product: NDArray[np.int64]  # (cells,)
    own: NDArray[np.float32]  # (cells, channels)
    taken: NDArray[np.float32]  # (cells,) 1 where the user took the product before


@dataclass(frozen=True)
class Own:
    """How a user's own events are counted: one channel for each group of kinds and half-life.

    own[u, i, c] = log(1 + Σ weight(kind) · 2^(-age / half-life)) over events of u with i of channel c's group;
    the groups are the targeted kinds and, where the shop has any, all others.
    """

    weight: NDArray[np.float32]  # (groups, kinds + 1) by code of the kind; the targeted group first
    half_lives_days: tuple[float, ...]

    @classmethod
    def of(cls, dataset: Dataset, half_lives_days: tuple[float, ...]) -> "Own":
        """Counting by the weights and targets of the dataset's params."""
        target = np.zeros(len(schema.KIND_CODE) + 1, bool)
        target[[schema.KIND_CODE[kind] for kind in dataset.params.target_kinds]] = True
        other = np.where(target, 0, dataset.kind_weight)
        groups = [np.where(target, dataset.kind_weight, 0)]
        if other[dataset.histories.kind].any():
            groups.append(other)
        return cls(np.stack(groups).astype(np.float32), half_lives_days)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.weight) * len(self.half_lives_days)

    def count(
        self, histories: Histories, begin: NDArray[np.int64], end: NDArray[np.int64], moment_us: NDArray[np.int64]
    ) -> Cells:
        """Counts at the moments, each of the events at places begin…end - 1."""
        row, place = spread(begin, end)
        pair = row * histories.products + histories.product[place]
        pairs, cell = np.unique(pair, return_inverse=True)
        age = np.maximum(moment_us[row] - histories.time_us[place], 0) / DAY_US
        weight = self.weight[:, histories.kind[place]]  # (groups, events)
        counts = [
            np.bincount(cell, group * 0.5 ** (age / half_life), minlength=len(pairs))
            for group in weight
            for half_life in self.half_lives_days
        ]
        taken = np.bincount(cell, weight[0] > 0, minlength=len(pairs)) > 0
        own = np.log1p(np.stack(counts, axis=1)).astype(np.float32)
        return Cells(pairs // histories.products, pairs % histories.products, own, taken.astype(np.float32))


class Trends:
    """The shop's demand before any day of the fit period, over windows of days.

    Counted like `tandem.features.demand`: each (basket, kind, product) once, by the weight of its kind. Of
    unknown users only baskets of targeted kinds are kept, so their other events are not in it.
    """

    def __init__(self, dataset: Dataset, days: tuple[int, ...]) -> None:
        day, product, weight = _dated(dataset)
        self._first = int(day.min())
        length = dataset.as_of_us // DAY_US - self._first + 1
        daily = np.zeros((length, dataset.vocabulary.size))
        np.add.at(daily, (day - self._first, product), weight)
        until = np.concatenate([np.zeros((1, daily.shape[1])), np.cumsum(daily, axis=0)])  # row d: before day d
        windows = [until - until[np.maximum(np.arange(len(until)) - n, 0)] for n in days]
        self._table = np.log1p(np.maximum(np.stack(windows, axis=-1), 0)).astype(np.float32)

    def before(self, moment_us: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, products, windows) log(1 + demand) in the last days, up to the start of the moment's UTC day."""
        return self._table[moment_us // DAY_US - self._first]


def _dated(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Day, product and weight of what the shop's demand consists of."""
    baskets, histories = dataset.baskets, dataset.histories
    targets = [schema.KIND_CODE[kind] for kind in dataset.params.target_kinds]
    other = ~np.isin(histories.kind, targets)
    day = np.concatenate([np.repeat(baskets.time_us, baskets.size), histories.time_us[other]]) // DAY_US
    product = np.concatenate([baskets.content.indices, histories.product[other]]).astype(np.int64)
    together = np.full(len(baskets.content.indices), float(dataset.kind_weight[targets].max()))
    return day, product, np.concatenate([together, dataset.kind_weight[histories.kind[other]]])
