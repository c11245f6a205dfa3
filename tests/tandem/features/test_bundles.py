"""Bundles are what no split explains: planted ones are found, strong pairs beside popular products are none."""

import logging
from itertools import combinations
from math import comb
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tandem.features import bundles
from tandem.features.baskets import Baskets
from tandem.features.bundles import Bundles
from tandem.params import BundlesParams, GraphParams


def baskets(rows: list[set[int]], users: list[int] | None = None, products: int = 40) -> Baskets:
    content = np.zeros((len(rows), products))
    for row, of in enumerate(rows):
        content[row, sorted(of)] = 1
    user = np.arange(len(rows)) if users is None else np.array(users)
    return Baskets(sp.csr_array(content), np.arange(len(rows)), user)


def candidates(bought: Baskets, min_count: int, max_sets: int = 10_000) -> Bundles:
    return bundles.candidates(bought, BundlesParams(min_count=min_count, max_sets=max_sets))


def find(bought: Baskets, min_users: int = 1) -> list[tuple[int, ...]]:
    known = SimpleNamespace(baskets=bought, params=SimpleNamespace(graph=GraphParams()))
    found = bundles.find(known, BundlesParams(min_count=5, max_sets=10_000), min_users)
    return [tuple(sorted(a + b)) for a, b in found.splits]


def noise(rows: int, seed: int = 5) -> list[set[int]]:
    """Baskets of one to four of the products 10 to 39, by chance."""
    rng = np.random.default_rng(seed)
    return [set((10 + rng.choice(30, rng.integers(1, 5), replace=False)).tolist()) for _ in range(rows)]


def test_a_set_is_compared_with_its_likeliest_split() -> None:
    bought = baskets([{1, 2, 3}] * 6 + [{1, 2}] * 2 + [{3, 4}] * 4 + [{4}] * 8, users=[-1, 7, 7, 8, 8, 8, *range(14)])
    found = candidates(bought, min_count=6)
    assert found.splits == [((1, 2), (3,))]
    assert (found.products.tolist(), found.each.tolist()) == ([[1, 2, 3, 0, 0]], [[8, 8, 10, 0, 0]])
    assert (found.baskets.tolist(), found.users.tolist()) == ([6], [2])
    # 38 products in all; beside 1 and 2 there is room for six, beside 1 and 3 too; 3 stands in 10 baskets, 2 in 8
    assert found.expected.tolist() == pytest.approx([10 * 6 / 38])
    assert found.lift.tolist() == pytest.approx([38 / 10])


def test_two_pairs_are_a_split_too() -> None:
    found = candidates(baskets([{1, 2, 3, 4}] * 3 + [{1, 2}] * 5 + [{3, 4}] * 5), min_count=3)
    four = found[found.size == 4]
    assert four.splits == [((3, 4), (1, 2))] or four.splits == [((1, 2), (3, 4))]
    # of 28 pairs in all, three fit beside the eight baskets of either; a product to the other three gives 8 · 3 / 32
    assert four.expected.tolist() == pytest.approx([8 * 3 / 28])


@settings(max_examples=20, deadline=None)
@given(arrays(bool, (12, 7), elements=st.booleans()))
def test_all_frequent_sets_are_there_with_the_largest_expectation(held: np.ndarray) -> None:
    found = candidates(baskets([set(np.flatnonzero(row) + 1) for row in held]), min_count=3)
    size = held.sum(axis=1)

    def expected(larger: list[int], smaller: list[int]) -> float:
        room = sum(comb(int(s) - len(larger), len(smaller)) for s in size[held[:, larger].all(axis=1)])
        return held[:, smaller].all(axis=1).sum() * room / sum(comb(int(s), len(smaller)) for s in size)

    def likeliest(of: tuple[int, ...]) -> float:
        smaller = (few for j in range(1, len(of) // 2 + 1) for few in combinations(of, j))
        return max(expected([p for p in of if p not in few], list(few)) for few in smaller)

    counted = {of: held[:, of].all(axis=1).sum() for count in (3, 4, 5) for of in combinations(range(7), count)}
    truth = {tuple(p + 1 for p in of): (n, likeliest(of)) for of, n in counted.items() if n >= 3}
    told = {
        tuple(sorted(a + b)): (n, e) for (a, b), n, e in zip(found.splits, found.baskets, found.expected, strict=True)
    }
    assert told.keys() == truth.keys()
    for of, (n, e) in truth.items():
        assert told[of] == (n, pytest.approx(e))


def test_a_planted_set_is_found_and_a_strong_pair_with_a_popular_product_is_not() -> None:
    rng = np.random.default_rng(3)
    pairs = [{1, 2} | ({3} if rng.random() < 0.5 else set()) | of for of in noise(300, seed=8)]
    others = [of | ({3} if rng.random() < 0.5 else set()) for of in noise(900)]
    assert find(baskets(pairs + others + [{4, 5, 6}] * 40)) == [(4, 5, 6)]


def test_a_set_is_told_once_as_the_largest_it_is_part_of() -> None:
    planted = [{1, 2, 3, 4}] * 40 + [{1, 2, 3}] * 10 + [{1, 5, 6}] * 30  # 1 alone is in both
    assert sorted(find(baskets(noise(1000) + planted))) == [(1, 2, 3, 4), (1, 5, 6)]


def test_large_baskets_alone_make_no_bundle() -> None:
    """Products by chance, but a tenth of the baskets has most of them: two together are a sign of a third."""
    rng = np.random.default_rng(1)
    sizes = np.where(rng.random(2000) < 0.1, 9, 2)
    bought = baskets([set((1 + rng.choice(14, size, replace=False)).tolist()) for size in sizes])
    tested = candidates(bought, min_count=5)
    held = bundles.counter(bought)
    plain = [
        n * 2000 / (held(a).baskets * held(b).baskets) for (a, b), n in zip(tested.splits, tested.baskets, strict=True)
    ]
    assert np.median(plain) > 2
    assert find(bought) == []


def test_what_few_users_took_is_not_shown() -> None:
    rows = noise(500) + [{1, 2, 3}] * 20 + [{4, 5, 6}] * 20
    users = [*range(500), *(np.arange(20) % 4).tolist(), *(np.arange(20) % 5).tolist()]
    assert find(baskets(rows, users), min_users=5) == [(4, 5, 6)]
    nobody = baskets(rows, [-1] * len(rows))
    assert find(nobody, min_users=2) == []
    assert sorted(find(nobody, min_users=1)) == [(1, 2, 3), (4, 5, 6)]


def test_what_is_too_large_for_a_dense_matrix_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    bought = baskets([of | {1, 2, 3} if len(of) == 1 else of for of in noise(200)])
    dense = candidates(bought, min_count=4)
    monkeypatch.setattr(bundles, "DENSE", 0)
    sparse = candidates(bought, min_count=4)
    assert len(sparse) > 3
    assert (sparse.products == dense.products).all()
    assert (sparse.expected == dense.expected).all()


def test_of_too_many_sets_the_most_frequent_are_looked_at_and_a_warning_says_so(caplog) -> None:
    rows = [{1, 2, 3}] * 20 + [{4, 5, 6}] * 10
    with caplog.at_level(logging.WARNING):
        assert len(candidates(baskets(rows), min_count=5, max_sets=6)) == 2
        assert caplog.text == ""
        assert candidates(baskets(rows), min_count=5, max_sets=5).products.tolist() == [[2, 3, 1, 0, 0]]
    assert "left out 3 of 6 sets of 2 products" in caplog.text
    assert "fewer than 11 baskets, as `bundles.max_sets` is 5" in caplog.text


def test_too_many_large_sets_leave_small_ones_alone(caplog) -> None:
    """Eight products always together: 28 pairs, 56 sets of three, but 70 of four."""
    rows = [{1, 2, 3}] * 10 + [set(range(11, 19))] * 20
    found = candidates(baskets(rows), min_count=5, max_sets=60)
    assert found.size.tolist() == [3] * (1 + 56)
    assert found.products[0].tolist()[:3] == [2, 3, 1]
    assert "left out 70 of 70 sets of 4 products that 5 baskets or more hold" in caplog.text


def test_a_shop_without_sets_has_none(tmp_path: Path) -> None:
    for bought in (baskets([]), baskets([{1}, {1, 2}] * 9), baskets([{1, 2}, {2, 3}, {1, 3}] * 9)):
        assert find(bought) == []
    assert len(Bundles.none()) == 0


def test_what_was_written_is_read(tmp_path: Path) -> None:
    for found in (Bundles.none(), candidates(baskets([{1, 2, 3}, {1, 2, 3, 4}]), min_count=2)):
        found.write(tmp_path / "bundles.npz")
        again = Bundles.read(tmp_path / "bundles.npz")
        for name, of in vars(found).items():
            np.testing.assert_array_equal(getattr(again, name), of)
            assert getattr(again, name).dtype == of.dtype
