"""Each product's neighbours in the product graph, by kind of edge and direction: what attention looks at."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.features.dataset import Dataset
from tandem.features.graph import DIRECTED, KINDS, edges
from tandem.features.pairs import Pairs, strongest


@dataclass(frozen=True)
class Neighbourhood:
    """At most k neighbours of each product by each relation, a kind of edge in one direction."""

    near: NDArray[np.int32]  # (products, places) neighbour, 0 where there is none
    strength: NDArray[np.float32]  # (products, places) in (0, 1], beside the strongest of that relation; 0 for none
    relation: NDArray[np.int32]  # (places,) index into `relations`
    relations: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset, k: int) -> Self:
        """The k neighbours with the largest weighted cosine, by every relation that has edges."""
        found: dict[str, sp.csr_array] = {}
        for kind in KINDS:
            pairs = edges(dataset, kind)
            if len(pairs):
                weights = _cosines(pairs)  # columns in order, so that of equals the first is kept
                found[kind] = weights
                if kind in DIRECTED:
                    found[f"{kind}, reversed"] = sp.csr_array(weights.T).sorted_indices()
        if not found:
            return cls.none(dataset.vocabulary.size)
        columns = [_largest(weights, k) for weights in found.values()]
        near, strength = (np.concatenate(of, axis=1) for of in zip(*columns, strict=True))
        widths = [of.shape[1] for of, _ in columns]
        return cls(near, strength, np.repeat(np.arange(len(widths), dtype=np.int32), widths), tuple(found))

    @classmethod
    def none(cls, products: int) -> Self:
        """Nobody is near anybody: one empty place for each product."""
        place = np.zeros((products, 1))
        return cls(place.astype(np.int32), place.astype(np.float32), np.zeros(1, np.int32), ())

    def take(self, rows: NDArray[np.integer]) -> Self:
        """The neighbours of the products at `rows`, in that order."""
        return replace(self, near=self.near[rows], strength=self.strength[rows])

    def thinned(self, share: float, rng: np.random.Generator) -> Self:
        """The same without a random `share` of the edges."""
        kept = rng.random(self.near.shape) >= share
        return replace(self, near=self.near * kept, strength=self.strength * kept)


@dataclass(frozen=True)
class Heard:
    """The neighbours that each product listens to most."""

    near: NDArray[np.int32]  # (products, k) neighbour, the most heard first
    share: NDArray[np.float32]  # (products, k) of all that the product hears; 0 where there is no neighbour
    relation: NDArray[np.int32]  # (products, k) index into `relations`
    relations: NDArray[np.str_]

    @classmethod
    def of(cls, around: Neighbourhood, share: NDArray[np.float32], k: int) -> Self:
        """The k largest of the shares (products, places), of equals the first."""
        best = np.argsort(-share, axis=1, kind="stable")[:, :k]
        near = np.take_along_axis(around.near, best, axis=1)
        return cls(near, np.take_along_axis(share, best, axis=1), around.relation[best], np.array(around.relations))

    def by(self, product: int) -> list[tuple[int, str, float]]:
        """Neighbour, relation and share of those that the product listens to."""
        there = self.share[product] > 0
        columns = self.near[product], self.relations[self.relation[product]], self.share[product]
        return list(zip(*(of[there].tolist() for of in columns), strict=True))


def _cosines(pairs: Pairs) -> sp.csr_array:
    """w_ab / √(Σ_b w_ab · Σ_a w_ab)."""
    size = len(pairs.source)
    out, into = np.bincount(pairs.a, pairs.weight, size), np.bincount(pairs.b, pairs.weight, size)
    return pairs.matrix(pairs.weight / np.sqrt(np.maximum(out[pairs.a] * into[pairs.b], 1e-30)))


def _largest(weights: sp.csr_array, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(products, k) the largest entries of each row, largest first, of equals the first; and beside the largest."""
    row = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    kept = strongest(row, weights.data, k)
    place = np.arange(len(kept)) - np.searchsorted(row[kept], row[kept])
    near = np.zeros((weights.shape[0], k), np.int32)
    strength = np.zeros((weights.shape[0], k), np.float32)
    near[row[kept], place] = weights.indices[kept]
    strength[row[kept], place] = weights.data[kept]
    return near, (strength / np.maximum(strength[:, :1], 1e-30)).astype(np.float32)
