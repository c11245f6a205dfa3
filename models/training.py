"""What training runs share: seeds, batches as `tf.data`, stopping on validation, curves."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.validation import ndcg_at_10
from tandem.errors import TandemError
from tandem.evaluation.cases import Cases

log = logging.getLogger(__name__)

METRIC = "ndcg_at_10"


def prepare(seed: int) -> None:
    """Make what follows repeatable: seeds of Python, NumPy and TensorFlow, deterministic operations."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def stream(epoch: Callable[[], Iterator[Any]]) -> tf.data.Dataset:
    """The batches that `epoch` gives, a new epoch in each pass; every axis may vary between batches."""

    def loose(array: NDArray) -> tf.TensorSpec:
        return tf.TensorSpec((None,) * array.ndim, array.dtype)

    signature = tf.nest.map_structure(loose, next(epoch()))
    return tf.data.Dataset.from_generator(epoch, output_signature=signature).prefetch(2)


class NothingToLearn(TandemError, ValueError):
    """The data holds none of what a network learns from."""


class Validate(keras.callbacks.Callback):
    """Adds NDCG@10 of full rankings on validation cases to each epoch's logs."""

    def __init__(self, scores: Callable[[Cases], NDArray[np.floating]], cases: Cases | None) -> None:
        super().__init__()
        self.scores, self.cases = scores, cases

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, and log one line."""
        logs = {} if logs is None else logs
        if self.cases is not None:
            logs[METRIC] = ndcg_at_10(self.scores(self.cases), self.cases)
        log.info("epoch %d: %s", epoch + 1, ", ".join(f"{name} {value:.4f}" for name, value in logs.items()))


def callbacks(
    scores: Callable[[Cases], NDArray[np.floating]], cases: Cases | None, patience: int
) -> list[keras.callbacks.Callback]:
    """Measure each epoch; with cases, stop after `patience` epochs without a better one and keep the best."""
    measured: list[keras.callbacks.Callback] = [Validate(scores, cases)]
    if cases is not None:
        stop = keras.callbacks.EarlyStopping(METRIC, mode="max", patience=patience, restore_best_weights=True)
        measured.append(stop)
    return measured


def curve(history: dict[str, list[float]]) -> list[dict[str, float]]:
    """One row for each epoch: epoch from 1, then what was logged."""
    columns = zip(*history.values(), strict=True)
    return [{"epoch": n, **dict(zip(history, values, strict=True))} for n, values in enumerate(columns, start=1)]


def kept_epochs(rows: list[dict[str, float]]) -> int:
    """The epoch whose weights were kept: the first best one, or the last without validation."""
    if METRIC not in rows[-1]:
        return len(rows)
    return 1 + int(np.argmax([row[METRIC] for row in rows]))
