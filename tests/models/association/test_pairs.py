"""Pairs and their weights, by hand."""

import numpy as np
import pytest

from models.association.pairs import gather
from models.association.params import AssociationParams

PARAMS = {
    "room": "association",
    "dim": 8,
    "hidden": 8,
    "dropout": 0.0,
    "basket_half_life_days": 10.0,
    "basket_size_exponent": 0.5,
    "later_days": 5.0,
    "later_weight": 0.5,
    "antecedent_exponent": 0.5,
    "popularity": [1.0],
    "trend": [0.0],
    "trend_days": 3,
    "half_life_days": 10.0,
    "negatives": None,
    "batch": 4,
    "epochs": 30,
    "patience": 30,
    "learning_rate": 0.05,
    "weight_decay": 0.0,
    "seed": 7,
}
ROWS = [
    ("u", "a", "purchase", 0.0, "o1"),
    ("u", "b", "purchase", 0.0, "o1"),
    ("u", "b", "purchase", 4.0, "o2"),
    ("u", "c", "purchase", 4.0, "o2"),
    ("u", "a", "purchase", 10.0, "o3"),
]


def test_pairs_weigh_by_age_size_and_order(shop) -> None:
    """o1 is 20 days old, o2 16; c is new in o2, b is not; o3 comes more than five days after o2."""
    pairs = gather(shop(ROWS, 20), AssociationParams.parse(PARAMS)).toarray()
    first, second = 0.5**2 * 2**-0.5, 0.5**1.6 * 2**-0.5
    later = 0.5 * (first * second) ** 0.5
    expected = np.array(
        [
            [0, 0, 0, 0],
            [0, 0, first, later],
            [0, first, 0, second + later],
            [0, 0, second, 0],
        ]
    )
    assert pairs == pytest.approx(expected)


def test_without_later_weight_pairs_are_symmetric(shop) -> None:
    pairs = gather(shop(ROWS, 20), AssociationParams.parse({**PARAMS, "later_weight": 0.0})).toarray()
    assert pairs == pytest.approx(pairs.T)
    assert pairs[1, 3] == 0
