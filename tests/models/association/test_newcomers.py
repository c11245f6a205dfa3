"""Products that nobody met are foretold by those like them, by what helps and nothing else."""

import numpy as np
import pytest

from models.association.learned import Roles
from models.association.newcomers import STRENGTHS, chosen, foretell, foretold, left_out, likeness
from tandem.features.demand import Demand
from tandem.features.products import MODALITIES, ProductFeatures

PRODUCTS = 60
MET = np.arange(PRODUCTS) < 48
MET[0] = False
LEARNERS, NEW = np.flatnonzero(MET), np.arange(48, PRODUCTS)


def features(**known: np.ndarray) -> ProductFeatures:
    """48 products that were met, 12 that were not; of other modalities nothing is known."""
    nothing = {name: np.full((PRODUCTS, 1), np.nan, np.float32) for name in MODALITIES}
    codes = {name: np.zeros((PRODUCTS, 1), np.int32) for name in ("category", "brand")}
    age = np.where(MET, 1.0, np.nan)[:, None].astype(np.float32)
    return ProductFeatures(**{**nothing, **codes, "age": age, **known})


@pytest.fixture
def text() -> np.ndarray:
    """(products, 5), of the unknown product nothing."""
    drawn = np.random.default_rng(1).normal(size=(PRODUCTS, 5)).astype(np.float32)
    drawn[0] = np.nan
    return drawn


def test_products_are_on_average_once_like_themselves(text: np.ndarray) -> None:
    brand = np.arange(PRODUCTS, dtype=np.int32)[:, None] % 4
    category = np.stack([brand[:, 0], np.where(np.arange(PRODUCTS) % 2, brand[:, 0], 0)], axis=1)
    of = features(text=text, brand=brand, category=category)
    for name in ("text", "brand", "category"):
        known = LEARNERS[of.known(name)[LEARNERS]]
        assert likeness(of, name, known, known).diagonal().mean() == pytest.approx(1)
    assert likeness(of, "brand", np.array([4, 5]), np.array([1, 5, 8])).tolist() == [[0, 0, 0], [1, 1, 0]]
    both = likeness(of, "category", np.array([5, 6]), np.array([1, 2]))
    assert (both > 0).tolist() == [[True, False], [False, True]]
    assert both[0, 0] == 2 * both[1, 1]


def test_leaving_one_out_in_turn_is_what_as_many_fits_would_find(text: np.ndarray) -> None:
    of = features(text=text)
    told = text[LEARNERS] @ np.arange(5.0)[:, None] + np.random.default_rng(2).normal(size=(len(LEARNERS), 1))
    alike = likeness(of, "text", LEARNERS, LEARNERS)

    def by_hand(strength: float) -> float:
        errors = []
        for place in range(len(LEARNERS)):
            others = np.delete(np.arange(len(LEARNERS)), place)
            matrix = strength * alike[np.ix_(others, others)] + np.eye(len(others))
            errors.append(told[place] - strength * alike[place, others] @ np.linalg.solve(matrix, told[others]))
        return float(np.sum(np.square(errors)))

    for strength in STRENGTHS:
        assert left_out(np.array([strength]), alike[None], told) == pytest.approx(by_hand(strength))
    assert chosen(alike[None], told).tolist() == [min(STRENGTHS, key=by_hand)]


def test_what_helps_is_used_and_what_does_not_is_left(text: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    noise = np.random.default_rng(3).normal(size=(PRODUCTS, 20)).astype(np.float32)
    told = (text @ np.random.default_rng(4).normal(size=(5, 3))).astype(np.float32)
    with caplog.at_level("DEBUG"):
        found = foretell(features(text=text, picture=noise), LEARNERS, told, NEW)
    assert "text 30, picture 0" in caplog.text
    assert found == pytest.approx(told[NEW], abs=0.05)


def test_what_may_not_be_known_tells_nothing(text: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    told = (text @ np.random.default_rng(4).normal(size=(5, 3))).astype(np.float32)
    with caplog.at_level("DEBUG"):
        found = foretell(features(text=text, picture=text), LEARNERS, told, NEW, ("picture", "sales"))
    assert "by their like: picture 30" in caplog.text
    assert found == pytest.approx(told[NEW], abs=0.05)
    mean = np.tile(told[LEARNERS].mean(axis=0), (len(NEW), 1))
    assert foretell(features(text=text), LEARNERS, told, NEW, ("picture",)) == pytest.approx(mean, abs=1e-6)


def test_products_without_pairs_teach_nothing(text: np.ndarray) -> None:
    told = text[:, :2].copy()
    told[40:48] = 1e6
    mass = np.where(MET, np.arange(PRODUCTS, 0, -1), 0.0)
    mass[40:] = 0
    zeros, rest = np.zeros(PRODUCTS, np.float32), [np.array(1.0)] * 5
    found = foretold(Roles(told, told, told, zeros, zeros, *rest), features(text=text), mass, zeros)
    assert np.abs(found.source[NEW]).max() < 5


def test_without_anything_known_new_products_are_the_mean() -> None:
    told = np.arange(2.0 * PRODUCTS, dtype=np.float32).reshape(PRODUCTS, 2)
    found = foretell(features(), LEARNERS, told, NEW)
    assert found.tolist() == np.tile(told[LEARNERS].mean(axis=0), (len(NEW), 1)).tolist()


def test_only_rows_of_new_products_change(text: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    source, target, alike = rng.normal(size=(3, PRODUCTS, 4)).astype(np.float32)
    share, demand = rng.uniform(1, 2, (2, PRODUCTS)).astype(np.float32)
    rest = [np.array(1.0)] * 5
    before = Roles(source, target, alike, share, np.zeros_like(share), *rest)
    mass = MET.astype(float)
    after = foretold(before, features(text=text), mass, demand)
    for name in ("source", "target", "alike", "log_share", "new_demand"):
        old, new = getattr(before, name), getattr(after, name)
        assert new.dtype == old.dtype
        assert np.array_equal(new[:48], old[:48])
        assert not np.array_equal(new[48:], old[48:])
    everything = features(text=text, age=np.ones((PRODUCTS, 1), np.float32))
    assert foretold(before, everything, mass, demand) is before


def test_what_is_foretold_gives_way_to_what_sells() -> None:
    """Equal in all but demand: 8 are sold of one, 3 of a new one of which 5 were foretold, 1 of one that needs none."""
    zeros = np.zeros((4, 2), np.float32)
    weights = {"kind_weight": np.ones(2), "half_life_days": np.array(1.0), "trend_days": np.array(1)}
    exponents = {"popularity": np.array(0.0), "trend": np.array(1.0)}
    foretold_demand = np.array([0, 0, 5, 0], np.float32)
    roles = Roles(zeros, zeros, zeros, np.zeros(4, np.float32), foretold_demand, **weights, **exponents)
    sold = Demand(np.array([[0, 8, 3, 1]], np.float32), 0)
    assert roles.rows(np.array([3]), sold)[0] == pytest.approx([0, 9 / 15, 6 / 15, 0])
