"""What new products were bought with: seen from what was known before them."""

from collections.abc import Callable

import numpy as np
import pytest

from tandem.features.dataset import Dataset
from tandem.params import NewcomerParams
from tandem.ranking.newcomers import backtests, known_before

PARAMS = NewcomerParams(cuts=5, days=10, min_count=2, min_lift=0, min_cases=2, max_cases=50, sold=5)
DAY_US = 86_400_000_000


@pytest.fixture
def launches(shop: Callable[..., Dataset]) -> Dataset:
    """a, b and c sell from the first day; n comes 15 days before the end, with a three times, m 5 days before, with b.

    z comes with n, in the same baskets.
    """
    rows = [(f"u{n}", "a b c", 40 - n) for n in range(25)]
    rows += [(f"v{n}", "n z a", 14 - n) for n in range(3)] + [("w", "n c", 11)]
    rows += [(f"x{n}", "m b", 4 - n) for n in range(2)]
    return shop([*rows, ("y", "a", 6, "view")])


def test_asked_are_products_that_no_basket_held_and_true_is_what_was_known(launches: Dataset) -> None:
    names = ["", *launches.vocabulary.ids]
    told = {
        names[i]: {names[j]: gain for j, gain in zip(truth.indices, truth.data, strict=True)}
        for _, of in backtests(launches, PARAMS)
        for i, truth in ((of.histories.product[n], of.truth[[n]]) for n in range(len(of)))
    }
    assert told == {"m": {"b": 2}, "n": {"a": 3}, "z": {"a": 3}}  # n and c share one basket; z was as new as n


def test_nothing_later_is_known_and_newcomers_are_no_answer(launches: Dataset) -> None:
    for earlier, of in backtests(launches, PARAMS):
        assert earlier.baskets.time_us.max() < earlier.as_of_us == of.demand.as_of_us == earlier.demand.as_of_us
        held = np.asarray(earlier.baskets.content.sum(axis=0)).ravel() > 0
        assert earlier.products.met.tolist() == held.tolist()
        assert of.masked.toarray()[:, ~held].all()


def test_the_last_window_ends_with_the_dataset_and_the_first_leaves_as_much_before_it(launches: Dataset) -> None:
    every = PARAMS.model_copy(update={"min_count": 1, "cuts": 9})
    moments = [(launches.as_of_us - earlier.as_of_us) / DAY_US for earlier, _ in backtests(launches, every)]
    assert moments == [10, 20]  # baskets begin on day 40; in the windows from 30 and 40 days on nothing was new
    assert not list(backtests(launches, PARAMS.model_copy(update={"cuts": 0})))


def test_demand_of_an_earlier_moment_counts_what_its_own_does(launches: Dataset) -> None:
    """The view weighs a tenth of a purchase: 75 + 11 + 4 products in baskets are 90, so each counts 90.1 / 90.

    Of the 25 baskets with a, one each day, 20 are older than 20 days.
    """
    earlier = known_before(launches, launches.as_of_us - 20 * DAY_US)
    a = launches.vocabulary.ids.index("a") + 1
    assert earlier.demand.last(10)[a] == pytest.approx(10 * 90.1 / 90)
    assert earlier.demand.last(60)[a] == pytest.approx(20 * 90.1 / 90)
