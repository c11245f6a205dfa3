"""Small shops whose right answers are known by construction."""

from collections.abc import Callable, Sequence

import pandas as pd
import pyarrow as pa
import pytest

from tandem.data import schema
from tandem.features import dataset
from tandem.features.dataset import Dataset
from tandem.params import CountingParams, FeaturesParams, GraphParams

KIND_WEIGHT = {"view": 0.1, "click": 0.1, "cart": 0.3, "favourite": 0.3, "purchase": 1.0, "return": 0.0}
AS_OF = pd.Timestamp("2026-03-01", tz="UTC")

Row = tuple[str | None, str, float]
"""user (None: anonymous), products one letter or word each, days before AS_OF."""


@pytest.fixture(scope="session")
def counting() -> CountingParams:
    return CountingParams(
        half_life_days=120, asymmetry=(0.5, 0.8), shrinkage=2,
        cosine_shrinkage=1, min_support=1, neighbours=50, knn_neighbours=(20, 5),
        markov_window=3, ease_l2=(1.0, 10.0), basket_l2=(1.0, 10.0),
        ease_max_products=100,
        trend_days=7, trend_exponent=(0.5, 0.0), recent_l2=(1.0, 10.0),
        recent_half_life_days=(14.0, 7.0), own_weight=(0.3, 0.0),
    )  # fmt: skip


@pytest.fixture(scope="session")
def shop() -> Callable[..., Dataset]:
    """The dataset of baskets given as (user, "product product …", days ago); an optional fourth entry is the kind.

    Keywords are params of the graph.
    """

    def make(baskets: Sequence[tuple], **graph: float) -> Dataset:
        rows = []
        for order, (user, products, days_ago, *kind) in enumerate(baskets):
            for product in products.split():
                rows.append(
                    {
                        "event_id": f"e{len(rows)}", "user_id": user, "product_id": product,
                        "kind": kind[0] if kind else "purchase", "order_id": f"o{order}", "quantity": 1.0,
                        "time": AS_OF - pd.Timedelta(days=days_ago) + pd.Timedelta(milliseconds=len(rows)),
                    }
                )  # fmt: skip
        events = frame(rows, schema.EVENTS).sort_values("time", kind="stable", ignore_index=True)
        products = frame([], schema.PRODUCTS)
        params = FeaturesParams(target_kinds=("purchase",), kind_weight=KIND_WEIGHT, graph=GraphParams(**graph))
        return dataset.build(events, products, AS_OF, params)

    return make


@pytest.fixture(scope="session")
def checkerboard(shop: Callable[[Sequence[Row]], Dataset]) -> Dataset:
    """Twenty users and products: even users took the even products, odd users the odd ones, each but one's own."""
    return shop(
        [
            (f"u{user:02d}", " ".join(f"p{p:02d}" for p in range(user % 2, 20, 2) if p != user), 1 + user)
            for user in range(20)
        ]
    )


def frame(rows: list[dict], table: schema.Table) -> pd.DataFrame:
    return pa.table({c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns}).to_pandas()
