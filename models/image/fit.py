"""Train a picture encoder: pictures through `tf.data`, Keras `fit`, early stopping on the validation loss."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.image import pipeline
from models.image.encoder import PictureEncoder, Place
from models.image.network import PictureNetwork, tensors
from models.image.params import ImageParams
from models.image.shards import Shards
from models.training import NothingToLearn, Tell, prepare

log = logging.getLogger(__name__)

FEWEST = 10
"""Usable pictures that training begins with."""


@dataclass(frozen=True)
class Trained:
    """What a training run leaves behind."""

    encoder: PictureEncoder
    refused: dict[int, str]  # why a row's picture could not be used
    curve: list[dict[str, float]]  # one row for each epoch: loss, val_loss


def fit(
    folder: Path,
    places: Sequence[Place],
    labels: Mapping[str, Sequence[str | None]],
    texts: NDArray[np.float32] | None,
    params: ImageParams,
) -> Trained:
    """Learn from the pictures that can be used.

    A label, or titles, take part where these have two different ones: one alone tells nothing apart.

    Args:
        folder: a source's raw files, which `places` are relative to.
        places: of each row's picture; rows without one teach nothing.
        labels: of each kind a value a row, None or NaN where it is not known.
        texts: (rows, text_dim) vectors of titles, zero where there is none; None: no titles.

    Raises:
        NothingToLearn: fewer than 10 pictures can be used, or neither a label nor titles take part.
        SourceError: a shard is absent or no zip.
    """
    prepare(params.seed)
    named = [row for row, place in enumerate(places) if isinstance(place, str)]
    wanted = [str(places[row]) for row in named]
    with Shards(folder, wanted) as shards:
        reasons = _refused(shards, wanted, params)
        rows = [row for n, row in enumerate(named) if n not in reasons]
        log.info("%d rows: %d with a usable picture, %d refused", len(places), len(rows), len(reasons))
        values = {name: _values([given[row] for row in rows]) for name, given in labels.items()}
        values = {name: of for name, of in values.items() if len(of) > 1}
        if texts is not None and not _differ(texts[rows]):
            texts = None
        if len(rows) < FEWEST or not (values or texts is not None):
            said = f"{len(rows)} usable pictures with labels {list(values)} and {'no ' if texts is None else ''}titles"
            raise NothingToLearn(f"{said}: {FEWEST} with a label or titles are needed, of two values at least")
        columns = _columns(rows, places, labels, values, texts)
        network = PictureNetwork(params, {name: len(of) for name, of in values.items()}, _width(texts))
        curve = _run(network, shards, columns, params)
    encoder = PictureEncoder(params, values, _learned(network))
    return Trained(encoder, {named[n]: reason for n, reason in reasons.items()}, curve)


def _values(given: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(sorted({of for of in given if isinstance(of, str)}))


def _differ(texts: NDArray[np.float32]) -> bool:
    """Whether two of the rows that are not zero are different."""
    given = texts[texts.any(axis=1)]
    return bool((given != given[:1]).any())


def _refused(shards: Shards, places: Sequence[str], params: ImageParams) -> dict[int, str]:
    """Which of the pictures cannot be used, and why."""
    batches = pipeline.in_order(shards, places, params.side, params.batch) if places else ()
    return {
        int(row): reason for rows, _, reasons in batches for row, reason in zip(rows, reasons, strict=True) if reason
    }


def _columns(
    rows: Sequence[int],
    places: Sequence[Place],
    labels: Mapping[str, Sequence[str | None]],
    values: Mapping[str, tuple[str, ...]],
    texts: NDArray[np.float32] | None,
) -> dict[str, NDArray]:
    """`place`, `labels` (rows, labels) with -1 for unknown, and `text` where there are titles."""
    columns = {"place": np.array([places[row] for row in rows], object)}
    coded = np.full((len(rows), len(values)), -1, np.int32)
    for n, (name, of) in enumerate(values.items()):
        index: dict[str | None, int] = {value: code for code, value in enumerate(of)}
        coded[:, n] = [index.get(labels[name][row], -1) for row in rows]
    columns["labels"] = coded
    return columns if texts is None else columns | {"text": texts[rows].astype(np.float32)}


def _width(texts: NDArray[np.float32] | None) -> int:
    return 0 if texts is None else texts.shape[1]


def _run(
    network: PictureNetwork, shards: Shards, columns: dict[str, NDArray], params: ImageParams
) -> list[dict[str, float]]:
    """Train until validation gets no better; the network keeps the weights of the best epoch."""
    order = np.random.default_rng(params.seed).permutation(len(columns["place"]))
    held = max(1, round(params.validation * len(order)))
    parts = [{name: of[part] for name, of in columns.items()} for part in (order[held:], order[:held])]
    learn, judge = (
        pipeline.to_learn(shards, part, params.side, params.batch, seed)
        for part, seed in zip(parts, (params.seed, None), strict=True)
    )
    steps = params.epochs * max(len(order[held:]) // params.batch, 1)
    rate = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=params.weight_decay)
    optimizer.build(network.trainable_variables)  # a step that makes no variables is traced once, not twice
    network.compile(optimizer, jit_compile=False)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=params.patience, restore_best_weights=True)
    done = network.fit(
        learn, validation_data=judge, epochs=params.epochs, verbose=0, shuffle=False, callbacks=[stop, Tell()]
    )
    losses = zip(done.history["loss"], done.history["val_loss"], strict=True)
    return [{"epoch": n, "loss": loss, "val_loss": val} for n, (loss, val) in enumerate(losses, start=1)]


def _learned(network: PictureNetwork) -> dict[str, NDArray[np.float32]]:
    """Tensors as `PictureEncoder` names them."""
    found = tensors(network.tower) | {"absent": np.asarray(network.absent)}
    for name, head in network.heads.items():
        found |= {f"label.{name}.kernel": np.asarray(head.kernel), f"label.{name}.bias": np.asarray(head.bias)}
    return found if network.text is None else found | {"text": np.asarray(network.text.kernel)}
