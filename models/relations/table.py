"""Pairs of products, what is asked of them and what was counted of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.relations.errors import RelationsError


@dataclass(frozen=True, eq=False)
class PairTable:
    """Directed pairs: whether the target completes the source or stands in for it."""

    source: NDArray[np.int32]  # (pairs,) product indices
    target: NDArray[np.int32]  # (pairs,)
    evidence: NDArray[np.float32]  # (pairs, numbers) NaN where nothing is known; no numbers: (pairs, 0)

    @classmethod
    def of(cls, source: NDArray[np.integer], target: NDArray[np.integer], evidence: NDArray | None = None) -> Self:
        """Pairs of equally long arrays.

        Raises:
            RelationsError: lengths differ.
        """
        if evidence is None:
            evidence = np.zeros((len(source), 0))
        if not len(source) == len(target) == len(evidence):
            raise RelationsError(f"{len(source)} sources, {len(target)} targets and {len(evidence)} rows of evidence")
        return cls(source.astype(np.int32), target.astype(np.int32), evidence.astype(np.float32))

    @classmethod
    def joined(cls, tables: Sequence["PairTable"]) -> Self:
        """The pairs of one or more tables, one after the other."""
        arrays = zip(*((of.source, of.target, of.evidence) for of in tables), strict=True)
        return cls(*map(np.concatenate, arrays))

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: NDArray | slice) -> "PairTable":
        return PairTable(self.source[rows], self.target[rows], self.evidence[rows])
