"""Products in rings of needs: those of one need stand in for each other, those of the next need complete them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from models.relations.params import RelationsParams
from models.relations.table import PairTable
from tandem.features.relations import COMPLEMENT, NEITHER, SUBSTITUTE

PARAMS = {
    "dim": 8,
    "hidden": 32,
    "bins": 4,
    "ids": ["target"],
    "id_dropout": 0.5,
    "messages": "attention",
    "paths": True,
    "neighbours": 100,
    "dropout": 0.0,
    "batch": 128,
    "epochs": 12,
    "patience": 3,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "validation_share": 0.2,
    "seed": 7,
}
NEEDS, OF_EACH = 5, 9


@pytest.fixture(scope="session")
def params() -> Callable[..., RelationsParams]:
    """Small ones: `params(dim=4)`."""
    return lambda **changes: RelationsParams.parse(PARAMS | changes)


@dataclass(frozen=True)
class Planted:
    """Pairs with the relation that need dictates: of n and n substitutes, of n → n + 1 complements."""

    need: NDArray[np.int64]  # (products,)
    vectors: NDArray[np.float64]  # (products, NEEDS) that show the need, with noise
    pairs: PairTable  # all pairs of different products
    labels: NDArray[np.int64]  # (pairs,)


@pytest.fixture(scope="session")
def planted() -> Planted:
    rng = np.random.default_rng(3)
    need = rng.permutation(np.repeat(np.arange(NEEDS), OF_EACH))
    source, target = np.nonzero(~np.eye(len(need), dtype=bool))
    step = (need[target] - need[source]) % NEEDS
    labels = np.select([step == 1, step == 0], [COMPLEMENT, SUBSTITUTE], NEITHER)
    vectors = np.eye(NEEDS)[need] + rng.normal(0, 0.1, (len(need), NEEDS))
    return Planted(need, vectors, PairTable.of(source, target), labels)
