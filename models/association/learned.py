"""Source and target vectors of products, and scores from them in NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.association.params import AssociationParams
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories

BLOCK = 512
"""Antecedents whose rows are in memory at once."""


@dataclass(frozen=True)
class Roles:
    """All that scoring needs; A_ij = source_i · target_j, B_ij = alike_i · alike_j."""

    source: NDArray[np.float32]  # (products, dim)
    target: NDArray[np.float32]  # (products, dim)
    alike: NDArray[np.float32]  # (products, dim)
    log_share: NDArray[np.float32]  # (products,) log share of all pairs, expected where nobody met the product
    new_demand: NDArray[np.float32]  # (products,) expected where nobody met the product, else 0
    kind_weight: NDArray[np.float32]  # (kinds + 1,)
    half_life_days: NDArray[np.float64]  # () of a user's own events
    trend_days: NDArray[np.int64]  # ()
    popularity: NDArray[np.float64]  # () exponent of the share
    trend: NDArray[np.float64]  # () exponent of recent demand + 1

    @classmethod
    def of(
        cls,
        vectors: Mapping[str, NDArray[np.float32]],
        log_share: NDArray[np.float32],
        dataset: Dataset,
        params: AssociationParams,
        choices: dict[str, float],
    ) -> Self:
        """`vectors` are `source`, `target`, `alike`; exponents those of `choices`. New products have no demand."""
        return cls(
            vectors["source"],
            vectors["target"],
            vectors["alike"],
            log_share,
            np.zeros_like(log_share),
            dataset.kind_weight,
            np.array(params.half_life_days, np.float64),
            np.array(params.trend_days, np.int64),
            np.array(choices["popularity"], np.float64),
            np.array(choices["trend"], np.float64),
        )

    def weights(self, histories: Histories) -> sp.csr_array:
        """(users, products) decayed weight of each product in the history."""
        weight = self.kind_weight[histories.kind] * 0.5 ** (histories.age_days() / float(self.half_life_days))
        return histories.matrix(weight)

    def rows(self, antecedents: NDArray[np.integer], demand: Demand | None) -> NDArray[np.float32]:
        """(antecedents, products) share of each consequent beside the antecedent, 0 for itself.

        share(i, j) ∝ exp(A_ij) · q_j^popularity · (recent demand_j + 1)^trend, the last factor 1 without demand
        """
        prior = float(self.popularity) * self.log_share
        if demand is not None:
            prior = prior + float(self.trend) * np.log1p(np.maximum(demand.last(int(self.trend_days)), self.new_demand))
        logits = self.source[antecedents] @ self.target.T + prior.astype(np.float32)  # (antecedents, products)
        logits[:, 0] = -np.inf
        logits[np.arange(len(antecedents)), antecedents] = -np.inf
        logits -= logits.max(axis=1, keepdims=True, initial=-1e9)
        share = np.exp(logits)
        return share / np.maximum(share.sum(axis=1, keepdims=True), 1e-30)

    def complements(self, a: int) -> NDArray[np.float32]:
        """(products,) A_ab: how much more b goes with a than b's popularity explains; directed."""
        return self.target @ self.source[a]

    def substitute(self, a: int, b: int) -> float:
        """The cosine of z_a and z_b: whether the same products replace both; symmetric, 0 where there is no vector."""
        one, other = self.alike[a], self.alike[b]
        return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9))

    def association(self, a: int, b: int) -> dict[str, float]:
        """What each role adds to g(x_a, x_b), the cosine of all that two products are; 0 where there is no vector."""
        roles = {"source": self.source, "target": self.target, "alike": self.alike}
        lengths = (np.linalg.norm([of[product] for of in roles.values()]) for product in (a, b))
        both = max(float(np.prod(list(lengths))), 1e-9)
        return {name: float(of[a] @ of[b]) / both for name, of in roles.items()}

    def scores(self, histories: Histories, demand: Demand | None) -> NDArray[np.float32]:
        """(users, products) Σ_i weight(u, i) · share(i, j) over the user's products i; see `rows` for demand."""
        weights = self.weights(histories)
        held = np.unique(weights.indices)
        scores = np.zeros(weights.shape, np.float32)
        for begin in range(0, len(held), BLOCK):
            block = held[begin : begin + BLOCK]
            scores += weights[:, block].astype(np.float32) @ self.rows(block, demand)
        return scores
