"""The network that learns from pairs: in-batch contrast, both ways, over the encoder's own network.

loss = -½ · mean_i [ log softmax_j(cos(l_i, r_j) / τ) at j = i  +  log softmax_j(cos(l_j, r_i) / τ) at j = i ]
over the pairs (l_i, r_i) of a batch, where equal texts and known pairs are no negatives of each other.

Source: van den Oord et al. 2018 (InfoNCE); Radford et al. 2021 (both ways).
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.losses import NEVER, full_softmax
from models.text.batches import BUCKET, matrix, padded
from models.text.encoder import Encoder
from models.text.errors import EncoderError
from models.text.network import Bert, freeze
from models.text.pairs import Pairs, Parts
from models.text.params import TuningParams
from models.text.retrieval import METRIC, retrieve
from models.training import fit, prepare

log = logging.getLogger(__name__)

WARM_UP = 0.1
"""Share of all steps in which the learning rate rises from 0; afterwards it falls to 0 as a cosine."""
CLIP_NORM = 1.0
"""Of the gradient of all weights together."""
UNDECAYED = ["bias", "gamma", "beta"]


class Batches:
    """Epochs of pairs, drawn with replacement in proportion to their weight; texts of like length are together."""

    def __init__(self, pairs: Pairs, encoder: Encoder, params: TuningParams) -> None:
        self.pairs, self.params, self.max_length = pairs, params, encoder.max_length
        self.tokens = encoder.tokens(pairs.texts)
        self.lengths = np.array([len(row) for row in self.tokens], np.int32)
        self._epoch = 0

    def __len__(self) -> int:
        return max(1, min(self.params.max_pairs, len(self.pairs)) // self.params.batch)

    def epoch(self) -> Iterator[tuple[dict[str, NDArray]]]:
        """The batches of the next epoch; epoch n of equal seeds holds equal batches."""
        rng = np.random.default_rng([self.params.seed, self._epoch])
        self._epoch += 1
        share = self.pairs.weight / self.pairs.weight.sum()
        drawn = rng.choice(len(self.pairs), len(self) * self.params.batch, p=share)
        longest = self.lengths[self.pairs.ends[drawn]].max(axis=1)
        alike = drawn[np.argsort(longest, kind="stable")].reshape(len(self), self.params.batch)
        for batch in rng.permutation(alike):
            yield (self._inputs(*self.pairs.ends[batch].T),)

    def _inputs(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> dict[str, NDArray]:
        texts = np.append(left, right)
        width = padded(int(self.lengths[texts].max()), BUCKET, self.max_length)
        return {
            "tokens": matrix([self.tokens[text] for text in texts], width),  # (2 · pairs, width)
            "lengths": self.lengths[texts],  # (2 · pairs,)
            "excluded": excluded(self.pairs, left, right),  # (pairs, pairs)
        }


def excluded(pairs: Pairs, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(batch, batch) True where right j is no negative of left i: the same text or a known partner, another's own."""
    known = pairs.known[left][:, right].toarray() > 0
    np.fill_diagonal(known, False)
    return known


class Contrast(keras.Model):
    """Pairs of texts to the logits of a softmax over the batch."""

    def __init__(self, encoder: Bert, temperature: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.encoder, self.temperature = encoder, temperature

    def build(self, *_: Any) -> None:
        """Nothing is left to do: the encoder has its weights."""
        self.built = True

    def call(self, x: dict[str, Any]) -> Any:
        """(pairs, pairs) for `tokens` (2 · pairs, length), lefts first, `lengths` and `excluded` (pairs, pairs)."""
        vectors = self.encoder({"tokens": x["tokens"], "lengths": x["lengths"]})  # (2 · pairs, hidden)
        left, right = ops.split(ops.normalize(vectors), 2)  # (pairs, hidden)
        logits = ops.matmul(left, ops.transpose(right)) / self.temperature  # (pairs, pairs)
        return ops.where(x["excluded"], NEVER, logits)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """Mean over the pairs and both directions."""
        return contrast(y_pred)


def contrast(logits: Any) -> Any:
    """Mean of -log softmax of the diagonal over rows and over columns of logits (pairs, pairs)."""
    own = ops.eye(ops.shape(logits)[0])  # (pairs, pairs)
    return ops.mean(full_softmax(logits, own) + full_softmax(ops.transpose(logits), own)) / 2


def train(frozen: Encoder, parts: Parts, params: TuningParams) -> tuple[Encoder, list[dict[str, float]]]:
    """An encoder with the weights of the best epoch, in memory, and the curve; its row 0 is the frozen encoder.

    Raises:
        EncoderError: the encoder has no more than `frozen_layers` blocks, or fewer positions than `max_length`.
    """
    blocks = frozen.config.num_hidden_layers
    if params.frozen_layers >= blocks:
        asked = f"`tuning.frozen_layers` = {params.frozen_layers}"
        raise EncoderError(f"{asked}: the encoder of {frozen.folder} has {blocks} blocks, so at most {blocks - 1} fit")
    prepare(params.seed)
    learner = Encoder(frozen.folder, params.max_length, True, "float32")
    freeze(learner.network, params.frozen_layers)
    batches = Batches(parts.train, learner, params)
    network = Contrast(learner.network, params.temperature)
    network.compile(optimizer=_optimizer(params, len(batches)), jit_compile=False)

    def measure() -> dict[str, float]:
        return {name: float(values.mean()) for name, values in retrieve(learner, parts.validation).items()}

    start = {"epoch": 0, **measure()}
    log.info("frozen: %s", start)
    return learner, [start, *fit(network, batches, params.epochs, _callbacks(measure, params.patience))]


def _optimizer(params: TuningParams, steps: int) -> keras.optimizers.Optimizer:
    """AdamW for `steps` a epoch; biases and normalisations do not decay."""
    total = steps * params.epochs
    rising = round(WARM_UP * total)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - rising), warmup_target=params.learning_rate, warmup_steps=rising
    )
    made = keras.optimizers.AdamW(rate, weight_decay=params.weight_decay, global_clipnorm=CLIP_NORM)
    made.exclude_from_weight_decay(var_names=UNDECAYED)
    return made


def _callbacks(measure: Callable[[], dict[str, float]], patience: int) -> list[keras.callbacks.Callback]:
    """Measure each epoch, stop after `patience` without a better one, and keep the best."""

    def tell(epoch: int, logs: dict[str, float]) -> None:
        logs.update(measure())

    stop = keras.callbacks.EarlyStopping(METRIC, mode="max", patience=patience, restore_best_weights=True)
    return [keras.callbacks.LambdaCallback(on_epoch_end=tell), stop]
