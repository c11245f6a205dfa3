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
MIN_PRICED = 10
"""Products with a price that a category must have for prices to be compared within it."""

FARTHEST = 5.0
"""Robust deviations from the usual price beyond which all is the same to a network."""


@dataclass(frozen=True)
class ProductFeatures:
    """Features by product index; row 0 is the unknown product and all zero."""

    category: NDArray[np.int32]  # (products, levels) index of the path down to that level, 0 unknown
    brand: NDArray[np.int32]  # (products,) index, 0 unknown
    price: NDArray[np.float32]  # (products,) `price_level`; 0 unknown
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
    price, known = price_level(rows, MIN_PRICED), _is_known(rows["price"])
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


def price_level(products: pd.DataFrame, min_products: int) -> NDArray[np.float64]:
    """How dear each product is among its like: (log price - median) / (1.4826 MAD), at most `FARTHEST` either way.

    Its like are the products of the same currency in the narrowest category with at least `min_products` prices, else
    all of the currency. Where more than half of them cost the same, the mean deviation stands in for the median one.

    Args:
        products: `price`, `currency` and `category` of schema.PRODUCTS.
        min_products: at least 1.

    Returns:
        (products,) 0 for the usual price, and where no price is known.

    Source: the median absolute deviation as a scale, Hampel 1974.
    """
    known = _is_known(products["price"])
    logs = np.log(products["price"].to_numpy(np.float64)[known])
    paths = [tuple(p) if isinstance(p, (list, np.ndarray)) else () for p in products["category"][known]]
    usual, scale = _usual(logs, [str(c) for c in products["currency"][known]], paths, min_products)
    level = np.zeros(len(products))
    level[known] = np.clip((logs - usual) / scale, -FARTHEST, FARTHEST)
    return level


def _usual(
    logs: NDArray[np.float64], currencies: list[str], paths: list[tuple[str, ...]], min_products: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(priced,) median and (priced,) scale of the group that each product is compared with."""
    ways = [
        [(c, *path[:level]) for level in range(len(path), -1, -1)] for c, path in zip(currencies, paths, strict=True)
    ]
    members: dict[tuple[str, ...], list[int]] = {}
    for place, way in enumerate(ways):
        for group in way:
            members.setdefault(group, []).append(place)
    found = [next((group for group in way if len(members[group]) >= min_products), way[-1]) for way in ways]
    of_group = {group: _centre(logs[members[group]]) for group in set(found)}
    usual, scale = np.array([of_group[group] for group in found]).reshape(-1, 2).T
    return usual, scale


def _centre(logs: NDArray[np.float64]) -> tuple[float, float]:
    """Median and scale."""
    median = np.median(logs)
    deviation = np.abs(logs - median)
    scale = 1.4826 * np.median(deviation) or np.sqrt(np.pi / 2) * deviation.mean()
    return float(median), float(scale) or 1.0


def _is_known(price: pd.Series) -> NDArray[np.bool_]:
    values = price.to_numpy(np.float64)
    return np.isfinite(values) & (values > 0)


def _with_unknown(values: NDArray) -> NDArray:
    """The same with a row of zeros in front."""
    return np.concatenate([np.zeros((1, *values.shape[1:]), values.dtype), values])
