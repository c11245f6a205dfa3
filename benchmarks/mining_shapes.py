"""What `benchmarks.mining` counts: baskets of products, real and generated, as a sparse matrix and as a table.

    python -m benchmarks.mining_shapes online_retail folder

writes `cells.npz` (`indptr`, `indices`, `products`, and `age_days` of each basket) and `cells.parquet` (`basket`,
`product`) into the folder.
"""

import sys
from pathlib import Path

import duckdb
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.settings import Settings

BASKETS, PRODUCTS, MEAN, WHOLESALE, WHOLESALE_SIZE, SEED = 1_832_691, 11_161, 10, 30, 500, 7
INVOICES = """
    WITH cells AS (
        SELECT DISTINCT InvoiceNo AS basket, StockCode AS product, min(InvoiceDate) OVER (PARTITION BY InvoiceNo) AS day
        FROM read_csv('{folder}/by-day/*.csv', all_varchar = true))
    SELECT dense_rank() OVER (ORDER BY basket) - 1, dense_rank() OVER (ORDER BY product) - 1,
        date_diff('day', day::TIMESTAMP, TIMESTAMP '2011-12-10') FROM cells"""


def online_retail() -> tuple[sp.csr_array, NDArray[np.float64]]:
    """(invoices, codes), cancellations and codes of no product among them, and the invoices' age in days."""
    found = duckdb.sql(INVOICES.format(folder=Settings().data_dir / "online_retail")).fetchnumpy()
    basket, product, age = (np.asarray(column) for column in found.values())
    held = sp.csr_array((np.ones(len(basket)), (basket, product)))
    age_days = np.zeros(held.shape[0])
    age_days[basket] = age
    return held, age_days


def groceries() -> tuple[sp.csr_array, NDArray[np.float64]]:
    """(baskets, goods); their ages are unknown, thus 0."""
    counts = np.loadtxt(Settings().data_dir / "groceries/Groceries.data", dtype=np.int64)
    return sp.csr_array((counts > 0).astype(np.float64)), np.zeros(len(counts))


def generated() -> tuple[sp.csr_array, NDArray[np.float64]]:
    """(baskets, products) of popularity 1 / rank, sizes about a mean and a few wholesalers; a year; always the same."""
    rng = np.random.default_rng(SEED)
    size = np.maximum(rng.poisson(MEAN, BASKETS), 1)
    size[rng.choice(BASKETS, WHOLESALE, replace=False)] = WHOLESALE_SIZE
    until = np.cumsum(1 / np.arange(1, PRODUCTS + 1))
    drawn = np.searchsorted(until / until[-1], rng.random(size.sum()), side="right")
    cells = np.repeat(np.arange(BASKETS), size), rng.permutation(PRODUCTS)[drawn]
    held = sp.csr_array((np.ones(len(drawn)), cells), shape=(BASKETS, PRODUCTS))
    held.data[:] = 1  # the same product drawn twice is there once
    return held, rng.random(BASKETS) * 365


SHAPES = {"online_retail": online_retail, "groceries": groceries, "generated": generated}


def main(shape: str, folder: Path) -> None:
    """Write both forms of a shape."""
    held, age_days = SHAPES[shape]()
    held.sort_indices()
    names = {"indptr": held.indptr.astype(np.int32), "indices": held.indices.astype(np.int32), "age_days": age_days}
    np.savez(folder / "cells.npz", **names, products=np.int64(held.shape[1]))
    basket = np.repeat(np.arange(held.shape[0], dtype=np.int32), np.diff(held.indptr))
    table = {"basket": basket, "product": names["indices"]}
    _write(table, folder / "cells.parquet")
    print(f"{shape}: {held.shape[0]:,} baskets, {held.shape[1]:,} products, {held.nnz:,} cells", flush=True)


def _write(table: dict[str, NDArray], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(table), path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
