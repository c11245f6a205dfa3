"""Numbers among their quantiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.relations import bins


def test_edges_are_quantiles_of_what_is_known() -> None:
    """Of 0, 1, 2, 3, 4 the halves begin at 0, 2 and 4."""
    values = np.array([[4.0, np.nan], [np.nan, np.nan], [0, np.nan], [1, np.nan], [2, np.nan], [3, np.nan]])
    assert bins.edges(values, 2).tolist() == [[0, 2, 4], [0, 0, 0]]


def test_a_code_says_how_much_of_each_bin_lies_below() -> None:
    """Bins 0 to 2 and 2 to 4: 3 fills the first and half of the second."""
    code = bins.encode(np.array([[3.0], [1], [-5], [9], [np.nan]]), np.array([[0, 2, 4]], np.float32))
    assert code.tolist() == [[1, 0.5, 1], [0.5, 0, 1], [0, 0, 1], [1, 1, 1], [0, 0, 0]]


def test_an_empty_bin_is_a_step() -> None:
    """Three quarters of the numbers are 2: the bin from 2 to 2 says whether x is there."""
    code = bins.encode(np.array([[1.0], [2], [3]]), np.array([[0, 2, 2, 4]], np.float32))
    assert code.tolist() == [[0.5, 0, 0, 1], [1, 1, 0, 1], [1, 1, 0.5, 1]]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=30))
def test_a_larger_number_has_no_smaller_code(column: list[float]) -> None:
    values = np.sort(np.array(column))[:, None]
    code = bins.encode(values, bins.edges(values, 5))
    assert (np.diff(code, axis=0) >= 0).all()
    assert code.min() >= 0
    assert code.max() == pytest.approx(1)


def test_no_columns_have_an_empty_code() -> None:
    values = np.zeros((3, 0))
    assert bins.encode(values, bins.edges(values, 4)).shape == (3, 0)
