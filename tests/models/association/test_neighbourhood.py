"""Neighbours by relation, the strongest first; and fewer of them when edges are dropped."""

import numpy as np
import pytest

from models.association.neighbourhood import Neighbourhood
from tandem.features.dataset import Dataset


@pytest.fixture
def baskets(shop) -> Dataset:
    """a with b three times, with c once; d after a."""
    rows = [(f"u{n}", product, "purchase", 1.0, f"o{n}") for n in range(3) for product in ("a", "b")]
    rows += [("v", product, "purchase", 1.0, "o9") for product in ("a", "c")] + [("v", "d", "purchase", 2.0, "o10")]
    return shop(rows, 3, size_exponent=0.0)


def places(found: Neighbourhood, relation: str) -> np.ndarray:
    return np.flatnonzero(found.relation == found.relations.index(relation))


def test_the_strongest_come_first_and_there_are_at_most_k(baskets: Dataset) -> None:
    index = dict(zip(baskets.vocabulary.ids, range(1, 5), strict=True))
    two, one = (Neighbourhood.of(baskets, k) for k in (2, 1))
    near = two.near[:, places(two, "together")]
    assert near[index["a"]].tolist() == [index["b"], index["c"]]
    assert near[index["b"]].tolist() == [index["a"], 0]
    assert one.near[index["a"], places(one, "together")].tolist() == [index["b"]]
    strength = two.strength[index["a"], places(two, "together")]
    # w_ab / √(w_a w_b), w_a = 4, w_b = 3, w_c = 1: 3 / √12 and 1 / √4, beside the first
    assert strength == pytest.approx([1.0, 0.5 / (3 / np.sqrt(12))])
    assert not two.near[0].any()


def test_what_follows_is_heard_in_both_directions_and_what_does_not_exist_in_none(baskets: Dataset) -> None:
    index = dict(zip(baskets.vocabulary.ids, range(1, 5), strict=True))
    found = Neighbourhood.of(baskets, 2)
    assert found.relations == ("together", "after", "after, reversed")
    assert index["d"] in found.near[index["a"], places(found, "after")]
    assert set(found.near[index["d"], places(found, "after, reversed")]) == {index["a"], index["c"]}
    assert not found.near[index["d"], places(found, "after")].any()


def test_thinning_leaves_out_that_share_of_the_edges_and_nothing_else() -> None:
    near = np.arange(1, 20_001, dtype=np.int32).reshape(100, 200)
    around = Neighbourhood(near, np.ones(near.shape, np.float32), np.zeros(200, np.int32), ("together",))
    thin = around.thinned(0.3, np.random.default_rng(7))
    kept = thin.strength > 0
    assert kept.mean() == pytest.approx(0.7, abs=0.02)
    assert (thin.near[kept] == near[kept]).all()
    assert not thin.near[~kept].any()


def test_a_shop_without_edges_has_no_neighbours(shop) -> None:
    found = Neighbourhood.of(shop([("u", "a", "purchase", 0.0, "o1"), ("v", "b", "purchase", 0.0, "o2")], 2), 5)
    assert found.relations == ()
    assert not found.strength.any()
