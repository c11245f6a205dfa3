"""Texts of like length together, so that little is computed for padding."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BATCH_TOKENS = 1024
"""Of a batch, padding included. From 256 to 4096, none was faster on two cores."""
BUCKET = 2
"""Batches are padded to a multiple of it, so that the kernels see few shapes."""


def buckets(lengths: NDArray[np.int64], batch_tokens: int, bucket: int, longest: int) -> Iterator[NDArray[np.int64]]:
    """Rows of each batch, long ones first; equal lengths keep their order.

    A batch is padded to its longest row, rounded up to a multiple of `bucket` but not beyond `longest`, and holds as
    many rows as fit into `batch_tokens`, at least one.
    """
    order = np.argsort(-lengths, kind="stable")
    begin = 0
    while begin < len(order):
        rows = max(1, batch_tokens // padded(int(lengths[order[begin]]), bucket, longest))
        yield order[begin : begin + rows]
        begin += rows


def padded(length: int, bucket: int, longest: int) -> int:
    """The width of a batch whose longest row has `length` tokens."""
    return min(-(-length // bucket) * bucket, longest)


def matrix(rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int32]:
    """(rows, width) token indices, 0 where nothing is."""
    out = np.zeros((len(rows), width), np.int32)
    for n, row in enumerate(rows):
        out[n, : len(row)] = row
    return out
