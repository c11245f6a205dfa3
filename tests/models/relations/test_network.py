"""The network and its twin in NumPy; what it must not read."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from models.relations import bins
from models.relations.classifier import Classifier, with_paths
from models.relations.errors import RelationsError
from models.relations.graph import Graph
from models.relations.network import Batches, Network
from models.relations.standard import Standard
from models.relations.table import PairTable
from tandem.features.relations import COMPLEMENT, SUBSTITUTE

PRODUCTS = 12
UNSCALED = Standard(np.zeros(4, np.float32), np.ones(4, np.float32))


def edges(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    cells = rng.random((2, PRODUCTS, PRODUCTS)) * (rng.random((2, PRODUCTS, PRODUCTS)) < 0.3)
    cells *= ~np.eye(PRODUCTS, dtype=bool)
    return Graph.of([sp.csr_array(of) for of in cells])


def drawn(network: Network, seed: int = 0) -> Network:
    """With every weight drawn anew, so that nothing is 0 by its beginning."""
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(0, 0.5, of.shape) for of in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def pairs() -> PairTable:
    source, target = np.nonzero(~np.eye(PRODUCTS, dtype=bool))
    evidence = np.random.default_rng(1).normal(size=(len(source), 3))
    evidence[::4, 1] = np.nan
    return PairTable.of(source, target, evidence)


@pytest.mark.parametrize("messages", ["attention", "mean"])
def test_numpy_and_keras_say_the_same(params: Callable, pairs: PairTable, messages: str) -> None:
    """On every pair, with and without edges, numbers and attention."""
    graph, wanted = edges(0), params(messages=messages)
    whole = with_paths(pairs, graph)
    of = bins.edges(whole.evidence, 3)
    network = drawn(Network(np.random.default_rng(2).normal(size=(PRODUCTS, 4)), graph, of, wanted))
    relations, asked = (
        network.classifier(UNSCALED, graph, paths=True),
        Batches(whole, np.zeros(len(pairs)), graph, of, wanted),
    )
    order = np.random.default_rng(wanted.seed).permutation(len(pairs))
    found = np.concatenate([network(inputs).numpy() for inputs, _ in asked.epoch()])
    assert found == pytest.approx(relations.logits(pairs)[order], abs=1e-4)


@pytest.fixture(scope="module")
def classifier(params: Callable, pairs: PairTable) -> Callable[[Graph], Classifier]:
    """Of a graph: equal weights, whatever the edges."""

    def made(graph: Graph) -> Classifier:
        of = bins.edges(with_paths(pairs, edges(0)).evidence, 3)
        vectors = np.random.default_rng(2).normal(size=(PRODUCTS, 4))
        return drawn(Network(vectors, graph, of, params())).classifier(UNSCALED, graph, paths=True)

    return made


def without(graph: Graph, source: int) -> Graph:
    rows = sp.diags_array((np.arange(PRODUCTS) != source).astype(float))
    kinds = [sp.csr_array(rows @ kind) for kind in graph.kinds]
    for kind in kinds:
        kind.eliminate_zeros()
    return Graph.of(kinds)


def test_edges_out_of_the_source_change_no_answer(classifier: Callable, pairs: PairTable) -> None:
    """A label that stands in the graph as an edge cannot be read off; edges of others are read."""
    graph = edges(0)
    assert graph.kinds[0][[4], :].nnz
    asked, others = pairs[pairs.source == 4], pairs[pairs.source != 4]
    whole, less = classifier(graph), classifier(without(graph, 4))
    assert less.logits(asked) == pytest.approx(whole.logits(asked), abs=1e-5)
    assert np.abs(less.logits(others) - whole.logits(others)).max() > 0.1


def test_vectors_alone_say_of_substitutes_the_same_in_both_directions(params: Callable) -> None:
    """With hidden units silenced, z of a substitute is Σ a / √dim; z of a complement has a direction."""
    none = Graph.none(PRODUCTS)
    network = drawn(Network(np.random.default_rng(2).normal(size=(PRODUCTS, 4)), none, np.zeros((0, 4)), params()))
    network.last.kernel.assign(np.zeros(network.last.kernel.shape))
    relations = network.classifier(UNSCALED, none, paths=False)
    i, j = np.array([0, 1, 2]), np.array([3, 4, 5])
    there, back = relations.logits(PairTable.of(i, j)), relations.logits(PairTable.of(j, i))
    assert there[:, SUBSTITUTE] == pytest.approx(back[:, SUBSTITUTE], abs=1e-5)
    assert np.abs(there[:, COMPLEMENT] - back[:, COMPLEMENT]).min() > 0.01


def test_probabilities_sum_to_one(classifier: Callable, pairs: PairTable) -> None:
    made = replace(classifier(edges(0)), temperature=1.7)
    assert made.probabilities(pairs).sum(axis=1) == pytest.approx(1)


def test_over_more_products_it_says_the_same_of_those_it_learned_of_and_describes_the_others(
    params: Callable, pairs: PairTable
) -> None:
    """Twelve products stand at every second place of twenty-four; the last is what the first is."""
    graph, vectors = edges(0), np.random.default_rng(2).normal(size=(PRODUCTS, 4)).astype(np.float32)
    of = bins.edges(pairs.evidence, 3)
    standard = Standard.of(3 * vectors + 1)
    made = drawn(Network(standard(3 * vectors + 1), graph, of, params())).classifier(standard, graph, paths=False)
    places, every = 2 * np.arange(PRODUCTS), np.full((2 * PRODUCTS, 4), np.nan, np.float32)
    every[places] = 3 * vectors + 1
    every[-1] = every[0]
    wide = made.over(places, every)
    there = PairTable.of(places[pairs.source], places[pairs.target], pairs.evidence)
    assert wide.logits(there) == pytest.approx(made.logits(pairs), abs=1e-4)
    assert wide.tables["described"][-1] == pytest.approx(made.tables["described"][0], abs=1e-5)
    assert not wide.tables["own_target"][1::2].any()


def test_a_temperature_softens(classifier: Callable, pairs: PairTable) -> None:
    """Of odds p / q, their root at temperature 2."""
    one = classifier(edges(0))
    p, soft = one.probabilities(pairs), replace(one, temperature=2.0).probabilities(pairs)
    assert soft[:, 0] / soft[:, 1] == pytest.approx(np.sqrt(p[:, 0] / p[:, 1]))


def test_what_does_not_fit_is_refused(classifier: Callable, pairs: PairTable) -> None:
    made = classifier(edges(0))
    with pytest.raises(RelationsError, match="0 columns of evidence; learned of 3"):
        made.probabilities(PairTable.of(np.array([0]), np.array([1])))
    with pytest.raises(RelationsError, match="target 99 to 99; 12 products"):
        made.probabilities(PairTable.of(np.array([0]), np.array([99]), np.zeros((1, 3))))
    with pytest.raises(RelationsError, match="2 sources, 1 targets and 2 rows"):
        PairTable.of(np.array([0, 1]), np.array([1]), np.zeros((2, 3)))
