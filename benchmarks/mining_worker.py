"""One contender of `benchmarks.mining`: reads its input, counts, and writes seconds and a sum of what it found.

    python benchmarks/mining_worker.py contender folder min_count largest_set gibibytes out.json

Only the contenders called tandem import Tandem.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

HALF_LIFE_DAYS, SIZE_EXPONENT = 120.0, 0.5


class Counted(NamedTuple):
    """Unordered pairs a < b, in any order."""

    a: Any
    b: Any
    n: Any


class Input(NamedTuple):
    """Where the shape lies, and from how many baskets on."""

    folder: Path
    min_count: int
    largest: int

    def matrix(self) -> sp.csr_array:
        """(baskets, products) of ones."""
        with np.load(self.folder / "cells.npz") as stored:
            indptr, indices, products = stored["indptr"], stored["indices"], int(stored["products"])
        return sp.csr_array((np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, products))

    def weight(self) -> Any:
        """(baskets,) recency · size^-exponent."""
        with np.load(self.folder / "cells.npz") as stored:
            size = np.maximum(np.diff(stored["indptr"]), 1.0)
            return 0.5 ** (stored["age_days"] / HALF_LIFE_DAYS) * size**-SIZE_EXPONENT

    @property
    def table(self) -> Path:
        """`basket`, `product`."""
        return self.folder / "cells.parquet"


Work = Callable[[], Any]


def tandem(given: Input) -> Work:
    """Both directions with weights that are the counts."""
    from tandem.features import pairs

    held = given.matrix()
    return lambda: _once(pairs.count(held, min_count=given.min_count))


def tandem_weighted(given: Input) -> Work:
    """Both directions, counted and weighted."""
    from tandem.features import pairs

    held, weight = given.matrix(), given.weight()
    return lambda: _once(pairs.count(held, weight=weight, min_count=given.min_count))


def _once(found: Any) -> Counted:
    one = found.a < found.b
    return Counted(found.a[one], found.b[one], found.n[one])


def floor(given: Input) -> Work:
    """SciPy's product of the columns of frequent products."""
    held = given.matrix()

    def work() -> Counted:
        kept, few = _frequent(held, given.min_count)
        return _named(_upper(few.T @ few, given.min_count), kept)

    return work


def floor_weighted(given: Input) -> Work:
    """The same, and the product of weights, which nothing reads: what the floor takes for both."""
    held, weight = given.matrix(), sp.diags_array(given.weight())

    def work() -> Counted:
        kept, few = _frequent(held, given.min_count)
        _upper(few.T @ (weight @ few), 0.0)
        return _named(_upper(few.T @ few, given.min_count), kept)

    return work


def _frequent(held: Any, min_count: int) -> tuple[Any, Any]:
    kept = np.flatnonzero(np.bincount(held.indices, minlength=held.shape[1]) >= min_count)
    return kept, held[:, kept]


def _named(found: Counted, kept: Any) -> Counted:
    return Counted(kept[found.a], kept[found.b], found.n)


def scipy(given: Input) -> Work:
    """SciPy's product of all columns."""
    held = given.matrix()
    return lambda: _upper(held.T @ held, given.min_count)


def _upper(product: Any, min_count: int) -> Counted:
    found = product.tocoo()
    kept = (found.data >= min_count) & (found.row < found.col)
    return Counted(found.row[kept], found.col[kept], found.data[kept])


def implicit(given: Input) -> Work:
    """The nearest neighbours by co-count of frequent products: as many as there are, so that none is missing."""
    from implicit.nearest_neighbours import all_pairs_knn

    held = given.matrix()

    def work() -> Counted:
        kept = np.flatnonzero(np.bincount(held.indices, minlength=held.shape[1]) >= given.min_count)
        few = sp.csr_matrix(held[:, kept])
        a, b, n = _upper(all_pairs_knn(few, len(kept), num_threads=2), given.min_count)
        return Counted(kept[a], kept[b], n)

    return work


def duckdb(given: Input) -> Work:
    """A self-join of the cells of frequent products."""
    import duckdb as engine

    database = engine.connect(config={"threads": 2, "memory_limit": "14GB"})
    database.execute(f"CREATE TABLE cells AS FROM '{given.table}'")
    query = f"""
        WITH few AS (FROM cells SEMI JOIN (SELECT product FROM cells GROUP BY 1 HAVING count(*) >= {given.min_count})
            USING (product))
        SELECT l.product AS a, r.product AS b, count(*) AS n FROM few l JOIN few r USING (basket)
        WHERE l.product < r.product GROUP BY ALL HAVING count(*) >= {given.min_count}"""
    return lambda: Counted(*database.sql(query).fetchnumpy().values())


def polars(given: Input) -> Work:
    """A self-join of the cells of frequent products, by the streaming engine."""
    import polars as pl

    cells = pl.read_parquet(given.table).lazy()

    def work() -> Counted:
        few = cells.filter(pl.len().over("product") >= given.min_count)
        both = few.join(few, on="basket").filter(pl.col("product") < pl.col("product_right"))
        counted = both.group_by("product", "product_right").len().filter(pl.col("len") >= given.min_count)
        return Counted(*(column.to_numpy() for column in counted.collect(engine="streaming").get_columns()))

    return work


def mlxtend(given: Input) -> Work:
    """FP-growth on a sparse frame."""
    return _mlxtend(given, "fpgrowth")


def hmine(given: Input) -> Work:
    """H-mine on a sparse frame."""
    return _mlxtend(given, "hmine")


def hmine_dense(given: Input) -> Work:
    """H-mine on a dense frame."""
    return _mlxtend(given, "hmine", dense=True)


def hmine_whole(given: Input) -> Work:
    """H-mine on a sparse frame of all products and baskets."""
    return _mlxtend(given, "hmine", whole=True)


def _mlxtend(given: Input, name: str, dense: bool = False, whole: bool = False) -> Work:
    import pandas as pd
    from mlxtend import frequent_patterns

    held = given.matrix()

    def work() -> Any:
        kept, few = (np.arange(held.shape[1]), held) if whole else _few(held, given)
        few = few.astype(bool)
        frame = pd.DataFrame(few.toarray()) if dense else pd.DataFrame.sparse.from_spmatrix(few)
        support = (given.min_count - 0.5) / len(frame)
        found = getattr(frequent_patterns, name)(frame, min_support=support, max_len=given.largest)
        counts = np.round(found["support"].astype(float) * len(frame))
        return ((kept[list(items)], n) for items, n in zip(found["itemsets"], counts, strict=True))

    return work


def efficient_apriori(given: Input) -> Work:
    """Apriori on tuples."""
    from efficient_apriori import itemsets_from_transactions

    held = given.matrix()

    def work() -> Any:
        rows = [tuple(row) for row in _rows(held, given)]
        support = (given.min_count - 0.5) / len(rows)
        found, _ = itemsets_from_transactions(rows, min_support=support, max_length=given.largest)
        return ((items, n) for of_size in found.values() for items, n in of_size.items())

    return work


def pyfim(given: Input) -> Work:
    """FP-growth in C."""
    from fim import fpgrowth

    held = given.matrix()
    return lambda: fpgrowth(
        _rows(held, given), target="s", supp=-given.min_count, zmin=2, zmax=given.largest, report="a"
    )


def _few(held: Any, given: Input) -> tuple[Any, Any]:
    """What can be in a set of three: products of two frequent pairs or more, and baskets with three of these."""
    if given.largest == 2:
        return np.arange(held.shape[1]), held
    kept, few = _frequent(held, given.min_count)
    found = _upper(few.T @ few, given.min_count)
    pairs = np.bincount(found.a, minlength=len(kept)) + np.bincount(found.b, minlength=len(kept))
    few = few[:, pairs >= 2]
    return kept[pairs >= 2], few[np.diff(few.indptr) >= 3]


def _rows(held: Any, given: Input) -> list[list[int]]:
    kept, few = _few(held, given)
    return [row.tolist() for row in np.split(kept[few.indices], few.indptr[1:-1])]


CONTENDERS: dict[str, Callable[[Input], Work]] = {
    "tandem": tandem,
    "tandem_weighted": tandem_weighted,
    "floor": floor,
    "floor_weighted": floor_weighted,
    "scipy": scipy,
    "implicit": implicit,
    "duckdb": duckdb,
    "polars": polars,
    "mlxtend": mlxtend,
    "hmine": hmine,
    "hmine_dense": hmine_dense,
    "hmine_whole": hmine_whole,
    "efficient_apriori": efficient_apriori,
    "pyfim": pyfim,
}


def sum_of(found: Any, smallest: int = 2) -> dict[str, int]:
    """How many sets of so many and more there are, and one number that any other set or count would change."""
    if isinstance(found, Counted):
        a, b, n = (np.asarray(column).astype(np.uint64) for column in found)
        return {"sets": len(n), "sum": int((n * (_mixed(a) + _mixed(b))).sum())}
    return _sum_of_sets((items, n) for items, n in found if len(items) >= smallest)


def _sum_of_sets(found: Iterable[tuple[Iterable[int], float]]) -> dict[str, int]:
    sets, total = 0, 0
    for items, n in found:
        sets += 1
        total += int(n) * sum(int(_mixed(np.uint64(item))) for item in items)
    return {"sets": sets, "sum": total % 2**64}


def _mixed(number: Any) -> Any:
    """A number of 40 bits for each product: the sum of two or more tells which they are."""
    with np.errstate(over="ignore"):
        return (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(24)


def main(contender: str, folder: str, min_count: str, largest: str, gibibytes: str, out: str) -> None:
    """Count within the limit; out of memory, say so."""
    limit = int(float(gibibytes) * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    work = CONTENDERS[contender](Input(Path(folder), int(min_count), int(largest)))
    began, before = time.perf_counter(), os.times()
    found, smallest = work(), min(3, int(largest))
    seconds, after = time.perf_counter() - began, os.times()
    worked = after.user - before.user + after.system - before.system
    Path(out).write_text(json.dumps({"seconds": seconds, "worked": worked, **sum_of(found, smallest)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
