"""What a shop says of its products in few words, which pictures learn to tell apart."""

import json

import numpy as np
import pandas as pd

FEWEST, MOST = 2, 100
"""Values of an attribute that makes a label."""

Labels = dict[str, list[str | None]]
"""By name, a value for each row, None where it is not known."""


def of_products(rows: pd.DataFrame) -> Labels:
    """Category (the whole path), brand, and every attribute with few values.

    Args:
        rows: columns of schema.PRODUCTS; rows of products that no sheet has are empty.
    """
    paths = [" > ".join(path) if isinstance(path, (list, np.ndarray)) else "" for path in rows["category"]]
    told = [json.loads(of) if isinstance(of, str) else {} for of in rows["attributes"]]
    found: Labels = {
        "category": [path or None for path in paths],
        "brand": [brand if isinstance(brand, str) else None for brand in rows["brand"]],
    }
    for name in sorted({name for of in told for name in of}):
        values = [of.get(name) for of in told]
        if FEWEST <= len({value for value in values if value is not None}) <= MOST:
            found[f"attribute {name}"] = values
    return found
