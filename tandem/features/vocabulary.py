"""Product ids to indices and back; index 0 is the unknown product."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem import files


@dataclass(frozen=True)
class Vocabulary:
    """Known product ids in sorted order; `ids[i]` has index `i + 1`."""

    ids: tuple[str, ...]

    @classmethod
    def of(cls, ids: Iterable[str]) -> "Vocabulary":
        """The vocabulary of the distinct `ids`."""
        return cls(tuple(sorted(set(ids))))

    @property
    def size(self) -> int:
        """Number of indices, the unknown one included."""
        return len(self.ids) + 1

    @cached_property
    def _index(self) -> pd.Index:
        return pd.Index(self.ids, dtype=object)

    def encode(self, ids: Iterable[str]) -> NDArray[np.int32]:
        """(n,) indices of `ids`; 0 where unknown or missing."""
        series = ids if isinstance(ids, pd.Series) else pd.Series(list(ids), dtype=object)
        codes, distinct = pd.factorize(series)  # -1 where missing
        places = self._index.get_indexer(pd.Index(distinct, dtype=object)) + 1
        return np.append(places, 0)[codes].astype(np.int32)

    def decode(self, indices: Iterable[int]) -> list[str]:
        """Ids of `indices`.

        Raises:
            IndexError: an index is 0 or beyond the vocabulary.
        """
        chosen = [int(i) for i in indices]
        if any(i < 1 or i >= self.size for i in chosen):
            raise IndexError(f"indices must lie in 1…{self.size - 1}, got {chosen[:5]}")
        return [self.ids[i - 1] for i in chosen]

    def write(self, path: Path) -> None:
        """Write the ids as a JSON list."""
        files.write_json(list(self.ids), path)

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """The vocabulary written by `write`."""
        return cls(tuple(files.read_json(path)))
