"""In how many rows one product and another stand together, and with what weight: exact, in bounded memory.

Rare products are left out first. Then the pairs that stand in each row get numbers, block by block of source products,
and equal numbers are counted; where both sides are one matrix, each unordered pair once. Beside SciPy's sparse product
that counts and weighs at once and holds no pair that `min_count` drops: benchmarks/mining.py.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.errors import TandemError

THREADS = 2

PAIRS = 1 << 17
"""So many pairs are numbered at a time, or as many as there are places: few enough to stay in the processor's cache."""

PLACES = 1 << 20
"""So many different pairs are counted at a time; a single product may need more."""

EMPTY = 16
"""Up to so many places for each pair, a table of all places is faster than sorting the numbers."""

Found = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]
Part = tuple[NDArray[np.int64], NDArray[np.float64] | None]
NOTHING: Found = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), np.zeros(0)


class PairsError(TandemError, ValueError):
    """What is to be counted does not fit together."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Directed pairs of different products, in order of a, then b."""

    a: NDArray[np.int32]  # (pairs,)
    b: NDArray[np.int32]  # (pairs,)
    n: NDArray[np.float64]  # (pairs,) rows with a as source and b as target
    weight: NDArray[np.float64]  # (pairs,) Σ over these rows of row's weight · source's cell · target's cell
    source: NDArray[np.float64]  # (products,) rows with the product as source
    target: NDArray[np.float64]  # (products,) rows with the product as target
    rows: int

    def __len__(self) -> int:
        return len(self.a)

    @property
    def of_a(self) -> NDArray[np.float64]:
        """(pairs,) rows with a as source."""
        return self.source[self.a]

    @property
    def of_b(self) -> NDArray[np.float64]:
        """(pairs,) rows with b as target."""
        return self.target[self.b]

    def matrix(self, values: NDArray[np.floating]) -> sp.csr_array:
        """(products, products) with `values` (pairs,) at their pairs."""
        size = len(self.source)
        return sp.csr_array((values, self.b, np.searchsorted(self.a, np.arange(size + 1))), shape=(size, size))

    def keep(self, mask: NDArray[np.bool_]) -> Self:
        """The pairs where `mask` (pairs,) is true; margins stay."""
        return replace(self, a=self.a[mask], b=self.b[mask], n=self.n[mask], weight=self.weight[mask])


def count(
    source: sp.csr_array,
    target: sp.csr_array | None = None,
    *,
    weight: NDArray[np.floating] | None = None,
    min_count: float = 1,
) -> Pairs:
    """Count each directed pair (a, b) of different products over the rows.

    n_ab = Σ_r [source_ra > 0] · [target_rb > 0]
    weight_ab = Σ_r weight_r · source_ra · target_rb

    Args:
        source: (rows, products) how much of each product a row holds as source; above 0 is present.
        target: (rows, products) the same as target; without it the source's.
        weight: (rows,) of each row, 0 or more; without it 1.
        min_count: pairs with fewer rows are left out, among them all of products with fewer rows.

    Raises:
        PairsError: shapes differ, a value is negative or not finite, `min_count` is not above 0, or there are more
            cells than 32 bits can number.
    """
    _check(source, source if target is None else target, weight, min_count)
    left = _Side.of(source, min_count)
    sides = _Sides.of(left, left if target is None else _Side.of(target, min_count), weight)
    with ThreadPoolExecutor(THREADS) as pool:
        blocks = list(pool.map(lambda block: sides.found(block, min_count), sides.blocks()))
    a, b, n, total = (np.concatenate(parts) for parts in zip(NOTHING, *blocks, strict=True))
    if target is None:
        a, b, n, total = _mirrored(a, b, n, total, source.shape[1])
    return Pairs(a, b, n, total, left.rows_with, sides.target.rows_with, source.shape[0])


@dataclass(frozen=True, eq=False)
class _Side:
    """The cells of a matrix that can be in a pair; products that enough rows hold are numbered anew, in order."""

    product: NDArray[np.int32]  # (cells,)
    amount: NDArray[np.float64] | None  # (cells,); None where every cell is 1
    start: NDArray[np.integer]  # (rows + 1,) first cell of each row
    ids: NDArray[np.int32]  # (kept products,)
    rows_with: NDArray[np.float64]  # (products,)

    @classmethod
    def of(cls, cells: sp.csr_array, min_count: float) -> Self:
        """Those above 0 of products with `min_count` rows."""
        cells = _canonical(cells)
        rows_with = np.zeros(cells.shape[1])
        for part in _parts(cells.nnz):
            rows_with += np.bincount(cells.indices[part], minlength=len(rows_with))
        enough = rows_with >= min_count
        product = np.where(enough, np.cumsum(enough) - 1, -1).astype(np.int32)[cells.indices]
        kept = product >= 0
        product = product[kept]
        start = np.concatenate([np.zeros(1, np.int32), np.cumsum(kept, dtype=np.int32)])[cells.indptr]
        ones = cells.data.min(initial=1) == cells.data.max(initial=1) == 1
        amount = None if ones else cells.data[kept].astype(np.float64)
        return cls(product, amount, start, np.flatnonzero(enough).astype(np.int32), rows_with)

    @property
    def size(self) -> NDArray[np.integer]:
        """(rows,) cells of each row."""
        return np.diff(self.start)


@dataclass(frozen=True, eq=False)
class _Sides:
    """What is paired with what: a cell of the source with all cells of the target's row.

    Where both sides are one, with those after it, so that a < b.
    """

    source: _Side
    target: _Side
    weight: NDArray[np.floating] | None  # (rows,)
    row: NDArray[np.int32]  # (source cells,)

    @classmethod
    def of(cls, source: _Side, target: _Side, weight: NDArray[np.floating] | None) -> Self:
        """Both sides, and the row of each cell of the source."""
        return cls(source, target, weight, np.repeat(np.arange(len(source.size), dtype=np.int32), source.size))

    @property
    def one(self) -> bool:
        """Whether both sides are one."""
        return self.source is self.target

    def blocks(self) -> Iterator[tuple[int, int]]:
        """First and end of source products whose pairs are counted at a time."""
        until = np.cumsum(self._pairs_of_products())
        width, begin = len(self.target.ids), 0
        share = max(until[-1] / (4 * THREADS), PLACES) if len(until) else 0
        while begin < len(until):
            before = until[begin - 1] if begin else 0
            dense = begin + PLACES // max(width - begin if self.one else width, 1)
            few, fair = (np.searchsorted(until, before + most, side="right") for most in (PLACES, share))
            end = int(np.clip(min(max(dense, few), fair), begin + 1, len(until)))
            yield begin, end
            begin = end

    def found(self, block: tuple[int, int], min_count: float) -> Found:
        """The pairs of a block of source products that enough rows hold."""
        begin, end = block
        first = begin if self.one else 0  # of the targets
        width = len(self.target.ids) - first
        cells = self._cells(begin, end)
        partners = self._partners(cells)
        places = (end - begin) * width
        parts = (
            self._numbered(cells[part], partners[part], begin, first) for part in _slices(partners, max(PAIRS, places))
        )
        number, n, total = _summed(parts, places, int(partners.sum(dtype=np.int64)))
        kept = np.flatnonzero(n >= min_count)
        a = self.source.ids[number[kept] // width + begin]
        b = self.target.ids[number[kept] % width + first]
        other = a != b
        kept = kept[other]
        return a[other], b[other], n[kept].astype(np.float64), total[kept].astype(np.float64)

    def _pairs_of_products(self) -> NDArray[np.float64]:
        """(source products,) number of pairs in all rows."""
        total = np.zeros(len(self.source.ids))
        for part in _parts(len(self.row)):
            partners = self._partners(np.arange(part.start, part.stop, dtype=np.int32))
            total += np.bincount(self.source.product[part], partners, len(total))
        return total

    def _cells(self, begin: int, end: int) -> NDArray[np.int32]:
        """The cells of a block of source products."""
        found = [np.zeros(0, np.int32)]
        for part in _parts(len(self.row)):
            product = self.source.product[part]
            place = np.flatnonzero((product >= begin) & (product < end)).astype(np.int32)
            found.append(place + np.int32(part.start))
        return np.concatenate(found)

    def _partners(self, cells: NDArray[np.int32]) -> NDArray[np.integer]:
        """With how many cells each is paired."""
        row = self.row[cells]
        end = self.target.start[1:][row]
        return end - cells - 1 if self.one else end - self.target.start[row]

    def _numbered(self, cells: NDArray[np.int32], many: NDArray[np.integer], begin: int, first: int) -> Part:
        """The number of each pair, (a - begin) · width + b - first, and its weight in its row."""
        width = len(self.target.ids) - first
        end = np.cumsum(many, dtype=np.int64)
        start = cells + 1 if self.one else self.target.start[self.row[cells]]
        partner = np.arange(end[-1])
        partner += np.repeat(start - (end - many), many)
        place = (self.source.product[cells] - np.int64(begin)) * width - first
        number = np.repeat(place, many)
        number += self.target.product[partner]
        if self.weight is None and self.source.amount is None and self.target.amount is None:
            return number, None
        of_source = np.ones(len(cells)) if self.weight is None else self.weight[self.row[cells]]
        if self.source.amount is not None:
            of_source = of_source * self.source.amount[cells]
        weight = np.repeat(of_source, many)
        if self.target.amount is not None:
            weight *= self.target.amount[partner]
        return number, weight


def _summed(parts: Iterator[Part], places: int, pairs: int) -> tuple[NDArray[np.int64], NDArray, NDArray]:
    """The different numbers below `places`, how often each occurs, and the sum of its weights."""
    if places > EMPTY * pairs:  # all in one part
        number, weight = next(parts, (np.zeros(0, np.int64), None))
        found, place, n = np.unique(number, return_inverse=True, return_counts=True)
        return found, n, n if weight is None else np.bincount(place, weight, len(n))
    n = np.zeros(places, np.int64)
    total = n
    for number, weight in parts:
        n += np.bincount(number, minlength=places)
        if weight is not None:
            more = np.bincount(number, weight, places)
            total = more if total is n else total + more
    return np.arange(places), n, total


def _mirrored(a: NDArray, b: NDArray, n: NDArray, weight: NDArray, products: int) -> Found:
    """Both directions of pairs that are in order, in order."""
    both = np.concatenate([b, a]), np.concatenate([a, b])
    place = np.tile(np.arange(len(a)), 2)
    found = sp.coo_array((place, both), shape=(products, products)).tocsr()  # keeps the order within a row
    a = np.repeat(np.arange(products, dtype=np.int32), np.diff(found.indptr))
    return a, found.indices.astype(np.int32), n[found.data], weight[found.data]


def _parts(cells: int) -> Iterator[slice]:
    """Slices of so many cells at a time: what is made of all at once would be large."""
    return (slice(first, min(first + PAIRS, cells)) for first in range(0, cells, PAIRS))


def _slices(sizes: NDArray[np.integer], most: int) -> Iterator[slice]:
    """Consecutive slices of items whose sizes add up to at most so much, or of one item."""
    until, begin = np.cumsum(sizes, dtype=np.int64), 0
    while begin < len(until):
        before = until[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(until, before + most, side="right")))
        yield slice(begin, end)
        begin = end


def _canonical(cells: sp.csr_array) -> sp.csr_array:
    """The same with one cell for each row and product held, in order."""
    cells = sp.csr_array(cells)
    if cells.has_canonical_format and cells.data.all():
        return cells
    cells = cells.copy()
    cells.sum_duplicates()
    cells.eliminate_zeros()
    return cells


def _check(source: sp.csr_array, target: sp.csr_array, weight: NDArray[np.floating] | None, min_count: float) -> None:
    if source.shape != target.shape:
        raise PairsError(f"sources {source.shape} and targets {target.shape}: equal rows and products fit")
    for name, values in (("source", source.data), ("target", target.data), ("weight", weight)):
        if values is not None and len(values) and not (values.min() >= 0 and values.max() < np.inf):
            raise PairsError(f"{name} from {values.min()} to {values.max()}: finite values of 0 or more fit")
    if weight is not None and weight.shape != source.shape[:1]:
        raise PairsError(f"weights of shape {weight.shape} for {source.shape[0]} rows: one for each row fits")
    if max(source.nnz, target.nnz) > np.iinfo(np.int32).max:
        raise PairsError(f"{max(source.nnz, target.nnz)} cells: up to 2^31 - 1 fit")
    if not min_count > 0:
        raise PairsError(f"min_count = {min_count}: above 0 fits")


def strongest(group: NDArray[np.integer], value: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """(kept,) places of the `count` largest values of each group, by group, the largest first, equals as they came.

    Args:
        group: (rows,) number of the group.
        value: (rows,).
        count: at most so many of each.
    """
    order = np.lexsort((-value, group))
    place = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return order[place < count]
