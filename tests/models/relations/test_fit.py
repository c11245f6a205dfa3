"""What training learns from planted needs; how it stops, calibrates and refuses."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from models.relations import fit as fitting
from models.relations.classifier import Classifier
from models.relations.errors import RelationsError
from models.relations.fit import fit
from models.relations.graph import Graph
from models.relations.table import PairTable
from tandem.features.relations import COMPLEMENT, NEITHER, SUBSTITUTE


@pytest.fixture(scope="module")
def unseen(planted) -> np.ndarray:
    """(pairs,) pairs of two products of which no pair is learned from: a third of each need."""
    hidden = np.zeros(len(planted.need), bool)
    for need in np.unique(planted.need):
        hidden[np.flatnonzero(planted.need == need)[:3]] = True
    return np.stack([hidden[planted.pairs.source], hidden[planted.pairs.target]])


@pytest.fixture(scope="module")
def by_content(planted, unseen: np.ndarray, params: Callable) -> Classifier:
    learned = ~unseen.any(axis=0)
    return fit(planted.pairs[learned], planted.labels[learned], planted.vectors, params())


def test_relations_of_new_products_follow_from_what_they_are(planted, unseen, by_content: Classifier) -> None:
    """Three relations, a third of the pairs related: nearly all of what nobody taught is right."""
    asked = unseen.all(axis=0)
    found = by_content.probabilities(planted.pairs[asked])
    assert (found.argmax(axis=1) == planted.labels[asked]).mean() > 0.95
    assert set(planted.labels[asked].tolist()) == {COMPLEMENT, SUBSTITUTE, NEITHER}


def test_a_complement_has_a_direction(planted, unseen, by_content: Classifier) -> None:
    asked = planted.pairs[unseen.all(axis=0) & (planted.labels == COMPLEMENT)]
    there = by_content.probabilities(asked)[:, COMPLEMENT]
    back = by_content.probabilities(PairTable.of(asked.target, asked.source))[:, COMPLEMENT]
    assert (there > back).mean() > 0.95


def test_probabilities_are_about_as_often_right_as_they_say(planted, unseen, by_content: Classifier) -> None:
    asked = unseen.all(axis=0)
    found = by_content.probabilities(planted.pairs[asked])
    sure = found.max(axis=1)
    assert (found.argmax(axis=1) == planted.labels[asked]).mean() == pytest.approx(sure.mean(), abs=0.05)


def test_edges_tell_of_products_of_which_nothing_else_is_known(planted, params: Callable) -> None:
    """Nothing is known of products but which of the others name them: sources are asked for that taught nothing."""
    rng = np.random.default_rng(0)
    hidden = np.isin(np.arange(len(planted.need)), rng.permutation(len(planted.need))[:9])
    learned, shape = ~hidden[planted.pairs.source], (len(planted.need),) * 2
    kinds = []
    for relation in (COMPLEMENT, SUBSTITUTE):
        there = learned & (planted.labels == relation)
        cells = (np.ones(there.sum()), (planted.pairs.source[there], planted.pairs.target[there]))
        kinds.append(sp.csr_array(cells, shape=shape))
    nothing, asked = np.zeros((len(planted.need), 0)), planted.pairs[~learned]
    made = fit(planted.pairs[learned], planted.labels[learned], nothing, params(paths=False), Graph.of(kinds))
    told = made.probabilities(asked).argmax(axis=1)
    silent = {name: np.zeros_like(table) for name, table in made.tables.items()}
    untold = replace(made, tables=silent).probabilities(asked).argmax(axis=1)
    assert (told == planted.labels[~learned]).mean() > 0.95
    assert (untold == planted.labels[~learned]).mean() < 0.7  # one relation for all: it is the neighbours that told


def test_evidence_alone_suffices_where_it_tells_and_equal_seeds_learn_the_same(planted, params: Callable) -> None:
    """A number that is 1 of complements, 0 of substitutes and missing of neither."""
    told = np.select([planted.labels == COMPLEMENT, planted.labels == SUBSTITUTE], [1.0, 0.0], np.nan)[:, None]
    pairs, nothing = PairTable.of(planted.pairs.source, planted.pairs.target, told), np.zeros((len(planted.need), 0))
    some = pairs.source < 30
    made, again = (
        fit(pairs[some], planted.labels[some], nothing, params(ids=(), paths=False, epochs=8)) for _ in range(2)
    )
    assert (made.probabilities(pairs[~some]).argmax(axis=1) == planted.labels[~some]).mean() > 0.99
    assert np.array_equal(made.logits(pairs), again.logits(pairs))


def test_answers_need_no_tensorflow(root) -> None:
    asked = (
        "import sys; from models.relations import behaviour, classifier\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", asked], cwd=root, check=True)


def test_a_source_is_held_out_with_all_its_pairs(planted) -> None:
    source, products = planted.pairs.source, len(planted.need)
    _, held = fitting.split(planted.pairs, 0.2, np.random.default_rng(0))
    assert [held[source == n].mean() for n in range(products)].count(1.0) == products // 5
    assert held.mean() == pytest.approx(0.2)


def test_what_leads_to_a_source_that_is_held_out_is_not_learned_from() -> None:
    """One of three sources is held out."""
    pairs = PairTable.of(np.array([0, 1, 2, 0, 2]), np.array([1, 0, 0, 2, 1]))
    learned, held = fitting.split(pairs, 0.34, np.random.default_rng(0))
    (out,) = np.unique(pairs.source[held])
    expected = {0: [(2, 1)], 1: [(0, 2), (2, 0)], 2: [(0, 1), (1, 0)]}[out]
    assert sorted(zip(pairs.source[learned].tolist(), pairs.target[learned].tolist(), strict=True)) == expected


def test_the_temperature_that_was_planted_is_found() -> None:
    """Labels drawn by softmax(z), told 3 z."""
    rng = np.random.default_rng(1)
    z = rng.normal(0, 2, (20_000, 3))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    labels = (rng.random((len(z), 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert fitting.calibrated(3 * z, labels) == pytest.approx(3, rel=0.03)


def test_log_loss_is_that_of_the_book() -> None:
    """Odds 1 : 2 : 1 of the second, then of the third: (ln 2 + ln 4) / 2."""
    logits = np.log(np.array([[1.0, 2, 1], [1, 2, 1]]))
    assert fitting.log_loss(logits, np.array([1, 2])) == pytest.approx(np.log(8) / 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [0, 1, 3]}, r"labels \[3\]; 0 neither, 1 complement, 2 substitute"),
        ({"labels": [0, 1]}, "2 labels for 3 pairs"),
        ({"vectors": np.zeros((2, 1))}, "products 0 to 2; there are vectors of 2"),
        ({"graph": Graph.of([sp.csr_array((4, 4))])}, "a graph of 4 products and vectors of 3"),
        ({"source": [0, 0, 0]}, "1 sources; some to learn from"),
    ],
)
def test_what_does_not_fit_is_refused(params: Callable, change: dict, said: str) -> None:
    given = {"source": [0, 1, 2], "labels": [0, 1, 2], "vectors": np.zeros((3, 1)), "graph": None} | change
    pairs = PairTable.of(np.array(given["source"]), np.array([1, 2, 0]))
    with pytest.raises(RelationsError, match=said):
        fit(pairs, np.array(given["labels"]), given["vectors"], params(), given["graph"])
