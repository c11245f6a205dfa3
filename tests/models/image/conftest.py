"""Painted products of the demo shop, and an encoder that learned from most of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.image.params import ImageParams
from models.text import ngrams
from tandem.demo import catalogue, pictures, writing
from tandem.demo.size import DemoSize

SMALL: dict[str, Any] = {
    "side": 32,
    "dim": 16,
    "widths": [12, 32],
    "depth": 1,
    "temperature": 0.1,
    "absent": 0.1,
    "shift": 0.05,
    "brightness": 0.05,
    "validation": 0.1,
    "batch": 32,
    "epochs": 14,
    "patience": 14,
    "learning_rate": 0.005,
    "weight_decay": 0.01,
    "seed": 7,
}
ZIP = "pictures.zip"


def small(**changes: Any) -> ImageParams:
    """Params of a network that learns in seconds."""
    return ImageParams.parse(SMALL | changes)


@dataclass(frozen=True)
class Shop:
    """Painted products; a caption names colour and category."""

    raw: Path
    places: list[str]
    labels: dict[str, list[str]]
    captions: list[str]
    texts: np.ndarray  # (products, text_dim)

    def take(self, rows: np.ndarray) -> tuple[Path, list[str], dict[str, list[str]], np.ndarray]:
        """What `fit` is given of these products."""
        labels = {name: [of[n] for n in rows] for name, of in self.labels.items()}
        return self.raw, [self.places[n] for n in rows], labels, self.texts[rows]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    products: pd.DataFrame = catalogue.make(DemoSize(), np.random.default_rng(1)).products
    raw = tmp_path_factory.mktemp("raw")
    writing.write_zip(pictures.paint(products, np.random.default_rng(2)), raw / ZIP)
    places = [f"{ZIP}!{name}" for name in products["picture"]]
    labels = {name: products[name].tolist() for name in ("department", "colour")}
    captions = [f"{p.colour} {p.category}" for p in products.itertuples()]
    return Shop(raw, places, labels, captions, ngrams.fit(captions, 64).encode(captions))
