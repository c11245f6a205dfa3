"""Train the association network: pairs through `tf.data`, Keras `fit`, early stopping on validation NDCG@10."""

import logging
from dataclasses import dataclass, replace
from itertools import product

import keras
import numpy as np
import scipy.sparse as sp

from models.association.batches import Batches
from models.association.learned import Roles
from models.association.neighbourhood import Heard, Neighbourhood
from models.association.network import AssociationNetwork
from models.association.newcomers import foretold
from models.association.params import AssociationParams
from models.training import NothingToLearn, callbacks, fit, kept_epochs, prepare
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import mean_ndcg
from tandem.features.dataset import Dataset
from tandem.features.graph import one_number
from tandem.features.relations import SUBSTITUTE, label

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a training run leaves behind."""

    roles: Roles
    choices: dict[str, float]  # epochs that were kept, exponents
    curve: list[dict[str, float]]  # one row for each epoch
    heard: Heard | None  # where products listen to neighbours


def train(dataset: Dataset, params: AssociationParams, choices: dict[str, float], validation: Cases | None) -> Trained:
    """Train by the choices, or, with validation, at most so many epochs; then keep what was best.

    Raises:
        NothingToLearn: no basket holds two products.
    """
    network, batches = begin(dataset, params)
    met = dataset.products.met[:, None]

    def roles() -> Roles:
        vectors = {name: of * met for name, of in network.vectors().items()}  # 0 of new products: theirs are noise
        return Roles.of(vectors, batches.log_share, dataset, params, choices)

    measured = callbacks(lambda cases: roles().scores(cases.histories, cases.demand), validation, params.patience)
    rows = fit(network, batches, int(choices["epochs"]), measured)
    mass = np.asarray(batches.pairs.sum(axis=0) + batches.pairs.sum(axis=1)).ravel()
    log_demand = np.log1p(dataset.demand.last(params.trend_days))
    kept = foretold(roles(), dataset.products, mass, log_demand, params.modalities)
    kept = kept if validation is None else choose(kept, params, validation)
    made = {"epochs": kept_epochs(rows), "popularity": float(kept.popularity), "trend": float(kept.trend)}
    return Trained(kept, made, rows, network.heard())


def begin(dataset: Dataset, params: AssociationParams) -> tuple[AssociationNetwork, Batches]:
    """An untrained network and what it learns from.

    Raises:
        NothingToLearn: no basket holds two products.
    """
    prepare(params.seed)
    pairs = one_number(dataset)
    if not pairs.nnz:
        raise NothingToLearn("no basket holds two known products: an association network has nothing to learn")
    nobody = Neighbourhood.none(dataset.vocabulary.size)
    around = nobody if params.graph == "none" else Neighbourhood.of(dataset, params.neighbours)
    alike = substitutes(dataset) if params.alike_weight else sp.csr_array(pairs.shape)
    log.debug("%d directed pairs, %d of substitutes; edges: %s", pairs.nnz, alike.nnz, ", ".join(around.relations))
    params = params if alike.nnz else params.model_copy(update={"alike_weight": 0.0})
    network = AssociationNetwork(dataset.products, around, params)
    optimizer = keras.optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay)
    optimizer.build(network.trainable_variables)  # else the first step makes them, and is traced twice
    network.compile(optimizer=optimizer, jit_compile=False)
    return network, Batches(pairs, alike, around, dataset.products, params)


def substitutes(dataset: Dataset) -> sp.csr_array:
    """(products, products) weight of the pairs that evidence calls substitutes: their score, symmetric."""
    found = label(dataset)
    believed = found.kind == SUBSTITUTE
    cells = np.maximum(found.substitute[believed], 0.0), (found.a[believed], found.b[believed])
    return sp.csr_array(cells, shape=(dataset.vocabulary.size,) * 2)


def choose(roles: Roles, params: AssociationParams, validation: Cases) -> Roles:
    """The exponents of popularity and trend with the best NDCG@10, ties to those named first."""
    options = [
        replace(roles, popularity=np.array(popularity), trend=np.array(trend))
        for popularity, trend in product(params.popularity, params.trend)
    ]
    values = [mean_ndcg(option.scores(validation.histories, validation.demand), validation, 10) for option in options]
    best = options[int(np.argmax(values))]
    log.debug("popularity ** %g, trend ** %g: ndcg_at_10 %.4f", best.popularity, best.trend, max(values))
    return best
