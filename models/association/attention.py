"""Graph attention over typed, directed, weighted edges, and the mean that it has to beat."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.losses import shares


class Neighbours(layers.Layer):
    """What a product's neighbours say of it: their vectors, weighed.

    m_i = g ⊙ Σ_n α_in (v_r ⊙ W t_n)
    α_i· = softmax over the neighbours n of a · LeakyReLU(Q s_i + K s_n + k_r) + e_r w_in

    s and t are vectors as source and as target, r the relation of the edge and w its strength; every head has its own
    part of the vectors. The message is made of targets, for a neighbour is itself a likely consequent. At first W is
    the identity and g small, so that the graph begins as a nudge. Without `attention` α is in proportion to w.

    Source: Brody et al. 2022 (GATv2); Schlichtkrull et al. 2018 for relations; He et al. 2020 (LightGCN) for the mean.
    """

    def __init__(self, relation: NDArray[np.int32], dim: int, heads: int, attention: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.relation, self.heads, self.attention = relation, heads, attention
        relations = int(relation.max()) + 1
        self.said = self.add_weight(name="said", shape=(dim, dim), initializer="identity")
        self.by_relation = self.add_weight(name="by_relation", shape=(relations, dim), initializer="ones")
        self.gate = self.add_weight(name="gate", shape=(dim,), initializer=keras.initializers.Constant(0.1))
        if attention:
            self.query, self.key = (self.add_weight(name=name, shape=(dim, dim)) for name in ("query", "key"))
            self.key_of_relation = self.add_weight(name="key_of_relation", shape=(relations, dim), initializer="zeros")
            start = keras.initializers.RandomNormal(stddev=0.1)
            self.asked = self.add_weight(name="asked", shape=(heads, dim // heads), initializer=start)
            self.of_strength = self.add_weight(name="of_strength", shape=(relations, heads), initializer="ones")

    def call(self, own: Any, source: Any, target: Any, near: Any, strength: Any) -> Any:
        """(batch, dim) messages.

        Args:
            own: (batch, dim) vectors as source of the products that listen.
            source: (nodes, dim) of all products around.
            target: (nodes, dim) likewise.
            near: (batch, places) nodes that are neighbours.
            strength: (batch, places) 0 where there is none.
        """
        said = ops.take(ops.matmul(target, self.said), near, axis=0)  # (batch, places, dim)
        said = self._by_head(said * ops.take(self.by_relation, self.relation, axis=0))
        weight = self.alpha(own, source, near, strength)  # (batch, places, heads or 1)
        message = ops.sum(said * weight[..., None], axis=1)  # (batch, heads, dim / heads)
        return self.gate * ops.reshape(message, (-1, own.shape[-1]))  # (batch, dim)

    def alpha(self, own: Any, source: Any, near: Any, strength: Any) -> Any:
        """(batch, places, heads) α, or (batch, places, 1) without attention; 0 where there is no neighbour."""
        if not self.attention:
            return (strength / ops.maximum(ops.sum(strength, axis=1, keepdims=True), 1e-9))[..., None]
        keys = ops.take(ops.matmul(source, self.key), near, axis=0)  # (batch, places, dim)
        keys = keys + ops.take(self.key_of_relation, self.relation, axis=0)
        both = ops.leaky_relu(ops.matmul(own, self.query)[:, None, :] + keys, 0.2)  # (batch, places, dim)
        logits = ops.sum(self._by_head(both) * self.asked, axis=3)  # (batch, places, heads)
        logits = logits + strength[..., None] * ops.take(self.of_strength, self.relation, axis=0)
        return shares(logits, ops.cast(strength > 0, "float32")[..., None])

    def _by_head(self, x: Any) -> Any:
        """(batch, places, heads, dim / heads) of (batch, places, dim)."""
        return ops.reshape(x, (-1, len(self.relation), self.heads, x.shape[-1] // self.heads))
