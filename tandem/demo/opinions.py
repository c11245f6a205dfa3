"""What the demo shop's customers write: stars and words that agree, in their own language."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.demo.assortment import LEAVES
from tandem.demo.behaviour import DAY_S
from tandem.demo.catalogue import Catalogue
from tandem.demo.customers import Customers
from tandem.demo.size import DemoSize

REVIEWED = 0.12  # of purchases
DAYS_TO_REVIEW = (2, 14)  # after the purchase, both included
NOISE = 0.9  # of one customer's stars around the product's quality

Phrases = dict[str, dict[str, tuple[str, ...]]]  # by language and sentiment

SENTIMENTS = ("negative", "neutral", "positive")
HEADLINES: Phrases = {
    "en": {
        "negative": ("Disappointed", "Do not buy", "Waste of money"),
        "neutral": ("It is okay", "Average", "As expected"),
        "positive": ("Excellent", "Love it", "Highly recommended"),
    },
    "zh": {
        "negative": ("很失望", "不推荐", "浪费钱"),
        "neutral": ("一般", "还可以", "中规中矩"),
        "positive": ("非常好", "很喜欢", "强烈推荐"),
    },
}
VERDICTS: Phrases = {
    "en": {
        "negative": ("The {noun} broke after two days.", "Bad quality, this {noun} is terrible."),
        "neutral": ("The {noun} is neither good nor bad.", "An ordinary {noun}, nothing special."),
        "positive": ("The {noun} works perfectly.", "Great quality, I am very happy with this {noun}."),
    },
    "zh": {
        "negative": ("这款{noun}用了两天就坏了。", "质量太差,这款{noun}很糟糕。"),
        "neutral": ("这款{noun}不好也不坏。", "普通的{noun},没什么特别。"),
        "positive": ("这款{noun}非常好用。", "质量很好,对这款{noun}十分满意。"),
    },
}
REMARKS: Phrases = {
    "en": {
        "negative": ("I sent it back.", "Never again.", "Poor packaging and slow delivery."),
        "neutral": ("Delivery took a week.", "The price is fair."),
        "positive": ("Would buy again.", "Fast delivery, well packed.", "Worth every cent."),
    },
    "zh": {
        "negative": ("已经退货了。", "再也不买了。", "包装差,物流慢。"),
        "neutral": ("物流用了一周。", "价格合理。"),
        "positive": ("会再次购买。", "物流快,包装好。", "物超所值。"),
    },
}


def write_reviews(
    events: pd.DataFrame, shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator
) -> pd.DataFrame:
    """Reviews in order of time: user, product (indices), time_s, stars, sentiment, language, headline, text."""
    bought = events[events["kind"] == "purchase"]
    bought = bought[rng.random(len(bought)) < REVIEWED]
    low, high = DAYS_TO_REVIEW
    wait = rng.integers(low, high + 1, len(bought)) * DAY_S + rng.integers(0, 1200, len(bought))
    reviews = bought[["user", "product"]].assign(time_s=bought["time_s"] + wait, stars=_stars(bought, shop, rng))
    reviews["sentiment"] = sentiment(reviews["stars"].to_numpy())
    reviews["language"] = crowd.people["language"].to_numpy()[reviews["user"]]
    reviews = reviews[reviews["time_s"] < size.days * DAY_S]
    reviews = reviews.sort_values(["time_s", "user", "product"], ignore_index=True)
    return reviews.assign(headline=_pick(HEADLINES, reviews, rng), text=_texts(reviews, shop, rng))


def sentiment(stars: NDArray[np.integer]) -> NDArray[np.str_]:
    """(n,) negative up to two stars, neutral at three, positive from four."""
    return np.array(SENTIMENTS)[np.sign(stars - 3) + 1]


def _stars(bought: pd.DataFrame, shop: Catalogue, rng: np.random.Generator) -> NDArray[np.int64]:
    quality = shop.products["quality"].to_numpy()[bought["product"]]
    return np.clip(np.round(quality + rng.normal(0, NOISE, len(bought))), 1, 5).astype(int)


def _texts(reviews: pd.DataFrame, shop: Catalogue, rng: np.random.Generator) -> list[str]:
    leaves = [LEAVES[i] for i in shop.products["leaf"].to_numpy()[reviews["product"]]]
    chinese = reviews["language"] == "zh"
    nouns = [leaf.noun_zh if zh else leaf.noun for leaf, zh in zip(leaves, chinese, strict=True)]
    verdicts, remarks = _pick(VERDICTS, reviews, rng), _pick(REMARKS, reviews, rng)
    gaps = np.where(chinese, "", " ")
    parts = zip(verdicts, gaps, remarks, nouns, strict=True)
    return [(verdict + gap + remark).format(noun=noun) for verdict, gap, remark, noun in parts]


def _pick(phrases: Phrases, reviews: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """One phrase in the language and of the sentiment of each review."""
    tones = zip(reviews["language"], reviews["sentiment"], strict=True)
    choices = [phrases[language][tone] for language, tone in tones]
    return [fits[int(u * len(fits))] for fits, u in zip(choices, rng.random(len(choices)), strict=True)]
