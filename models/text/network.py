"""BERT as published, in plain Keras layers: embeddings, encoder blocks, one vector a text.

Source: Devlin et al. 2019 (BERT); Reimers and Gurevych 2019 (mean pooling). There is no dropout, in tuning neither:
validation ends it before it learns the pairs by heart.
"""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.text.config import BertConfig

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
MASKED = -1e9
"""Added to the attention logit of a token that only pads."""
KINDS = ("weight", "bias")
"""Endings of a file's names, in the order of a layer's weights."""


class Embeddings(layers.Layer):
    """Word + position + token type 0, normalised."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.word = layers.Embedding(config.vocab_size, config.hidden_size, dtype=self.dtype_policy)
        self.place = layers.Embedding(config.max_position_embeddings, config.hidden_size, dtype=self.dtype_policy)
        self.kind = layers.Embedding(config.type_vocab_size, config.hidden_size, dtype=self.dtype_policy)
        self.norm = layers.LayerNormalization(epsilon=config.layer_norm_eps, dtype=self.dtype_policy)

    def call(self, tokens: Any) -> Any:
        """(batch, length, hidden) for (batch, length) token indices."""
        places = ops.arange(ops.shape(tokens)[1], dtype="int32")  # (length,)
        fixed = self.place(places) + self.kind(ops.zeros((1,), "int32"))  # (length, hidden)
        return self.norm(self.word(tokens) + fixed)  # (batch, length, hidden)


class SelfAttention(layers.Layer):
    """Multi-head self-attention; query, key and value come from one matrix product."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        self.query_key_value = layers.Dense(3 * config.hidden_size, dtype=self.dtype_policy)
        self.out = layers.Dense(config.hidden_size, dtype=self.dtype_policy)

    def call(self, x: Any, penalty: Any) -> Any:
        """(batch, length, hidden) for x (batch, length, hidden) and penalty (batch, 1, 1, length)."""
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        joint = ops.reshape(self.query_key_value(x), (batch, length, 3, self.heads, self.width))
        query, key, value = ops.unstack(ops.transpose(joint, (2, 0, 3, 1, 4)), 3)  # (batch, heads, length, width)
        logits = ops.matmul(query / math.sqrt(self.width), ops.swapaxes(key, -1, -2))  # (batch, heads, length, length)
        weights = ops.softmax(ops.add(logits, ops.cast(penalty, logits.dtype)))  # (batch, heads, length, length)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))  # (batch, length, heads, width)
        return self.out(ops.reshape(mixed, (batch, length, self.heads * self.width)))  # (batch, length, hidden)


class Block(layers.Layer):
    """Attention and a network of two layers, each added to its input and normalised afterwards."""

    def __init__(self, config: BertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = SelfAttention(config, dtype=self.dtype_policy)
        self.attention_norm = layers.LayerNormalization(epsilon=config.layer_norm_eps, dtype=self.dtype_policy)
        self.wide = layers.Dense(config.intermediate_size, dtype=self.dtype_policy)
        self.narrow = layers.Dense(config.hidden_size, dtype=self.dtype_policy)
        self.norm = layers.LayerNormalization(epsilon=config.layer_norm_eps, dtype=self.dtype_policy)

    def call(self, x: Any, penalty: Any) -> Any:
        """(batch, length, hidden) for x (batch, length, hidden) and penalty (batch, 1, 1, length)."""
        x = self.attention_norm(x + self.attention(x, penalty))  # (batch, length, hidden)
        wide = ops.gelu(self.wide(x), approximate=False)  # (batch, length, intermediate)
        return self.norm(x + self.narrow(wide))  # (batch, length, hidden)


class Bert(keras.Model):
    """Token indices to one vector a text: the last layer's mean over tokens that do not pad, or its first token."""

    def __init__(self, config: BertConfig, pooling: str = "mean", compute: str = "float32", **kwargs: Any) -> None:
        policy = POLICIES[compute]
        super().__init__(dtype=policy, **kwargs)
        self.pooling = pooling
        self.embeddings = Embeddings(config, dtype=policy)
        self.blocks = [Block(config, dtype=policy) for _ in range(config.num_hidden_layers)]

    def call(self, x: dict[str, Any]) -> Any:
        """(batch, hidden) float32 for `tokens` (batch, length) and `lengths` (batch,): leading tokens that are real."""
        real = ops.arange(ops.shape(x["tokens"])[1]) < x["lengths"][:, None]  # (batch, length)
        real = ops.cast(real, "float32")  # (batch, length)
        penalty = (1.0 - real[:, None, None, :]) * MASKED  # (batch, 1, 1, length)
        state = self.embeddings(x["tokens"])  # (batch, length, hidden)
        for block in self.blocks:
            state = block(state, penalty)
        state = ops.cast(state, "float32")  # (batch, length, hidden)
        return state[:, 0] if self.pooling == "cls" else _mean(state, real)  # (batch, hidden)


def _mean(state: Any, real: Any) -> Any:
    """(batch, hidden) for state (batch, length, hidden) and real (batch, length) of zeros and ones."""
    total = ops.einsum("bl,blh->bh", real, state)  # (batch, hidden)
    return total / ops.sum(real, axis=1, keepdims=True)  # (batch, hidden)


def filled(config: BertConfig, tensors: dict[str, NDArray[np.float32]], pooling: str, compute: str) -> Bert:
    """The network with the tensors of `models.text.weights.read`, ready for `predict_on_batch`.

    XLA is off: on a processor it took longer than oneDNN's kernels and compiles every shape anew; see README.md.
    """
    network = Bert(config, pooling, compute)
    network({"tokens": np.zeros((1, 3), np.int32), "lengths": np.ones(1, np.int32)})  # makes the variables
    network.compile(jit_compile=False)
    for layer, names in _named_layers(network):
        joint = (np.concatenate([tensors[f"{name}.{kind}"] for name in names]) for kind in KINDS[: len(layer.weights)])
        layer.set_weights([_turned(layer, array) for array in joint])
    return network


def tensors(network: Bert) -> dict[str, NDArray[np.float32]]:
    """The network's weights as `filled` takes them: names and shapes of `models.text.weights.shapes`."""
    found: dict[str, NDArray[np.float32]] = {}
    for layer, names in _named_layers(network):
        for kind, array in zip(KINDS, layer.get_weights(), strict=False):  # a table has no bias
            parts = np.split(_turned(layer, array), len(names))
            found |= {f"{name}.{kind}": np.ascontiguousarray(part) for name, part in zip(names, parts, strict=True)}
    return found


def freeze(network: Bert, blocks: int) -> None:
    """Let training leave the lowest `blocks` as they are and, with one or more, the embeddings."""
    network.embeddings.trainable = blocks == 0
    for block in network.blocks[:blocks]:
        block.trainable = False


def _named_layers(network: Bert) -> Iterator[tuple[layers.Layer, tuple[str, ...]]]:
    """Each layer with weights, and the names that a file has for it; several are one layer, side by side."""
    tables = {
        "word": network.embeddings.word,
        "position": network.embeddings.place,
        "token_type": network.embeddings.kind,
    }
    for name, table in tables.items():
        yield table, (f"embeddings.{name}_embeddings",)
    yield network.embeddings.norm, ("embeddings.LayerNorm",)
    for n, block in enumerate(network.blocks):
        own = f"encoder.layer.{n}"
        yield block.attention.query_key_value, tuple(f"{own}.attention.self.{p}" for p in ("query", "key", "value"))
        yield block.attention.out, (f"{own}.attention.output.dense",)
        yield block.attention_norm, (f"{own}.attention.output.LayerNorm",)
        yield block.wide, (f"{own}.intermediate.dense",)
        yield block.narrow, (f"{own}.output.dense",)
        yield block.norm, (f"{own}.output.LayerNorm",)


def _turned(layer: layers.Layer, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """PyTorch keeps dense weights as (out, in), Keras as (in, out)."""
    return array.T if isinstance(layer, layers.Dense) else array
