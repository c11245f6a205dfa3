"""What a product's sheet says in words."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from tandem.features.vocabulary import Vocabulary

NGRAM = (2, 4)
"""Characters of the shortest and of the longest n-gram."""

HASHES = 2**18


def of_products(
    table: pd.DataFrame, vocabulary: Vocabulary, columns: tuple[str, ...] = ("title", "description")
) -> list[str]:
    """(products,) the columns' words as one text, in order of index; "" for index 0 and where there are none.

    Category and brand are not in it: they are modalities of their own.

    Args:
        table: a table of schema.PRODUCTS; a product that it lacks has an empty text.
    """
    rows = table.set_index("product_id").reindex(vocabulary.ids)
    parts = zip(*(rows[name].astype(object).fillna("").astype(str) for name in columns), strict=True)
    return ["", *(". ".join(said.strip() for said in row if said.strip()) for row in parts)]


def ngrams(table: pd.DataFrame, vocabulary: Vocabulary) -> sp.csr_array:
    """(products, HASHES) tf · idf of the titles' character n-grams within words, each row of length 1 or empty.

    Not reduced to a few directions, as the vectors of texts are: what two titles alone share is kept.

    Args:
        table: a table of schema.PRODUCTS; a product that it lacks has an empty row.

    Source: Weinberger et al. 2009 (hashing); counts are 1 + ln n, idf 1 + ln((1 + rows) / (1 + rows with it)).
    """
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    hashing = HashingVectorizer(
        analyzer="char_wb", ngram_range=NGRAM, n_features=HASHES, norm=None, alternate_sign=False, dtype=np.float32
    )
    counted = hashing.transform(of_products(table, vocabulary, ("title",)))
    return sp.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(counted))
