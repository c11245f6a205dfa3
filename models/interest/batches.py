"""Questions in batches: windows of events, what is counted, and the products to choose among."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.candidates import Candidates
from models.interest.counted import Own, Trends
from models.interest.questions import Questions
from tandem.features.histories import DAY_US, Histories

POOL = 8
"""Windows are shuffled, then those of this many batches are sorted by length, so that little is padding."""


@dataclass(frozen=True)
class Windows:
    """Which stretch of a user's events each question reads: `length` events at most, shared where it can be.

    Window w of a user begins w · length / 2 events in, and a question reads the first window that reaches
    it: at least half a window of past, where the user has that much, for twice the work of no overlap.
    """

    begin: NDArray[np.int64]  # (windows,) place of the first event
    end: NDArray[np.int64]  # (windows,)
    question: NDArray[np.int64]  # (questions,) questions in order of their window
    offsets: NDArray[np.int64]  # (windows + 1,) into `question`

    def __len__(self) -> int:
        return len(self.begin)

    @classmethod
    def of(cls, histories: Histories, questions: Questions, length: int) -> "Windows":
        """The windows that the questions need."""
        stride = length // 2
        first = histories.offsets[questions.user]
        beyond = np.maximum(questions.last - first + 1 - length, 0)
        begin = first + -(-beyond // stride) * stride
        order = np.lexsort([questions.last, begin])
        starts, counts = np.unique(begin[order], return_counts=True)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        end = questions.last[order][offsets[1:] - 1] + 1
        return cls(starts, end, order, offsets)


class Batches:
    """Epochs of batches for `tf.data`; epoch n of equal seeds holds equal batches.

    Args:
        met: (products,) those that could be taken.
        length: events of a window.
        size: windows of a batch.
        negatives: products drawn for each batch; None: all products are candidates.
    """

    def __init__(
        self,
        histories: Histories,
        questions: Questions,
        own: Own,
        trends: Trends,
        met: NDArray[np.bool_],
        *,
        length: int,
        size: int,
        negatives: int | None,
        seed: int,
    ) -> None:
        self.histories, self.questions, self.own, self.trends = histories, questions, own, trends
        self.windows = Windows.of(histories, questions, length)
        self.candidates = Candidates.of(questions.taken, met, negatives)
        self.size, self.seed = size, seed
        self._epoch = 0

    def __len__(self) -> int:
        return -(-len(self.windows) // self.size)

    def epoch(self) -> Iterator[tuple[dict[str, NDArray], NDArray[np.float32]]]:
        """The batches of the next epoch."""
        rng = np.random.default_rng([self.seed, self._epoch])
        self._epoch += 1
        for windows in self._order(rng):
            yield self._batch(windows, rng)

    def _order(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        order = rng.permutation(len(self.windows))
        length = self.windows.end - self.windows.begin
        pools = [order[n : n + POOL * self.size] for n in range(0, len(order), POOL * self.size)]
        order = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools])
        batches = [order[n : n + self.size] for n in range(0, len(order), self.size)]
        return [batches[n] for n in rng.permutation(len(batches))]

    def _batch(
        self, windows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[dict[str, NDArray], NDArray[np.float32]]:
        asked = [self.windows.question[slice(*self.windows.offsets[[w, w + 1]])] for w in windows]
        question = np.concatenate(asked)
        row = np.repeat(np.arange(len(windows)), [len(a) for a in asked])
        begin, end = self.windows.begin[windows], self.windows.end[windows]
        last, moment = self.questions.last[question], self.questions.moment_us[question]
        events = read(self.histories, begin, end, origin_us=self.histories.time_us[begin])
        taken = self.questions.taken[question]
        candidates, extra = self.candidates.choose(np.unique(taken.indices), rng)
        start = self.histories.offsets[self.questions.user[question]]
        return {
            **events,
            "row": row.astype(np.int32),
            "place": (last - begin[row]).astype(np.int32),
            "since": ((moment - self.histories.time_us[last]) / DAY_US).astype(np.float32),
            "candidates": candidates,
            "trend": self.trends.before(moment)[:, candidates],
            **self._counted(start, last + 1, moment, candidates),
            **extra,
        }, taken[:, candidates].toarray().astype(np.float32)

    def _counted(
        self, begin: NDArray[np.int64], end: NDArray[np.int64], moment: NDArray[np.int64], candidates: NDArray[np.int32]
    ) -> dict[str, NDArray]:
        cells = self.own.count(self.histories, begin, end, moment)
        cell, column = matches(cells.product, candidates, self.histories.products)
        places = np.stack([cells.row[cell], column], axis=1).astype(np.int32)
        return {"own_cell": places, "own": cells.own[cell], "own_taken": cells.taken[cell]}


def matches(
    product: NDArray[np.int64], candidates: NDArray[np.int32], products: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All (n, c) with product[n] == candidates[c]; a candidate may stand in several places."""
    order = np.argsort(candidates, kind="stable")
    edges = np.searchsorted(candidates[order], np.arange(products + 1))
    begin, end = edges[product], edges[product + 1]
    length = end - begin
    row = np.repeat(np.arange(len(product)), length)
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - begin, length)
    return row, order[place]


def read(histories: Histories, begin: NDArray[np.int64], end: NDArray[np.int64], origin_us: Any) -> dict[str, NDArray]:
    """Events at places begin…end - 1 of each row, padded with 0 on the right.

    Returns:
        product, kind (rows, length) int32, days (rows, length) float32 since `origin_us`, and
        opinion (rows, length, WIDTH).
    """
    place = begin[:, None] + np.arange(max((end - begin).max(), 1))[None, :]  # (rows, length)
    present = place < end[:, None]
    place = np.where(present, place, 0)

    def gather(values: NDArray) -> NDArray:
        if not len(values):
            return np.zeros(place.shape + values.shape[1:], values.dtype)
        return np.where(present.reshape(present.shape + (1,) * (values.ndim - 1)), values[place], 0)

    days = np.where(present, gather(histories.time_us) - np.reshape(origin_us, (-1, 1)), 0) / DAY_US
    return {
        "product": gather(histories.product).astype(np.int32),
        "kind": gather(histories.kind).astype(np.int32),
        "days": days.astype(np.float32),
        "opinion": gather(histories.opinion).astype(np.float32),
    }
