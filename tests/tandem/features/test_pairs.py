"""Pairs are counted exactly, whatever rows, cells and weights hold."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

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


def told(pairs: Pairs) -> dict[tuple[int, int], tuple[float, float]]:
    values = zip(pairs.n.tolist(), pairs.weight.tolist(), strict=True)
    return dict(zip(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True), values, strict=True))


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


def test_what_does_not_fit_is_refused() -> None:
    held = sp.csr_array(np.eye(3))
    for wrong in ({"weight": np.ones(2)}, {"weight": np.array([1, np.nan, 1])}, {"min_count": 0}):
        with pytest.raises(PairsError):
            count(held, **wrong)
    with pytest.raises(PairsError, match="equal shapes"):
        count(held, sp.csr_array(np.eye(4)))
    with pytest.raises(PairsError, match="0 or more"):
        count(-held)
