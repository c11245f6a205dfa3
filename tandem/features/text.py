"""What a product's sheet says in words."""

import pandas as pd

from tandem.features.vocabulary import Vocabulary


def of_products(
    table: pd.DataFrame, vocabulary: Vocabulary, columns: tuple[str, ...] = ("title", "description")
) -> list[str]:
    """(products,) the columns' words as one text, in order of index; "" for index 0 and where there are none.

    Category and brand are not in it: they are modalities of their own.

    Args:
        table: a table of schema.PRODUCTS; a product that it lacks has an empty text.
    """
    rows = table.set_index("product_id").reindex(vocabulary.ids)
    parts = zip(*(rows[name].fillna("").astype(str) for name in columns), strict=True)
    return ["", *(". ".join(said.strip() for said in row if said.strip()) for row in parts)]
