"""What pictures learn to tell apart."""

import json

import numpy as np
import pandas as pd

from models.image import labels


def test_category_brand_and_attributes_of_few_values_are_labels() -> None:
    """`serial` has a value for each of 101 products, `shop` the same for all; the last row is of no sheet."""
    told = [json.dumps({"colour": "red" if n % 2 else "blue", "serial": str(n), "shop": "one"}) for n in range(101)]
    rows = pd.DataFrame({"category": [np.array(["tea", "cups"])] * 101, "brand": "Oak", "attributes": told})
    rows.loc[101] = [None, None, None]
    found = labels.of_products(rows)
    assert list(found) == ["category", "brand", "attribute colour"]
    assert found["category"] == ["tea > cups"] * 101 + [None]
    assert found["brand"] == ["Oak"] * 101 + [None]
    assert found["attribute colour"][:3] == ["blue", "red", "blue"]
    assert found["attribute colour"][101] is None
