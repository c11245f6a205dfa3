"""The head as Keras trains it."""

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.sentiment.head import Head, Words
from models.sentiment.params import SentimentParams

LEAST_STEPS = 50
"""Batches of an epoch at least, where there are as many reviews: few reviews make small batches."""

Batch = tuple[dict[str, NDArray], NDArray[np.float32]]


class Network(keras.Model):
    """Logits of texts; n-grams come as a list of (row, column, value), so that only those that are there are read."""

    def __init__(self, columns: int, dense: int, params: SentimentParams) -> None:
        super().__init__()
        self.by_term = self.add_weight(shape=(columns, params.hidden), initializer="random_uniform", name="by_term")
        self.by_dense = layers.Dense(params.hidden)
        self.out = layers.Dense(1)
        self.term_dropout, self.dropout = layers.Dropout(params.term_dropout), layers.Dropout(params.dropout)
        for layer, width in ((self.by_dense, dense), (self.out, params.hidden)):
            layer.build((None, width))
        self.built = True

    def call(self, inputs: dict, training: bool = False) -> keras.KerasTensor:
        """(batch,) logits."""
        value = self.term_dropout(inputs["value"], training=training)  # (terms,)
        weighed = ops.take(self.by_term, inputs["column"], axis=0) * value[:, None]  # (terms, hidden)
        dense = self.by_dense(inputs["dense"])  # (batch, hidden)
        hidden = ops.relu(ops.segment_sum(weighed, inputs["row"], num_segments=ops.shape(dense)[0]) + dense)
        return self.out(self.dropout(hidden, training=training))[:, 0]  # (batch,)

    def head(self, columns: NDArray[np.int64]) -> Head:
        """The same in NumPy, not calibrated."""
        (by_dense, bias), (out, out_bias) = self.by_dense.get_weights(), self.out.get_weights()
        return Head(columns, self.by_term.numpy(), by_dense, bias, out[:, 0], out_bias[0], np.array([1.0, 0.0]))


class Batches:
    """Words and targets in a new order each epoch."""

    def __init__(self, words: Words, target: NDArray[np.float32], size: int, seed: int) -> None:
        self.words, self.target, self.size = words, target, size
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return max(-(-len(self.target) // self.size), min(len(self.target), LEAST_STEPS))

    def epoch(self) -> Iterator[Batch]:
        """Each review once."""
        for rows in np.array_split(self._rng.permutation(len(self.target)), len(self)):
            yield inputs(self.words[rows]), self.target[rows]


def inputs(words: Words) -> dict[str, NDArray]:
    """What `Network` reads: row, column and value (terms,), dense (batch, dim + aspects)."""
    cells = words.terms.tocoo()
    row, column = (place.astype(np.int32) for place in cells.coords)
    return {"row": row, "column": column, "value": cells.data, "dense": words.dense}
