"""What the benchmark of evidence calls right and wrong, on a shop small enough to count by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from benchmarks import evidence
from benchmarks.evidence import Shop
from tandem.features.relations import Relations
from tandem.features.vocabulary import Vocabulary


@pytest.fixture
def shop() -> Shop:
    """Products 1 → 2 and 1 → 3 are planted complements, 3 and 4 substitutes; 5 is nothing to anybody.

    Believed are 1 → 2, one way only, and 2 – 3 as complements, 3 – 4 and 1 – 5 as substitutes.
    """
    complements, substitutes = np.zeros((2, 6, 6), bool)
    complements[1, [2, 3]] = True
    substitutes[[3, 4], [4, 3]] = True
    ways = {
        (1, 2): 1,
        (2, 1): 0,
        (2, 3): 1,
        (3, 2): 1,
        (3, 4): 2,
        (4, 3): 2,
        (1, 5): 2,
        (5, 1): 2,
        (1, 3): 0,
        (3, 1): 0,
    }
    pairs = sorted(ways)
    a, b = np.array(pairs, np.int32).T
    score = np.array([float(b) - float(a) for a, b in pairs])
    kind = np.array([ways[pair] for pair in pairs], np.int8)
    relations = Relations(a, b, score, score, score, score, score, kind)
    baskets = SimpleNamespace(content=sp.csr_array(np.tile([0, 1, 1, 1, 1, 0], (5, 1)).astype(float)))
    return Shop(SimpleNamespace(baskets=baskets), {}, relations, complements, substitutes)  # type: ignore[arg-type]


def test_warm_pairs_are_of_products_with_enough_baskets(shop: Shop) -> None:
    a, b = shop.warm
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]


def test_a_score_is_the_larger_of_the_two_directions(shop: Shop) -> None:
    assert shop.spread(shop.relations.complement, -9.0).tolist() == [1, 2, -9, 1, -9, 1]


def test_a_direction_is_right_wrong_or_not_told(shop: Shop) -> None:
    """Of 1 → 2 it is told, of 1 → 3 it is not; 4 → 1, which nobody planted, does not count."""
    first = np.zeros((6, 6))
    first[1, 2], first[2, 1], first[4, 1] = 1, -1, 1
    assert shop.directed(shop.warm, first) == 0.75
    assert shop.directed(shop.warm, -first) == 0.25
    assert shop.directed(shop.warm[::-1], first) == 0.75


def test_believed_pairs_count_once_and_by_what_they_are(shop: Shop) -> None:
    assert list(evidence.believed([shop, shop])) == [
        "complements: 2 planted, 0 of the other kind, 2 called for by one antecedent, 0 neither, "
        "2 planted but not believed",
        "substitutes: 2 planted, 0 of the other kind, 0 called for by one antecedent, 2 neither, "
        "0 planted but not believed",
    ]


def test_planted_pairs_are_read_in_the_vocabulary(tmp_path) -> None:
    """a calls for b; b and c are of one category, a of another; of d the shop never heard."""
    pd.DataFrame({"antecedent": ["a", "d"], "consequent": ["b", "a"]}).to_csv(tmp_path / "complements.csv")
    articles = {"category": ["x", "y", "y", "y"], "article": list("abcd")}
    pd.DataFrame(articles).to_csv(tmp_path / "substitutes.csv")
    complements, substitutes = evidence.planted(tmp_path, Vocabulary.of("abc"))
    assert np.argwhere(complements).tolist() == [[1, 2]]
    assert np.argwhere(substitutes).tolist() == [[2, 3], [3, 2]]
