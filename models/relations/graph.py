"""Typed, directed edges between products, and what they say of a pair beyond the pair's own edge.

An edge from the source to the target of an asked pair is never read, nor any other edge out of the source: where edges
are relations themselves, that is what a product has of which no relation is known yet. What is read are edges into the
source, into the target and out of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.relations.errors import RelationsError
from tandem.features import pairs

CHUNK = 8192
"""Pairs whose neighbours are in memory at once."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Edges of each kind; a cell (i, j) is the strength of i → j, above 0."""

    kinds: tuple[sp.csr_array, ...]  # (products, products) each

    @classmethod
    def of(cls, kinds: Sequence[sp.sparray], neighbours: int | None = None) -> Self:
        """With at most so many edges of a kind into a product and out of it, the strongest.

        Raises:
            RelationsError: shapes differ or are not square, a strength is not above 0, or a product leads to itself.
        """
        matrices = [sp.csr_array(kind, dtype=np.float32) for kind in kinds]
        if len({matrix.shape for matrix in matrices} | {matrix.T.shape for matrix in matrices}) > 1:
            raise RelationsError(f"edges of shapes {[m.shape for m in matrices]}; (products, products) each fits")
        if any(matrix.nnz and not matrix.data.min() > 0 for matrix in matrices):
            raise RelationsError("edges of strength 0 or below; what is no edge is left out")
        if any(matrix.diagonal().any() for matrix in matrices):
            raise RelationsError("edges from a product to itself")
        if neighbours is not None:
            matrices = [strongest(strongest(m, neighbours).T, neighbours).T for m in matrices]
        return cls(tuple(sp.csr_array(matrix) for matrix in matrices))

    @classmethod
    def none(cls, products: int) -> Self:
        """One kind without an edge."""
        return cls.of([sp.csr_array((products, products))])

    def __len__(self) -> int:
        return len(self.kinds)

    @cached_property
    def turned(self) -> tuple[sp.csr_array, ...]:
        """The same edges from target to source."""
        return tuple(sp.csr_array(kind.T) for kind in self.kinds)

    def strength(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> NDArray[np.float32]:
        """(pairs, kinds) of source → target, 0 where there is no edge."""
        found = [np.asarray(kind[source, target]).ravel() for kind in self.kinds]
        return np.array(found, np.float32).reshape(len(self), len(source)).T

    def evidence(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> NDArray[np.float32]:
        """(pairs, numbers) what the edges say, own edges left out.

        For kinds r and q: strength of j → i; log(1 + edges) and share of r among edges into i, into j (but i's), out of
        j; the same of pairs of kinds (r, q) among paths i ←r t →q j and i ←r t ←q j. Shares are NaN of none.
        """
        parts = [slice(n, n + CHUNK) for n in range(0, len(source), CHUNK)]
        none = np.zeros((0, self.width), np.float32)
        return np.concatenate([none, *(self._evidence(source[part], target[part]) for part in parts)])

    @property
    def width(self) -> int:
        """Numbers of `evidence`."""
        kinds = len(self)
        return kinds + 3 * (2 * kinds + 1) + 2 * (2 * kinds**2 + 1)

    def _evidence(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> NDArray[np.float32]:
        into_source = [kind[source] for kind in self.turned]
        into_target = [kind[target] for kind in self.turned]
        out_of_target = [kind[target] for kind in self.kinds]
        met = (self.strength(source, target) > 0).astype(np.float32)  # (pairs, kinds)
        counts = [
            _degrees(into_source),
            _degrees(into_target) - met,
            _degrees(out_of_target),
            _paths(into_source, into_target),
            _paths(into_source, out_of_target),
        ]
        return np.concatenate([self.strength(target, source), *map(_told, counts)], axis=1)


def strongest(matrix: sp.sparray, count: int) -> sp.csr_array:
    """The `count` largest cells of each row, of equals those of the lower column."""
    cells = sp.csr_array(matrix).sorted_indices().tocoo()
    row, column = cells.coords
    kept = pairs.strongest(row, cells.data, count)
    return sp.csr_array((cells.data[kept], (row[kept], column[kept])), shape=matrix.shape)


def _degrees(rows: Sequence[sp.csr_array]) -> NDArray[np.float32]:
    return np.stack([np.diff(of.indptr) for of in rows], axis=1).astype(np.float32)


def _paths(first: Sequence[sp.csr_array], second: Sequence[sp.csr_array]) -> NDArray[np.float32]:
    """(pairs, kinds²) products that stand in a row of both."""
    found = [np.diff(sp.csr_array(one.multiply(other)).indptr) for one in first for other in second]
    return np.stack(found, axis=1).astype(np.float32)


def _told(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """(pairs, 2 · columns + 1) log counts and shares, and the log of the sum."""
    whole = counts.sum(axis=1, keepdims=True)
    share = np.where(whole > 0, counts / np.maximum(whole, 1), np.nan)
    return np.concatenate([np.log1p(whole), np.log1p(counts), share], axis=1).astype(np.float32)
