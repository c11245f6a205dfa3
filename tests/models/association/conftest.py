"""A shop with directed pairs and small association networks."""

import pytest

from models.association.params import AssociationParams
from models.association.ranker import Association
from tandem.features.dataset import Dataset

SMALL = {
    "room": "association",
    "dim": 8,
    "hidden": 8,
    "dropout": 0.0,
    "graph": "attention",
    "neighbours": 3,
    "heads": 2,
    "edge_dropout": 0.3,
    "alike_weight": 0.1,
    "antecedent_exponent": 0.5,
    "popularity": [1.0],
    "trend": [0.0],
    "trend_days": 3,
    "half_life_days": 30.0,
    "negatives": None,
    "batch": 4,
    "epochs": 60,
    "patience": 60,
    "learning_rate": 0.03,
    "weight_decay": 0.0,
    "seed": 7,
}


@pytest.fixture(scope="session")
def make() -> object:
    """Makes an untrained network, with changed params."""
    return lambda **changes: Association(AssociationParams.parse({**SMALL, **changes}))


@pytest.fixture(scope="session")
def cases_for_phones(shop) -> Dataset:
    """Phones p0 … p5, each with its case c0 … c5 two days later, never the other way round.

    After the case comes a charger g, bought by all.
    """
    rows = [
        (f"u{n:03}", product, "purchase", day + (n // 30) * 10, f"o{n}-{product}")
        for n in range(60)
        for product, day in ((f"p{n % 6}", 0.0), (f"c{n % 6}", 2.0), ("g", 4.0))
    ]
    return shop(rows, 30, after_days=3, after_weight=1, half_life_days=100)


@pytest.fixture(scope="session")
def paired(make, cases_for_phones: Dataset) -> Association:
    """The network trained on phones and cases."""
    return make().fit(cases_for_phones)
