"""In how many rows one product and another stand together, and with what weight: exact, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.errors import TandemError

BLOCK_CELLS = 4_000_000
"""At most so many pairs are held before those below `min_count` are dropped, more where one product alone has more."""


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
        min_count: pairs with fewer rows are left out.

    Raises:
        PairsError: shapes differ, a value is negative or not finite, or `min_count` is not above 0.
    """
    source, target = (
        _checked(source, weight, min_count),
        None if target is None else _checked(target, weight, min_count),
    )
    if target is not None and target.shape != source.shape:
        raise PairsError(f"targets of shape {target.shape} for sources of shape {source.shape}; equal shapes fit")
    given = source if target is None else target
    of_source, of_target = _rows_with(source), _rows_with(given)
    weighted = source if weight is None else sp.csr_array(sp.diags_array(weight.astype(np.float64)) @ source)
    parts = list(_blocks(source, given, weighted, min_count))
    a, b, n, w = (np.concatenate([part[k] for part in parts]) for k in range(4))
    return Pairs(a, b, n, w, of_source, of_target, source.shape[0])


def _blocks(source: sp.csr_array, target: sp.csr_array, weighted: sp.csr_array, min_count: float) -> Iterator[tuple]:
    products = source.shape[1]
    held, weights = sp.csr_array(_present(source).T), sp.csr_array(weighted.T)
    there = _present(target)
    step = max(1, BLOCK_CELLS // max(products, 1))
    for start in range(0, max(products, 1), step):
        n = sp.csr_array(held[start : start + step] @ there)
        w = sp.csr_array(weights[start : start + step] @ target)
        n.sort_indices()
        row = np.repeat(np.arange(n.shape[0]), np.diff(n.indptr))
        kept = (n.data >= min_count) & (row + start != n.indices)
        a, b = row[kept], n.indices[kept]
        found = np.asarray(w[a, b]).ravel() if len(a) else np.zeros(0)
        yield (a + start).astype(np.int32), b.astype(np.int32), n.data[kept], found


def _present(cells: sp.csr_array) -> sp.csr_array:
    return sp.csr_array(((cells.data > 0).astype(np.float64), cells.indices, cells.indptr), shape=cells.shape)


def _rows_with(cells: sp.csr_array) -> NDArray[np.float64]:
    return np.bincount(cells.indices[cells.data > 0], minlength=cells.shape[1]).astype(np.float64)


def _checked(cells: sp.csr_array, weight: NDArray[np.floating] | None, min_count: float) -> sp.csr_array:
    cells = sp.csr_array(cells)
    if not cells.has_canonical_format:
        cells = cells.copy()
        cells.sum_duplicates()
    if not np.isfinite(cells.data).all() or (cells.data < 0).any():
        raise PairsError("cells must be finite and 0 or more")
    if weight is not None and (weight.shape != cells.shape[:1] or not np.isfinite(weight).all() or (weight < 0).any()):
        raise PairsError(f"weights of shape {weight.shape} for {cells.shape[0]} rows: one finite weight ≥ 0 each fits")
    if not min_count > 0:
        raise PairsError(f"min_count = {min_count}: above 0 fits")
    return cells.astype(np.float64)
