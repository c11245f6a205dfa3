"""What is known of each product as numbers: X = [category, brand, price, sales, text]."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem import files
from tandem.features.demand import Demand
from tandem.features.vocabulary import Vocabulary

CATEGORY_LEVELS = 3


@dataclass(frozen=True)
class ProductFeatures:
    """Features by product index; row 0 is the unknown product and all zero."""

    category: NDArray[np.int32]  # (products, levels) index of the path down to that level, 0 unknown
    brand: NDArray[np.int32]  # (products,) index, 0 unknown
    price: NDArray[np.float32]  # (products,) log price, standardised within the widest category; 0 unknown
    price_known: NDArray[np.float32]  # (products,) 1 where a price is known
    sales: NDArray[np.float32]  # (products, 2) standardised log of weighted sales: all time, last 30 days
    text: NDArray[np.float32]  # (products, dim) unit length, 0 without text

    def __len__(self) -> int:
        return len(self.brand)

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        files.write_arrays(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def read(cls, path: Path) -> "ProductFeatures":
        """The features written by `write`."""
        return cls(**files.read_arrays(path))


def describe(
    table: pd.DataFrame, vocabulary: Vocabulary, sales: NDArray[np.floating], demand: Demand
) -> ProductFeatures:
    """Features without text of the products in the vocabulary.

    Args:
        table: a table of schema.PRODUCTS; products that it lacks keep zeros.
        vocabulary: (products) indices.
        sales: (products,) weighted sales in the fit period.
        demand: the last days, for the trend.
    """
    rows = table.set_index("product_id").reindex(vocabulary.ids)
    paths = [tuple(path) if isinstance(path, (list, np.ndarray)) else () for path in rows["category"]]
    category = np.stack([_index(_prefixes(paths, level)) for level in range(1, CATEGORY_LEVELS + 1)], axis=1)
    brand = _index([b if isinstance(b, str) else "" for b in rows["brand"]])
    price, known = _price(rows["price"].to_numpy(np.float64), category[:, 0])
    trend = np.log1p(np.stack([sales, demand.last(30)], axis=1)[1:])
    spread = trend.std(axis=0)
    trend = (trend - trend.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return ProductFeatures(
        category=_with_unknown(category),
        brand=_with_unknown(brand),
        price=_with_unknown(price.astype(np.float32)),
        price_known=_with_unknown(known.astype(np.float32)),
        sales=_with_unknown(trend.astype(np.float32)),
        text=np.zeros((vocabulary.size, 0), np.float32),
    )


def _prefixes(paths: list[tuple[str, ...]], level: int) -> list[str]:
    return ["\x1f".join(path[:level]) if len(path) >= level else "" for path in paths]


def _index(values: list[str]) -> NDArray[np.int32]:
    known = Vocabulary.of(value for value in values if value)
    return known.encode(values)


def _price(price: NDArray[np.float64], group: NDArray[np.int32]) -> tuple[NDArray, NDArray]:
    known = np.isfinite(price) & (price > 0)
    logs = pd.Series(np.log(np.where(known, price, 1.0))).where(known)
    grouped = logs.groupby(group)
    spread = grouped.transform("std").fillna(0.0)
    standard = (logs - grouped.transform("mean")) / spread.where(spread > 0, 1.0)
    return standard.fillna(0.0).to_numpy(), known.astype(np.float64)


def _with_unknown(values: NDArray) -> NDArray:
    """The same with a row of zeros in front."""
    return np.concatenate([np.zeros((1, *values.shape[1:]), values.dtype), values])
