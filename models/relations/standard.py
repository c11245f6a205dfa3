"""Columns on one scale, so that none outweighs another by its unit."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Standard:
    """x → (x - mean) / spread, in which columns have mean 0 and deviation 1; what is not known is 0."""

    mean: NDArray[np.float32]  # (numbers,) over what is known
    spread: NDArray[np.float32]  # (numbers,) deviation, 1 of a column that is the same everywhere

    @classmethod
    def of(cls, vectors: NDArray[np.floating]) -> Self:
        """Of (rows, numbers), NaN where nothing is known; column by column, for there may be many."""
        known = [column[np.isfinite(column)].astype(np.float64) for column in vectors.T]
        mean, spread = (np.array([of(x) if len(x) else 0 for x in known], np.float32) for of in (np.mean, np.std))
        return cls(mean, np.where(spread > 0, spread, np.float32(1)))

    def __call__(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """(rows, numbers); without numbers a column of 0, for TensorFlow refuses layers without an input."""
        if not len(self.mean):
            return np.zeros((len(vectors), 1), np.float32)
        found = (vectors - self.mean).astype(np.float32)
        found /= self.spread
        found[~np.isfinite(found)] = 0
        return found
