"""What edges say of a pair, and what they must not say."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from models.relations.errors import RelationsError
from models.relations.graph import Graph, strongest


def graph(*edges: tuple[int, int, int], products: int = 6, kinds: int = 2) -> Graph:
    """Of edges (kind, source, target)."""
    cells = np.zeros((kinds, products, products))
    for kind, source, target in edges:
        cells[kind, source, target] = 1
    return Graph.of([sp.csr_array(of) for of in cells])


def pair(source: int, target: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([source]), np.array([target])


def test_evidence_worked_by_hand() -> None:
    """Asked of 0 → 1. Into 0: 2 by kind 0, 3 by kind 1, 1 by kind 1. Into 1: 2 by kind 1, and 0. Out: 3, 0."""
    found = graph((0, 2, 0), (1, 3, 0), (1, 1, 0), (1, 2, 1), (0, 0, 1), (0, 1, 3)).evidence(*pair(0, 1))[0]
    two, three = np.log(2), np.log(3)
    back = [0, 1]
    into_source = [np.log(4), two, three, 1 / 3, 2 / 3]
    into_target = [two, 0, two, 0, 1]
    out_of_target = [three, two, two, 1 / 2, 1 / 2]
    cited_by_one = [two, 0, two, 0, 0, 0, 1, 0, 0]  # 2 → 0 by kind 0, 2 → 1 by kind 1
    on_the_way = [two, 0, 0, two, 0, 0, 0, 1, 0]  # 1 → 3 by kind 0, 3 → 0 by kind 1
    expected = [*back, *into_source, *into_target, *out_of_target, *cited_by_one, *on_the_way]
    assert found == pytest.approx(expected)
    assert len(found) == graph(products=2).width


EDGES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 5)).filter(lambda e: e[1] != e[2]))


@given(EDGES)
def test_edges_out_of_the_source_are_never_read(edges: list[tuple[int, int, int]]) -> None:
    """All its relations may be asked for; whether they stand in the graph changes nothing."""
    source, target = np.zeros(5, int), np.arange(1, 6)
    found = graph(*edges).evidence(source, target)
    assert np.array_equal(found, graph(*(e for e in edges if e[1] != 0)).evidence(source, target), equal_nan=True)


def test_no_pairs_have_no_evidence() -> None:
    nobody = np.zeros(0, int)
    of = graph((0, 1, 2))
    assert of.evidence(nobody, nobody).shape == (0, of.width)


def test_the_strongest_are_kept() -> None:
    """Two a row; of equals those of the lower column."""
    kept = strongest(sp.csr_array(np.array([[1.0, 3, 2], [5, 5, 5], [0, 0, 7]])), 2)
    assert kept.toarray().tolist() == [[0, 3, 2], [5, 5, 0], [0, 0, 7]]


def test_no_product_has_more_neighbours_than_allowed() -> None:
    cells = (np.random.default_rng(0).random((20, 20)) + 0.1) * ~np.eye(20, dtype=bool)
    of = Graph.of([sp.csr_array(cells)], neighbours=3).kinds[0].toarray() > 0
    assert of.sum(axis=0).max() <= 3
    assert of.sum(axis=1).max() == 3


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([sp.csr_array((3, 2))], "shapes"),
        ([sp.csr_array((3, 3)), sp.csr_array((2, 2))], "shapes"),
        ([sp.csr_array(np.array([[0, -1.0], [0, 0]]))], "strength 0 or below"),
        ([sp.csr_array(np.eye(2))], "to itself"),
    ],
)
def test_edges_that_do_not_fit_are_refused(kinds: list[sp.csr_array], said: str) -> None:
    with pytest.raises(RelationsError, match=said):
        Graph.of(kinds)
