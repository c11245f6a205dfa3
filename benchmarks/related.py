"""What goes with a product: every ranker beside the methods of others, on six datasets.

    python -m benchmarks.related DATASET [--peers <python with gensim>] [--only blend --only weighted_cosine]

DATASET is demo, online_retail, groceries, tafeng, bundles_electronic or amazon_grocery. Every ranker learns from what
came before the validation window, makes its choices on it (for each view apart), learns again from what came before
the test and ranks the whole catalogue. T1, `together`: what later baskets hold together, gain their number; T2,
`beyond_popularity`: of that what has a later lift of at least 5, gain 1. Intervals: 95 %, bootstrap over antecedents
(bundles where bundles are asked). The peers' Python is `.peers/bin/python`, which `make peers` makes;
without it item2vec has no row.
"""

import logging
import time
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
import typer
from numpy.typing import NDArray

from benchmarks.related_rankers import rankers
from benchmarks.related_shops import SHOPS, Shop, make
from benchmarks.rounds import check
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, gains_at, hit_rate_at_k, ndcg_at_k, rank, recall_at_k
from tandem.evaluation.significance import Interval, difference, intervals
from tandem.evaluation.slices import PLACES, Slice, sliced
from tandem.ranking.counting import COUNTING
from tandem.settings import quiet

METRICS = ("Hit@10", "NDCG@10", "Recall@20")
NDCG = 1  # place in METRICS
NAMES = {"together": "T1", "beyond_popularity": "T2"}
BOOTSTRAP: dict[str, Any] = {"resamples": 1000, "confidence": 0.95, "seed": 7}
OURS = "blend"

Values = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What is asked of one view, with its slices."""

    asked: Cases
    slices: dict[str, Slice]
    group: NDArray[np.integer]  # (cases,)

    @classmethod
    def of(cls, shop: Shop, name: str) -> "View":
        """One view of a shop; products are sliced by what was sold before the test."""
        asked, sold = shop.asked[name], np.asarray(shop.final.baskets.content.sum(axis=0)).ravel()
        return cls(asked, sliced(asked, sold), np.arange(len(asked)) if shop.group is None else shop.group)

    def judge(self, ranked: NDArray[np.integer]) -> Values:
        """(cases, metrics)."""
        return judged(ranked, self.asked.truth)

    def grouped(self, values: Values, rows: NDArray[np.integer] | slice = slice(None)) -> Values:
        """(groups, …) mean over the cases of each, of those at `rows`, whose values these are."""
        group = self.group[rows]
        return np.stack([values[group == one].mean(axis=0) for one in np.unique(group)])

    def by_slice(self, ranked: NDArray[np.integer]) -> dict[str, Values]:
        """(cases,) NDCG@10 by slice of the antecedent, Recall@20 by slice of the consequent."""
        return {name: of.judge(ranked) for name, of in self.slices.items()}


def judged(ranked: NDArray[np.integer], truth: sp.csr_array) -> Values:
    """(cases, metrics) of a ranking of at least `PLACES` places."""
    ideal, gains = Ideal.of_truth(truth), gains_at(ranked, truth)
    found = hit_rate_at_k(gains, 10), ndcg_at_k(gains, ideal.gains, 10), recall_at_k(gains, ideal.relevant, 20)
    return np.stack(found, axis=1)


def main(
    shop: Annotated[str, typer.Argument(help=", ".join(SHOPS))],
    peers: Annotated[str | None, typer.Option(help="a Python that has gensim")] = None,
    only: Annotated[list[str] | None, typer.Option(help="rankers; default all")] = None,
) -> None:
    """Print the tables of one dataset."""
    quiet()
    logging.basicConfig(level=logging.WARNING)
    if shop not in SHOPS:
        raise typer.BadParameter(f"{shop!r}; datasets are {', '.join(SHOPS)}")
    if peers:
        check("--peers", peers, "gensim", "numpy", "scipy")
    report(make(shop), peers, only or [])


def report(shop: Shop, peers: str | None, only: list[str]) -> None:
    """One table with all views, then slices, then what the blend has more than each other ranker."""
    views = {name: View.of(shop, name) for name in shop.asked}
    counts = ", ".join(f"{len(view.asked):,} cases {NAMES[name]}" for name, view in views.items())
    print(f"{shop.name}: {shop.about}. {counts}; catalogue of {shop.final.vocabulary.size - 1:,}; "
          f"{len(shop.final.baskets):,} baskets to learn from\n")  # fmt: skip
    print(row(["ranker", *(f"{NAMES[view]} {metric}" for view in views for metric in METRICS), "seconds"]))
    print(row(["---"] * (2 + len(views) * len(METRICS))))
    ranked: dict[str, dict[str, NDArray[np.integer]]] = {}
    for name, made in rankers(shop, peers).items():
        if only and name not in only:
            continue
        began = time.perf_counter()
        ranked[name] = {
            view: rank(made().fit(shop.trial, shop.validation[view]).refit(shop.final), of.asked, PLACES)
            for view, of in views.items()
        }
        seconds = time.perf_counter() - began
        found = [
            interval for view, of in views.items() for interval in of_cases(of.grouped(of.judge(ranked[name][view])))
        ]
        print(row([name, *found, f"{seconds:.0f}"]), flush=True)
    for view, of in views.items():
        slices(view, of, {name: found[view] for name, found in ranked.items()})
        if OURS in ranked:
            differences(view, of, {name: found[view] for name, found in ranked.items()})


def of_cases(values: Values) -> list[str]:
    """Mean and interval of each metric."""
    return [f"{of.mean:.3f} [{of.low:.3f}, {of.high:.3f}]" for of in intervals(values, **BOOTSTRAP)]


def slices(name: str, view: View, ranked: dict[str, NDArray[np.integer]]) -> None:
    """NDCG@10 by slice of the antecedent, Recall@20 by slice of the consequent."""
    found = {ranker: view.by_slice(of) for ranker, of in ranked.items()}
    titles = [f"{part} ({len(of.rows)})" for part, of in view.slices.items()]
    print(f"\n{NAMES[name]}: NDCG@10 of antecedents, Recall@20 to consequents, by popularity\n")
    print(row(["ranker", *titles]))
    print(row(["---"] * (1 + len(titles))))
    for ranker, of in found.items():
        print(row([ranker, *(f"{values.mean():.3f}" for values in of.values())]))


def differences(name: str, view: View, ranked: dict[str, NDArray[np.integer]]) -> None:
    """Paired by case: the blend less each other ranker."""
    ours = view.grouped(view.judge(ranked[OURS]))
    print(f"\n{NAMES[name]}: {OURS} less\n")
    print(row(["ranker", *METRICS]))
    print(row(["---"] * (1 + len(METRICS))))
    for ranker in [other for other in ranked if other != OURS]:
        theirs = view.grouped(view.judge(ranked[ranker]))
        found = [difference(ours[:, of], theirs[:, of], **BOOTSTRAP) for of in range(len(METRICS))]
        print(row([ranker, *map(signed, found)]))
    if counting := [ranker for ranker in ranked if ranker in COUNTING]:
        by_slice(name, view, ranked, max(counting, key=lambda ranker: view.judge(ranked[ranker])[:, NDCG].mean()))


def by_slice(name: str, view: View, ranked: dict[str, NDArray[np.integer]], best: str) -> None:
    """Paired by case: the blend less the best ranker that counts, by slice."""
    print(f"\n{NAMES[name]}: {OURS} less {best}, the best that counts, by slice\n")
    print(row(["NDCG@10 of, Recall@20 to", "difference"]))
    print(row(["---"] * 2))
    ours, theirs = (view.by_slice(ranked[ranker]) for ranker in (OURS, best))
    for part, of in view.slices.items():
        pair = (view.grouped(values[part], of.rows) for values in (ours, theirs))
        print(row([f"{part} ({len(of.rows)})", signed(difference(*pair, **BOOTSTRAP))]))


def signed(of: Interval) -> str:
    """A difference with its interval."""
    return f"{of.mean:+.3f} [{of.low:+.3f}, {of.high:+.3f}]"


def row(cells: list[str]) -> str:
    """Of a Markdown table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    typer.run(main)
