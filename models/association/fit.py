"""Train the association network: pairs through `tf.data`, Keras `fit`, early stopping on validation NDCG@10."""

import logging
from dataclasses import dataclass, replace
from itertools import product

import keras
import numpy as np
from numpy.typing import NDArray

from models.association.batches import Batches
from models.association.learned import Roles
from models.association.network import AssociationNetwork
from models.association.pairs import gather
from models.association.params import AssociationParams
from models.training import NothingToLearn, callbacks, fit, kept_epochs, prepare
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import mean_ndcg
from tandem.features.dataset import Dataset

ALPHAS = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Of the ridge regression; the best by leaving one out is taken."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a training run leaves behind."""

    roles: Roles
    choices: dict[str, float]  # epochs that were kept, exponents
    curve: list[dict[str, float]]  # one row for each epoch


def train(dataset: Dataset, params: AssociationParams, choices: dict[str, float], validation: Cases | None) -> Trained:
    """Train by the choices, or, with validation, at most so many epochs; then keep what was best.

    Raises:
        NothingToLearn: no basket holds two products.
    """
    prepare(params.seed)
    pairs = gather(dataset, params)
    if not pairs.nnz:
        raise NothingToLearn("no basket holds two known products: an association network has nothing to learn")
    log.info("%d directed pairs", pairs.nnz)
    batches = Batches(pairs, dataset.products.met, params)
    network = AssociationNetwork(dataset.products, params)
    optimizer = keras.optimizers.AdamW(params.learning_rate, weight_decay=params.weight_decay)
    network.compile(optimizer=optimizer, jit_compile=False)

    recent = np.log1p(dataset.demand.last(params.trend_days))

    def roles() -> Roles:
        source, target = (np.asarray(role) for role in network.vectors())
        log_share, new = foretold(np.asarray(network.content()), batches.log_share, recent, dataset.products.met)
        return Roles.of(source, target, log_share, new, dataset, params, choices)

    measured = callbacks(lambda cases: roles().scores(cases.histories, cases.demand), validation, params.patience)
    rows = fit(network, batches, int(choices["epochs"]), measured)
    kept = roles() if validation is None else choose(roles(), params, validation)
    made = {"epochs": kept_epochs(rows), "popularity": float(kept.popularity), "trend": float(kept.trend)}
    return Trained(kept, made, rows)


def foretold(
    content: NDArray[np.float32],
    log_share: NDArray[np.float32],
    log_demand: NDArray[np.float32],
    met: NDArray[np.bool_],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How much a product that nobody met yet will sell, by those like it: ridge regression on content.

    Args:
        content: (products, hidden).
        log_share: (products,).
        log_demand: (products,) log(1 + demand) of the last days.

    Returns:
        (products,) log share, told where met, else expected; and expected demand, 0 where met.
    """
    from sklearn.linear_model import RidgeCV

    new = ~met
    new[0] = False
    demand = np.zeros(len(met), np.float32)
    if not new.any():
        return log_share, demand
    told = np.stack([log_share, log_demand], axis=1)
    expected = RidgeCV(ALPHAS).fit(content[met], told[met]).predict(content[new]).astype(np.float32)
    share = log_share.copy()
    share[new], demand[new] = expected[:, 0], np.maximum(np.expm1(expected[:, 1]), 0)
    return share, demand


def choose(roles: Roles, params: AssociationParams, validation: Cases) -> Roles:
    """The exponents of popularity and trend with the best NDCG@10, ties to those named first."""
    options = [
        replace(roles, popularity=np.array(popularity), trend=np.array(trend))
        for popularity, trend in product(params.popularity, params.trend)
    ]
    values = [mean_ndcg(option.scores(validation.histories, validation.demand), validation, 10) for option in options]
    best = options[int(np.argmax(values))]
    log.info("popularity ** %g, trend ** %g: ndcg_at_10 %.4f", best.popularity, best.trend, max(values))
    return best
