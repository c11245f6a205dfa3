"""Train the network of relations on labelled pairs, stop and calibrate it on sources that it has not seen."""

import logging
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from models import training
from models.relations import bins
from models.relations.classifier import Classifier, with_paths
from models.relations.errors import RelationsError
from models.relations.graph import Graph
from models.relations.network import Batches, Network
from models.relations.params import RelationsParams
from models.relations.standard import Standard
from models.relations.table import PairTable
from tandem.features.relations import RELATIONS

log = logging.getLogger(__name__)

METRIC = "log_loss"
COOLEST, HOTTEST = 0.05, 20.0


def fit(
    pairs: PairTable,
    labels: NDArray[np.integer],
    vectors: NDArray[np.floating],
    params: RelationsParams,
    graph: Graph | None = None,
) -> Classifier:
    """Calibrated relations of labelled pairs.

    Args:
        labels: (pairs,) places in RELATIONS.
        vectors: (products, numbers) what the products are, NaN where nothing is known; standardised here.
        graph: edges that are known when a pair is asked; the pairs themselves may be among them, see `graph`.

    Raises:
        RelationsError: labels, products or sources do not fit or do not suffice.
    """
    _check(pairs, labels, vectors, graph)
    learned, held = split(pairs, params.validation_share, np.random.default_rng(params.seed))
    if not learned.any() or not held.any():
        raise RelationsError(
            f"{len(np.unique(pairs.source))} sources; some to learn from and some to stop on are needed"
        )
    graph = Graph.of((graph or Graph.none(len(vectors))).kinds, params.neighbours)
    whole = with_paths(pairs, graph) if params.paths else pairs
    edges = bins.edges(whole.evidence[learned], params.bins)
    training.prepare(params.seed)
    heard = Graph.none(len(vectors)) if params.messages == "none" else graph
    standard = Standard.of(vectors)
    network = Network(standard(vectors), heard, edges, params)
    optimizer = keras.optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay)
    network.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    batches = Batches(whole[learned], labels[learned], heard, edges, params)

    def measured() -> NDArray[np.float64]:
        return network.classifier(standard, graph, False).logits(whole[held])

    training.fit(network, batches, params.epochs, _callbacks(measured, labels[held], params.patience))
    temperature = calibrated(measured(), labels[held])
    log.debug("temperature %.3f", temperature)
    return replace(network.classifier(standard, graph, params.paths), temperature=temperature)


def split(pairs: PairTable, share: float, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(pairs,) twice: what is learned from, and what is held out: all pairs of `share` of the sources, by chance.

    What leads to a source that is held out is in neither: a → b tells much of b → a.
    """
    sources = np.unique(pairs.source)
    drawn = rng.permutation(sources)[: int(share * len(sources))]
    held, led_to = (np.isin(of, drawn) for of in (pairs.source, pairs.target))
    return ~held & ~led_to, held


def calibrated(logits: NDArray[np.float64], labels: NDArray[np.integer]) -> float:
    """The temperature with the least log loss of softmax(logits / temperature). Source: Guo et al. 2017."""
    bounds = (np.log(COOLEST), np.log(HOTTEST))
    found = minimize_scalar(lambda x: log_loss(logits / np.exp(x), labels), bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def log_loss(logits: NDArray[np.float64], labels: NDArray[np.integer]) -> float:
    """Mean of -log softmax(logits) of the label."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def _callbacks(
    measured: Callable[[], NDArray[np.float64]], labels: NDArray[np.integer], patience: int
) -> list[keras.callbacks.Callback]:
    """Measure the log loss each epoch, stop after `patience` without a lower one and keep the lowest."""

    def measure(epoch: int, logs: dict[str, float]) -> None:
        logs[METRIC] = log_loss(measured(), labels)

    stop = keras.callbacks.EarlyStopping(METRIC, mode="min", patience=patience, restore_best_weights=True)
    return [keras.callbacks.LambdaCallback(on_epoch_end=measure), stop]


def _check(pairs: PairTable, labels: NDArray[np.integer], vectors: NDArray, graph: Graph | None) -> None:
    if len(labels) != len(pairs):
        raise RelationsError(f"{len(labels)} labels for {len(pairs)} pairs")
    if wrong := sorted(set(np.unique(labels).tolist()) - set(range(len(RELATIONS)))):
        raise RelationsError(f"labels {wrong}; 0 neither, 1 complement, 2 substitute fit")
    if graph and graph.kinds[0].shape[0] != len(vectors):
        raise RelationsError(f"a graph of {graph.kinds[0].shape[0]} products and vectors of {len(vectors)}")
    index = np.concatenate([pairs.source, pairs.target])
    if len(index) and not 0 <= index.min() <= index.max() < len(vectors):
        raise RelationsError(f"products {index.min()} to {index.max()}; there are vectors of {len(vectors)}")
