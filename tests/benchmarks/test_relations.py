"""Measures of the benchmark of relations beside scikit-learn's; lists to pairs; what may be known of them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import relations as benchmark
from benchmarks import relations_peers as peers
from benchmarks.relations_data import Lists, counted
from tandem.features.relations import COMPLEMENT, SUBSTITUTE


@pytest.fixture(scope="module")
def judged() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, labels that follow them, antecedents."""
    rng = np.random.default_rng(0)
    score = rng.integers(20, size=400) / 20
    return score, (rng.random(400) < score).astype(int), rng.integers(30, size=400)


def test_auc_is_that_of_scikit_learn(judged) -> None:
    score, label, _ = judged
    assert peers.auc(score, label) == pytest.approx(roc_auc_score(label, score))


def test_auc_within_is_the_mean_over_antecedents(judged) -> None:
    score, label, source = judged
    rows = [source == n for n in np.unique(source) if 0 < label[source == n].mean() < 1]
    expected = np.mean([roc_auc_score(label[of], score[of]) for of in rows])
    assert peers.within(score, label, source) == pytest.approx(expected)


def test_log_loss_is_that_of_the_book() -> None:
    """A substitute held for one by 1/4, a complement by 1/2: (ln 4 + ln 2) / 2."""
    assert peers.log_loss(np.array([0.25, 0.5]), np.array([True, False])) == pytest.approx(np.log(8) / 2)


def test_cards_that_are_asked_of_were_not_learned_from() -> None:
    """All pairs of thirty products; unseen as sources, or in both roles."""
    rng = np.random.default_rng(0)
    shop = SimpleNamespace(brand=np.zeros(30))
    source, target = np.nonzero(rng.random((30, 30)) < 0.5)
    folds = benchmark.unseen_antecedents(shop, source, target, 7)
    assert sorted(np.concatenate([asked for _, asked in folds]).tolist()) == list(range(len(source)))
    for learned, asked in folds:
        assert not set(source[learned]) & set(source[asked])
    for learned, asked in benchmark.unseen_products(shop, source, target, 7):
        assert len(asked)
        assert not {*source[learned], *target[learned]} & {*source[asked], *target[asked]}


def test_what_stands_in_both_lists_is_asked_of_neither() -> None:
    lists = Lists.of([[(0, 1), (0, 2), (3, 3)], [(0, 2), (1, 0)]], 4)
    source, target, label = lists.pairs()
    assert list(zip(source, target, label, strict=True)) == [(0, 1, COMPLEMENT), (1, 0, SUBSTITUTE)]
    assert lists.kinds[2].toarray()[0, 2] == 1
    assert [kind.nnz for kind in lists.seen(np.array([True, False, False, False]))] == [1, 0, 1]


def test_purchases_are_counted_in_order() -> None:
    """One user buys 1, a day later 2, forty days later 3; another buys 1 and 2 on one day."""
    events = pd.DataFrame({"user_id": [0, 0, 0, 1, 1], "item_id": [1, 2, 3, 1, 2], "time": [0, 1, 41, 5, 5]})
    found = counted(events.assign(time=events["time"] * 86_400), 4)
    assert {name: int(of[1, 2]) for name, of in found.items()} == {
        "together": 2,
        "one day": 1,
        "after": 1,
        "before": 0,
        "near": 2,
    }
    assert {name: int(of[3, 2]) for name, of in found.items()} == {
        "together": 1,
        "one day": 0,
        "after": 0,
        "before": 1,
        "near": 0,
    }
