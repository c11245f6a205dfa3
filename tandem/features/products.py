"""What is known of each product as numbers: X = [category, brand, price, sales, season, age, sentiment, text, picture].

Codes are 0 and numbers NaN where nothing is known: what is missing can be told from what is nought.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem import files
from tandem.features.baskets import Baskets
from tandem.features.demand import Demand
from tandem.features.histories import DAY_US
from tandem.features.vocabulary import Vocabulary

CATEGORY_LEVELS = 3
MIN_PRICED = 10
"""Products with a price that a category must have for prices to be compared within it."""

FARTHEST = 5.0
"""Robust deviations from the usual price beyond which all is the same to a network."""

SEASON_MONTHS = 4
"""Calendar months with sales that the fit period must hold for a season to be seen in it."""

SEASON_PRIOR = 10.0
"""Sales spread like the whole shop's that each product's season is mixed with."""

OF_THE_MOMENT = ("sales", "season", "age", "sentiment")
"""Modalities that are what they are at the end of the fit period; at an earlier moment they tell of the future."""


@dataclass(frozen=True)
class ProductFeatures:
    """Modalities by product index; of row 0, the unknown product, nothing is known."""

    category: NDArray[np.int32]  # (products, levels) index of the path down to that level, 0 unknown
    brand: NDArray[np.int32]  # (products, 1) index, 0 unknown
    price: NDArray[np.float32]  # (products, 1) `price_level`
    sales: NDArray[np.float32]  # (products, 2) standardised log of weighted sales: all time, last 30 days
    season: NDArray[np.float32]  # (products, 2) `season`
    age: NDArray[np.float32]  # (products, 1) log(1 + days since the first event) / log(366)
    sentiment: NDArray[np.float32]  # (products, numbers) of `tandem.features.opinions`
    text: NDArray[np.float32]  # (products, dim) unit length
    picture: NDArray[np.float32]  # (products, dim) unit length

    def __len__(self) -> int:
        return len(self.brand)

    @property
    def met(self) -> NDArray[np.bool_]:
        """(products,) whether there was any event with the product; of others only the sheet is known."""
        return self.known("age")

    def known(self, modality: str) -> NDArray[np.bool_]:
        """(products,) whether anything is known of that modality."""
        values = getattr(self, modality)
        if not values.shape[1]:
            return np.zeros(len(self), bool)
        return np.any(values > 0, axis=1) if values.dtype == np.int32 else np.isfinite(values).all(axis=1)

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        files.write_arrays(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def read(cls, path: Path) -> "ProductFeatures":
        """The features written by `write`."""
        return cls(**files.read_arrays(path))


MODALITIES = tuple(f.name for f in fields(ProductFeatures))
LASTING = tuple(name for name in MODALITIES if name not in OF_THE_MOMENT)
"""Modalities that are the same at any moment: all that may be known of a product that nobody met yet."""


def describe(
    table: pd.DataFrame,
    vocabulary: Vocabulary,
    together: Baskets,
    demand: Demand,
    first_us: NDArray[np.int64],
    sentiment: NDArray[np.float32],
) -> ProductFeatures:
    """Features of the products in the vocabulary, without text and picture, whose vectors are made later.

    Args:
        table: a table of schema.PRODUCTS; of products that it lacks nothing is known.
        vocabulary: (products) indices.
        together: baskets of the fit period.
        demand: the last days, for the trend.
        first_us: (products,) time of the first event, microseconds since 1970, 0 where there was none.
        sentiment: (products, numbers) what reviewers say, NaN where they say nothing.
    """
    rows = table.set_index("product_id").reindex(vocabulary.ids)
    paths = [tuple(path) if isinstance(path, (list, np.ndarray)) else () for path in rows["category"]]
    category = np.stack([_index(_prefixes(paths, level)) for level in range(1, CATEGORY_LEVELS + 1)], axis=1)
    brand = _index([b if isinstance(b, str) else "" for b in rows["brand"]])
    price = np.where(_is_known(rows["price"]), price_level(rows, MIN_PRICED), np.nan)
    nothing = np.zeros((vocabulary.size, 0), np.float32)
    return ProductFeatures(
        category=np.concatenate([np.zeros((1, CATEGORY_LEVELS), np.int32), category]),
        brand=np.concatenate([np.zeros(1, np.int32), brand])[:, None],
        price=np.concatenate([[np.nan], price]).astype(np.float32)[:, None],
        sales=_sales(together, demand, first_us > 0),
        season=season(together),
        age=_age(first_us, demand.as_of_us),
        sentiment=sentiment,
        text=nothing,
        picture=nothing,
    )


def _sales(together: Baskets, demand: Demand, met: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(products, 2) of the products that were met."""
    logs = np.log1p(np.stack([np.asarray(together.content.sum(axis=0)).ravel(), demand.last(30)], axis=1)[met])
    spread = logs.std(axis=0)
    found = np.full((len(met), 2), np.nan, np.float32)
    found[met] = (logs - logs.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return found


def season(together: Baskets) -> NDArray[np.float32]:
    """When in the year a product sells more than the shop: a vector towards its month, of length 0 to about 1.

    season_j = Σ_m r_jm e^{iθ_m} / Σ_m r_jm - mean_m e^{iθ_m},   r_jm = (n_jm + k p_m) / p_m,   θ_m = 2π (m + ½) / 12
    n_jm sales in calendar month m, p_m the share of all the shop's sales in it, k = SEASON_PRIOR

    Returns:
        (products, 2) real and imaginary part; NaN without sales, and for all where sales cover too few months.
    """
    month = together.time_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12  # 1970 is month 0
    counts = np.stack([np.asarray(together.content[month == m].sum(axis=0)).ravel() for m in range(12)], axis=1)
    covered = counts.any(axis=0)
    if covered.sum() < SEASON_MONTHS:
        return np.full((len(counts), 2), np.nan, np.float32)
    share = counts.sum(axis=0)[covered] / counts.sum()  # (covered,)
    turn = np.exp(2j * np.pi * (np.flatnonzero(covered) + 0.5) / 12)
    rate = counts[:, covered] / share + SEASON_PRIOR  # (products, covered)
    found = rate @ turn / rate.sum(axis=1) - turn.mean()
    found = np.stack([found.real, found.imag], axis=1).astype(np.float32)
    found[~counts.any(axis=1)] = np.nan
    return found


def _age(first_us: NDArray[np.int64], as_of_us: int) -> NDArray[np.float32]:
    days = np.where(first_us > 0, (as_of_us - first_us) / DAY_US, np.nan)
    return (np.log1p(days) / np.log(366)).astype(np.float32)[:, None]


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
