"""Layers of the interest networks: tied product vectors, typed and timed events, two causal encoders."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from models.losses import NEVER
from models.products import FusedProducts
from tandem.data import schema
from tandem.features.opinions import WIDTH
from tandem.features.products import LASTING, ProductFeatures

GAPS = 24
"""Buckets of time gaps: doubling from one minute to beyond ten years."""


def gap_bucket(days: Any) -> Any:
    """Integer bucket of a gap: 0 below a minute, then one for each doubling."""
    minutes = ops.maximum(days, 0.0) * 1440.0
    bucket = ops.floor(ops.log(minutes + 1.0) / np.log(2.0))
    return ops.cast(ops.minimum(bucket, float(GAPS - 1)), "int32")


class ProductVectors(layers.Layer):
    """One vector for each product, the same as input and as output: v_i = e_i + fused X_i; e_i = 0 before any event.

    Modalities that are known at the end of the fit period only are left out: they tell of what questions ask for.
    """

    def __init__(self, features: ProductFeatures, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        start = keras.initializers.RandomNormal(stddev=0.05)
        self.own = self.add_weight(name="own", shape=(len(features), dim), initializer=start)
        self.met = ops.convert_to_tensor(features.met.astype(np.float32)[:, None])  # (products, 1)
        self.described = FusedProducts(features, dim, LASTING)

    def table(self) -> Any:
        """(products, dim)."""
        return self.met * self.own + self.described.table()  # (products, dim)


class EventVectors(layers.Layer):
    """What happened: product + behaviour + what a review says + time since the event before."""

    def __init__(self, dim: int, dropout: float, event_dropout: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = layers.Embedding(len(schema.KIND_CODE) + 1, dim)
        self.gap = layers.Embedding(GAPS, dim)
        self.hide = layers.Dropout(event_dropout, noise_shape=(None, None, 1), seed=seed)
        self.dropout = layers.Dropout(dropout, seed=seed + 1)
        self.kind.build(())
        self.gap.build(())
        self.opinion = layers.Dense(dim, use_bias=False)
        self.opinion.build((None, None, WIDTH))

    def call(self, vectors: Any, x: dict[str, Any], training: bool = False) -> tuple[Any, Any]:
        """Events and, some of them hidden, their product vectors, both (batch, length, dim).

        Args:
            vectors: (batch, length, dim) of the events' products.
            x: kind, days (batch, length) and opinion (batch, length, WIDTH).
        """
        days = x["days"]
        before = ops.concatenate([days[:, :1], days[:, :-1]], axis=1)  # (batch, length)
        shown = self.hide(vectors, training=training)  # (batch, length, dim)
        said = self.opinion(x["opinion"])  # (batch, length, dim)
        events = shown + self.kind(x["kind"]) + said + self.gap(gap_bucket(days - before))  # (batch, length, dim)
        return self.dropout(events, training=training), shown


class TimedAttention(layers.Layer):
    """Causal self-attention whose logits fall with the distance in steps and in time, each head by its own slopes.

    logit(i, j) = q_i · k_j / √d - steps · log(1 + i - j) - days · log(1 + t_i - t_j)   for j ≤ i

    Nothing in it depends on where the window of events begins, so that what is learned at any place of a
    user's past holds at its end. Source: ALiBi (Press et al. 2022), with logarithmic distance, in time too.
    """

    def __init__(self, dim: int, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.size = heads, dim // heads
        self.project = layers.Dense(3 * dim, use_bias=False)
        self.project.build((None, None, dim))
        self.out = layers.Dense(dim)
        self.out.build((None, None, dim))
        self.slopes = self.add_weight(name="slopes", shape=(2, heads, 1, 1), initializer="zeros")

    def call(self, x: Any, days: Any) -> Any:
        """(batch, length, dim) from the same and (batch, length) days."""
        length = ops.shape(x)[1]
        parts = ops.reshape(self.project(x), (-1, length, 3, self.heads, self.size))
        query, key, value = (parts[:, :, n] for n in range(3))  # (batch, length, heads, size)
        logits = ops.einsum("bihd,bjhd->bhij", query, key) / self.size**0.5  # (batch, heads, length, length)
        place = ops.cast(ops.arange(length), "float32")
        steps = place[:, None] - place[None, :]  # (length, length)
        ago = ops.expand_dims(days[:, :, None] - days[:, None, :], 1)  # (batch, 1, length, length)
        logits = logits - self.slopes[0] * ops.log(1.0 + ops.maximum(steps, 0.0))
        logits = logits - self.slopes[1] * ops.log(1.0 + ops.maximum(ago, 0.0))
        weights = ops.softmax(ops.where(steps >= 0, logits, NEVER))  # (batch, heads, length, length)
        mixed = ops.einsum("bhij,bjhd->bihd", weights, value)  # (batch, length, heads, size)
        return self.out(ops.reshape(mixed, (-1, length, self.heads * self.size)))


class TransformerEncoder(layers.Layer):
    """Blocks of timed attention and a feed-forward network, normalised before each."""

    def __init__(self, dim: int, heads: int, blocks: int, dropout: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = [TimedAttention(dim, heads) for _ in range(blocks)]
        self.forward = [
            keras.Sequential([layers.Dense(2 * dim, activation="silu"), layers.Dense(dim)]) for _ in range(blocks)
        ]
        self.norms = [(layers.LayerNormalization(), layers.LayerNormalization()) for _ in range(blocks)]
        self.last_norm = layers.LayerNormalization()
        self.dropout = layers.Dropout(dropout, seed=seed)
        for layer in [self.last_norm, *self.forward, *(norm for pair in self.norms for norm in pair)]:
            layer.build((None, None, dim))

    def call(self, x: Any, days: Any, training: bool = False) -> Any:
        """(batch, length, dim) from the same and (batch, length) days."""
        for attend, forward, (first, second) in zip(self.attention, self.forward, self.norms, strict=True):
            x = x + self.dropout(attend(first(x), days), training=training)
            x = x + self.dropout(forward(second(x)), training=training)
        return self.last_norm(x)  # (batch, length, dim)


class LstmEncoder(layers.Layer):
    """LSTM → Conv1D → dense, each step seeing only what came before it."""

    def __init__(self, dim: int, kernel: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lstm = layers.LSTM(dim, return_sequences=True)
        self.conv = layers.Conv1D(dim, kernel, padding="causal", activation="relu")
        self.dense = layers.Dense(dim)
        for layer in (self.lstm, self.conv, self.dense):
            layer.build((None, None, dim))

    def call(self, x: Any, days: Any, training: bool = False) -> Any:
        """(batch, length, dim) from the same; the gaps in `days` are already part of the events."""
        return self.dense(self.conv(self.lstm(x)))  # (batch, length, dim)


class Memory(layers.Layer):
    """All products of the window, faded by their age and weighed by kind: what neighbourhood methods know.

    m_i = Σ_{j ≤ i} f_ij v_j / √(Σ_{j ≤ i} f_ij),  f_ij = kind_j · (1 + t_i - t_j)^-fade

    A linear map of m, the identity at first, is part of the user vector, so that products like those of the
    past score high from the first step on and the encoder learns what this misses.
    """

    def __init__(self, dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kinds = (len(schema.KIND_CODE) + 1, 1)
        self.kind = self.add_weight(name="kind", shape=kinds, initializer="ones", constraint="non_neg")
        start = keras.initializers.Constant(0.3)
        self.fade = self.add_weight(name="fade", shape=(), initializer=start, constraint="non_neg")
        self.link = layers.Dense(dim, use_bias=False, kernel_initializer="identity")
        self.link.build((None, None, dim))

    def call(self, vectors: Any, kind: Any, days: Any) -> Any:
        """(batch, length, dim) from the product vectors of events, and (batch, length) kinds and days."""
        place = ops.arange(ops.shape(days)[1])
        before = place[:, None] >= place[None, :]  # (length, length)
        ago = ops.maximum(days[:, :, None] - days[:, None, :], 0.0)  # (batch, length, length)
        faded = ops.exp(-self.fade * ops.log(1.0 + ago)) * ops.cast(before, "float32")
        weight = faded * ops.take(self.kind, kind, axis=0)[:, None, :, 0]  # (batch, length, length)
        norm = ops.sqrt(ops.sum(weight, axis=2, keepdims=True) + 1e-6)  # (batch, length, 1)
        return self.link(ops.matmul(weight, vectors) / norm)  # (batch, length, dim)


class Asked(layers.Layer):
    """The user at the moment of a question: state after the last event, memory, and the time since."""

    def __init__(self, dim: int, dropout: float, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gap = layers.Embedding(GAPS, dim)
        self.gap.build(())
        self.hidden = layers.Dense(2 * dim, activation="silu")
        self.hidden.build((None, dim))
        self.vector = layers.Dense(dim)
        self.vector.build((None, 2 * dim))
        self.loyalty = layers.Dense(1)
        self.loyalty.build((None, 2 * dim))
        self.dropout = layers.Dropout(dropout, seed=seed)

    def call(self, state: Any, memory: Any, days_since: Any, training: bool = False) -> Any:
        """(questions, dim + 1): the user vector, then the user's logit of taking something again."""
        hidden = self.hidden(state + self.gap(gap_bucket(days_since)))  # (questions, 2 dim)
        hidden = self.dropout(hidden, training=training)
        vector = self.dropout(self.vector(hidden) + memory, training=training)  # (questions, dim)
        return ops.concatenate([vector, self.loyalty(hidden)], axis=1)  # (questions, dim + 1)


class Counted(layers.Layer):
    """Learned weights of what is counted, and the logit of a product as it is.

    z(q, i) = bias_i + trend(t, i) · w_trend + own(q, i) · w_own + d(q, i)
    d(q, i) = loyalty_q + repeat_i where q's user took i before, else u_q · v_i

    The network speaks for what is new to the user; what was taken before is judged by how often and how
    lately. The two halves compete in one softmax. Source of the idea: RepeatNet (Ren et al. 2019).
    """

    def __init__(self, products: int, own: int, trends: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bias = self.add_weight(name="bias", shape=(products,), initializer="zeros")
        self.repeat = self.add_weight(name="repeat", shape=(products,), initializer="zeros")
        half, share = keras.initializers.Constant(0.5), keras.initializers.Constant(1 / trends)
        self.own = self.add_weight(name="own", shape=(own,), initializer=half)
        self.trend = self.add_weight(name="trend", shape=(trends,), initializer=share)  # odds follow demand at first

    def call(self, deep: Any, loyalty: Any, x: dict[str, Any]) -> Any:
        """(questions, candidates) logits from (questions, candidates) u · v and (questions, 1) loyalty."""
        cells, shape = x["own_cell"], ops.shape(deep)  # (cells, 2)
        own = ops.scatter(cells, ops.sum(x["own"] * self.own, axis=1), shape)  # (questions, candidates)
        taken = ops.scatter(cells, x["own_taken"], shape)  # (questions, candidates) 0 or 1
        again = loyalty + ops.take(self.repeat, x["candidates"])  # (questions, candidates)
        trend = ops.sum(x["trend"] * self.trend, axis=2)  # (questions, candidates)
        return ops.take(self.bias, x["candidates"]) + trend + own + ops.where(taken > 0, again, deep)
