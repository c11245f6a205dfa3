"""X = [category, brand, price, sales, season, age, sentiment, text, picture] as one vector for each product.

Every modality becomes a vector; attention over those that are known mixes them. What is missing is masked: it neither
adds nor takes anything, and the others take its share. Shared by the networks.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from models.losses import shares
from tandem.features.products import ProductFeatures


class Named(layers.Layer):
    """A modality of codes: the sum of an embedding for each column; code 0 adds nothing."""

    def __init__(self, codes: NDArray[np.int32], dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        start = keras.initializers.RandomNormal(stddev=0.05)
        used = [column for column in codes.T if column.any()]
        self.codes = [ops.convert_to_tensor(column) for column in used]
        self.tables = [
            self.add_weight(name=f"name_{n}", shape=(int(column.max()) + 1, dim), initializer=start)
            for n, column in enumerate(used)
        ]

    def table(self, rows: Any = None) -> Any:
        """(products, dim), or of the products at `rows`."""
        codes = [code if rows is None else ops.take(code, rows, axis=0) for code in self.codes]  # (products,) each
        known = [ops.cast(code > 0, "float32")[:, None] for code in codes]  # (products, 1) each
        parts = zip(codes, self.tables, known, strict=True)
        return sum(there * ops.take(table, code, axis=0) for code, table, there in parts)  # (products, dim)


class Measured(layers.Layer):
    """A modality of numbers: a linear map; rows that are not known are 0 and masked later."""

    def __init__(self, numbers: NDArray[np.float32], dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.numbers = ops.convert_to_tensor(np.nan_to_num(numbers))
        self.linear = layers.Dense(dim, use_bias=False)
        self.linear.build((None, numbers.shape[1]))

    def table(self, rows: Any = None) -> Any:
        """(products, dim), or of the products at `rows`."""
        return self.linear(self.numbers if rows is None else ops.take(self.numbers, rows, axis=0))


class FusedProducts(layers.Layer):
    """One vector for each product from the modalities that are known of it.

    x_i = M Σ_m α_im e_im,   α_i· = softmax over the known m of (q_m · e_im / √d + b_m),   M modalities in all

    q and b begin at 0: at first the mean of what is known, for a product of which all is known the sum.
    """

    def __init__(self, features: ProductFeatures, dim: int, modalities: tuple[str, ...], **kwargs: Any) -> None:
        """Modalities of which nothing is known of any product are left out."""
        super().__init__(**kwargs)
        masks = {name: features.known(name) for name in modalities}
        self.names = [name for name in modalities if masks[name].any()]
        columns = [masks[name] for name in self.names]
        self.known = np.stack(columns, axis=1) if columns else np.zeros((len(features), 0), bool)
        self.parts = [_part(getattr(features, name), dim) for name in self.names]
        self.dim = dim
        if len(self.names) > 1:  # one alone has nothing to be weighed against
            self.query = self.add_weight(name="query", shape=(len(self.names), dim), initializer="zeros")
            self.bias = self.add_weight(name="bias", shape=(len(self.names),), initializer="zeros")

    def table(self, rows: Any = None) -> Any:
        """(products, dim), or of the products at `rows`; 0 where nothing is known."""
        if not self.names:
            return ops.zeros((len(self.known) if rows is None else ops.shape(rows)[0], self.dim))
        x, weights = self._mixed(rows)
        return len(self.names) * ops.sum(weights[:, :, None] * x, axis=1)  # (products, dim)

    def attention(self) -> NDArray[np.float32]:
        """(products, modalities) α in order of `names`: what each vector is made of; 0 where nothing is known."""
        return np.asarray(self._mixed()[1]) if self.names else np.zeros(self.known.shape, np.float32)

    def _mixed(self, rows: Any = None) -> tuple[Any, Any]:
        """(products, modalities, dim) vectors and (products, modalities) weights."""
        x = ops.stack([part.table(rows) for part in self.parts], axis=1)  # (products, modalities, dim)
        known = ops.cast(self.known, "float32")  # (products, modalities)
        known = known if rows is None else ops.take(known, rows, axis=0)
        if len(self.names) == 1:
            return x, known
        logits = ops.sum(x * self.query, axis=2) / self.dim**0.5 + self.bias  # (products, modalities)
        return x, shares(logits, known)


def _part(values: NDArray, dim: int) -> Named | Measured:
    return Named(values, dim) if values.dtype == np.int32 else Measured(values, dim)
