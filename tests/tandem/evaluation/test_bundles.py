"""The report of bundles: what was counted later beside what chance would have given."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tandem.evaluation import bundles
from tandem.features.baskets import Baskets
from tandem.features.bundles import Bundles, counter
from tandem.params import EvaluateParams

TITLES = pd.Series(["", "Bread", "Butter", "Jam", "Tea"])


def bought(rows: list[list[int]]) -> Baskets:
    content = np.zeros((len(rows), len(TITLES)))
    for row, of in enumerate(rows):
        content[row, of] = 1
    return Baskets(sp.csr_array(content), np.arange(len(rows)), np.arange(len(rows)))


FOUND = Bundles.counted([((1, 2), (3,)), ((2, 3), (4,))], counter(bought([[1, 2, 3], [1, 2, 3, 4], [1, 2], [4]])))
LATER = bought([[1, 2, 3], [1, 2], [2, 3, 4], [3], [1]])


@pytest.fixture
def params(root: Path) -> EvaluateParams:
    return EvaluateParams.read(root / "params.yaml")


def test_later_baskets_are_held_against_the_split_that_was_found(params: EvaluateParams) -> None:
    """Ten products later. Beside 1 and 2 there is room for one, beside 2 and 3 for two; 3 comes three times, 4 once."""
    told = bundles.report(FOUND, LATER, TITLES, params)
    assert told["bundles"] == {"3": 2}
    assert told["products"] == 4
    later = told["later"]
    assert (later["baskets"], later["observed"], later["expected"]) == (5, 2, pytest.approx(3 * 1 / 10 + 1 * 2 / 10))
    assert later["ratio"]["mean"] == pytest.approx(4)
    # resamples hold Binomial(5, 2/5): none in .6^5 = 8 % of them, more than four in .4^5 = 1 %
    assert (later["ratio"]["low"], later["ratio"]["high"]) == (0, pytest.approx(4 / 0.5))


def test_one_bundle_that_came_up_once_is_not_sure(params: EvaluateParams) -> None:
    """Six products; the bundle in one of three baskets: none of it in 30 % of the resamples, thrice in 4 %."""
    once = bundles.came_up(FOUND[np.array([0])], bought([[1, 2, 3], [1, 3], [4]]), params)
    assert (once["observed"], once["expected"]) == (1, pytest.approx(2 * 1 / 6))
    assert list(once["ratio"].values()) == [pytest.approx(3), 0, pytest.approx(3 * 3)]


def test_two_bundles_in_one_basket_are_one_chance(params: EvaluateParams) -> None:
    """Eight products; beside either pair there is room for two. Binomial(5, 1/5) is more than three in .7 %."""
    both = bundles.came_up(FOUND, bought([[1, 2, 3, 4], [1], [2], [3], [4]]), params)
    assert (both["observed"], both["expected"]) == (2, pytest.approx(2 * 2 / 8 + 2 * 2 / 8))
    assert list(both["ratio"].values()) == [pytest.approx(2), 0, pytest.approx(2 * 3)]


def test_where_none_came_up_no_interval_claims_to_know(params: EvaluateParams) -> None:
    told = bundles.report(FOUND, bought([[1, 2, 4], [3]]), TITLES, params)
    assert told["later"] == {"baskets": 2, "observed": 0, "expected": pytest.approx(1 * 1 / 4), "ratio": None}
    assert bundles.table(told).splitlines()[1] == "  0 times in 2 later baskets, by chance 0.25"


def test_the_strongest_are_named(params: EvaluateParams) -> None:
    first, _ = bundles.report(FOUND, LATER, TITLES, params)["strongest"]
    assert first["titles"] == ["Bread", "Butter", "Jam"]
    assert (first["baskets"], first["users"]) == (2, 2)
    assert first["expected"] == pytest.approx(2 * 3 / 10)  # 3 in two baskets; room for three beside 1 and 2; ten in all


def test_the_table_says_how_often_they_came_up_again(params: EvaluateParams) -> None:
    text = bundles.table(bundles.report(FOUND, LATER, TITLES, params))
    assert text.splitlines()[:2] == [
        "bundles: 2 of 3 products; 4 products take part",
        "  2 times in 5 later baskets, by chance 0.50: 4.00 [0.00, 8.00] times as often",
    ]
    assert text.splitlines()[3] == "   3.3        2       0.60  Bread + Butter + Jam"


@pytest.mark.parametrize("found", [Bundles.none(), FOUND])
def test_a_window_without_any_has_no_ratio(found: Bundles, params: EvaluateParams) -> None:
    told = bundles.report(found, bought([[4]]), TITLES, params)
    assert told["later"] == {"baskets": 1, "observed": 0, "expected": 0, "ratio": None}
    assert (bundles.table(told) == "bundles: none") == (len(found) == 0)
