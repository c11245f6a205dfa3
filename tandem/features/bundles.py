"""Bundles: sets of three to five products that stand in one basket beyond what any split of them in two explains.

A strong pair and a popular product stand in many baskets together and are no bundle. So each set is compared with its
likeliest split: chance is that baskets hold the larger part A as they do, and the smaller part B beside it in
proportion to how many such parts fit in what is left of the basket:

    expected   e = n_B · Σ_{r ∋ A} C(s_r - |A|, |B|) / Σ_r C(s_r, |B|),   s_r products in basket r

Baskets with two products are larger than others and hold any third one more often; beside n_A n_B / N nearly every set
would look like a bundle.
"""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from itertools import combinations
from math import comb
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
import scipy.stats
from numpy.typing import NDArray

from tandem import files
from tandem.features import pairs, strength
from tandem.features.baskets import Baskets
from tandem.features.dataset import Dataset
from tandem.features.pairs import Pairs
from tandem.params import BundlesParams

log = logging.getLogger(__name__)

SIZES = (3, 4, 5)
LARGEST = SIZES[-1]

DENSE = 1 << 27
"""Up to so many cells, one byte each, are mined as a dense matrix: two to five times faster, and large."""

Products: TypeAlias = tuple[int, ...]
Split: TypeAlias = tuple[Products, Products]
"""The larger part, the smaller part."""


@dataclass(frozen=True, eq=False)
class Bundles:
    """Sets of products, each split in two, and what baskets hold of them."""

    products: NDArray[np.int32]  # (bundles, LARGEST) the larger part, the smaller part, then 0
    smaller: NDArray[np.int32]  # (bundles,) products of the smaller part
    baskets: NDArray[np.int32]  # (bundles,) that hold the whole set
    users: NDArray[np.int32]  # (bundles,) distinct known users of these baskets
    each: NDArray[np.int32]  # (bundles, LARGEST) baskets with each product
    expected: NDArray[np.float64]  # (bundles,) e of the split

    @classmethod
    def counted(cls, splits: Iterable[Split], held: "Counter") -> Self:
        """What `held` counts of these sets, split like this."""
        table = np.array([_row(held, *split) for split in splits], np.float64).reshape(-1, 2 * LARGEST + 4)
        whole = table[:, :-1].astype(np.int32)
        smaller, baskets, users = whole[:, LARGEST : LARGEST + 3].T
        return cls(whole[:, :LARGEST], smaller, baskets, users, whole[:, -LARGEST:], table[:, -1])

    @classmethod
    def none(cls) -> Self:
        """No bundles."""
        return cls.counted([], lambda _: Held(0, 0, (0.0, 0.0)))

    def __len__(self) -> int:
        return len(self.products)

    def __getitem__(self, rows: NDArray) -> Self:
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def size(self) -> NDArray[np.int64]:
        """(bundles,) number of products."""
        return np.count_nonzero(self.products, axis=1)

    @property
    def lift(self) -> NDArray[np.float64]:
        """(bundles,) baskets / expected: how many times likelier than by chance of the split."""
        return self.baskets / self.expected

    @property
    def splits(self) -> list[Split]:
        """The two parts of each."""
        of_both = zip(self.products.tolist(), (self.size - self.smaller).tolist(), self.size.tolist(), strict=True)
        return [(tuple(row[:cut]), tuple(row[cut:end])) for row, cut, end in of_both]

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        files.write_arrays(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def read(cls, path: Path) -> Self:
        """The bundles written by `write`."""
        return cls(**files.read_arrays(path))


class Held(NamedTuple):
    """What baskets hold of a set of products A."""

    baskets: int  # with all of A
    users: int  # distinct known ones of these baskets
    room: tuple[float, float]  # Σ_{r ∋ A} C(s_r - |A|, j), j = 1, 2: other products, and pairs of them, that fit


Counter: TypeAlias = Callable[[Products], Held]


def find(known: Dataset, params: BundlesParams, min_users: int) -> Bundles:
    """The strongest sets beyond chance that `min_users` known users took (1: or nobody known), by falling lift.

    Two of them share at most one product: of others only the larger is kept, of one size that of the larger lift.
    """
    tested = candidates(known.baskets, params)
    q = false_discovery(tested, int((np.bincount(known.baskets.content.indices) >= params.min_count).sum()))
    believed = tested[(q <= known.params.graph.false_discovery) & ((tested.users >= min_users) | (min_users <= 1))]
    kept = believed[_once(believed)]
    return kept[np.argsort(-kept.lift, kind="stable")]


def candidates(baskets: Baskets, params: BundlesParams) -> Bundles:
    """All sets that `min_count` baskets hold, each with its likeliest split, whether beyond chance or not."""
    held = counter(baskets)
    likeliest = (
        max(_splits(of), key=lambda split: _by_chance(held, *split)) for of in _frequent(baskets, params, held)
    )
    return Bundles.counted(likeliest, held)


def false_discovery(tested: Bundles, products: int) -> NDArray[np.float64]:
    """(bundles,) q of the chance of so many baskets or more, size by size, among all sets of so many products.

    The chance is a Poisson count's, about e: baskets differ, and the sum of different chances spreads less.
    """
    chance, q = scipy.stats.poisson.sf(tested.baskets - 1, tested.expected), np.ones(len(tested))
    for size in SIZES:
        of = tested.size == size
        q[of] = strength.false_discovery_rate(chance[of], comb(products, size))
    return q


def counter(baskets: Baskets) -> Counter:
    """What the baskets hold of a set; remembered."""
    by_product, sizes, users = sp.csc_array(baskets.content), baskets.size, baskets.user

    def rows(product: int) -> NDArray[np.integer]:
        return by_product.indices[by_product.indptr[product] : by_product.indptr[product + 1]]

    @cache
    def held(products: Products) -> Held:
        first, *others = sorted(map(rows, products), key=len) or [np.arange(len(baskets))]
        for other in others:
            first = first[np.isin(first, other, assume_unique=True)]
        left, known = sizes[first] - len(products), users[first]
        room = float(left.sum()), float((left * (left - 1) // 2).sum())
        return Held(len(first), len(np.unique(known[known >= 0])), room)

    return held


def _by_chance(held: Counter, larger: Products, smaller: Products) -> float:
    """e of the split."""
    j = len(smaller) - 1
    return held(smaller).baskets * held(larger).room[j] / max(held(()).room[j], 1)


def _splits(products: Products) -> Iterator[Split]:
    """Every way to split a set in two; of two halves either is once the larger part."""
    for count in range(1, len(products) // 2 + 1):
        for smaller in combinations(products, count):
            yield tuple(of for of in products if of not in smaller), smaller


def _frequent(baskets: Baskets, params: BundlesParams, held: Counter) -> list[Products]:
    """The sets of SIZES that `min_count` baskets hold, or, of more than `max_sets` of a size, the most frequent.

    As every part of a frequent set is frequent, larger sets are looked for among what is left of smaller ones: so few
    that memory is bounded. What is left of smaller ones stays, however few larger ones are.
    """
    counted = pairs.count(baskets.content, min_count=params.min_count)
    least = _least(counted.n[counted.a < counted.b], params.min_count, params.max_sets, 2)
    found: list[Products] = []
    for size in SIZES:
        sets = _mined(baskets.content, counted.keep(counted.n >= least), size, least)
        n = np.array([held(of).baskets for of in sets], np.float64)
        least = _least(n, least, params.max_sets, size)
        found += [of for of, count in zip(sets, n, strict=True) if count >= least]
    return found


def _least(n: NDArray[np.floating], least: int, most: int, size: int) -> int:
    """From how many baskets on at most `most` of these sets are left."""
    if len(n) <= most:
        return least
    raised = int(np.partition(n, -most - 1)[-most - 1]) + 1
    left_out = np.count_nonzero(n < raised), len(n), size, least
    log.warning(
        "bundles: left out %d of %d sets of %d products that %d baskets or more hold, and all larger ones around them: "
        "those in fewer than %d baskets, as `bundles.max_sets` is %d", *left_out, raised, most,
    )  # fmt: skip
    return raised


def _mined(content: sp.csr_array, frequent: Pairs, size: int, least: int) -> list[Products]:
    """The sets of that size in `least` baskets, of products that stand in enough frequent pairs, by H-mine."""
    with warnings.catch_warnings():  # its import changes what becomes of warnings
        from mlxtend.frequent_patterns import hmine  # here, as a service reads bundles but finds none

    kept = np.flatnonzero(np.bincount(frequent.a, minlength=content.shape[1]) >= size - 1)
    few = content[:, kept]
    few = few[np.diff(few.indptr) >= size].astype(bool)
    if not few.shape[0]:
        return []
    if few.shape[0] * few.shape[1] <= DENSE:
        frame = pd.DataFrame(few.toarray())
    else:
        frame = pd.DataFrame.sparse.from_spmatrix(few)  # type: ignore[attr-defined] # unknown to the stubs
    found = hmine(frame, min_support=(least - 0.5) / len(frame), max_len=size)["itemsets"]
    return sorted(tuple(sorted(kept[list(of)].tolist())) for of in found if len(of) == size)


def _once(believed: Bundles) -> NDArray[np.int64]:
    """Places of sets that share at most one product with those before, the largest first, then by falling lift."""
    kept: list[int] = []
    told: set[tuple[int, ...]] = set()
    for place in np.lexsort((-believed.lift, -believed.size)).tolist():
        inside = set(combinations(sorted(set(believed.products[place].tolist()) - {0}), 2))
        if not inside & told:
            told |= inside
            kept.append(place)
    return np.array(kept, np.int64)


def _row(held: Counter, larger: Products, smaller: Products) -> list[float]:
    """The numbers of `Bundles` for one split set."""
    both = larger + smaller
    unused = [0] * (LARGEST - len(both))
    each = [held((of,)).baskets for of in both]
    return [*both, *unused, len(smaller), *held(both)[:2], *each, *unused, _by_chance(held, larger, smaller)]
