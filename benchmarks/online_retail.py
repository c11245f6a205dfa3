"""Online Retail by the protocols of docs/evaluation.md, beside what others' methods reached on the same targets.

    python -m benchmarks.online_retail [recommend] [related]

Reads the raw CSV files and the truth files of $TANDEM_DATA_DIR/online_retail through the project's own canonical
code. Prints our number, then the reference.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from tandem import files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.evaluation import cases
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, measure
from tandem.evaluation.significance import intervals
from tandem.features import dataset, histories
from tandem.features.dataset import Dataset
from tandem.params import CountingParams, FeaturesParams, IngestParams
from tandem.ranking.counting import COUNTING
from tandem.ranking.ranker import Ranker
from tandem.settings import Settings

VALIDATION, TEST, OCTOBER = (pd.Timestamp(day, tz="UTC") for day in ("2011-11-01", "2011-11-09", "2011-10-01"))
PURCHASE = ("purchase",)
KINDS = {"view": 0.1, "click": 0.1, "cart": 0.3, "favourite": 0.3, "purchase": 1.0, "return": 0.0}
KEY = hashlib.sha256(b"benchmark").digest()  # fixed: pseudonyms order users, and so the resamples of the intervals
LIFT_SUPPORT = 20  # as in the reference row

A = {  # ranker: all Recall@20, all NDCG@10, new Recall@20, new NDCG@10
    "popular": (0.054, 0.089, 0.030, 0.034),
    "popular_7d": (0.089, 0.140, 0.089, 0.106),
    "personal": (0.252, 0.344, 0.071, 0.075),
    "itemknn": (0.160, 0.226, 0.087, 0.087),
    "ease": (0.199, 0.277, 0.094, 0.094),
    "ease_trend": (0.266, 0.360, 0.109, 0.109),
}
B = {"popular_7d": (None, None, 0.085, 0.098), "ease_trend": (0.274, 0.370, 0.117, 0.118)}
RELATED = {  # ranker: Hit@10, NDCG@10, Recall@20 of T1, then of T2
    "popular": (0.574, 0.136, 0.072, 0.142, 0.026, 0.031),
    "co_count": (0.873, 0.539, 0.300, 0.816, 0.442, 0.378),
    "lift": (0.763, 0.368, 0.209, 0.737, 0.373, 0.308),
    "npmi": (0.807, 0.441, 0.225, 0.820, 0.465, 0.362),
    "llr": (0.865, 0.534, 0.279, 0.860, 0.529, 0.423),
    "cosine": (0.885, 0.556, 0.304, 0.863, 0.528, 0.422),
    "weighted_cosine": (0.912, 0.599, 0.338, 0.893, 0.556, 0.457),
    "basket_ease": (0.912, 0.598, 0.336, 0.894, 0.558, 0.462),
}


def main(tasks: list[str]) -> None:
    """Print the tables of the tasks named, or of both."""
    events, products, folder = read()
    print(f"{len(events):,} purchases\n")
    if not tasks or "recommend" in tasks:
        recommend(events, products)
    if not tasks or "related" in tasks:
        related(
            events, products, pd.read_csv(folder / "protocol" / "or_assoc_truth.csv.gz", dtype={"a": str, "b": str})
        )


def read() -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    """Purchases and products in canonical form, and the dataset's folder; the references know no returns."""
    folder = Settings().data_dir / "online_retail"
    source, params = Source.read(Path("sources/online_retail.yaml")), IngestParams.read()
    with tempfile.TemporaryDirectory() as work:
        canonical.make(source, folder / "by-day", KEY, Path(work), Path(work) / "parts", params)
        events, products = (
            files.read(Path(work) / f"{table.name}.parquet", table) for table in (schema.EVENTS, schema.PRODUCTS)
        )
    return events[events["kind"] == "purchase"].reset_index(drop=True), products, folder


def recommend(events: pd.DataFrame, products: pd.DataFrame) -> None:
    """User to product, protocols A and B, all products and new ones.

    The catalogue is the products that known customers bought in the fit period.
    """
    known = {at: _of_customers(events, products, at) for at in (VALIDATION, TEST)}
    window = events[(events["time"] >= VALIDATION) & (events["time"] < TEST)]
    later = events[events["time"] >= TEST]
    trial, final = known[VALIDATION], known[TEST]
    chosen_on = cases.views("recommend", trial, window, min_count=5)["all"]
    views = {"A": cases.views("recommend", trial, later, min_count=5)}
    views["B"] = cases.views("recommend", final, later, min_count=5)
    for protocol, of in views.items():
        sizes = ", ".join(f"{len(view):,} users {name}" for name, view in of.items())
        print(f"recommend {protocol}: {sizes}, catalogue of {of['all'].truth.shape[1] - 1:,}")
    for name, ranker in _rankers("recommend"):
        fitted = ranker.fit(trial, chosen_on)
        for protocol, made, reference in (("A", fitted, A), ("B", fitted.refit(final), B)):
            metrics = ("recall_at_20", "ndcg_at_10")
            ours = [interval for of in views[protocol].values() for interval in _line(made, of, metrics)]
            _print(f"{protocol} {name}", ours, reference.get(name))


def related(events: pd.DataFrame, products: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Product to product: T1 what was bought together later, T2 beyond popularity; choices made on October."""
    params = FeaturesParams(target_kinds=PURCHASE, kind_weight=KINDS)
    earlier, known = (dataset.build(events, products, at, params) for at in (OCTOBER, VALIDATION))
    october = events[(events["time"] >= OCTOBER) & (events["time"] < VALIDATION)]
    chosen_on = cases.views("related", earlier, october, min_count=5)
    asked = {"together": of_truth(truth, known, 0.0), "beyond_popularity": of_truth(truth, known, 5.0)}
    print("\nrelated: " + ", ".join(f"{len(of):,} antecedents {view}" for view, of in asked.items()))
    for name, ranker in _rankers("related"):
        ours = []
        for view, of in asked.items():
            made = ranker.fit(earlier, chosen_on[view]).refit(known)
            ours += _line(made, of, ("hit_rate_at_10", "ndcg_at_10", "recall_at_20"))
        _print(name, ours, RELATED.get(name))


def _of_customers(events: pd.DataFrame, products: pd.DataFrame, at: pd.Timestamp) -> Dataset:
    bought = events[(events["time"] < at) & events["user_id"].notna()]
    kept = events[events["product_id"].isin(bought["product_id"])]
    return dataset.build(kept, products, at, FeaturesParams(target_kinds=PURCHASE, kind_weight=KINDS))


def of_truth(truth: pd.DataFrame, known: Dataset, min_lift: float) -> Cases:
    """The cases of the truth file: later co-count ≥ 5 between products known in the fit period."""
    kept = truth[(truth["c"] >= 5) & (truth["lift"] >= min_lift) & truth["a_warm"] & truth["b_warm"]]
    a, b = known.vocabulary.encode(kept["a"]), known.vocabulary.encode(kept["b"])
    size = known.vocabulary.size
    gain = np.where(min_lift > 0, 1.0, kept["c"])
    matrix = sp.csr_array((gain, (a, b)), shape=(size, size))
    asked = np.unique(a[(a > 0) & (b > 0)])
    own = sp.csr_array((np.ones(len(asked)), (np.arange(len(asked)), asked)), shape=(len(asked), size))
    return Cases(histories.of_products(asked, size, known.as_of_us), known.demand, matrix[asked], own)


def _rankers(task: str) -> Iterator[tuple[str, Any]]:
    params = CountingParams.read()
    for name, kind in COUNTING.items():
        if task in kind.tasks:
            yield name, kind(params.model_copy(update={"min_support": LIFT_SUPPORT} if name == "lift" else {}))


def _line(ranker: Ranker, of: Cases, metrics: tuple[str, ...]) -> list[Any]:
    found = measure(ranker, of, Ideal.of(of), (10, 20)).by_case
    values = np.stack([found[metric] for metric in metrics], axis=1)
    return intervals(values, resamples=1000, confidence=0.95, seed=7)


def _print(name: str, ours: list[Any], reference: tuple[float | None, ...] | None) -> None:
    told = reference or (None,) * len(ours)
    cells = [
        f"{of.mean:.3f} [{of.low:.3f}, {of.high:.3f}] ({'  –  ' if ref is None else f'{ref:.3f}'})"
        for of, ref in zip(ours, told, strict=True)
    ]
    print(f"{name:22s} " + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
