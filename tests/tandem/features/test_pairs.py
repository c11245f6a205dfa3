"""Pairs are counted exactly, whatever rows, cells and weights hold."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tandem.features import pairs
from tandem.features.pairs import Pairs, PairsError, count

AMOUNTS = st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0, 1.0, 3.0])  # binary fractions: sums are exact in any order


def by_hand(
    source: NDArray, target: NDArray, weight: NDArray, min_count: float
) -> dict[tuple[int, int], tuple[float, float]]:
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for bought, then, of_row in zip(source, target, weight, strict=True):
        for a in np.flatnonzero(bought):
            for b in np.flatnonzero(then):
                if a != b:
                    n, total = found.get((a, b), (0, 0))
                    found[a, b] = n + 1, total + of_row * bought[a] * then[b]
    return {pair: values for pair, values in sorted(found.items()) if values[0] >= min_count}


def told(found: Pairs) -> dict[tuple[int, int], tuple[float, float]]:
    values = zip(found.n.tolist(), found.weight.tolist(), strict=True)
    return dict(zip(zip(found.a.tolist(), found.b.tolist(), strict=True), values, strict=True))


@st.composite
def shops(draw: st.DrawFn) -> tuple[NDArray, NDArray, NDArray]:
    shape = draw(st.integers(0, 7)), draw(st.integers(1, 6))
    weight = draw(arrays(np.float64, shape[0], elements=st.sampled_from([0.0, 0.5, 1.0, 4.0])))
    return draw(arrays(np.float64, shape, elements=AMOUNTS)), draw(arrays(np.float64, shape, elements=AMOUNTS)), weight


@given(shops(), st.integers(1, 3))
def test_directed_pairs_are_those_of_a_plain_loop(shop: tuple[NDArray, NDArray, NDArray], min_count: int) -> None:
    source, target, weight = shop
    found = count(sp.csr_array(source), sp.csr_array(target), weight=weight, min_count=min_count)
    assert list(told(found).items()) == list(by_hand(source, target, weight, min_count).items())
    assert found.source.tolist() == (source > 0).sum(axis=0).tolist()
    assert found.target.tolist() == (target > 0).sum(axis=0).tolist()


@given(shops(), st.integers(1, 3))
def test_pairs_of_one_matrix_are_those_of_a_plain_loop(shop: tuple[NDArray, NDArray, NDArray], min_count: int) -> None:
    held, _, weight = shop
    found = count(sp.csr_array(held), weight=weight, min_count=min_count)
    assert list(told(found).items()) == list(by_hand(held, held, weight, min_count).items())
    plain = count(sp.csr_array(held), min_count=min_count)
    assert list(told(plain).items()) == list(by_hand(held, held, np.ones(len(held)), min_count).items())


@pytest.mark.parametrize(("most", "empty"), [(1, 1), (3, 1), (3, 100), (20, 1), (1000, 1), (1000, 10**6)])
@given(shop=shops())
@settings(max_examples=40)
def test_blocks_change_nothing(most: int, empty: int, shop: tuple[NDArray, NDArray, NDArray]) -> None:
    """From one pair at a time to all at once, in a table of all places and sorted."""
    source, target, weight = shop
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "PAIRS", most)
        patch.setattr(pairs, "PLACES", most)
        patch.setattr(pairs, "EMPTY", empty)
        directed = count(sp.csr_array(source), sp.csr_array(target), weight=weight)
        one = count(sp.csr_array(source), weight=weight)
    assert list(told(directed).items()) == list(by_hand(source, target, weight, 1).items())
    assert list(told(one).items()) == list(by_hand(source, source, weight, 1).items())


def test_two_million_products_need_no_table_of_all_pairs() -> None:
    """A table of all pairs would have four million million places."""
    products, rows = 2_000_000, 1000
    first = np.arange(rows) * 2000
    held = sp.csr_array((np.ones(2 * rows), (np.tile(np.arange(rows), 2), np.r_[first, first + 1])), (rows, products))
    found = count(held)
    assert found.a.tolist() == np.stack([first, first + 1], axis=1).ravel().tolist()
    assert found.b.tolist() == np.stack([first + 1, first], axis=1).ravel().tolist()
    assert (found.n == 1).all()


def test_a_value_worked_by_hand() -> None:
    source = sp.csr_array(np.array([[2.0, 0, 0], [1, 1, 0], [0, 3, 0]]))
    target = sp.csr_array(np.array([[0, 0.5, 0], [0, 0, 1], [1, 1, 0]]))
    found = count(source, target, weight=np.array([1.0, 10, 100]))
    # row 0: 0 → 1, 2 · 0.5; row 1: 0 → 2 and 1 → 2, 10; row 2: 1 → 0, 300; nothing follows itself
    assert told(found) == {(0, 1): (1, 1), (0, 2): (1, 10), (1, 0): (1, 300), (1, 2): (1, 10)}
    assert (found.of_a.tolist(), found.of_b.tolist(), found.rows) == ([2, 2, 2, 2], [2, 1, 1, 1], 3)
    assert found.matrix(found.weight).toarray().tolist() == [[0, 1, 10], [300, 0, 10], [0, 0, 0]]
    kept = found.keep(found.weight > 5)
    assert (kept.a.tolist(), kept.b.tolist(), kept.of_a.tolist()) == ([0, 1, 1], [2, 0, 2], [2, 2, 2])


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32])
def test_cells_of_any_type_and_order_are_counted(dtype: type) -> None:
    """Twice the same cell, a zero that is stored, and columns out of order."""
    cells = np.array([1, 1, 0, 1, 1, 1], dtype), np.array([2, 0, 1, 2, 2, 1]), np.array([0, 3, 6])
    found = count(sp.csr_array(cells, shape=(2, 3)))
    assert {pair: n for pair, (n, _) in told(found).items()} == {(0, 2): 1, (2, 0): 1, (1, 2): 1, (2, 1): 1}
    assert found.source.tolist() == [1, 1, 2]


def test_what_does_not_fit_is_refused() -> None:
    held = sp.csr_array(np.eye(3))
    for wrong in ({"weight": np.ones(2)}, {"weight": np.array([1, np.nan, 1])}, {"min_count": 0}):
        with pytest.raises(PairsError):
            count(held, **wrong)
    with pytest.raises(PairsError, match="equal rows"):
        count(held, sp.csr_array(np.eye(4)))
    with pytest.raises(PairsError, match=r"source from -1\.0 to"):
        count(-held)
