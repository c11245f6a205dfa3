"""Rankers of content: how near two products' words or pictures are, what they share, what goes with their like."""

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.ranking.base import CountingRanker, decayed
from tandem.ranking.neighbours import WeightedCosine, strongest

LIKE = 20
"""Products that stand in for one: the nearest by words."""

BLOCK = 1024
"""Products whose nearness to all others is in memory at once."""


class OfContent(CountingRanker):
    """A ranker that looks at no basket; 0 for products of which nothing is known."""

    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def of_products(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """(rows, products) what the content of the products at `rows` says for each product."""
        raise NotImplementedError

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """Sum over the history, decayed."""
        own = decayed(histories, self.learned["kind_weight"], self.params.half_life_days)
        held = np.unique(own.indices)
        return np.asarray(own[:, held].astype(np.float32) @ self.of_products(held), np.float32)


class NearText(OfContent):
    """Cosine of the two products' words."""

    name = "near_text"
    modality: ClassVar[str] = "text"

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """`kind_weight`, and `vectors` (products, dim), 0 where there is nothing to read."""
        return {"kind_weight": dataset.kind_weight, "vectors": np.nan_to_num(getattr(dataset.products, self.modality))}

    def of_products(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Cosines."""
        return self.learned["vectors"][rows] @ self.learned["vectors"].T


class NearPicture(NearText):
    """Cosine of the two products' pictures."""

    name = "near_picture"
    modality = "picture"


class NearTitle(OfContent):
    """Cosine of the n-grams of the two products' titles: of long names the few characters that only these two share."""

    name = "near_title"

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """`kind_weight`, and n-grams by title and titles by n-gram, so that no question has to turn a matrix."""
        titles = dataset.titles[:, np.unique(dataset.titles.indices)]
        by_ngram = files.packed(sp.csr_array(titles.T), "by_ngram_")
        return {"kind_weight": dataset.kind_weight, **files.packed(titles), **by_ngram}

    def of_products(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Cosines."""
        products, ngrams = (len(self.learned[f"{of}indptr"]) - 1 for of in ("", "by_ngram_"))
        titles = files.unpacked(self.learned, ngrams)
        return (titles[rows] @ files.unpacked(self.learned, products, "by_ngram_")).toarray()


class SameCategory(OfContent):
    """Share of the levels of the path that two products have in common."""

    name = "same_category"
    modality: ClassVar[str] = "category"

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """`kind_weight`, and `codes` (products, levels), 0 where a level is not known."""
        return {"kind_weight": dataset.kind_weight, "codes": getattr(dataset.products, self.modality)}

    def of_products(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Levels with the same code, of all levels."""
        codes = self.learned["codes"]
        same = [(codes[rows, n][:, None] == codes[None, :, n]) & (codes[None, :, n] > 0) for n in range(codes.shape[1])]
        return np.mean(same, axis=0, dtype=np.float32)


class SameBrand(SameCategory):
    """1 for two products of one brand."""

    name = "same_brand"
    modality = "brand"


class CosineOfLike(WeightedCosine):
    """What goes with the products whose words are nearest to the history's: Σ_l near_il W_lj over the nearest l ≠ i.

    W is the weighted cosine. It speaks of products that stood in no basket yet, and of all that any of their like
    goes with: a list of the strongest alone would be silent about most of what is sold.
    """

    name = "cosine_of_like"

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """What W needs, and nearness to the `LIKE` nearest as another sparse matrix."""
        near = nearest(np.nan_to_num(dataset.products.text), dataset.products.met)
        return {**super().learn(dataset), **files.packed(near, "near_")}

    @property
    def near(self) -> sp.csr_array:
        """(products, products) nearness to the products that stand in for each."""
        return files.unpacked(self.learned, len(self.learned["near_indptr"]) - 1, "near_")

    def of_products(self, rows: NDArray[np.integer]) -> sp.csr_array:
        """(rows, products) nearness times weighted cosine."""
        return sp.csr_array(self.near[rows] @ self.matrix)

    def linear(self, histories: Histories) -> NDArray[np.float32]:
        """(users, products) history times nearness times weighted cosine."""
        return (self.asked(histories).astype(np.float32) @ self.near @ self.matrix).toarray()


def nearest(vectors: NDArray[np.float32], allowed: NDArray[np.bool_]) -> sp.csr_array:
    """(products, products) cosines, where above 0, with the `LIKE` nearest other products that are allowed."""
    blocks = []
    for start in range(0, len(vectors), BLOCK):
        near = np.maximum(vectors[start : start + BLOCK] @ vectors.T, 0.0) * allowed
        near[np.arange(len(near)), np.arange(start, start + len(near))] = 0.0
        blocks.append(strongest(near, min(LIKE, near.shape[1])))
    return sp.csr_array(sp.vstack(blocks, format="csr"))
