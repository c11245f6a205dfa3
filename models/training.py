"""What training runs share: seeds, batches as `tf.data`, stopping on validation, curves."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tandem.errors import TandemError
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import mean_ndcg

log = logging.getLogger(__name__)

METRIC = "ndcg_at_10"
PROGRESS_S = 30
"""Between two lines about epochs."""


def prepare(seed: int) -> None:
    """Make what follows repeatable: seeds of Python, NumPy and TensorFlow, deterministic operations."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


class Epochs(Protocol):
    """Batches made in NumPy, epoch after epoch; `len` of them in each."""

    def __len__(self) -> int: ...

    def epoch(self) -> Iterator[Any]:
        """The batches of the next epoch."""
        ...


def stream(batches: Epochs) -> tf.data.Dataset:
    """The batches as `tf.data`, without end; every axis may vary from batch to batch."""

    def endless() -> Iterator[Any]:
        while True:
            yield from batches.epoch()

    def loose(array: NDArray) -> tf.TensorSpec:
        return tf.TensorSpec((None,) * array.ndim, array.dtype)

    signature = tf.nest.map_structure(loose, next(batches.epoch()))
    return tf.data.Dataset.from_generator(endless, output_signature=signature).prefetch(2)


def fit(
    network: keras.Model, batches: Epochs, epochs: int, callbacks: list[keras.callbacks.Callback]
) -> list[dict[str, float]]:
    """Train the compiled network and return its curve: one row for each epoch, counted from 1."""
    steps = len(batches)
    done = network.fit(
        stream(batches), epochs=epochs, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[*callbacks, Tell()]
    )
    columns = zip(*done.history.values(), strict=True)
    return [{"epoch": n, **dict(zip(done.history, values, strict=True))} for n, values in enumerate(columns, start=1)]


class Tell(keras.callbacks.Callback):
    """Logs what the last epoch reached, and on the way there an epoch every PROGRESS_S seconds; the last callback."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Nothing was told yet."""
        self.line, self.told = "", time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log a line if it is time for one."""
        self.line = f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        if time.monotonic() - self.told >= PROGRESS_S:
            self._tell()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Log the last line, unless it was."""
        if self.line:
            self._tell()

    def _tell(self) -> None:
        log.info("%s", self.line)
        self.line, self.told = "", time.monotonic()


class NothingToLearn(TandemError, ValueError):
    """The data holds none of what a network learns from."""


class Validate(keras.callbacks.Callback):
    """Adds NDCG@10 of full rankings on validation cases to each epoch's logs."""

    def __init__(self, scores: Callable[[Cases], NDArray[np.floating]], cases: Cases | None) -> None:
        super().__init__()
        self.scores, self.cases = scores, cases

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure."""
        logs = {} if logs is None else logs
        if self.cases is not None:
            logs[METRIC] = mean_ndcg(self.scores(self.cases), self.cases, 10)


def callbacks(
    scores: Callable[[Cases], NDArray[np.floating]], cases: Cases | None, patience: int
) -> list[keras.callbacks.Callback]:
    """Measure each epoch; with cases, stop after `patience` epochs without a better one and keep the best."""
    measured: list[keras.callbacks.Callback] = [Validate(scores, cases)]
    if cases is not None:
        stop = keras.callbacks.EarlyStopping(METRIC, mode="max", patience=patience, restore_best_weights=True)
        measured.append(stop)
    return measured


def kept_epochs(rows: list[dict[str, float]]) -> int:
    """The epoch whose weights were kept: the first best one, or the last without validation."""
    if METRIC not in rows[-1]:
        return len(rows)
    return 1 + int(np.argmax([row[METRIC] for row in rows]))
