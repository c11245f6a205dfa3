"""A product's words as the networks get them: what an encoder makes of them, beside the characters that texts share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.text import ngrams
from models.text.encoder import TextEncoder, known, normalised, present
from models.text.ngrams import Ngrams
from tandem.params import EmbedParams


def vectors(
    texts: Sequence[str], taught: NDArray[np.integer], encoder: TextEncoder, params: EmbedParams
) -> tuple[NDArray[np.float32], Ngrams | None]:
    """What words mean beside characters, which tell of languages that the encoder cannot read.

    Args:
        texts: (texts,) "" where there is none.
        taught: rows that n-grams are learned from.

    Returns:
        (texts, dim) of length 1, NaN without words, and the n-grams; (texts, 1) NaN and None if nothing can be learned.
    """
    learned_from = [texts[row] for row in taught]
    if not any(learned_from):
        return np.full((len(texts), 1), np.nan, np.float32), None
    shared = ngrams.fit(learned_from, params.ngrams_dim, params.seed)
    both = np.concatenate([encoder.encode(texts), shared.encode(texts)], axis=1)
    return known(normalised(both), present(both)), shared
