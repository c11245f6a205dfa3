"""Vectors without foreign weights: the shop's own titles, by the characters that stand together in them.

Needs no words, so it reads Chinese as well as English; knows nothing of meaning: 手机 and 电话 share no character.

x = tf · idf of hashed character n-grams, of length 1;  vector = x · V, of length 1, where U Σ Vᵀ ≈ X of the fit.

Source: Deerwester et al. 1990 (latent semantic analysis); Weinberger et al. 2009 (hashing); Halko et al. 2011 (the
randomised decomposition, scikit-learn's).
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.text.encoder import Text, clean, normalised
from models.text.errors import EncoderError
from tandem import files

LONGEST = 3
"""Characters of the longest n-gram; most Chinese words have two."""
HASHES = 2**18
READ = 2000
"""Characters of a text that are read; titles are shorter."""


@dataclass(frozen=True)
class Ngrams:
    """What was learned of the titles."""

    columns: NDArray[np.int64]  # (columns,) hashes that the titles had, ascending
    idf: NDArray[np.float32]  # (columns,) 1 + ln((1 + titles) / (1 + titles with it))
    basis: NDArray[np.float32]  # (columns, dim) right singular vectors; zero beyond the rank

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.basis.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what was learned, in hex."""
        digest = hashlib.sha256(f"ngrams 1 {LONGEST} {HASHES} {READ} {self.basis.shape}".encode())
        for array in (self.columns, self.idf, self.basis):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def encode(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """(texts, dim) of length 1; zero where a text has no n-gram that the titles had.

        Raises:
            TypeError: one is neither a text nor missing.
        """
        if not len(texts):
            return np.zeros((0, self.dim), np.float32)
        counted = _weighed(_counted(texts)[:, self.columns], self.idf)
        return normalised(np.asarray(counted @ self.basis, np.float32))

    def save(self, path: Path) -> None:
        """Write one `.npz`, all or nothing; equal titles give equal bytes."""
        files.write_arrays(path, columns=self.columns, idf=self.idf, basis=self.basis)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote; nothing in it is executed.

        Raises:
            EncoderError: the file is none of those.
        """
        try:
            return cls(**files.read_arrays(path))
        except (TypeError, ValueError, OSError) as error:
            raise EncoderError(f"{path} holds no n-grams: {error}") from error


def fit(titles: Sequence[Text], dim: int = 128, seed: int = 0) -> Ngrams:
    """Learn from the shop's titles; fewer titles than `dim` give vectors whose last numbers are zero.

    Raises:
        EncoderError: no title has a character to learn from.
        TypeError: one is neither a text nor missing.
    """
    if not any(clean(title).strip() for title in titles):
        raise EncoderError(f"{len(titles)} titles came and none has a character to learn from")
    counts = _counted(titles)
    seen = np.bincount(counts.indices, minlength=HASHES)  # (HASHES,) titles with each
    columns = np.flatnonzero(seen).astype(np.int64)
    idf = (1 + np.log((1 + len(titles)) / (1 + seen[columns]))).astype(np.float32)
    return Ngrams(columns, idf, _basis(_weighed(counts[:, columns], idf), dim, seed))


def _counted(texts: Sequence[Text]) -> sp.csr_array:
    """(texts, HASHES) how often each n-gram of 1 to LONGEST characters stands in each text, blanks as one."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        analyzer="char", ngram_range=(1, LONGEST), n_features=HASHES, norm=None, alternate_sign=False, dtype=np.float32
    )
    read = [unicodedata.normalize("NFKC", clean(text)[:READ]).strip() for text in texts]  # ＡＢ becomes AB
    return sp.csr_array(hashing.transform(read))


def _weighed(counts: sp.csr_array, idf: NDArray[np.float32]) -> sp.csr_array:
    """(texts, columns) (1 + ln count) · idf, each row of length 1."""
    from sklearn.preprocessing import normalize

    weighed = counts.copy()
    weighed.data = (1 + np.log(weighed.data)) * idf[weighed.indices]
    return sp.csr_array(normalize(weighed, copy=False))


def _basis(rows: sp.csr_array, dim: int, seed: int) -> NDArray[np.float32]:
    """(columns, dim) right singular vectors, largest first; of each, the largest number in size is positive."""
    from sklearn.utils.extmath import randomized_svd

    rank = min(dim, *rows.shape)
    _, sizes, right = randomized_svd(rows, rank, n_iter=5, random_state=seed)  # (rank, columns)
    right = right[sizes > 1e-5 * sizes[0]]  # what lies below is rounding
    largest = np.take_along_axis(right, np.abs(right).argmax(axis=1)[:, None], axis=1)  # (rank, 1)
    basis = np.zeros((rows.shape[1], dim), np.float32)
    basis[:, : len(right)] = (right * np.sign(largest)).T
    return basis
