"""Which characters stand together in a text: hashed n-grams, there or not, the same in every script.

Not the reduced vectors of `models.text.ngrams`: texts differ most by their topics, and what is good or bad lies across
these. Here every n-gram keeps a place of its own.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.text.encoder import clean

LONGEST = 3
"""Characters of the longest n-gram."""
HASHES = 2**20
READ = 2000
"""Characters of a text that are read."""


def hashed(texts: Sequence[str]) -> sp.csr_array:
    """(texts, HASHES) 1 where a text has an n-gram of 1 to LONGEST characters."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(
        analyzer="char", ngram_range=(1, LONGEST), n_features=HASHES, norm=None, binary=True, dtype=np.float32
    )
    if not len(texts):
        return sp.csr_array((0, HASHES), dtype=np.float32)
    read = [unicodedata.normalize("NFKC", clean(text)[:READ]).strip() for text in texts]
    return sp.csr_array(hashing.transform(read))


def columns(found: sp.csr_array, min_texts: int) -> NDArray[np.int64]:
    """(columns,) of `hashed`, those that at least `min_texts` of the texts have, ascending."""
    return np.flatnonzero(np.bincount(found.indices, minlength=HASHES) >= min_texts).astype(np.int64)


def matrix(found: sp.csr_array, known: NDArray[np.int64]) -> sp.csr_array:
    """(texts, columns) 1/√n where a text has one of the n known n-grams it has: rows of length 1, or 0 without any."""
    rows = found[:, known]
    there = np.diff(rows.indptr)  # (texts,)
    rows.data = np.repeat(1 / np.sqrt(np.maximum(there, 1)), there).astype(np.float32)
    return rows
