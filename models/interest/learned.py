"""What training leaves behind, in NumPy and ONNX: enough to score, without TensorFlow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.interest.batches import read
from models.interest.counted import Own
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.opinions import WIDTH

INPUTS = {
    "product": ((None, None), "int32"),
    "kind": ((None, None), "int32"),
    "days": ((None, None), "float32"),
    "opinion": ((None, None, WIDTH), "float32"),
    "place": ((None,), "int32"),
    "since": ((None,), "float32"),
}
"""Inputs of the exported user network: shape and type; rows first, then events."""


@dataclass(frozen=True)
class Weights:
    """Arrays of a trained network outside its encoder."""

    vectors: NDArray[np.float32]  # (products, dim)
    bias: NDArray[np.float32]  # (products,)
    repeat: NDArray[np.float32]  # (products,)
    own: NDArray[np.float32]  # (channels,)
    trend: NDArray[np.float32]  # (windows,)
    kind_weight: NDArray[np.float32]  # (groups, kinds + 1) of `Own`
    half_lives_days: NDArray[np.float64]
    trend_days: NDArray[np.int64]
    length: NDArray[np.int64]  # () events that the encoder reads

    @property
    def counting(self) -> Own:
        """How own events are counted."""
        return Own(self.kind_weight, tuple(float(days) for days in self.half_lives_days))

    def scores(self, asked: NDArray[np.float32], histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) logits; the NumPy twin of `layers.Counted`.

        Args:
            asked: (users, dim + 1) user vector and loyalty.
        """
        users = len(histories)
        moments = np.full(users, histories.as_of_us)
        cells = self.counting.count(histories, histories.offsets[:-1], histories.offsets[1:], moments)
        scores = asked[:, :-1] @ self.vectors.T  # (users, products)
        again = cells.taken > 0
        row, product = cells.row[again], cells.product[again]
        scores[row, product] = asked[row, -1] + self.repeat[product]
        scores[cells.row, cells.product] += cells.own @ self.own
        trend = np.log1p(np.stack([demand.last(int(days)) for days in self.trend_days], axis=1)) @ self.trend
        return (scores + self.bias + trend).astype(np.float32)


def inputs(histories: Histories, length: int) -> dict[str, NDArray]:
    """The encoder's inputs for each history, asked at `as_of_us`; only the last `length` events are read."""
    end = histories.offsets[1:]
    begin = np.maximum(histories.offsets[:-1], end - length)
    events = read(histories, begin, end, origin_us=np.full(len(histories), histories.as_of_us))
    place = np.maximum(end - begin - 1, 0).astype(np.int32)
    since = np.maximum(-np.take_along_axis(events["days"], place[:, None], axis=1)[:, 0], 0)
    return {**events, "place": place, "since": since}
