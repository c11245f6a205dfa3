"""Profiles: bins that any two snapshots share, and distances that are what they say."""

import math
from collections import Counter
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import profiles
from stages.profiles import LOWEST, OTHERS, Profile
from tandem import files

PRICES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30)


def bins(numbers: list[float]) -> dict[int, int]:
    return profiles._bins(ibis.memtable(pa.table({"x": pa.array(numbers, pa.float64())})).x)


def test_a_number_lies_in_the_bin_that_begins_at_or_below_it() -> None:
    """2 ** (16 / 16) = 2; zero and less have the lowest bin, what is no number has none."""
    found = bins([1, 2, 2.05, 4, 0, -3, math.nan, math.inf])
    assert found == {LOWEST: 2, 0: 1, 16: 2, 32: 1}


def test_each_small_integer_has_a_bin_of_its_own() -> None:
    assert set(bins([float(n) for n in range(1, 24)]).values()) == {1}


@given(PRICES, PRICES)
@settings(max_examples=60)
def test_the_distance_of_the_numbers_lies_within_the_error_bound(a: list[float], b: list[float]) -> None:
    of = [dict(Counter(math.floor(16 * math.log2(x)) for x in side)) for side in (a, b)]
    exact = max(abs(np.mean(np.array(a) <= x) - np.mean(np.array(b) <= x)) for x in (*a, *b))
    found = profiles.distance(*of)
    assert found - 1e-9 <= exact <= found + profiles.distance_error(*of) + 1e-9


def test_distance_by_hand() -> None:
    """Of four numbers one is in the first bin, of two both: 1 - 1/4."""
    assert profiles.distance({0: 1, 5: 3}, {0: 2}) == 0.75
    assert profiles.distance({0: 1}, {}) is None
    assert profiles.distance_error({0: 1, 5: 3}, {0: 1, 5: 1}) == 0.5


def test_mixes_in_proportion_are_near_and_turned_ones_far() -> None:
    assert profiles.mix_distance({"a": 100, "b": 300}, {"a": 1000, "b": 3000}) == pytest.approx(0, abs=1e-3)
    shifted = profiles.mix_distance({"a": 9000, "b": 1000}, {"a": 5000, "b": 5000})
    assert shifted == pytest.approx((0.5 - 0.9) * math.log(0.5 / 0.9) + (0.5 - 0.1) * math.log(0.5 / 0.1), rel=1e-2)


def test_categories_beyond_the_largest_are_compared_together(tmp_path: Path) -> None:
    """A profile that names 200 of 300 equal categories is at no distance from one that names all."""
    counts = {f"c{n:03}": 10 for n in range(300)}
    profile = Profile({"events": 3000}, None, {}, counts, {1: 2}, {}, {})
    files.write_json(profile.json(), tmp_path / "profile.json")
    stored = Profile.read(tmp_path / "profile.json")
    assert stored.categories[OTHERS] == 1000
    assert len(stored.categories) == 201
    assert stored.unit_price == {1: 2}
    assert profiles.mix_distance(stored.categories, counts) == 0
