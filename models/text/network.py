"""BERT as published, in plain Keras layers: embeddings, encoder blocks, one vector a text.

Source: Devlin et al. 2019 (BERT); Reimers and Gurevych 2019 (mean pooling). Dropout is left out: nothing is trained.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.text.config import BertConfig

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
MASKED = -1e9
"""Added to the attention logit of a token that only pads."""


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
    _fill_embeddings(network.embeddings, tensors)
    for n, block in enumerate(network.blocks):
        _fill_block(block, tensors, f"encoder.layer.{n}")
    return network


def _fill_embeddings(part: Embeddings, tensors: dict[str, NDArray[np.float32]]) -> None:
    for table, name in ((part.word, "word"), (part.place, "position"), (part.kind, "token_type")):
        table.set_weights([tensors[f"embeddings.{name}_embeddings.weight"]])
    _fill_norm(part.norm, tensors, "embeddings.LayerNorm")


def _fill_block(block: Block, tensors: dict[str, NDArray[np.float32]], name: str) -> None:
    joint = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    _fill_dense(block.attention.query_key_value, tensors, *joint)
    _fill_dense(block.attention.out, tensors, f"{name}.attention.output.dense")
    _fill_norm(block.attention_norm, tensors, f"{name}.attention.output.LayerNorm")
    _fill_dense(block.wide, tensors, f"{name}.intermediate.dense")
    _fill_dense(block.narrow, tensors, f"{name}.output.dense")
    _fill_norm(block.norm, tensors, f"{name}.output.LayerNorm")


def _fill_dense(layer: layers.Dense, tensors: dict[str, NDArray[np.float32]], *names: str) -> None:
    """PyTorch keeps (out, in), Keras (in, out); several become one layer, side by side."""
    kernel = np.concatenate([tensors[f"{name}.weight"].T for name in names], axis=1)  # (in, out)
    layer.set_weights([kernel, np.concatenate([tensors[f"{name}.bias"] for name in names])])


def _fill_norm(layer: layers.LayerNormalization, tensors: dict[str, NDArray[np.float32]], name: str) -> None:
    layer.set_weights([tensors[f"{name}.weight"], tensors[f"{name}.bias"]])
