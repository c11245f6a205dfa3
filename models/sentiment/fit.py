"""Train a head on stars and calibrate it on reviews that it has not seen."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models.sentiment import terms
from models.sentiment.errors import SentimentError
from models.sentiment.head import Head, Words, dense
from models.sentiment.params import SentimentParams

if TYPE_CHECKING:
    import keras

    from models.sentiment.network import Network

log = logging.getLogger(__name__)

METRIC = "log_loss"


def target(stars: NDArray[np.floating]) -> NDArray[np.float32]:
    """(reviews,) 0 up to two stars, 1 from four; three are 1/2: half a good review and half a bad one."""
    return np.clip((stars - 2) / 2, 0, 1).astype(np.float32)


def fit(
    texts: Sequence[str], vectors: NDArray[np.float32], wanted: NDArray[np.float32], params: SentimentParams
) -> tuple[Head, float]:
    """A calibrated head for texts, the encoder's `vectors` (texts, dim) and `wanted` (texts,) in [0, 1].

    Beside it the log loss of its probabilities on the texts held out, which also chose the epoch and calibrated it.

    Raises:
        SentimentError: fewer than `params.min_reviews` good or bad ones, or too few different texts to hold any out.
    """
    good, bad = int((wanted > 0.5).sum()), int((wanted < 0.5).sum())
    if min(good, bad) < params.min_reviews:
        raise SentimentError(
            f"{good} good and {bad} bad reviews with words; sentiment.min_reviews = {params.min_reviews} of each fit"
        )
    held = held_out(texts, wanted, params.validation_share, np.random.default_rng(params.seed))
    if not held.any():
        raise SentimentError(f"{len(set(texts))} different texts; a share of {params.validation_share} of them is none")
    learned, unseen, found = np.flatnonzero(~held), np.flatnonzero(held), terms.hashed(texts)
    columns = terms.columns(found[learned], params.min_texts)
    words = Words(terms.matrix(found, columns), dense(texts, vectors))
    head = _trained(words[learned], wanted[learned], words[unseen], wanted[unseen], columns, params)
    logits = head.logits(words[unseen])
    slope, shift = line = calibrated(logits, wanted[unseen])
    return replace(head, calibration=line), log_loss(slope * logits + shift, wanted[unseen])


def held_out(
    texts: Sequence[str], wanted: NDArray[np.float32], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(texts,) True for `share` of the distinct texts, as many good and bad ones of them as there are of all.

    Equal texts stay on one side: distinct ones are ordered by their mean target, then by chance, and taken evenly.
    """
    _, distinct = np.unique(np.array(texts, object), return_inverse=True)
    mean = np.bincount(distinct, wanted) / np.bincount(distinct)
    taken = np.diff(np.floor(share * np.arange(len(mean) + 1))) > 0  # by place in the order
    held = np.zeros(len(mean), bool)
    held[np.lexsort((rng.random(len(mean)), mean))] = taken
    return held[distinct]


def calibrated(logits: NDArray[np.float64], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2,) slope and shift with the least log loss of σ(slope · logits + shift).

    Targets 1 and 0 become (G + 1) / (G + 2) and 1 / (B + 2) for G good and B bad ones, so that a head without a mistake
    is not believed without end.

    Source: Platt 1999.
    """
    good, bad = wanted.sum(), (1 - wanted).sum()
    hoped = wanted * (good + 1) / (good + 2) + (1 - wanted) / (bad + 2)

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = line[0] * logits + line[1]
        off = 1 / (1 + np.exp(-z)) - hoped
        return float((np.logaddexp(0, z) - hoped * z).mean()), np.array([(off * logits).mean(), off.mean()])

    return minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x


def log_loss(logits: NDArray[np.float64], wanted: NDArray[np.float32]) -> float:
    """Mean of -wanted · ln σ(z) - (1 - wanted) · ln (1 - σ(z))."""
    return float((np.logaddexp(0, logits) - wanted * logits).mean())


def _trained(
    words: Words,
    wanted: NDArray[np.float32],
    unseen: Words,
    hoped: NDArray[np.float32],
    columns: NDArray[np.int64],
    params: SentimentParams,
) -> Head:
    """The head of the epoch with the least log loss on `unseen`."""
    import keras

    from models import training
    from models.sentiment.network import Batches, Network

    training.prepare(params.seed)
    network = Network(len(columns), words.dense.shape[1], params)
    optimizer = keras.optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay)
    network.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    measured = _measure(network, columns, unseen, hoped)
    stop = keras.callbacks.EarlyStopping(METRIC, mode="min", patience=params.patience, restore_best_weights=True)
    training.fit(network, Batches(words, wanted, params.batch, params.seed), params.epochs, [measured, stop])
    return network.head(columns)


def _measure(
    network: "Network", columns: NDArray[np.int64], unseen: Words, hoped: NDArray[np.float32]
) -> "keras.callbacks.Callback":
    """Adds the log loss on `unseen` to each epoch's logs."""
    import keras

    def measure(epoch: int, logs: dict[str, float]) -> None:
        logs[METRIC] = log_loss(network.head(columns).logits(unseen), hoped)

    return keras.callbacks.LambdaCallback(on_epoch_end=measure)
