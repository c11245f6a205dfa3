"""Columns on one scale."""

import numpy as np

from models.relations.standard import Standard


def test_columns_are_standardised_over_what_is_known() -> None:
    vectors = np.array([[1.0, 5, np.nan], [3, 5, np.nan], [np.nan, 5, np.nan]])
    assert Standard.of(vectors)(vectors).tolist() == [[-1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_rows_that_come_later_are_on_the_same_scale() -> None:
    """Mean 2, deviation 1; of a column that was the same everywhere the difference itself."""
    standard = Standard.of(np.array([[1.0, 5], [3, 5]]))
    assert standard(np.array([[4.0, 8], [np.inf, 5]])).tolist() == [[2, 3], [0, 0]]


def test_without_numbers_there_is_a_column_of_nothing() -> None:
    nothing = np.zeros((3, 0))
    assert Standard.of(nothing)(nothing).tolist() == [[0], [0], [0]]
