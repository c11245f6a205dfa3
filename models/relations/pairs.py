"""Which pairs of products are worth asking about, and what a dataset says of each: counts, categories, likeness."""

from collections.abc import Iterator
from dataclasses import dataclass

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
from tandem.features.relations import at, cosines, log_lift, mirrored, narrowest, numbers, precedence, surprise
from tandem.params import RelateParams

ROWS = 1024
"""Products whose cosines with all others are in memory at once."""
NAMES = 256
"""Categories of a level, and brands, that are told apart as such: the most frequent."""

Places = NDArray[np.int64]
"""(pairs,) indices of products, or (products,) of categories."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Pairs, each both ways round and in order of a, then b, with what a dataset says of them."""

    table: PairTable
    forward: NDArray[np.float32]  # (pairs,) above 0 where a comes first

    def __len__(self) -> int:
        return len(self.table)


def ask(dataset: Dataset, params: RelateParams) -> Asked:
    """The pairs of a dataset that may be related.

    Of each: `relations.numbers`, not known where nobody met one of the two; the same of their narrowest categories, as
    log lifts; and `likeness`.
    """
    a, b = candidates(dataset, params)
    _, own = numbers({kind: at(_counted(dataset, kind), a, b) for kind in KINDS})
    known, category = met(dataset), narrowest(dataset.products)
    own = np.where((known[a] & known[b])[:, None], own, np.nan)
    theirs = np.where(((category[a] > 0) & (category[b] > 0))[:, None], _of_categories(dataset, a, b), np.nan)
    columns = np.hstack([own, theirs, likeness(dataset.products, a, b)])
    return Asked(PairTable.of(a, b, columns), np.nan_to_num(own[:, -1]) + np.nan_to_num(theirs[:, -1]))


def _counted(dataset: Dataset, kind: Kind) -> Pairs:
    return strength.given_sizes(edges(dataset, kind))


def met(dataset: Dataset) -> NDArray[np.bool_]:
    """(products,) whether the product was ever taken or looked at."""
    return np.asarray((dataset.baskets.content.sum(axis=0) + dataset.views.content.sum(axis=0)) > 0).ravel()


def candidates(dataset: Dataset, params: RelateParams) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pairs both ways round: what edges join beyond chance, what reads alike, what sells in linked categories."""
    size = dataset.vocabulary.size
    keys = [key for a, b in _ways(dataset, params) for key in (a * size + b, b * size + a)]
    a, b = np.divmod(np.unique(np.concatenate(keys)), size)
    kept = (a != b) & (a > 0) & (b > 0)
    return a[kept].astype(np.int32), b[kept].astype(np.int32)


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
    return row.astype(np.int64), column.astype(np.int64)


def _nearest(text: NDArray[np.float32], count: int) -> Iterator[tuple[Places, Places]]:
    """Of each product with words, those whose words are nearest; words of length 1."""
    known = np.flatnonzero(np.isfinite(text).all(axis=1)) if text.shape[1] else np.zeros(0, int)
    count = min(count, len(known) - 1)
    for begin in range(0, len(known) if count > 0 else 0, ROWS):
        rows = known[begin : begin + ROWS]
        alike = text[rows] @ text[known].T  # (rows, known)
        alike[np.arange(len(rows)), begin + np.arange(len(rows))] = -np.inf
        best = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        yield np.repeat(rows, count), known[best].ravel()


def _linked(dataset: Dataset, params: RelateParams) -> tuple[Places, Places]:
    """Of each product the most sold of its own narrowest category and of those that are bought with it."""
    category = narrowest(dataset.products)
    found = _summed(dataset, "together", category)
    values = np.where(found.a == found.b, 0, log_lift(found))
    bought = strongest(found.keep(values > 0).matrix(values[values > 0]), params.linked)
    member = _members(category)
    sold = np.asarray(dataset.baskets.content.sum(axis=0)).ravel()
    top = strongest(member @ sp.diags_array(1 + sold), params.sold)
    return _cells(member.T @ (sp.eye_array(len(found.source)) + bought) @ top)


def _of_categories(dataset: Dataset, a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.float32]:
    """(pairs, numbers) log lifts of the products' narrowest categories by kind, of directed ones also those of b → a.

    The last number is their `precedence`.
    """
    category = narrowest(dataset.products)
    size = int(category.max(initial=0)) + 1
    keys = np.concatenate([category[a] * size + category[b], category[b] * size + category[a]])
    distinct, place = np.unique(keys, return_inverse=True)
    one, other = (of.astype(np.int32) for of in np.divmod(distinct, size))
    found = {kind: at(_summed(dataset, kind, category), one, other) for kind in KINDS}
    values = {kind: log_lift(pairs) for kind, pairs in found.items()}
    back = [mirrored(found[kind], values[kind]) for kind in DIRECTED]
    told = np.column_stack([*values.values(), *back, precedence(found)]).astype(np.float32)
    return told[place[: len(a)]]


def _summed(dataset: Dataset, kind: Kind, category: Places) -> Pairs:
    """The counts of a kind, summed over the products of two categories; in order of a, then b."""
    counted = _counted(dataset, kind)
    member = _members(category)
    n = sp.csr_array(member @ counted.matrix(counted.n) @ member.T)
    n.sort_indices()
    a, b = _cells(n)
    source, target = member @ counted.source, member @ counted.target
    return Pairs(a.astype(np.int32), b.astype(np.int32), n.data, n.data, source, target, counted.rows)


def _members(category: Places) -> sp.csr_array:
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


def content(products: ProductFeatures) -> NDArray[np.float32]:
    """(products, numbers) words, picture, and 1 for the product's categories and brand: what the sheet says."""
    names = [_ones(codes) for codes in (*products.category.T, products.brand[:, 0])]
    return np.hstack([products.text, products.picture, *names]).astype(np.float32)


def _ones(codes: NDArray[np.int32]) -> NDArray[np.float32]:
    """(products, names) 1 where the product has the name, of the most frequent ones."""
    count = np.bincount(codes)[1:]
    names = 1 + np.argsort(-count, kind="stable")[:NAMES]
    return (codes[:, None] == names[None, :]).astype(np.float32)
