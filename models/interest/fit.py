"""Train an interest network: batches through `tf.data`, Keras `fit`, early stopping on validation NDCG@10."""

import logging
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.interest.batches import Batches
from models.interest.counted import Own, Trends
from models.interest.learned import INPUTS, Weights, inputs
from models.interest.network import InterestNetwork, OneQuestion, UserNetwork, ask_once
from models.interest.params import InterestParams
from models.interest.questions import ask
from models.portable import CHUNK, Portable, export
from models.training import NothingToLearn, callbacks, fit, kept_epochs, prepare
from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a training run leaves behind."""

    weights: Weights
    encoder: Portable  # `learned.INPUTS` → (users, dim + 1)
    epochs: int  # that were kept
    curve: list[dict[str, float]]  # one row for each epoch


def train(dataset: Dataset, params: InterestParams, epochs: int, validation: Cases | None) -> Trained:
    """Train for `epochs`, or, with validation, at most so long and keep the best epoch.

    Raises:
        NothingToLearn: no user has a basket after another event, so there is nothing to learn.
    """
    prepare(params.seed)
    batches = _batches(dataset, params)
    network = InterestNetwork(dataset.products, params, batches.own.channels)
    optimizer = keras.optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay)
    network.compile(optimizer=optimizer, jit_compile=False)
    ask_now = tf.function(partial(ask_once, network.user), reduce_retracing=True)

    def scores(cases: Cases) -> NDArray[np.float32]:
        weights = weights_of(network, batches.own, params)
        chunks = tf.data.Dataset.from_tensor_slices(inputs(cases.histories, params.length)).batch(CHUNK)
        asked = np.concatenate([ask_now(chunk, weights.vectors) for chunk in chunks])
        return weights.scores(asked, cases.histories, cases.demand)

    rows = fit(network, batches, epochs, callbacks(scores, validation, params.patience))
    weights = weights_of(network, batches.own, params)
    some = dataset.histories.take(np.arange(min(len(dataset.histories), CHUNK)))
    encoder = export(served(network.user, weights), inputs(some, params.length))
    return Trained(weights, encoder, kept_epochs(rows), rows)


def _batches(dataset: Dataset, params: InterestParams) -> Batches:
    questions = ask(dataset.histories, dataset.params.target_kinds, params.horizon_days)
    if not len(questions):
        raise NothingToLearn("no user has a basket after an earlier event: an interest network has nothing to learn")
    log.debug("%d questions, %d products taken", len(questions), questions.taken.nnz)
    return Batches(
        dataset.histories,
        questions,
        Own.of(dataset, params.own_half_lives_days),
        Trends(dataset, params.trend_days),
        dataset.products.met,
        length=params.length,
        size=params.batch,
        negatives=params.negatives,
        seed=params.seed,
    )


def served(user: UserNetwork, weights: Weights) -> keras.Model:
    """The user network as serving calls it: one question after the last event of each row."""
    put = {name: keras.Input(shape[1:], dtype=kind, name=name) for name, (shape, kind) in INPUTS.items()}
    return keras.Model(put, OneQuestion(user, weights.vectors)(put))


def weights_of(network: InterestNetwork, own: Own, params: InterestParams) -> Weights:
    """The arrays that scoring needs beside the encoder."""
    counted = network.counted
    return Weights(
        vectors=np.asarray(network.vectors.table()),
        bias=np.asarray(counted.bias),
        repeat=np.asarray(counted.repeat),
        own=np.asarray(counted.own),
        trend=np.asarray(counted.trend),
        kind_weight=own.weight,
        half_lives_days=np.array(own.half_lives_days, np.float64),
        trend_days=np.array(params.trend_days, np.int64),
        length=np.array(params.length, np.int64),
    )
