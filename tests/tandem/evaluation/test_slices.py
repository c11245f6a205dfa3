"""Slices of popularity."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tandem.evaluation.cases import Cases
from tandem.evaluation.slices import SLICES, of_consequents, of_popularity, parts, sliced
from tandem.features import histories
from tandem.features.demand import Demand


def test_the_fewest_products_with_half_of_the_sales_are_the_head() -> None:
    """100 sales: 40 + 20 pass the half, + 15 + 10 pass four fifths; the unknown product is cold whatever it holds."""
    found = of_popularity(np.array([50, 10, 40, 0, 20, 8, 15, 7]))
    assert [SLICES[place] for place in found] == ["cold", "middle", "head", "cold", "head", "tail", "middle", "tail"]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_each_slice_sells_more_than_the_next_and_the_head_is_the_smallest_half(sold: list[int]) -> None:
    counts = np.array([0, *sold])
    found = of_popularity(counts)
    head = counts[found == 0]
    assert (found == 3).tolist() == (counts == 0).tolist()
    if head.size:
        assert head.sum() * 2 >= counts.sum()
        assert (head.sum() - head.min()) * 2 < counts.sum()
        assert head.min() >= counts[found != 0].max()


def test_a_truth_of_one_slice_keeps_its_cases() -> None:
    truth = sp.csr_array(np.array([[0.0, 2, 1], [0, 0, 3]]))
    assert of_consequents(truth, np.array([False, True, False])).toarray().tolist() == [[0, 2, 0], [0, 0, 0]]


def test_cases_by_slice_of_what_is_asked_about_and_of_what_goes_with_it() -> None:
    """Products 1 to 4 are head, middle, tail and cold. 1 goes with 2 and 4, 3 with 1, 4 with 2."""
    truth = sp.csr_array(np.array([[0.0, 0, 5, 0, 1], [0, 2, 0, 0, 0], [0, 0, 3, 0, 0]]))
    asking = histories.of_products(np.array([1, 3, 4]), 5, 0)
    demand = Demand(np.zeros((1, 5), np.float32), 0)
    found = parts(Cases(asking, demand, truth, sp.csr_array(truth.shape)), np.array([0, 60, 25, 15, 0]))
    assert {name: rows.tolist() for name, (rows, _) in found.items()} == {
        "of head": [0], "of tail": [1], "of cold": [2], "to head": [1], "to middle": [0, 2], "to cold": [0],
    }  # fmt: skip
    assert found["to cold"][1].truth.toarray().tolist() == [[0, 0, 0, 0, 1]]
    assert found["of head"][1].truth.toarray().tolist() == [[0, 0, 5, 0, 1]]
    assert found["to middle"][1].histories.product.tolist() == [1, 4]


def test_slices_of_antecedents_are_judged_by_the_first_ten_and_those_of_consequents_by_twenty() -> None:
    """Product 1 goes with 2 of the head, of gain 3, and 13 of the tail, of gain 1; they stand in places 2 and 11."""
    truth = sp.csr_array((np.array([3.0, 1.0]), (np.array([0, 0]), np.array([2, 13]))), shape=(1, 14))
    asked = Cases(
        histories.of_products(np.array([1]), 14, 0),
        Demand(np.zeros((1, 14), np.float32), 0),
        truth,
        sp.csr_array(truth.shape),
    )
    ranked = np.array([[3, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 12, *[0] * 8]])
    found = sliced(asked, np.array([0.0, 1, 90, *[1.0] * 11]))
    ideal = 3 / np.log2(2) + 1 / np.log2(3)
    assert {name: of.judge(ranked).tolist() for name, of in found.items()} == {
        "of tail": [3 / np.log2(3) / ideal], "to head": [1.0], "to tail": [1.0],
    }  # fmt: skip
