"""A trained head in NumPy: from words to the probability that a review is good, without TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit

from models.sentiment import terms
from models.sentiment.errors import SentimentError
from tandem import files
from tandem.features import opinions


@dataclass(frozen=True)
class Words:
    """What a head reads of some texts."""

    terms: sp.csr_array  # (texts, columns) as `terms.matrix` makes them
    dense: NDArray[np.float32]  # (texts, dim + aspects) as `dense` makes them

    def __getitem__(self, rows: NDArray[np.integer]) -> "Words":
        return Words(self.terms[rows], self.dense[rows])


def read(texts: Sequence[str], vectors: NDArray[np.float32], columns: NDArray[np.int64]) -> Words:
    """The words of texts whose encoder gave `vectors` (texts, dim); dim is 0 without an encoder."""
    return Words(terms.matrix(terms.hashed(texts), columns), dense(texts, vectors))


def dense(texts: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(texts, dim + aspects) the vectors, and 1 for each aspect that is spoken of."""
    return np.concatenate([vectors, opinions.aspects(texts).astype(np.float32)], axis=1)


@dataclass(frozen=True)
class Head:
    """z = relu(terms · T + dense · D + b) · u + c;  P(good) = σ(slope · z + shift)."""

    columns: NDArray[np.int64]  # (columns,) hashes of the n-grams
    by_term: NDArray[np.float32]  # (columns, hidden) T
    by_dense: NDArray[np.float32]  # (dim + aspects, hidden) D
    bias: NDArray[np.float32]  # (hidden,) b
    out: NDArray[np.float32]  # (hidden,) u
    out_bias: NDArray[np.float32]  # () c
    calibration: NDArray[np.float64]  # (2,) slope and shift

    def logits(self, words: Words) -> NDArray[np.float64]:
        """(texts,) z, as it was trained."""
        hidden = np.maximum(words.terms @ self.by_term + words.dense @ self.by_dense + self.bias, 0)  # (texts, hidden)
        return np.asarray(hidden @ self.out + self.out_bias, np.float64)

    def probability(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """(texts,) P(good), NaN where neither an n-gram is known nor the encoder has read anything."""
        words = read(texts, vectors, self.columns)
        slope, shift = self.calibration
        something = (np.diff(words.terms.indptr) > 0) | vectors.any(axis=1)
        return np.where(something, expit(slope * self.logits(words) + shift), np.nan)

    def save(self, path: Path) -> None:
        """Write one `.npz`, all or nothing."""
        files.write_arrays(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote; nothing in it is executed.

        Raises:
            SentimentError: the file is none of those.
        """
        try:
            return cls(**files.read_arrays(path))
        except (TypeError, ValueError, OSError) as error:
            raise SentimentError(f"{path} holds no head: {error}") from error
