"""Sets of products that are bought together with a product, as whole sets."""

import numpy as np
from numpy.typing import NDArray

from services.schemas import Bundle, Product
from services.shelf import Shelf

MOST = 5
"""Bundles of an answer."""


def bundles(shelf: Shelf, item: int, allowed: NDArray[np.bool_]) -> list[Bundle]:
    """At most MOST bundles with a product whose other products are all allowed, the strongest first.

    Those of a release rest on `privacy.min_users` known users each.
    """
    known = shelf.release.bundles
    passing = allowed[known.products] | np.isin(known.products, (0, item))
    held = (known.products == item).any(axis=1) & passing.all(axis=1)
    return [_bundle(shelf, item, place) for place in np.flatnonzero(held)[:MOST].tolist()]


def _bundle(shelf: Shelf, item: int, place: int) -> Bundle:
    known, name = shelf.release.bundles, shelf.catalogue.name(item)
    products, baskets = known.products[place], int(known.baskets[place])
    expected = float(f"{known.expected[place]:.3g}")
    return Bundle(
        products=[Product(**shelf.catalogue.described(of)) for of in products.tolist() if of not in (0, item)],
        baskets=baskets,
        expected=expected,
        lift=round(float(known.lift[place]), 2),
        probability=round(baskets / int(known.each[place][products == item][0]), 4),
        reason=f"bought together with {name} in {baskets} baskets, by chance in {expected:g}",
    )
