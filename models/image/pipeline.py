"""Pictures through `tf.data`: read from their shards and decoded in parallel, in order, some batches ahead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.image.decoding import Pixels, decode
from models.image.shards import Shards
from tandem.data.pictures import WORKERS

AHEAD = 2
"""Batches that are ready before they are asked for."""


def in_order(
    shards: Shards, places: Sequence[str], side: int, batch: int
) -> Iterator[tuple[NDArray[np.int64], Pixels, list[str]]]:
    """Of each batch: rows (batch,), pixels (batch, side, side, 3), and why there are none, "" where there are."""
    columns = {"place": np.array(places, object), "row": np.arange(len(places))}
    dataset = _decoded(tf.data.Dataset.from_tensor_slices(columns), shards, side).batch(batch).prefetch(AHEAD)
    for part in dataset.as_numpy_iterator():
        yield part["row"], part["pixels"], [reason.decode() for reason in part["reason"]]


def to_learn(
    shards: Shards, columns: Mapping[str, NDArray], side: int, batch: int, shuffle_seed: int | None
) -> tf.data.Dataset:
    """Batches of `pixels` and all columns but `place`, for `fit`; with a seed, each epoch in another order.

    With a seed, what does not fill a last batch is left out of the epoch: oneDNN may refuse the gradient of a
    convolution whose batches change their size. Every picture must be usable.
    """
    rows, learning = len(columns["place"]), shuffle_seed is not None
    dataset = tf.data.Dataset.from_tensor_slices(dict(columns))
    if learning:
        dataset = dataset.shuffle(rows, shuffle_seed)
    dataset = _decoded(dataset, shards, side).batch(min(batch, rows), drop_remainder=learning).prefetch(AHEAD)
    return dataset.map(lambda part: ({name: part[name] for name in part if name not in ("place", "reason")},))


def _decoded(dataset: tf.data.Dataset, shards: Shards, side: int) -> tf.data.Dataset:
    """Each element with its `pixels` and `reason`."""

    def read(place: bytes) -> tuple[Pixels, bytes]:
        content, reason = shards.read(place.decode())
        found = reason or decode(content, side)
        return (np.zeros((side, side, 3), np.uint8), found.encode()) if isinstance(found, str) else (found, b"")

    def load(element: dict[str, Any]) -> dict[str, Any]:
        # Stateless, as a shard never changes: what has state would be read one by one where runs are repeatable.
        pixels, reason = tf.numpy_function(read, [element["place"]], [tf.uint8, tf.string], stateful=False)
        return element | {"pixels": tf.ensure_shape(pixels, (side, side, 3)), "reason": tf.ensure_shape(reason, ())}

    return dataset.map(load, num_parallel_calls=WORKERS)
