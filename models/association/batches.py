"""Antecedents in batches, each with the weights of what went with it."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.association.params import AssociationParams
from models.candidates import Candidates


class Batches:
    """Epochs of batches for `tf.data`; epoch n of equal seeds holds equal batches."""

    def __init__(self, pairs: sp.csr_array, met: NDArray[np.bool_], params: AssociationParams) -> None:
        self.pairs, self.params = pairs, params
        self.log_share = log_share(pairs)
        self.candidates = Candidates.of(pairs, met, params.negatives)
        mass = np.asarray(pairs.sum(axis=1)).ravel()
        self.antecedents = np.flatnonzero(mass)
        self.weight = (mass**params.antecedent_exponent).astype(np.float32)
        self._epoch = 0

    def __len__(self) -> int:
        return -(-len(self.antecedents) // self.params.batch)

    def epoch(self) -> Iterator[tuple[dict[str, NDArray], NDArray[np.float32]]]:
        """The batches of the next epoch: every antecedent once."""
        rng = np.random.default_rng([self.params.seed, self._epoch])
        self._epoch += 1
        order = rng.permutation(self.antecedents)
        for begin in range(0, len(order), self.params.batch):
            antecedent = order[begin : begin + self.params.batch]
            rows = self.pairs[antecedent]
            candidates, extra = self.candidates.choose(np.unique(rows.indices), rng)
            x = {
                "antecedent": antecedent.astype(np.int32),
                "candidates": candidates,
                "log_share": self.log_share[candidates],
                "weight": self.weight[antecedent],
                **extra,
            }
            yield x, rows[:, candidates].toarray().astype(np.float32)


def log_share(pairs: sp.csr_array) -> NDArray[np.float32]:
    """(products,) log of each consequent's share of all pairs, every product given one average pair more."""
    mass = np.asarray(pairs.sum(axis=0)).ravel()
    mass = mass + pairs.sum() / max(pairs.nnz, 1)
    return np.log(mass / mass.sum()).astype(np.float32)
