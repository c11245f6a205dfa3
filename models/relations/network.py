"""The network of relations in Keras: what products are, what their neighbours say, what was counted of the pair."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
from keras import layers, ops
from numpy.typing import NDArray

from models.relations.bins import encode
from models.relations.classifier import BOUND, Classifier
from models.relations.graph import Graph
from models.relations.params import RelationsParams
from models.relations.standard import Standard
from models.relations.table import PairTable
from tandem.features.relations import RELATIONS

LEAST_STEPS = 30
"""Batches of an epoch at least, where there are as many pairs: few pairs make small batches."""

Batch = tuple[dict[str, NDArray], NDArray[np.int32]]


class Neighbours(layers.Layer):
    """What neighbours tell each product, by kind of edge: over senders t of edges of kind r with the receiver v

    Σ_t w_vt e_t and Σ_t w_vt,   w_vt = strength · exp(BOUND · tanh(a_r · e_t + b_r · e_v))

    Without attention w is the strength. Sources: Veličković et al. 2018 (additive attention), Schlichtkrull et al. 2018
    (each kind of edge by itself).
    """

    def __init__(self, rows: tuple[sp.csr_array, ...], dim: int, messages: str, **kwargs: Any) -> None:
        """`rows`: by kind, (receivers, senders)."""
        super().__init__(**kwargs)
        cells = [kind.tocoo() for kind in rows]
        kind = np.repeat(np.arange(len(rows)), [of.nnz for of in cells])
        receiver, self.sender = (np.concatenate([of.coords[axis] for of in cells]) for axis in (0, 1))
        self.groups = (rows[0].shape[0], len(rows))
        self.heard, self.told = (place * len(rows) + kind for place in (receiver, self.sender))
        self.strength = np.concatenate([of.data for of in cells]).astype(np.float32)
        attention = messages == "attention"
        start = "random_normal" if attention else "zeros"
        self.key, self.query = (
            self.add_weight(name=name, shape=(dim, len(rows)), initializer=start, trainable=attention)
            for name in ("key", "query")
        )

    def sums(self, vectors: Any) -> tuple[Any, Any]:
        """(products, kinds, dim) Σ w e and (products, kinds) Σ w, of e (products, dim)."""
        key, query = (ops.reshape(vectors @ score, (-1,)) for score in (self.key, self.query))  # (products · kinds,)
        odds = ops.exp(BOUND * ops.tanh(ops.take(key, self.told) + ops.take(query, self.heard)))  # (edges,)
        weight = self.strength * odds  # (edges,)
        said = ops.take(vectors, self.sender, axis=0) * weight[:, None]  # (edges, dim)
        count = self.groups[0] * self.groups[1]
        said, weight = (ops.segment_sum(of, self.heard, num_segments=count) for of in (said, weight))
        return ops.reshape(said, (*self.groups, vectors.shape[1])), ops.reshape(weight, self.groups)


class Network(keras.Model):
    """Logits of the three relations for directed pairs; `Classifier` says the formula."""

    def __init__(
        self, vectors: NDArray[np.float32], graph: Graph, edges: NDArray[np.float32], params: RelationsParams
    ) -> None:
        """Vectors (products, numbers) hold no NaN; `edges` are those of the bins of evidence."""
        super().__init__()
        dim, kinds, products = params.dim, len(graph), len(vectors)
        self.width, self.messages = kinds * dim, params.messages != "none"
        self.known, self.edges = ops.convert_to_tensor(vectors), edges
        self.described = layers.Dense(dim, activation="silu")
        self.source, self.target, self.alike = (layers.Dense(dim) for _ in range(3))
        self.first, self.last = layers.Dense(params.hidden, activation="silu"), layers.Dense(len(RELATIONS))
        widths = [vectors.shape[1], dim * (2 + kinds), dim * (2 + 2 * kinds), dim * (1 + kinds)]
        widths += [edges.size + 4 * dim, params.hidden]
        for layer, width in zip(self.dense, widths, strict=True):
            layer.build((None, width))
        self.own = {
            role: self.add_weight(shape=(products, dim), initializer="zeros", name=role, trainable=role in params.ids)
            for role in ("source", "target")
        }
        self.sender = self.add_weight(shape=(products, dim), initializer="random_normal", name="sender")
        self.into, self.out = (Neighbours(of, dim, params.messages) for of in (graph.turned, graph.kinds))
        self.without_id = layers.Dropout(params.id_dropout, noise_shape=(None, 1), seed=params.seed)
        self.dropout = layers.Dropout(params.dropout, seed=params.seed + 1)
        self.built = True

    @property
    def dense(self) -> tuple[layers.Dense, ...]:
        """The dense layers in the order of `Classifier.dense`."""
        return self.described, self.source, self.target, self.alike, self.first, self.last

    def tables(self) -> dict[str, Any]:
        """By field of `Classifier`, what is the same for all pairs of a product."""
        described = self.described(self.known)  # (products, dim)
        sender = described + self.sender  # (products, dim)
        heard, weight = self.into.sums(sender)
        told, told_weight = self.out.sums(sender)
        return {
            "described": described,
            "own_source": self.own["source"],
            "own_target": self.own["target"],
            "sender": sender,
            "key": sender @ self.into.key,  # (products, kinds)
            "query": sender @ self.into.query,  # (products, kinds)
            "heard": heard,
            "weight": weight,
            "told": self._flat(told / (1 + told_weight[:, :, None])),  # (products, kinds · dim)
        }

    def call(self, inputs: Mapping[str, Any], training: bool = False) -> Any:
        """(batch, 3) logits."""
        of = self.tables()
        i, j = inputs["source"], inputs["target"]
        x_i, x_j = (self.dropout(ops.take(of["described"], n, axis=0), training=training) for n in (i, j))
        own_i, own_j = (
            self.without_id(ops.take(self.own[role], n, axis=0), training=training)
            for role, n in (("source", i), ("target", j))
        )
        near_i, near_j = (self.dropout(m, training=training) for m in self._near(of, i, j, inputs["strength"]))
        source = self.source(ops.concatenate([x_i, own_i, near_i], axis=1))  # (batch, dim)
        target = self.target(
            ops.concatenate([x_j, own_j, near_j, ops.take(of["told"], j, axis=0)], axis=1)
        )  # (batch, dim)
        alike = self.alike(ops.concatenate([x_i, near_i], axis=1)) * self.alike(ops.concatenate([x_j, near_j], axis=1))
        hidden = self.first(ops.concatenate([inputs["evidence"], source, target, source * target, alike], axis=1))
        goes, stands = ops.sum(source * target, axis=1), ops.sum(alike, axis=1)  # (batch,)
        direct = ops.stack([ops.zeros_like(goes), goes, stands], axis=1) / source.shape[1] ** 0.5  # (batch, 3)
        return direct + self.last(self.dropout(hidden, training=training))

    def _near(self, of: Mapping[str, Any], i: Any, j: Any, strength: Any) -> tuple[Any, Any]:
        """(batch, kinds · dim) what the source's and the target's neighbours say, the source itself left out."""
        odds = ops.exp(BOUND * ops.tanh(ops.take(of["key"], i, axis=0) + ops.take(of["query"], j, axis=0)))
        own = strength * odds  # (batch, kinds)
        said = own[:, :, None] * ops.take(of["sender"], i, axis=0)[:, None]  # (batch, kinds, dim)
        of_i = ops.take(of["heard"], i, axis=0) / (1 + ops.take(of["weight"], i, axis=0)[:, :, None])
        of_j = (ops.take(of["heard"], j, axis=0) - said) / (1 + ops.take(of["weight"], j, axis=0) - own)[:, :, None]
        return self._flat(of_i), self._flat(of_j)

    def _flat(self, messages: Any) -> Any:
        return ops.reshape(messages, (-1, self.width))

    def classifier(self, standard: Standard, graph: Graph, paths: bool) -> Classifier:
        """The same in NumPy, not calibrated, with the scale of vectors and the graph that evidence is read from."""
        tables = {name: np.asarray(table) for name, table in self.tables().items()}
        dense = tuple((kernel, bias) for kernel, bias in (layer.get_weights() for layer in self.dense))
        return Classifier(standard, graph, paths, self.messages, self.edges, tables, dense, 1.0)


class Batches:
    """Pairs and labels in a new order each epoch."""

    def __init__(
        self,
        pairs: PairTable,
        labels: NDArray[np.integer],
        graph: Graph,
        edges: NDArray[np.float32],
        params: RelationsParams,
    ) -> None:
        self.pairs, self.labels, self.edges, self.size = pairs, labels.astype(np.int32), edges, params.batch
        self.strength = graph.strength(pairs.source, pairs.target)
        self._rng = np.random.default_rng(params.seed)

    def __len__(self) -> int:
        return max(-(-len(self.pairs) // self.size), min(len(self.pairs), LEAST_STEPS))

    def epoch(self) -> Iterator[Batch]:
        """Each pair once."""
        for rows in np.array_split(self._rng.permutation(len(self.pairs)), len(self)):
            of = self.pairs[rows]
            evidence = encode(of.evidence, self.edges)
            yield (
                {"source": of.source, "target": of.target, "evidence": evidence, "strength": self.strength[rows]},
                self.labels[rows],
            )
