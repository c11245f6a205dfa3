"""Product texts as vectors: character n-grams, TF-IDF, truncated SVD; any language, no downloads.

Characters rather than words, because Chinese has no spaces and product codes no dictionary.
Source: latent semantic indexing, Deerwester et al. 1990; randomised SVD, Halko et al. 2011.
"""

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.features.vocabulary import Vocabulary
from tandem.params import EmbedParams

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer


@dataclass(frozen=True)
class TextEncoder:
    """Learned terms and directions; call it with texts."""

    terms: "TfidfVectorizer | None"  # None when no text had a term to learn
    directions: NDArray[np.float64]  # (terms, dim) orthonormal columns, or zero beyond the rank

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        """(texts, dim) vectors of unit length; zero where a text is empty or has no known term."""
        if self.terms is None:
            return np.zeros((len(texts), self.directions.shape[1]), np.float32)
        vectors = self.terms.transform(texts) @ self.directions  # (texts, dim)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0).astype(np.float32)


def of_products(table: pd.DataFrame, vocabulary: Vocabulary) -> list[str]:
    """Title, description, category path and brand of each product, in order of index, as one text.

    Compatibility forms and case are folded, so that full-width and upper-case spellings agree.

    Args:
        table: a table of schema.PRODUCTS; a product that it lacks has an empty text, and so has index 0.
    """
    rows = table.set_index("product_id").reindex(vocabulary.ids)
    columns = (rows[name] for name in ("title", "description", "category", "brand"))
    return ["", *(_join(parts) for parts in zip(*columns, strict=True))]


def fit(texts: list[str], params: EmbedParams) -> TextEncoder:
    """Learn terms and directions from texts; empty ones teach nothing.

    Signs are fixed: each direction's largest coordinate is positive. Equal texts and seed give equal vectors.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.utils.extmath import randomized_svd

    terms = TfidfVectorizer(
        analyzer="char", ngram_range=params.ngram, max_features=params.max_terms, lowercase=False, sublinear_tf=True
    )
    known = [text for text in texts if text]
    if not any(map(terms.build_analyzer(), known)):
        return TextEncoder(None, np.zeros((0, params.dim)))
    weights = terms.fit_transform(known)  # (texts, terms)
    rank = min(params.dim, *weights.shape)
    _, _, found = randomized_svd(weights, rank, random_state=params.seed)  # (rank, terms)
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=1, keepdims=True), axis=1)
    directions = np.zeros((weights.shape[1], params.dim))
    directions[:, :rank] = (found * np.where(largest < 0, -1, 1)).T
    return TextEncoder(terms, directions)


def _join(parts: tuple[object, ...]) -> str:
    words: list[str] = []
    for part in parts:
        if isinstance(part, str):
            words += part.split()
        elif isinstance(part, (list, np.ndarray)):
            words += [word for level in part for word in str(level).split()]
    text = unicodedata.normalize("NFKC", " ".join(words)).casefold()
    return f" {text} " if text else ""
