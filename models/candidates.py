"""Products that a softmax runs over: the whole catalogue, or what was taken and draws with known odds."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

HARD = 0.5
"""Share of the draws that are made among products easily confused."""


@dataclass(frozen=True)
class Candidates:
    """Chooses the candidates of a batch; see `models.losses.sampled_softmax`."""

    met: NDArray[np.int32]  # products that could have been taken
    odds: NDArray[np.float64]  # (products,) of one draw, summing to 1
    negatives: int | None  # draws for each batch; None: every product that was met is a candidate

    @classmethod
    def of(cls, taken: sp.csr_array, met: NDArray[np.bool_], negatives: int | None) -> "Candidates":
        """Odds in proportion to popularity ** 3/4, popularity = column sums of `taken`.

        Args:
            met: (products,) False for products that nobody could take yet: that nobody did says nothing of them.

        Source of the exponent: Mikolov et al. 2013.
        """
        popularity = np.asarray(taken.sum(axis=0)).ravel() ** 0.75
        return cls(np.flatnonzero(met).astype(np.int32), popularity / popularity.sum(), negatives)

    def choose(
        self, taken: NDArray[np.integer], rng: np.random.Generator, hard: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int32], dict[str, NDArray[np.float32]]]:
        """Candidates for a batch in which the products `taken` (distinct) were taken.

        Args:
            taken: products.
            rng: of the draws.
            hard: (products,) those easily confused with what was taken: `HARD` of the draws are made among them alone.

        Returns:
            (candidates,) products, and, when drawing, `drawn` and `log_expected` for each; without drawing
            every product that was met.
        """
        if self.negatives is None:
            return self.met, {}
        odds = self.odds if hard is None else self._with(hard)
        draws = rng.choice(len(odds), self.negatives, p=odds)
        drawn = np.repeat(np.array([0, 1], np.float32), [len(taken), len(draws)])
        expected = np.concatenate([np.ones(len(taken)), self.negatives * odds[draws]])
        candidates = np.concatenate([taken, draws]).astype(np.int32)
        return candidates, {"drawn": drawn, "log_expected": np.log(expected).astype(np.float32)}

    def _with(self, hard: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(products,) odds of a draw from a mixture: the usual ones, and those among hard products."""
        among = self.odds * hard
        return (1 - HARD) * self.odds + HARD * among / among.sum() if among.any() else self.odds
