"""Pictures of the demo shop's products: the shape tells the category, the colour the product's own."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tandem.demo.assortment import COLOURS, DEPARTMENTS, LEAVES

SIDE = 48  # pixels
GROUNDS = ("#dfe8f5", "#f5ead9", "#f7dfe9", "#ddf0dc", "#e9e1f5", "#f3f1d6")  # one for each department
SHAPES = (
    ((0, 0), (1, 0), (1, 1), (0, 1)),  # square
    ((0.5, 0), (1, 1), (0, 1)),  # triangle
    ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),  # diamond
    ((0.25, 0), (0.75, 0), (1, 0.5), (0.75, 1), (0.25, 1), (0, 0.5)),  # hexagon
    ((0, 0.3), (1, 0.3), (1, 0.7), (0, 0.7)),  # bar
    ((0, 0), (1, 0), (0.7, 1), (0.3, 1)),  # pot
    ((0, 0.35), (0.6, 0.35), (0.6, 0), (1, 0.5), (0.6, 1), (0.6, 0.65), (0, 0.65)),  # arrow
    ((0, 0), (0.5, 0.3), (1, 0), (0.7, 0.5), (1, 1), (0.5, 0.7), (0, 1), (0.3, 0.5)),  # star
)
"""Outlines in the unit square, one for each category of a department."""


def paint(products: pd.DataFrame, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """File name and PNG of each product; place and size of the shape vary a little."""
    sizes = rng.integers(26, 35, len(products))
    corners = rng.integers(5, 10, (len(products), 2))
    for product, size, corner in zip(products.itertuples(), sizes, corners, strict=True):
        yield str(product.picture), _draw(product, int(size), corner)


def shape_of(leaf: int) -> int:
    """Index of the outline of a category: its place within its department."""
    siblings = [i for i, other in enumerate(LEAVES) if other.department == LEAVES[leaf].department]
    return siblings.index(leaf)


def _draw(product: Any, size: int, corner: np.ndarray) -> bytes:
    image = Image.new("RGB", (SIDE, SIDE), GROUNDS[DEPARTMENTS.index(product.department)])
    outline = [(float(corner[0] + x * size), float(corner[1] + y * size)) for x, y in SHAPES[shape_of(product.leaf)]]
    colour = COLOURS[product.colour][1]
    ImageDraw.Draw(image).polygon(outline, fill=colour, outline="#404040", width=1 + product.band)
    target = io.BytesIO()
    image.save(target, format="PNG")
    return target.getvalue()
