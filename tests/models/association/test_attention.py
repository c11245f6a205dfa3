"""What neighbours say, against sums worked out in plain NumPy."""

import numpy as np
import pytest

from models.association.attention import Neighbours

RNG = np.random.default_rng(3)
NODES, DIM, HEADS = 5, 4, 2
RELATION = np.array([0, 0, 1], np.int32)
NEAR = np.array([[1, 2, 3], [4, 0, 2]], np.int32)
STRENGTH = np.array([[1.0, 0.5, 1.0], [1.0, 0.0, 0.25]], np.float32)


@pytest.fixture
def vectors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of two who listen, and of all nodes as source and as target."""
    own, source, target = (RNG.normal(size=(rows, DIM)).astype(np.float32) for rows in (2, NODES, NODES))
    return own, source, target


def layer(attention: bool = True) -> Neighbours:
    made = Neighbours(RELATION, DIM, HEADS, attention)
    for weight in made.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return made


def test_attention_is_that_of_the_formula(vectors) -> None:
    own, source, target = vectors
    made = layer()
    w = {weight.name: np.asarray(weight) for weight in made.weights}
    expected = np.zeros((2, DIM))
    for i in range(2):
        for head in range(HEADS):
            part = slice(head * DIM // HEADS, (head + 1) * DIM // HEADS)
            odds, said = [], []
            for place, node in enumerate(NEAR[i]):
                if STRENGTH[i, place]:
                    r = RELATION[place]
                    x = (own[i] @ w["query"] + source[node] @ w["key"] + w["key_of_relation"][r])[part]
                    x = np.where(x > 0, x, 0.2 * x)
                    odds.append(np.exp(x @ w["asked"][head] + w["of_strength"][r, head] * STRENGTH[i, place]))
                    said.append((w["by_relation"][r] * (target[node] @ w["said"]))[part])
            expected[i, part] = w["gate"][part] * (np.array(odds) @ np.array(said)) / np.sum(odds)
    assert np.asarray(made(own, source, target, NEAR, STRENGTH)) == pytest.approx(expected, abs=1e-4)


def test_without_attention_neighbours_count_by_strength(vectors) -> None:
    own, source, target = vectors
    made = layer(attention=False)
    w = {weight.name: np.asarray(weight) for weight in made.weights}
    assert set(w) == {"said", "by_relation", "gate"}
    said = target[NEAR] @ w["said"] * w["by_relation"][RELATION]
    share = STRENGTH / STRENGTH.sum(axis=1, keepdims=True)
    expected = w["gate"] * np.einsum("bp,bpd->bd", share, said)
    assert np.asarray(made(own, source, target, NEAR, STRENGTH)) == pytest.approx(expected, abs=1e-4)


def test_weights_are_shares_of_those_that_are_there(vectors) -> None:
    own, source, _ = vectors
    alpha = np.asarray(layer().alpha(own, source, NEAR, STRENGTH))
    assert alpha.sum(axis=1) == pytest.approx(np.ones((2, HEADS)), abs=1e-6)
    assert not alpha[1, 1].any()


def test_who_has_no_neighbours_hears_nothing(vectors) -> None:
    own, source, target = vectors
    for attention in (True, False):
        heard = layer(attention)(own, source, target, np.zeros_like(NEAR), np.zeros_like(STRENGTH))
        assert not np.asarray(heard).any()
