"""Which pairs of products are worth asking about, and what a dataset says of each: counts, categories, likeness.

Pairs are many times as many as products, and what is said of each is some thirty numbers: both are made block by block
of sources.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.relations.graph import strongest
from models.relations.table import PairTable
from tandem.features import strength
from tandem.features.dataset import Dataset
from tandem.features.graph import DIRECTED, KINDS, Kind, edges
from tandem.features.pairs import Pairs
from tandem.features.products import ProductFeatures
from tandem.features.relations import Evidence, at, cosines, log_lift, narrowest, numbers, precedence, surprise
from tandem.params import RelateParams

BLOCK = 1 << 19
"""Pairs whose numbers are in memory at once; a single source may have more."""
CELLS = 1 << 24
"""Cosines in memory at once."""
NAMES = 256
"""Categories of a level, and brands, that are told apart as such: the most frequent."""

Places = NDArray[np.int32]
"""(pairs,) indices of products, or (products,) of categories."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Pairs in order of a, then b, with what a dataset says of them."""

    table: PairTable
    forward: NDArray[np.float32]  # (pairs,) above 0 where a comes first

    def __len__(self) -> int:
        return len(self.table)


def ask(dataset: Dataset, params: RelateParams) -> Iterator[Asked]:
    """The pairs of a dataset that may be related, each both ways round, block by block of sources."""
    told = Told.of(dataset)
    for a, b in blocks(candidates(dataset, params)):
        yield told.asked(a, b)


def blocks(pairs: sp.csr_array) -> Iterator[tuple[Places, Places]]:
    """The cells of a matrix (products, products) in order of row, then column: whole rows, at most BLOCK cells or one.

    There is at least one block, of a matrix without cells an empty one.
    """
    begin, rows = 0, pairs.shape[0]
    while begin < rows:
        end = max(int(np.searchsorted(pairs.indptr, pairs.indptr[begin] + BLOCK, side="right")) - 1, begin + 1)
        part = pairs[begin:end].tocoo()
        yield (part.coords[0] + begin).astype(np.int32), part.coords[1].astype(np.int32)
        begin = end


@dataclass(frozen=True, eq=False)
class Told:
    """What a dataset says of any pair of its products."""

    products: ProductFeatures
    known: NDArray[np.bool_]  # (products,) whether anybody met the product
    counted: Evidence  # by kind of edge, all pairs that such edges join
    category: NDArray[np.int64]  # (products,) the narrowest one, 0 unknown

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """What there is to say is counted once."""
        counted = {kind: _counted(dataset, kind) for kind in KINDS}
        return cls(dataset.products, met(dataset), counted, narrowest(dataset.products))

    def asked(self, a: Places, b: Places) -> Asked:
        """What is said of these pairs.

        Of each: `relations.numbers`, not known where nobody met one of the two; the same of their narrowest categories,
        as log lifts; and `likeness`.
        """
        _, own = numbers(*self._both_ways(self.counted, a, b))
        own = np.where((self.known[a] & self.known[b])[:, None], own, np.float32(np.nan))
        one, other = self.category[a], self.category[b]
        theirs = np.where(((one > 0) & (other > 0))[:, None], self._of_categories(one, other), np.float32(np.nan))
        columns = np.hstack([own, theirs, likeness(self.products, a, b)])
        return Asked(PairTable.of(a, b, columns), np.nan_to_num(own[:, -1]) + np.nan_to_num(theirs[:, -1]))

    def _of_categories(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float32]:
        """(pairs, numbers) log lifts of categories by kind, of directed ones also those of b → a; last `precedence`."""
        size = int(self.category.max(initial=0)) + 1
        distinct, place = np.unique(a * size + b, return_inverse=True)
        one, other = (of.astype(np.int32) for of in np.divmod(distinct, size))
        there, back = self._both_ways(self.of_categories, one, other)
        columns = [*map(log_lift, there.values()), *(log_lift(back[kind]) for kind in DIRECTED)]
        told = np.column_stack([*columns, precedence(there, back["after"].n)]).astype(np.float32)
        return told[place]

    @staticmethod
    def _both_ways(counted: Evidence, a: Places, b: Places) -> tuple[Evidence, Evidence]:
        """a → b by all kinds, b → a by the directed ones."""
        there = {kind: at(pairs, a, b) for kind, pairs in counted.items()}
        return there, {kind: at(counted[kind], b, a) for kind in DIRECTED}

    @cached_property
    def of_categories(self) -> Evidence:
        """The counts of each kind, summed over the products of two categories."""
        member = _members(self.category)
        return {kind: _summed(pairs, member) for kind, pairs in self.counted.items()}


def _counted(dataset: Dataset, kind: Kind) -> Pairs:
    return strength.given_sizes(edges(dataset, kind))


def met(dataset: Dataset) -> NDArray[np.bool_]:
    """(products,) whether the product was ever taken or looked at."""
    return np.asarray((dataset.baskets.content.sum(axis=0) + dataset.views.content.sum(axis=0)) > 0).ravel()


def candidates(dataset: Dataset, params: RelateParams) -> sp.csr_array:
    """(products, products) True of pairs both ways round: what edges join beyond chance, what reads alike, what sells
    in linked categories.
    """
    size = dataset.vocabulary.size
    a, b = (np.concatenate(of) for of in zip(*_ways(dataset, params), strict=True))
    kept = (a != b) & (a > 0) & (b > 0)
    one = sp.csr_array((np.ones(kept.sum(), bool), (a[kept], b[kept])), shape=(size, size))
    found = sp.csr_array(one + one.T)
    found.sort_indices()
    return found


def _ways(dataset: Dataset, params: RelateParams) -> Iterator[tuple[Places, Places]]:
    for kind in KINDS:
        pairs = _counted(dataset, kind)
        values = surprise(pairs)
        above = pairs.keep(values > 0)
        yield _cells(strongest(above.matrix(values[values > 0]), params.of_a_kind))
    yield from _nearest(dataset.products.text, params.nearest)
    yield _linked(dataset, params)


def _cells(matrix: sp.sparray) -> tuple[Places, Places]:
    row, column = sp.coo_array(matrix).coords
    return row.astype(np.int32), column.astype(np.int32)


def _nearest(text: NDArray[np.float32], count: int) -> Iterator[tuple[Places, Places]]:
    """Of each product with words, those whose words are nearest; words of length 1."""
    known = np.flatnonzero(np.isfinite(text).all(axis=1) & (text.shape[1] > 0)).astype(np.int32)
    count, said = min(count, len(known) - 1), text[known]
    at_once = max(1, CELLS // max(len(known), 1))
    for begin in range(0, len(known) if count > 0 else 0, at_once):
        rows = known[begin : begin + at_once]
        alike = said[begin : begin + at_once] @ said.T  # (rows, known)
        alike[np.arange(len(rows)), begin + np.arange(len(rows))] = -np.inf
        best = np.argpartition(alike, -count, axis=1)[:, -count:]
        yield np.repeat(rows, count), known[best].ravel()


def _linked(dataset: Dataset, params: RelateParams) -> tuple[Places, Places]:
    """Of each product the most sold of its own narrowest category and of those that are bought with it."""
    member = _members(narrowest(dataset.products))
    found = _summed(_counted(dataset, "together"), member)
    values = np.where(found.a == found.b, 0, log_lift(found))
    bought = strongest(found.keep(values > 0).matrix(values[values > 0]), params.linked)
    sold = np.asarray(dataset.baskets.content.sum(axis=0)).ravel()
    top = strongest(member @ sp.diags_array(1 + sold), params.sold)
    return _cells(member.T @ (sp.eye_array(len(found.source)) + bought) @ top)


def _summed(counted: Pairs, member: sp.csr_array) -> Pairs:
    """The counts of a kind, summed over the products of two categories; in order of a, then b."""
    n = sp.csr_array(member @ counted.matrix(counted.n) @ member.T)
    n.sort_indices()
    a, b = _cells(n)
    source, target = member @ counted.source, member @ counted.target
    return Pairs(a, b, n.data, n.data, source, target, counted.rows)


def _members(category: NDArray[np.int64]) -> sp.csr_array:
    """(categories, products) 1 where the product is in the category; of category 0, the unknown one, none is."""
    known = np.flatnonzero(category)
    cells = np.ones(len(known)), (category[known], known)
    return sp.csr_array(cells, shape=(int(category.max(initial=0)) + 1, len(category)))


def likeness(products: ProductFeatures, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.float32]:
    """(pairs, numbers) same category by level, same brand, step and distance in price, cosines; NaN where unknown."""
    codes = np.hstack([products.category, products.brand])
    known = (codes[a] > 0) & (codes[b] > 0)
    same = np.where(known, codes[a] == codes[b], np.float32(np.nan))
    step = products.price[b, 0] - products.price[a, 0]
    near = [
        cosines(of, a, b) if of.shape[1] else np.full(len(a), np.nan, np.float32)
        for of in (products.text, products.picture)
    ]
    return np.column_stack([same, step, np.abs(step), *near]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Content:
    """What the sheet says of each product: words, picture, and 1 for the product's categories and brand.

    A row is wide, and products are many: rows are made when asked for.
    """

    products: ProductFeatures

    def __len__(self) -> int:
        return len(self.products)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """(rows, numbers) NaN where nothing is known."""
        names = [codes[rows, None] == frequent for codes, frequent in self._names]
        return np.hstack([self.products.text[rows], self.products.picture[rows], *names]).astype(np.float32)

    @cached_property
    def _names(self) -> list[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Codes of the products by level, and of brands, each with its most frequent ones, the unknown one left out."""
        columns = (*self.products.category.T, self.products.brand[:, 0])
        return [(codes, 1 + np.argsort(-np.bincount(codes)[1:], kind="stable")[:NAMES]) for codes in columns]
