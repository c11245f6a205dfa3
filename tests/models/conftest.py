"""Small shops for the networks' tests."""

from collections.abc import Callable, Sequence

import pandas as pd
import pytest

from tandem.data import schema
from tandem.features import dataset
from tandem.features.dataset import Dataset
from tandem.params import FeaturesParams, GraphParams

PARAMS = FeaturesParams(target_kinds=("purchase",), kind_weight={"view": 0.1, "purchase": 1.0, "return": 0.0})
START = pd.Timestamp("2026-01-01T00:00Z")

Row = tuple[str | None, str, str, float, str]
"""User, product, kind, day (fractions allowed), order."""


@pytest.fixture(scope="session")
def shop() -> Callable[..., Dataset]:
    """Makes a dataset of rows (user, product, kind, day, order), known up to `as_of_day`, of `new` products, and of
    reviews (user, product, day, tone); keywords are params of the graph.
    """

    def timed(rows: Sequence[tuple], columns: Sequence[str]) -> pd.DataFrame:
        table = pd.DataFrame(rows, columns=columns)
        days = pd.to_timedelta(table.pop("day").astype(float), unit="D")
        return table.assign(time=(START + days).astype("datetime64[us, UTC]"))

    def build(
        rows: Sequence[Row], as_of_day: float, new: Sequence[str] = (), said: Sequence[tuple] = (), **graph: float
    ) -> Dataset:
        events = timed(rows, ["user_id", "product_id", "kind", "day", "order_id"])
        reviews = timed(said, ["user_id", "product_id", "day", "tone"]).assign(**dict.fromkeys(schema.ASPECTS, 0.0))
        events = events.assign(event_id=[str(n) for n in range(len(events))], session_id=None)
        events = events.assign(quantity=1.0, unit_price=None).sort_values("time", kind="stable")
        ids = sorted({*events["product_id"], *new})
        table = pd.DataFrame({"product_id": ids}).reindex(columns=schema.PRODUCTS.names)
        table["category"] = [[] for _ in range(len(table))]
        params = PARAMS.model_copy(update={"new_products": bool(new), "graph": GraphParams(**graph)})
        return dataset.build(events, table, START + pd.Timedelta(days=as_of_day), params, reviews)

    return build


@pytest.fixture(scope="session")
def circle(shop: Callable[..., Dataset]) -> Dataset:
    """Forty users walk one way round a circle of twelve products, a product a day: after i comes i + 1, always."""
    walks = ((user, day) for user in range(40) for day in range(8))
    rows = [
        (f"u{user:02}", f"p{(user + day) % 12:02}", "purchase", float(day), f"o{user}-{day}") for user, day in walks
    ]
    return shop(rows, 8)
