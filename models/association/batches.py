"""Antecedents in batches, each with the weights of what went with it and of what replaced it, and its neighbours."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.association.neighbourhood import Neighbourhood
from models.association.params import AssociationParams
from models.candidates import Candidates
from tandem.features.products import ProductFeatures
from tandem.features.relations import narrowest


class Batches:
    """Epochs of batches for `tf.data`; epoch n of equal seeds holds equal batches.

    Args:
        pairs: (products, products) weight of what goes with each product.
        alike: (products, products) weight of what replaces it, symmetric.
        around: the neighbours of each product.
        features: of the products.
        params: of network and training.
    """

    def __init__(
        self,
        pairs: sp.csr_array,
        alike: sp.csr_array,
        around: Neighbourhood,
        features: ProductFeatures,
        params: AssociationParams,
    ) -> None:
        self.pairs, self.alike, self.around, self.params = pairs, alike, around, params
        self.log_share, self.log_share_alike = log_share(pairs), log_share(alike)
        self.candidates = Candidates.of(pairs, features.met, params.negatives)
        self.category = narrowest(features)
        mass, replaced = (np.asarray(of.sum(axis=1)).ravel() for of in (pairs, alike))
        self.antecedents = np.flatnonzero(mass)
        self.weight, self.weight_alike = (
            (of**params.antecedent_exponent).astype(np.float32) for of in (mass, replaced)
        )
        self._epoch = 0

    def __len__(self) -> int:
        return -(-len(self.antecedents) // self.params.batch)

    def epoch(self) -> Iterator[tuple[dict[str, NDArray], dict[str, NDArray[np.float32]]]]:
        """The batches of the next epoch: every antecedent once."""
        rng = np.random.default_rng([self.params.seed, self._epoch])
        self._epoch += 1
        order = rng.permutation(self.antecedents)
        for begin in range(0, len(order), self.params.batch):
            yield self._batch(order[begin : begin + self.params.batch], rng)

    def _batch(self, antecedent: NDArray[np.integer], rng: np.random.Generator) -> tuple[dict[str, Any], Any]:
        rows, replaced = self.pairs[antecedent], self.alike[antecedent]
        taken = np.unique(np.concatenate([rows.indices, replaced.indices]))
        hard = np.isin(self.category, np.unique(self.category[antecedent])) & (self.category > 0)
        hard[taken] = True  # what goes with one antecedent and what replaces it are hard to tell apart
        candidates, extra = self.candidates.choose(taken, rng, hard)
        around = self.around.take(antecedent).thinned(self.params.edge_dropout, rng)
        parts = antecedent, candidates, around.near.ravel(), [0]
        nodes, found = np.unique(np.concatenate(parts), return_inverse=True)
        places = np.split(found.astype(np.int32), np.cumsum([len(part) for part in parts[:-1]]))
        x = {
            "nodes": nodes.astype(np.int32),
            "antecedent": places[0],
            "candidates": places[1],
            "near": places[2].reshape(around.near.shape),
            "strength": around.strength,
            "log_share": self.log_share[candidates],
            "log_share_alike": self.log_share_alike[candidates],
            "weight": self.weight[antecedent],
            "weight_alike": self.weight_alike[antecedent],
            **extra,
        }
        y = {"goes_with": rows, "replaces": replaced}
        return x, {name: of[:, candidates].toarray().astype(np.float32) for name, of in y.items()}


def log_share(pairs: sp.csr_array) -> NDArray[np.float32]:
    """(products,) log of each consequent's share of all pairs, every product given one average pair more."""
    mass = np.asarray(pairs.sum(axis=0)).ravel()
    mass = mass + (pairs.sum() / max(pairs.nnz, 1) or 1.0)
    return np.log(mass / mass.sum()).astype(np.float32)
