"""A release's products as arrays: what a request needs to filter and to describe them, without tables."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from services.schemas import Filters

K = TypeVar("K")
NONE = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Catalogue:
    """Products by index; index 0 is the unknown one and never part of an answer."""

    index: Mapping[str, int]  # product id -> index
    product_ids: list[str]
    titles: list[str | None]
    paths: list[tuple[str, ...]]
    prices: NDArray[np.float64]  # (products,) NaN where unknown
    currencies: list[str | None]
    below: Mapping[tuple[str, ...], NDArray[np.int32]]  # category path -> indices at or below it
    brands: Mapping[str, NDArray[np.int32]]  # brand -> indices

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Catalogue":
        """The catalogue of schema.PRODUCTS rows in order of index, the first at index 1."""
        ids = ["", *table["product_id"]]
        paths = [(), *(tuple(path) for path in table["category"])]
        brands = [None, *_texts(table["brand"])]
        return cls(
            {product_id: place for place, product_id in enumerate(ids) if place},
            ids,
            [None, *_texts(table["title"])],
            paths,
            np.array([np.nan, *table["price"]], np.float64),
            [None, *_texts(table["currency"])],
            _group((path[:depth], place) for place, path in enumerate(paths) for depth in range(1, len(path) + 1)),
            _group((brand, place) for place, brand in enumerate(brands) if brand),
        )

    def __len__(self) -> int:
        return len(self.product_ids)

    def name(self, place: int) -> str:
        """How a sentence calls the product: its title, or its id where it has none."""
        return self.titles[place] or self.product_ids[place]

    def described(self, place: int) -> dict[str, Any]:
        """The fields of `schemas.Product`."""
        price = float(self.prices[place])
        return {
            "product_id": self.product_ids[place],
            "title": self.titles[place],
            "price": None if math.isnan(price) else price,
            "currency": self.currencies[place],
        }

    def allowed(self, filters: Filters) -> NDArray[np.bool_]:
        """(products,) True where the product passes every filter."""
        allowed = np.ones(len(self), bool)
        if filters.category:
            allowed &= self.mask(self.below.get(tuple(filters.category), NONE))
        if filters.brand is not None:
            allowed &= self.mask(self.brands.get(filters.brand, NONE))
        if filters.price_min is not None:
            allowed &= self.prices >= filters.price_min
        if filters.price_max is not None:
            allowed &= self.prices <= filters.price_max
        allowed[[0, *(self.index.get(product_id, 0) for product_id in filters.exclude)]] = False
        return allowed

    def around(self, place: int) -> Iterator[NDArray[np.bool_]]:
        """Masks of the products in its category, then in each wider one, then of all."""
        path = self.paths[place]
        for depth in range(len(path), 0, -1):
            yield self.mask(self.below[path[:depth]])
        yield np.ones(len(self), bool)

    def mask(self, places: NDArray[np.integer]) -> NDArray[np.bool_]:
        """(products,) True at `places`."""
        mask = np.zeros(len(self), bool)
        mask[places] = True
        return mask


def _texts(column: pd.Series) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in column]


def _group(pairs: Iterable[tuple[K, int]]) -> dict[K, NDArray[np.int32]]:
    groups: dict[K, list[int]] = {}
    for key, place in pairs:
        groups.setdefault(key, []).append(place)
    return {key: np.array(places, np.int32) for key, places in groups.items()}
