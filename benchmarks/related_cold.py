"""What goes with a product on its first day: products of Online Retail that no basket held before, by ten monthly cuts.

    python -m benchmarks.related_cold

Cuts at the 1st of February to November 2011, judged by the month after each: relevant from 3 later baskets on, among
products that were sold before. T1 and T2 as in `benchmarks.related`. One model stands for both: the same order is
judged by T1 and by T2. The blend has learned from products that were new before the cut, or, for comparison, from known
products whose baskets are hidden. Of its components those of titles take part, which is all that this shop tells. Cases
of all cuts are pooled; intervals: 95 %, bootstrap over cases.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import online_retail
from benchmarks.related import BOOTSTRAP, METRICS, NAMES, NDCG, PLACES, Values, judged, of_cases, row
from benchmarks.related_rankers import unit
from benchmarks.related_shops import features, reads, with_text
from tandem.evaluation import cases
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import rank
from tandem.evaluation.significance import difference
from tandem.features import dataset, text
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.params import BlendParams, CountingParams, NewcomerParams
from tandem.ranking.blend import Blend
from tandem.ranking.component import Component
from tandem.ranking.content import CosineOfLike, NearText, NearTitle
from tandem.ranking.newcomers import backtests, known_products
from tandem.ranking.ranker import Ranker
from tandem.settings import quiet

MONTHS = pd.date_range("2011-01-01", "2011-11-01", freq="MS", tz="UTC")
"""All but the first are cuts; it is the trial of the second."""
MIN_COUNT, DAYS, EXPONENT, ASYMMETRY = 3, 30, 0.3, (0.7,)
MAX_CASES = 200  # of weights that known products are asked with; no known product is asked about here
OURS = "blend"
MAX_KEPT = 24  # learned of so many datasets are in memory


@dataclass(frozen=True)
class Plain:
    """A ranker that is one function of the products asked about and the demand."""

    told: Callable[[NDArray[np.integer], Demand], NDArray[np.floating]]

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products)."""
        return np.asarray(self.told(histories.product, demand), np.float32)


def known_at(events: pd.DataFrame, products: pd.DataFrame, at: pd.Timestamp) -> Dataset:
    """What was sold before, and of what sells in the month after its title."""
    until = at + pd.DateOffset(months=1)
    sheet = products[products["product_id"].isin(events.loc[events["time"] < until, "product_id"])]
    known = dataset.build(events, sheet, at, features(new_products=True))
    return with_text(known, products)


def asked_at(known: Dataset, events: pd.DataFrame, at: pd.Timestamp) -> dict[str, Cases]:
    """What the month after says of each view, of consequents that were sold before."""
    window = events[(events["time"] >= at) & (events["time"] < at + pd.DateOffset(months=1))]
    found = cases.views("related", known, window, min_count=MIN_COUNT)
    return {view: known_products(of, known.products.met) for view, of in found.items()}


class RememberingBlend(Blend):
    """The blend, for which two rows of the table and the next cut need the same newcomers."""

    def newcomers(self, dataset: Dataset) -> Iterable[tuple[Dataset, Cases]]:
        """Found once."""
        return newcomers(dataset, self.params.newcomers)


@lru_cache(maxsize=4)
def newcomers(known: Dataset, params: NewcomerParams) -> list[tuple[Dataset, Cases]]:
    """As `backtests`."""
    return list(backtests(known, params))


class RememberedLike(CosineOfLike):
    """The same, of which several blends need what was learned of one dataset."""

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """Learned once: there is one asymmetry, so nothing to choose."""
        return remembered(dataset, super().learn)


KEPT: dict[Dataset, dict[str, NDArray]] = {}


def remembered(known: Dataset, learn: Callable[[Dataset], dict[str, NDArray]]) -> dict[str, NDArray]:
    """What was learned of the dataset; the oldest gives way."""
    if known not in KEPT:
        KEPT[known] = learn(known)
        if len(KEPT) > MAX_KEPT:
            del KEPT[next(iter(KEPT))]
    return KEPT[known]


def blends() -> dict[str, Blend]:
    """By name, not fitted."""
    counting = CountingParams.read().model_copy(update={"asymmetry": ASYMMETRY})
    params = BlendParams.read().model_copy(update={"max_cases": MAX_CASES})
    hidden = params.model_copy(update={"newcomers": params.newcomers.model_copy(update={"cuts": 0})})
    like = Component(RememberedLike(counting), of_content=True)
    words = [Component(kind(counting), logs=False, of_content=True) for kind in (NearText, NearTitle)]
    return {
        "blend, known products hidden": RememberingBlend((like, *words), hidden),
        OURS: RememberingBlend((like, *words), params),
    }


def of_cut(
    trial: Dataset, chosen_on: dict[str, Cases], known: Dataset, asked: dict[str, Cases], products: pd.DataFrame
) -> dict[str, dict[str, Values]]:
    """By view and ranker, the metrics of the cut's cold products.

    Args:
        trial: what was known a month before.
        chosen_on: what the month in between says.
        known: what was known at the cut.
        asked: what the month after says.
    """
    near = unit(reads().encode(text.of_products(products, known.vocabulary)))

    def tempered(rows: NDArray[np.integer], demand: Demand) -> NDArray[np.floating]:
        return np.maximum(near[rows] @ near.T, 0.0) * (demand.last(DAYS) + 1.0) ** EXPONENT

    made: dict[str, Plain | Blend] = {
        "popular_30d": Plain(lambda rows, demand: np.tile(demand.last(DAYS), (len(rows), 1))),
        "minilm": Plain(lambda rows, demand: near[rows] @ near.T),
        "minilm x popularity^.3": Plain(tempered),
    }
    made |= {name: one.fit(trial, chosen_on["together"]).refit(known) for name, one in blends().items()}
    found: dict[str, dict[str, Values]] = {}
    for view, of in asked.items():
        new = of.take(np.flatnonzero(~known.products.met[of.histories.product]))
        ranked = {name: rank(cast(Ranker, ranker), new, PLACES) for name, ranker in made.items()}
        found[view] = {name: judged(of_new, new.truth) for name, of_new in ranked.items()}
    return found


def main() -> None:
    """Print the table and what one blend has more than the simple methods."""
    quiet()
    logging.basicConfig(level=logging.WARNING)
    events, products, _ = online_retail.read()
    known = [known_at(events, products, at) for at in MONTHS]
    asked = [asked_at(of, events, at) for of, at in zip(known, MONTHS, strict=True)]
    cuts = [of_cut(known[n], asked[n], known[n + 1], asked[n + 1], products) for n in range(len(MONTHS) - 1)]
    pooled = {
        view: {name: np.concatenate([cut[view][name] for cut in cuts]) for name in cuts[0][view]} for view in cuts[0]
    }
    print(row(["ranker", *(f"{NAMES[view]} {metric}" for view in pooled for metric in METRICS)]))
    print(row(["---"] * (1 + len(pooled) * len(METRICS))))
    for name in next(iter(pooled.values())):
        print(row([name, *(cell for of in pooled.values() for cell in of_cases(of[name]))]))
    for view, of in pooled.items():
        print(f"\n{NAMES[view]}: {len(of[OURS])} cases")
        for name in of:
            less = difference(of[OURS][:, NDCG], of[name][:, NDCG], **BOOTSTRAP)
            print(f"{OURS} less {name}: NDCG@10 {less.mean:+.3f} [{less.low:+.3f}, {less.high:+.3f}]")


if __name__ == "__main__":
    main()
