"""Length buckets: every text once, little padding, bounded batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.text.batches import buckets, matrix, padded


def test_long_ones_come_first_and_equals_keep_their_order() -> None:
    """Widths 8, 4, 4: of 12 tokens one row of 8 fits, then three of 4."""
    found = buckets(np.array([3, 7, 4, 2, 3]), batch_tokens=12, bucket=4, longest=16)
    assert [rows.tolist() for rows in found] == [[1], [2, 0, 4], [3]]


def test_the_width_is_rounded_up_but_not_beyond_the_longest() -> None:
    assert [padded(n, 8, 20) for n in (1, 8, 9, 17, 20)] == [8, 8, 16, 20, 20]


def test_padding_is_zero() -> None:
    assert matrix([[5, 6], [7]], 3).tolist() == [[5, 6, 0], [7, 0, 0]]


@given(st.lists(st.integers(3, 64)), st.integers(1, 300), st.integers(1, 16))
def test_every_row_comes_once_in_a_batch_that_fits(lengths: list[int], batch_tokens: int, bucket: int) -> None:
    found = list(buckets(np.array(lengths, np.int64), batch_tokens, bucket, longest=64))
    assert sorted(n for rows in found for n in rows) == list(range(len(lengths)))
    for rows in found:
        width = padded(max(lengths[n] for n in rows), bucket, 64)
        assert len(rows) == 1 or len(rows) * width <= batch_tokens
