"""The demo shop's products and what each of them calls for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.demo.assortment import (
    BANDS,
    BRAND_INDEX,
    BRANDS,
    COLOURS,
    LEAVES,
    LINKS,
    QUALITIES,
    SYLLABLES,
)
from tandem.demo.size import DemoSize

CHINESE_SHARE = 0.3  # of products with Chinese texts
LATE_SHARE = 0.1  # of products launched after the first third
POPULARITY_EXPONENT = 0.45  # Zipf, within a category
HYPE = 1.2  # added to a product's log popularity on the day of its launch
HYPE_DAYS = 20.0  # after which the hype has fallen to 1/e
TOGETHER = 0.6  # chance that an antecedent's buyer takes its complement in the same order
LATER = 0.25  # chance of an order within a week instead
_SHARE = {"durable": 0.7, "accessory": 1.1, "consumable": 1.25}  # of the assortment, relative


@dataclass(frozen=True)
class Catalogue:
    """Products by index, and the directed complements between them.

    `products`: article, leaf, department, group, category, brand, brand_index, band, price, price_level,
    colour, model, language, title, description, launched (day), log_popularity, quality (mean stars),
    lead_time_days, picture.
    `complements`: antecedent, consequent (indices), together, later (probabilities).
    """

    products: pd.DataFrame
    complements: pd.DataFrame

    def __len__(self) -> int:
        return len(self.products)

    @property
    def role(self) -> NDArray[np.str_]:
        """(products,) durable, accessory or consumable."""
        return np.array([leaf.role for leaf in LEAVES])[self.products["leaf"]]

    def appeal(self, day: NDArray[np.integer]) -> NDArray[np.float64]:
        """(days, products) log popularity on each day; -inf before a product's launch."""
        age = day[:, None] - self.products["launched"].to_numpy()[None, :]
        new = self.products["launched"].to_numpy()[None, :] > 0
        hype = np.where(new, HYPE * np.exp(-np.maximum(age, 0) / HYPE_DAYS), 0.0)
        return np.where(age >= 0, self.products["log_popularity"].to_numpy()[None, :] + hype, -np.inf)


def season(day_of_year: NDArray[np.integer]) -> NDArray[np.float64]:
    """(days, leaves) factor on the demand for each category: exp(swing · cos(2π (day − peak) / 365))."""
    peak = np.array([leaf.peak_day for leaf in LEAVES])
    swing = np.array([leaf.swing for leaf in LEAVES])
    return np.exp(swing * np.cos(2 * np.pi * (day_of_year[:, None] - peak) / 365))


def make(size: DemoSize, rng: np.random.Generator) -> Catalogue:
    """The catalogue: every category has its products, most of them from the first day."""
    products = _core(size, rng)
    products["launched"] = _launches(products, size, rng)
    complements = _complements(products)
    fitted = zip(products.itertuples(), _fits(products, complements), strict=True)
    texts = [_texts(product, model) for product, model in fitted]
    products["title"], products["description"] = zip(*texts, strict=True)
    return Catalogue(products, complements)


def _core(size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    leaf = _leaf_of(size.products)
    n = len(leaf)
    rank = pd.Series(leaf).groupby(leaf).cumcount().to_numpy()
    band = (rank + rng.integers(0, 3, n)) % 3
    department = [LEAVES[i].department for i in leaf]
    brand = [BRANDS[name][i] for name, i in zip(department, rng.integers(0, 5, n), strict=True)]
    level = np.array([factor for *_, factor in BANDS])[band] * rng.uniform(0.85, 1.15, n)
    article = [f"TD-{number}" for number in range(1001, 1001 + n)]
    return pd.DataFrame(
        {
            "article": article,
            "leaf": leaf,
            "department": department,
            "group": [LEAVES[i].group for i in leaf],
            "category": [LEAVES[i].name for i in leaf],
            "brand": brand,
            "brand_index": [BRAND_INDEX[name] for name in brand],
            "band": band,
            "price": np.round(np.array([LEAVES[i].price for i in leaf]) * level, 0) - 0.05,
            "price_level": np.log(level),
            "colour": rng.choice(list(COLOURS), n),
            "model": _models(n, rng),
            "quality_index": rng.integers(0, len(QUALITIES), n),
            "language": np.where(rng.random(n) < CHINESE_SHARE, "zh", "en"),
            "log_popularity": -POPULARITY_EXPONENT * np.log1p(rank),
            "quality": np.clip(rng.normal(3.9, 0.7, n), 1.5, 4.8),
            "lead_time_days": rng.integers(2, 8, n) * (1 + 2 * (rng.random(n) < 0.25)),
            "picture": [f"{name}.png" for name in article],
        }
    )


def _leaf_of(products: int) -> NDArray[np.int64]:
    """(products,) category of each, by the shares of their roles; no category has fewer than two."""
    share = np.array([_SHARE[leaf.role] for leaf in LEAVES])
    spare = products - 2 * len(LEAVES)
    upto = np.round(np.cumsum(share) / share.sum() * spare).astype(int)
    return np.repeat(np.arange(len(LEAVES)), 2 + np.diff(upto, prepend=0))


def _models(n: int, rng: np.random.Generator) -> list[str]:
    """`n` distinct model names."""
    pairs = [first.capitalize() + second for first in SYLLABLES for second in SYLLABLES if first != second]
    names = [f"{name} {number}" for number in range(2, 2 + n // len(pairs) + 1) for name in pairs]
    return [names[i] for i in rng.permutation(len(names))[:n]]


def _launches(products: pd.DataFrame, size: DemoSize, rng: np.random.Generator) -> NDArray[np.int64]:
    """(products,) day of launch, 0 for most; a category's most popular product is there from the start."""
    first = ~products["leaf"].duplicated().to_numpy()
    late = ~first & (rng.random(len(products)) < LATE_SHARE * len(products) / (~first).sum())
    return np.where(late, rng.integers(size.days // 3, size.days - 2, len(products)), 0)


def _complements(products: pd.DataFrame) -> pd.DataFrame:
    """Each antecedent calls for one product of every linked category; these are dealt out in turn."""
    members = {leaf: group.index.to_numpy() for leaf, group in products.groupby("category", sort=False)}
    pairs = [pair for link in LINKS for pair in _deal(members[link[0]], members[link[1]])]
    return pd.DataFrame(pairs, columns=["antecedent", "consequent"]).assign(together=TOGETHER, later=LATER)


def _deal(antecedents: NDArray[np.int64], consequents: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(int(a), int(consequents[turn % len(consequents)])) for turn, a in enumerate(antecedents)]


def _fits(products: pd.DataFrame, complements: pd.DataFrame) -> list[str]:
    """(products,) model of the first antecedent that calls for each product, or an empty text."""
    first = complements.drop_duplicates("consequent").set_index("consequent")["antecedent"]
    return [products["model"][first[i]] if i in first.index else "" for i in products.index]


def _texts(product: Any, fits: str) -> tuple[str, str]:
    """Title and description in the product's language; a consequent names the model it fits."""
    leaf, (word, word_zh, _) = LEAVES[product.leaf], BANDS[product.band]
    quality, quality_zh = QUALITIES[product.quality_index]
    colour_zh = COLOURS[product.colour][0]
    if product.language == "zh":
        title = f"{product.brand} {product.model} {leaf.noun_zh} {word_zh} {colour_zh}"
        text = f"{leaf.noun_zh},{quality_zh},{colour_zh}。{product.brand}出品。"
        return title, text + (f"适用于{fits}。" if fits else "")
    title = f"{product.brand} {product.model} {word} {leaf.noun}, {product.colour}"
    text = f"{leaf.noun.capitalize()} by {product.brand}: {quality}, {product.colour}."
    return title, text + (f" Goes with {fits}." if fits else "")
