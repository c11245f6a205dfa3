"""The picture network in Keras: a tower from pixels to a vector, heads for labels, and titles beside it.

Source: He et al. 2016 (residual blocks); Radford et al. 2021 (pictures and texts by a symmetric InfoNCE).
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.image.params import ImageParams
from models.losses import NEVER, full_softmax
from models.text.errors import EncoderError

SAME = 1 - 1e-5
"""Cosine from which two titles say the same."""


def tower(params: ImageParams, weights: Path | None = None) -> keras.Model:
    """Pixels (batch, side, side, 3) from 0 to 255 to vectors (batch, dim) of length 1.

    Raises:
        EncoderError: the file `weights` does not fit the backbone.
    """
    pixels = keras.Input((params.side, params.side, 3), name="pixels")
    features = compact(pixels, params) if params.backbone == "compact" else _published(pixels, params, weights)
    vector = layers.Dense(params.dim, name="projection")(features)  # (batch, dim)
    return keras.Model(pixels, layers.UnitNormalization(name="unit")(vector), name="tower")


def compact(pixels: Any, params: ImageParams) -> Any:
    """Two convolutions to a quarter of the side, then stages of residual blocks, then the mean over the picture."""
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaled")(pixels)  # (batch, side, side, 3)
    for n in range(2):
        x = layers.ReLU()(_convolved(x, params.widths[0], f"stem_{n}", stride=2))  # (batch, side / 4, …, width)
    for stage, width in enumerate(params.widths):
        for block in range(params.depth):
            stride = 2 if stage and not block else 1
            x = _residual(x, width, f"stage_{stage}_block_{block}", stride)  # (batch, side / 2 ** (stage + 2), …)
    return layers.GlobalAveragePooling2D(name="mean")(x)  # (batch, widths[-1])


def _residual(x: Any, width: int, name: str, stride: int) -> Any:
    """relu(shortcut + two convolutions)."""
    y = layers.ReLU()(_convolved(x, width, f"{name}_first", stride=stride))
    y = _convolved(y, width, f"{name}_second")
    if stride > 1 or x.shape[-1] != width:
        x = _convolved(x, width, f"{name}_shortcut", kernel=1, stride=stride)
    return layers.ReLU()(layers.Add()([x, y]))


def _convolved(x: Any, width: int, name: str, kernel: int = 3, stride: int = 1) -> Any:
    x = layers.Conv2D(width, kernel, stride, padding="same", use_bias=False, name=f"{name}_kernel")(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _published(pixels: Any, params: ImageParams, weights: Path | None) -> Any:
    """The features of a network of keras.applications; nothing is fetched."""
    make = getattr(keras.applications, params.backbone)
    file = None if weights is None else str(weights)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras warns of layers that the file lacks, and leaves them at random
            backbone = make(include_top=False, weights=file, input_shape=pixels.shape[1:], pooling="avg")
    except (ValueError, OSError, KeyError, Warning) as error:
        raise EncoderError(f"{file} does not fit {params.backbone} without its top: {error}") from error
    return backbone(pixels)  # (batch, features)


def tensors(network: keras.Model) -> dict[str, NDArray[np.float32]]:
    """Its weights by their paths."""
    return {weight.path: np.asarray(weight) for weight in network.weights}


def filled(params: ImageParams, by_path: Mapping[str, NDArray[np.float32]]) -> keras.Model:
    """The tower with what `tensors` gave, ready for `predict_on_batch`.

    Raises:
        EncoderError: a tensor is missing or has another shape.
    """
    made = tower(params)
    for weight in made.weights:
        if weight.path not in by_path:
            raise EncoderError(f"tensor {weight.path} is missing; {len(by_path)} came")
        came = by_path[weight.path]
        if came.shape != tuple(weight.shape):
            raise EncoderError(f"{weight.path} has shape {list(came.shape)}; params ask for {list(weight.shape)}")
        weight.assign(came)
    made.compile(jit_compile=False)
    return made


class PictureNetwork(keras.Model):
    """The tower as it learns: from labels and from titles.

    loss = Σ_labels mean over known of -log softmax(v W / temperature + b)[label] + InfoNCE(v, unit(title · T))

    A share of the pictures is taken away and the no-picture vector learns in their place.
    """

    def __init__(self, params: ImageParams, values: Mapping[str, int], text_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature, self.absent_share = params.temperature, params.absent
        self.tower = tower(params, params.weights)
        self.absent = self.add_weight(name="absent", shape=(params.dim,), initializer=_normal(params.seed))
        self.heads = {name: _dense(params.dim, count) for name, count in values.items()}
        self.text = _dense(text_dim, params.dim, use_bias=False) if text_dim else None
        self.varied = [
            layers.RandomFlip("horizontal", seed=params.seed + 1),
            layers.RandomTranslation(params.shift, params.shift, fill_mode="nearest", seed=params.seed + 2),
            layers.RandomBrightness(params.brightness, seed=params.seed + 3),
        ]
        self.draws = keras.random.SeedGenerator(params.seed + 4)

    def build(self, *_: Any) -> None:
        """Nothing is left to do: the constructor makes every weight."""
        self.built = True

    def call(self, x: dict[str, Any], training: bool = False) -> Any:
        """(batch, dim) vectors of length 1."""
        pixels = ops.cast(x["pixels"], "float32")  # (batch, side, side, 3)
        if not training:
            return self.tower(pixels, training=False)
        for vary in self.varied:
            pixels = vary(pixels, training=True)
        vectors = self.tower(pixels, training=True)  # (batch, dim)
        taken = keras.random.uniform((ops.shape(vectors)[0], 1), seed=self.draws) < self.absent_share  # (batch, 1)
        return ops.where(taken, _unit(self.absent[None, :]), vectors)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """The sum of all tasks' losses."""
        losses = [
            _known_mean(head(y_pred / self.temperature), x["labels"][:, n])
            for n, head in enumerate(self.heads.values())
        ]
        if self.text is not None:
            losses.append(self._alignment(y_pred, x["text"], self.text(_unit(x["text"]))))
        return sum(losses)

    def _alignment(self, vectors: Any, text: Any, projected: Any) -> Any:
        """InfoNCE both ways over the batch's titles; equal titles share a picture's target; zero rows do not count."""
        given = ops.cast(ops.any(text != 0, axis=1), "float32")  # (batch,)
        own = ops.eye(ops.shape(text)[0])  # (batch, batch)
        text = _unit(text)  # (batch, text_dim)
        same = ops.maximum(own, ops.cast(ops.matmul(text, ops.transpose(text)) > SAME, "float32"))  # (batch, batch)
        logits = ops.matmul(vectors, ops.transpose(_unit(projected))) / self.temperature  # (batch, batch)
        logits = ops.where(given[:, None] * given[None, :] > 0, logits, NEVER)
        losses = full_softmax(logits, same) + full_softmax(ops.transpose(logits), same)  # (batch,)
        return ops.sum(losses * given) / (2 * ops.maximum(ops.sum(given), 1))


def _known_mean(logits: Any, label: Any) -> Any:
    """Mean cross-entropy over the rows whose label is known, for label (batch,) with -1 where it is not."""
    known = ops.cast(label >= 0, "float32")  # (batch,)
    losses = keras.losses.sparse_categorical_crossentropy(ops.maximum(label, 0), logits, from_logits=True)  # (batch,)
    return ops.sum(losses * known) / ops.maximum(ops.sum(known), 1)


def _unit(x: Any) -> Any:
    """Rows of length 1; zero rows stay zero."""
    return ops.normalize(x, axis=-1)


def _dense(into: int, out: int, **options: Any) -> layers.Dense:
    layer = layers.Dense(out, **options)
    layer.build((None, into))
    return layer


def _normal(seed: int) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.1, seed=seed)
