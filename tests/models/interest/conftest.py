"""Small interest networks, trained once for all tests that only look."""

import pytest

from models.interest.params import LstmParams, TransformerParams
from models.interest.ranker import Interest, Lstm, Transformer
from tandem.features.dataset import Dataset

SHARED = {
    "room": "interest",
    "length": 8,
    "dim": 16,
    "dropout": 0.0,
    "event_dropout": 0.0,
    "own_half_lives_days": [10.0],
    "trend_days": [3],
    "horizon_days": 0.5,
    "negatives": None,
    "batch": 8,
    "epochs": 25,
    "patience": 25,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "seed": 7,
}


def small(name: str, **changes: object) -> Interest:
    """An untrained network of the variant."""
    if name == "lstm":
        return Lstm(LstmParams.parse({**SHARED, "kernel": 2, **changes}))
    return Transformer(TransformerParams.parse({**SHARED, "heads": 2, "blocks": 1, **changes}))


@pytest.fixture(scope="session", params=["transformer", "lstm"])
def walked(request: pytest.FixtureRequest, circle: Dataset) -> Interest:
    """Each variant, trained on the circle."""
    return small(request.param).fit(circle)


@pytest.fixture(scope="session")
def make() -> object:
    """Makes an untrained network of a variant, with changed params."""
    return small
