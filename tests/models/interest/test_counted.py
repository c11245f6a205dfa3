"""Counts beside the network, by hand and against the dataset's own demand."""

import numpy as np
import pytest

from models.interest.counted import Own, Trends

ROWS = [
    ("u", "a", "purchase", 0.0, "o1"),
    ("u", "b", "view", 4.0, "s1"),
    ("u", "a", "purchase", 10.0, "o2"),
    ("u", "c", "purchase", 15.0, "o3"),
    (None, "c", "purchase", 15.2, "o4"),
]


def test_own_events_decay_by_group_of_kinds(shop) -> None:
    dataset = shop(ROWS, 20)
    own, histories = Own.of(dataset, (10.0,)), dataset.histories
    cells = own.count(histories, np.array([0]), np.array([4]), np.array([histories.as_of_us]))
    assert own.channels == 2
    assert cells.product.tolist() == [1, 2, 3]
    purchases = np.log1p([0.5**2 + 0.5**1, 0, 0.5**0.5])
    views = np.log1p([0, 0.1 * 0.5**1.6, 0])
    assert cells.own == pytest.approx(np.stack([purchases, views], axis=1))
    assert cells.taken.tolist() == [1, 0, 1]


def test_trends_at_the_end_are_the_demand_that_serving_uses(shop) -> None:
    dataset = shop(ROWS, 20)
    trends = Trends(dataset, (3, 7, 20)).before(np.array([dataset.as_of_us]))[0]
    for window, days in enumerate((3, 7, 20)):
        assert trends[:, window] == pytest.approx(np.log1p(dataset.demand.last(days)), abs=1e-6)


def test_trends_see_nothing_of_the_moment_or_later(shop) -> None:
    """Before day 15 only a's purchases and b's view are known; what comes later changes nothing."""
    trends = [
        Trends(shop(rows, 20), (20,)).before(np.array([shop(rows, 15).as_of_us]))[0, :, 0] for rows in (ROWS, ROWS[:4])
    ]
    assert trends[0] == pytest.approx(np.log1p([0, 2, 0.1, 0]))
    assert trends[1] == pytest.approx(trends[0])
