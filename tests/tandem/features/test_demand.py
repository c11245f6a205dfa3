"""Demand: what the shop took, day by day."""

import numpy as np
import pandas as pd
import pytest

from tandem.features import demand
from tandem.features.demand import WINDOW_DAYS, Demand
from tandem.features.vocabulary import Vocabulary

AB = Vocabulary.of("ab")
AS_OF = pd.Timestamp("2020-03-10T12:00", tz="UTC")
WEIGHT = {"purchase": 1.0, "view": 0.25}


@pytest.fixture
def measured(make_events) -> Demand:
    return demand.measure(
        make_events(
            [
                ("u", "a", "purchase", "2020-03-10T11:59", "o1"),  # the last day before as_of
                ("u", "a", "purchase", "2020-03-10T11:58", "o1"),  # the same basket counts once
                (None, "a", "purchase", "2020-03-09T12:00", "o2"),  # exactly a day before is still the last day
                ("u", "a", "view", "2020-03-09T11:59", None),  # row 1
                ("u", "b", "return", "2020-03-09T11:59", None),  # a kind without weight
                ("u", "b", "purchase", "2020-03-10T12:00", "o3"),  # at as_of: not yet
                ("u", "b", "purchase", "2020-01-10T12:00", "o4"),  # 60 days before: the last row
                ("u", "b", "purchase", "2020-01-10T11:59", "o5"),  # older than what is kept
                ("u", "?", "purchase", "2020-03-10T11:59", "o6"),
            ]
        ),
        AB,
        AS_OF,
        WEIGHT,
    )


def test_each_basket_counts_once_on_its_day_by_the_weight_of_its_kind(measured: Demand) -> None:
    expected = np.zeros((WINDOW_DAYS, 3))
    expected[0, 1], expected[1, 1], expected[WINDOW_DAYS - 1, 2] = 2.0, 0.25, 1.0
    assert measured.daily.tolist() == expected.tolist()


def test_the_last_days_add_up(measured: Demand) -> None:
    assert measured.last(1).tolist() == [0, 2, 0]
    assert measured.last(2).tolist() == [0, 2.25, 0]
    assert measured.last(60).tolist() == [0, 2.25, 1]


@pytest.mark.parametrize("days", [0, 61])
def test_days_that_are_not_kept_are_refused(measured: Demand, days: int) -> None:
    with pytest.raises(ValueError, match=f"days = {days}.*1…60"):
        measured.last(days)


def test_demand_comes_back_from_its_file(measured: Demand, tmp_path) -> None:
    measured.write(tmp_path / "d.npz")
    again = Demand.read(tmp_path / "d.npz")
    assert again.as_of_us == measured.as_of_us == AS_OF.value // 1000
    assert again.daily.tolist() == measured.daily.tolist()
    assert again.daily.dtype == np.float32
