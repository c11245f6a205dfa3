"""What the demo shop was made from, written down: never an input of the pipeline, always the answer of a test."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tandem import files
from tandem.demo.assortment import BRAND_NAMES, LEAVES
from tandem.demo.catalogue import Catalogue
from tandem.demo.customers import Customers
from tandem.demo.size import DemoSize

PRODUCT_COLUMNS = (
    "article", "department", "group", "category", "brand", "band", "price", "colour", "model", "language",
    "title", "description", "launched", "quality", "lead_time_days",
)  # fmt: skip


def write_truth(
    folder: Path,
    size: DemoSize,
    shop: Catalogue,
    crowd: Customers,
    habits: pd.DataFrame,
    reviews: pd.DataFrame,
    counts: dict[str, Any],
) -> None:
    """Write every table of the truth below `folder`; docs/demo.md says what each column means.

    Args:
        habits: as `behaviour.simulate` returns them.
        reviews: as `opinions.write_reviews` returns them.
        counts: the flaws planted in each raw file, for dirt.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    article, number = shop.products["article"].to_numpy(), crowd.people["customer"].to_numpy()
    begin = pd.Timestamp(size.begin)
    tables = {
        "products": shop.products[list(PRODUCT_COLUMNS)],
        "complements": _complements(shop),
        "substitutes": shop.products[["category", "article"]].sort_values(["category", "article"]),
        "launches": _launches(shop, begin),
        "seasons": _seasons(),
        "customers": crowd.people.drop(columns="activity"),
        "habits": habits.assign(user=number[habits["user"]], product=article[habits["product"]]).rename(
            columns={"user": "customer", "product": "article"}
        ),
        "sentiment": _sentiment(reviews),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
    _tastes(crowd).to_parquet(folder / "tastes.parquet", index=False)
    files.write_json(counts, folder / "dirt.json")


def _complements(shop: Catalogue) -> pd.DataFrame:
    article, pairs = shop.products["article"].to_numpy(), shop.complements
    named = {name: article[pairs[name]] for name in ("antecedent", "consequent")}
    strength = pairs["together"] + pairs["later"]
    return pairs.assign(**named, strength=strength)


def _launches(shop: Catalogue, begin: pd.Timestamp) -> pd.DataFrame:
    late = shop.products[shop.products["launched"] > 0]
    date = (begin + pd.to_timedelta(late["launched"], unit="D")).dt.strftime("%Y-%m-%d")
    return pd.DataFrame({"article": late["article"], "date": date})


def _seasons() -> pd.DataFrame:
    columns = {
        "category": "name",
        "role": "role",
        "period_days": "period_days",
        "peak_day": "peak_day",
        "swing": "swing",
    }
    return pd.DataFrame({name: [getattr(leaf, field) for leaf in LEAVES] for name, field in columns.items()})


def _sentiment(reviews: pd.DataFrame) -> pd.DataFrame:
    number = [f"R{i}" for i in range(1, len(reviews) + 1)]
    return reviews[["stars", "sentiment", "language"]].assign(review=number)


def _tastes(crowd: Customers) -> pd.DataFrame:
    """Two rows for each customer, before and after the drift: interests (sum 1) and likings (log odds)."""
    user, phases = np.arange(len(crowd)), {"before": crowd.before, "after": crowd.after}
    return pd.concat([_phase(crowd, user, phase, mixture) for phase, mixture in phases.items()], ignore_index=True)


def _phase(crowd: Customers, user: np.ndarray, phase: str, mixture: np.ndarray) -> pd.DataFrame:
    who = pd.DataFrame({"customer": crowd.people["customer"], "phase": phase})
    interest = pd.DataFrame(crowd.tastes(user, mixture), columns=[f"category: {leaf.name}" for leaf in LEAVES])
    liking = pd.DataFrame(mixture @ crowd.liking, columns=[f"brand: {brand}" for brand in BRAND_NAMES])
    return pd.concat([who, interest, liking], axis=1)
