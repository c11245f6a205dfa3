"""The association network in Keras: each product as a source, as a target, and as one that may replace another."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.association.attention import Neighbours
from models.association.neighbourhood import Heard, Neighbourhood
from models.association.params import AssociationParams
from models.losses import NEVER, softmax
from models.products import FusedProducts
from tandem.features.products import ProductFeatures

ROLES = ("source", "target", "alike")
BLOCK = 1024
"""Products whose neighbours are in memory at once."""
HEARD = 5
"""Neighbours of a product that are kept to explain what it learned from them."""


class Role(layers.Layer):
    """Products in one role: id vector + network of their features."""

    def __init__(self, products: int, params: AssociationParams, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.own = self.add_weight(name="own", shape=(products, params.dim), initializer=start)
        self.network = keras.Sequential(
            [
                layers.Dense(params.hidden, activation="silu"),
                layers.Dropout(params.dropout, seed=seed),
                layers.Dense(params.dim, kernel_initializer="zeros"),
            ]
        )
        self.network.build((None, params.hidden))

    def call(self, x: Any, nodes: Any, training: bool = False) -> Any:
        """(nodes, dim) from (nodes, hidden) and the nodes' products."""
        return ops.take(self.own, nodes, axis=0) + self.network(x, training=training)  # (nodes, dim)


class AssociationNetwork(keras.Model):
    """A_ij = (s_i + m_i) · t_j directed, and B_ij = z_i · z_j symmetric, of products that replace each other.

    s, t and z are id vector + network of X in that role; m_i is what the neighbours of i in the graph say.
    Trained as log P(j | i) = A_ij + log q_j + constant, so that A says how much more often j goes with i than
    its popularity q explains; B likewise of what is bought instead. What a product that nobody met learns here is
    noise; `newcomers` puts a forecast in its place.
    """

    def __init__(
        self, features: ProductFeatures, around: Neighbourhood, params: AssociationParams, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.params = params
        self.described = FusedProducts(features, params.hidden, params.modalities)
        self.names = ROLES if params.alike_weight else ROLES[:2]
        self.roles = [Role(len(features), params, params.seed + n) for n in range(len(self.names))]
        self.around = around
        if params.graph != "none":
            self.neighbours = Neighbours(around.relation, params.dim, params.heads, params.graph == "attention")

    def build(self, *_: Any) -> None:
        """Nothing is left to do: the constructor makes every weight."""
        self.built = True

    def of_nodes(self, nodes: Any, training: bool = False) -> dict[str, Any]:
        """(nodes, dim) by role, before anybody listens to neighbours; without `alike_weight` none is alike."""
        x = self.described.table(nodes)  # (nodes, hidden)
        return {name: role(x, nodes, training=training) for name, role in zip(self.names, self.roles, strict=True)}

    def listening(self, own: Any, source: Any, target: Any, near: Any, strength: Any) -> Any:
        """(batch, dim) sources after they have heard their neighbours."""
        if self.params.graph == "none":
            return own
        return own + self.neighbours(own, source, target, near, strength)

    def vectors(self) -> dict[str, NDArray[np.float32]]:
        """(products, dim) in each of ROLES, 0 in one that was not learned."""
        of = self.of_nodes(np.arange(len(self.around.near)))
        source, target = of["source"], of["target"]
        blocks = [
            np.asarray(self.listening(own, source, target, near, strength))
            for own, near, strength in self._blocks(source)
        ]
        alike = np.asarray(of.get("alike", ops.zeros_like(source)))
        return {"source": np.concatenate(blocks), "target": np.asarray(target), "alike": alike}

    def heard(self) -> Heard | None:
        """The neighbours that weigh most in what each product hears, mean of the heads; None where nobody listens."""
        if self.params.graph == "none":
            return None
        source = self.of_nodes(np.arange(len(self.around.near)))["source"]
        weights = [self.neighbours.alpha(own, source, near, strength) for own, near, strength in self._blocks(source)]
        return Heard.of(self.around, np.concatenate([np.asarray(of).mean(axis=2) for of in weights]), HEARD)

    def _blocks(self, source: Any) -> Iterator[tuple[Any, NDArray[np.int32], NDArray[np.float32]]]:
        """Block by block the vectors of the products that listen, their neighbours and how strong each is."""
        for begin in range(0, len(self.around.near), BLOCK):
            rows = slice(begin, begin + BLOCK)
            yield source[rows], self.around.near[rows], self.around.strength[rows]

    def call(self, x: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """(antecedents, candidates) logits of what goes with each antecedent, and of what replaces it.

        `nodes` are the products of the batch; `antecedent`, `candidates` and `near` are places among them.
        """
        of = self.of_nodes(x["nodes"], training=training)  # (nodes, dim) each
        own = ops.take(of["source"], x["antecedent"], axis=0)  # (antecedents, dim)
        own = self.listening(own, of["source"], of["target"], x["near"], x["strength"])
        itself = ops.equal(x["antecedent"][:, None], x["candidates"][None, :])  # (antecedents, candidates)

        def logits(vectors: Any, others: Any, log_share: Any) -> Any:
            others = ops.take(others, x["candidates"], axis=0)  # (candidates, dim)
            return ops.where(itself, NEVER, ops.matmul(vectors, ops.transpose(others)) + log_share)

        found = {"goes_with": logits(own, of["target"], x["log_share"])}
        if "alike" in of:
            replaced = ops.take(of["alike"], x["antecedent"], axis=0)  # (antecedents, dim)
            found["replaces"] = logits(replaced, of["alike"], x["log_share_alike"])
        return found

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        """Weighted mean of the antecedents' softmax losses, sampled when the batch names draws."""
        loss = self._mean("goes_with", "weight", x, y, y_pred)
        if "replaces" in y_pred:
            loss = loss + self.params.alike_weight * self._mean("replaces", "weight_alike", x, y, y_pred)
        return loss

    def _mean(self, name: str, weight: str, x: Any, y: Any, y_pred: Any) -> Any:
        losses = softmax(y_pred[name], y[name], x)  # (antecedents,)
        return ops.sum(losses * x[weight]) / ops.maximum(ops.sum(x[weight]), 1e-9)
