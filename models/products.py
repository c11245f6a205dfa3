"""X = [category, brand, price, sales, text] as one vector for each product; shared by the networks."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tandem.features.products import ProductFeatures


class DescribedProducts(layers.Layer):
    """Σ embeddings of category levels and brand + linear map of price, text and, when wanted, sales.

    Index 0 of a category or brand is the unknown one and adds nothing.
    """

    def __init__(self, features: ProductFeatures, dim: int, *, with_sales: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        columns = [features.price[:, None], features.price_known[:, None], features.text]
        numbers = np.concatenate(columns + [features.sales] * with_sales, axis=1)  # (products, numbers)
        self.numbers = ops.convert_to_tensor(numbers.astype(np.float32))
        codes = [*features.category.T, features.brand]
        self.codes = [ops.convert_to_tensor(code) for code in codes if code.any()]
        self.names = [self._table(f"name_{n}", int(code.max()) + 1, dim) for n, code in enumerate(codes) if code.any()]
        self.linear = layers.Dense(dim, use_bias=False)
        self.linear.build((None, numbers.shape[1]))

    def _table(self, name: str, size: int, dim: int) -> Any:
        start = keras.initializers.RandomNormal(stddev=0.05)
        return self.add_weight(name=name, shape=(size, dim), initializer=start)

    def table(self) -> Any:
        """(products, dim)."""
        x = self.linear(self.numbers)  # (products, dim)
        for code, table in zip(self.codes, self.names, strict=True):
            known = ops.cast(code > 0, "float32")[:, None]  # (products, 1)
            x = x + known * ops.take(table, code, axis=0)
        return x
