"""What was learned of relations, and probabilities from it in NumPy, without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, softmax

from models.relations.bins import encode
from models.relations.errors import RelationsError
from models.relations.graph import CHUNK, Graph
from models.relations.standard import Standard
from models.relations.table import PairTable

BOUND = 3.0
"""Of the logits of attention: no neighbour weighs more than e ** 6 times another."""
DENSE = ("described", "source", "target", "alike", "first", "last")

Array = NDArray[np.float32]


class Rows(Protocol):
    """Rows that are made when asked for; an array has them ready."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Array: ...


@dataclass(frozen=True, eq=False)
class Classifier:
    """P(neither), P(complement), P(substitute) = softmax(z / temperature) of a directed pair i → j:

    near_i = Σ_t w_it e_t / (1 + Σ_t w_it) by kind of edge into i, near_j the same without i, told_j out of j
    s = S [x_i, own_i, near_i],  t = T [x_j, own_j, near_j, told_j],  a = A [x_i, near_i] ∘ A [x_j, near_j]
    z = L silu(F [evidence, s, t, s ∘ t, a]) + [0, s · t, Σ a] / √dim

    x is made of what the product is, own is its vector in the role, 0 for one that no pair taught. What vectors say of
    complements has a direction, what they say of substitutes has none; the evidence may have.
    """

    standard: Standard  # of what products are
    graph: Graph
    paths: bool  # whether the graph's own evidence is read beside the table's
    messages: bool  # whether neighbours are heard
    edges: Array  # (numbers, bins + 1) of evidence
    tables: Mapping[str, Array]  # by product: see `network.Network.tables`
    dense: tuple[tuple[Array, Array], ...]  # kernel and bias, in order of DENSE
    temperature: float

    def probabilities(self, pairs: PairTable) -> NDArray[np.float64]:
        """(pairs, 3) in order of RELATIONS; rows sum to 1.

        Raises:
            RelationsError: a product or a column of evidence that was not there in training, or one fewer.
        """
        return softmax(self.logits(pairs) / self.temperature, axis=1)

    def logits(self, pairs: PairTable) -> NDArray[np.float64]:
        """(pairs, 3) z."""
        self._check(pairs)
        whole = with_paths(pairs, self.graph) if self.paths else pairs
        parts = [self._logits(whole[n : n + CHUNK]) for n in range(0, len(pairs), CHUNK)]
        return np.concatenate([np.zeros((0, len(self.dense[-1][1]))), *parts])

    def over(self, products: NDArray[np.integer], vectors: Rows) -> Self:
        """The same for more products: each described by what it is, and as before where more was learned of it.

        Args:
            products: (products learned of,) their places among all.
            vectors: (products, numbers) of all, as in training; a slice of them is made at a time.
        """
        size, (kernel, bias) = len(vectors), self.dense[DENSE.index("described")]
        parts = (self.standard(vectors[n : n + CHUNK]) @ kernel + bias for n in range(0, size, CHUNK))
        described = np.concatenate([z * expit(z) for z in parts])  # (products, dim)
        tables = {name: _scattered(table, products, size) for name, table in self.tables.items()}
        cells = ((kind.data, tuple(products[of] for of in kind.tocoo().coords)) for kind in self.graph.kinds)
        graph = Graph.of([sp.csr_array(of, shape=(size, size)) for of in cells])
        return replace(self, graph=graph, tables=tables | {"described": described})

    def _logits(self, pairs: PairTable) -> NDArray[np.float64]:
        of, i, j = self.tables, pairs.source, pairs.target
        layer = dict(zip(DENSE, self.dense, strict=True))
        near_i, near_j = self._near(pairs)
        source = _dense([of["described"][i], of["own_source"][i], near_i], layer["source"])
        target = _dense([of["described"][j], of["own_target"][j], near_j, of["told"][j]], layer["target"])
        alike = _dense([of["described"][i], near_i], layer["alike"])
        alike = alike * _dense([of["described"][j], near_j], layer["alike"])  # (pairs, dim)
        hidden = _dense([encode(pairs.evidence, self.edges), source, target, source * target, alike], layer["first"])
        direct = np.stack([np.zeros(len(i)), (source * target).sum(axis=1), alike.sum(axis=1)], axis=1)
        return np.asarray(direct / source.shape[1] ** 0.5 + _dense([hidden * expit(hidden)], layer["last"]), np.float64)

    def _near(self, pairs: PairTable) -> tuple[Array, Array]:
        """(pairs, kinds · dim) of the source and of the target."""
        of, i, j = self.tables, pairs.source, pairs.target
        graph = self.graph if self.messages else Graph.none(len(of["key"]))
        own = graph.strength(i, j) * np.exp(BOUND * np.tanh(of["key"][i] + of["query"][j]))  # (pairs, kinds)
        near_i = of["heard"][i] / (1 + of["weight"][i])[:, :, None]
        rest = of["heard"][j] - own[:, :, None] * of["sender"][i][:, None]  # (pairs, kinds, dim)
        near_j = rest / (1 + of["weight"][j] - own)[:, :, None]
        return near_i.reshape(len(i), -1), near_j.reshape(len(j), -1)

    def _check(self, pairs: PairTable) -> None:
        products = len(self.tables["described"])
        for role, index in (("source", pairs.source), ("target", pairs.target)):
            if len(index) and not 0 <= index.min() <= index.max() < products:
                raise RelationsError(f"{role} {index.min()} to {index.max()}; {products} products were learned of")
        wanted = len(self.edges) - (self.graph.width if self.paths else 0)
        if pairs.evidence.shape[1] != wanted:
            raise RelationsError(f"{pairs.evidence.shape[1]} columns of evidence; learned of {wanted}")


@dataclass(frozen=True, eq=False)
class Committee:
    """Classifiers that chance alone makes different: what they began with, and which sources they stopped on.

    Source: deep ensembles, Lakshminarayanan et al. 2017.
    """

    members: tuple[Classifier, ...]

    def probabilities(self, pairs: PairTable) -> NDArray[np.float64]:
        """(pairs, 3) the mean of what each says.

        Raises:
            RelationsError: as of each.
        """
        return np.asarray(np.mean([member.probabilities(pairs) for member in self.members], axis=0))


def _scattered(table: Array, products: NDArray[np.integer], size: int) -> Array:
    """(size, …) the rows of `table` at their products, 0 elsewhere."""
    found = np.zeros((size, *table.shape[1:]), table.dtype)
    found[products] = table
    return found


def with_paths(pairs: PairTable, graph: Graph) -> PairTable:
    """The same with what the graph says of them."""
    more = graph.evidence(pairs.source, pairs.target)
    return PairTable(pairs.source, pairs.target, np.concatenate([pairs.evidence, more], axis=1))


def _dense(parts: list[NDArray], layer: tuple[Array, Array]) -> NDArray:
    kernel, bias = layer
    return np.concatenate(parts, axis=1) @ kernel + bias
