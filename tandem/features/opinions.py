"""What reviews speak of, and what they say of products up to one moment.

Shrunk tone of n reviews: (Σ tone + k · prior) / (n + k), where k, the prior strength, is a number of reviews.

Source: Efron and Morris 1975 (shrinkage by empirical Bayes); Searle et al. 1992, chapter 3 (variance components).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.data import schema
from tandem.data.schema import ASPECTS
from tandem.errors import TandemError

WIDTH = 1 + len(ASPECTS)
"""Numbers of one opinion: its tone and its aspects."""

ENGLISH: dict[str, str] = {
    "delivery": "arrival|arrive|arrived|arrives|courier|deliver|delivered|deliveries|delivers|delivery|postage|shipped"
    "|shipment|shipping",
    "quality": "broke|broken|defect|defective|defects|durable|faulty|flimsy|material|materials|quality|sturdy|well made"
    "|workmanship",
    "price": "bargain|cheap|cheaper|cost|costs|discount|expensive|money|overpriced|price|priced|prices|pricey|value",
    "service": "customer care|customer service|exchange|exchanged|refund|refunded|refunds|replacement|response|seller"
    "|sellers|service|support|warranty",
    "packaging": "bag|box|boxed|boxes|package|packaged|packages|packaging|packed|packing|parcel|wrapped|wrapping",
}
"""Words of each aspect, read between word boundaries."""

CHINESE: dict[str, str] = {
    "delivery": "发货|發貨|快递|快遞|送货|送貨|到货|到貨|配送|物流|运费|運費",
    "quality": "质量|質量|品质|品質|做工|材质|材質|耐用|结实|結實|坏了|壞了|瑕疵|次品",
    "price": "价格|價格|价钱|價錢|便宜|实惠|實惠|太贵|太貴|性价比|性價比|物超所值|划算|浪费钱|降价|降價",
    "service": "客服|服务|服務|售后|售後|卖家|賣家|态度|態度|退货|退貨|退款|换货|換貨",
    "packaging": "包装|包裝|箱子|盒子|礼盒|禮盒|外盒",
}
"""Words of each aspect, simplified and traditional, read anywhere: Chinese puts no blanks between words."""

PATTERNS = tuple(re.compile(rf"\b(?:{ENGLISH[aspect]})\b|{CHINESE[aspect]}", re.ASCII) for aspect in ASPECTS)
"""ASCII, so that an English word ends where a Chinese one begins."""


class OpinionError(TandemError, ValueError):
    """Tones do not fit the reviews, or are none."""


@dataclass(frozen=True)
class Opinions:
    """What was said of products, in the order in which they were asked for."""

    tone: NDArray[np.float32]  # (rows,) shrunk; the prior where count is 0
    count: NDArray[np.int64]  # (rows,) reviews whose tone is known
    topics: NDArray[np.float32]  # (rows, aspects) share of the reviews with words that speak of it; 0 without words

    @property
    def known(self) -> NDArray[np.bool_]:
        """(rows,) False where the tone is nothing but the prior."""
        return self.count > 0


def words(reviews: pd.DataFrame) -> list[str]:
    """Headline and body of each review, "" where both are missing."""
    parts = (reviews[name].fillna("").astype(str) for name in ("title", "text"))
    return [f"{title} {text}".strip() for title, text in zip(*parts, strict=True)]


def aspects(texts: Sequence[str]) -> NDArray[np.bool_]:
    """(texts, aspects) True where a text has one of the aspect's words, in any case; whether it denies it, is not read.

    Columns are those of ASPECTS.
    """
    folded = [text.casefold() for text in texts]
    found = [[pattern.search(text) is not None for pattern in PATTERNS] for text in folded]
    return np.array(found, bool).reshape(len(folded), len(ASPECTS))


def gather(reviews: pd.DataFrame, tone: NDArray[np.floating]) -> pd.DataFrame:
    """A table of schema.OPINIONS; aspects are NaN where there are no words.

    Args:
        reviews: a table of schema.REVIEWS.
        tone: (reviews,) in [-1, 1], NaN where it is unknown.

    Raises:
        OpinionError: tones and reviews differ in number, or a tone lies outside [-1, 1].
    """
    if len(tone) != len(reviews):
        raise OpinionError(f"{len(tone)} tones for {len(reviews)} reviews; one for each fits, NaN where it is unknown")
    if not np.all(np.isnan(tone) | (np.abs(tone) <= 1)):
        raise OpinionError(f"tones from {np.nanmin(tone)} to {np.nanmax(tone)}; -1 to 1 fits, NaN where it is unknown")
    texts = words(reviews)
    found = np.where(np.array(texts, object)[:, None] == "", np.nan, aspects(texts)).astype(np.float32)
    spoken_of = dict(zip(ASPECTS, found.T, strict=True))
    return reviews.assign(tone=tone.astype(np.float32), **spoken_of)[schema.OPINIONS.names]


def of_products(
    said: pd.DataFrame, product_ids: Sequence[str], as_of: pd.Timestamp, strength: float | Literal["fit"]
) -> Opinions:
    """What reviews before `as_of` say of each product; the prior is the mean tone of all of them, 0 without any.

    Args:
        said: a table of schema.OPINIONS.
        product_ids: products asked for.
        as_of: reviews at or after it are left out.
        strength: k in reviews; "fit" chooses it by `prior_strength`.
    """
    early = said[said["time"] < as_of].astype({"tone": np.float64})
    prior, k = _prior(early, strength)
    asked, groups = np.array(product_ids, object), early.groupby("product_id")
    total, count = (groups["tone"].agg(of).reindex(asked, fill_value=0) for of in ("sum", "count"))
    topics = groups[list(ASPECTS)].mean().reindex(asked).fillna(0.0)
    tone = shrunk(total.to_numpy(np.float64), count.to_numpy(np.int64), prior, k)
    return Opinions(tone.astype(np.float32), count.to_numpy(np.int64), topics.to_numpy(np.float32))


def prior_strength(tone: pd.Series, group: pd.Series) -> float:
    """Reviews that the prior is worth: k = σ² / τ², from the variance within groups and between them.

    σ² = Σ (tone - mean of its group)² / (N - J);  between = Σ n_j (mean_j - mean)² / (J - 1);
    τ² = (between - σ²) / n₀,  n₀ = (N - Σ n_j² / N) / (J - 1), for N tones in J groups.

    Returns:
        Infinity, which leaves nothing but the prior, where groups differ no more than chance lets them, or where no
        group has two tones or there is but one group: then nothing says how much one review is worth.
    """
    sizes = tone.groupby(group).size().to_numpy(np.float64)
    total, groups = sizes.sum(), len(sizes)
    if groups < 2 or total == groups:
        return np.inf
    means = tone.groupby(group).transform("mean")
    within = ((tone - means) ** 2).sum() / (total - groups)
    between = ((means - tone.mean()) ** 2).sum() / (groups - 1)
    variance = (between - within) * (groups - 1) / (total - (sizes**2).sum() / total)
    return float(within / variance) if variance > 0 else np.inf


def shrunk(
    total: NDArray[np.float64], count: NDArray[np.integer], prior: float, strength: float
) -> NDArray[np.float64]:
    """(rows,) (total + strength · prior) / (count + strength); the prior where count is 0 or strength infinite."""
    weight = np.where(count > 0, 1 / (1 + strength / np.maximum(count, 1)), 0.0)
    return prior + weight * (total / np.maximum(count, 1) - prior)


def _prior(said: pd.DataFrame, strength: float | Literal["fit"]) -> tuple[float, float]:
    """Mean tone, and k."""
    tone = said["tone"].dropna()
    k = prior_strength(tone, said["product_id"]) if strength == "fit" else strength
    return (float(tone.mean()) if len(tone) else 0.0), k
