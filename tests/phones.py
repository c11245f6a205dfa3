"""A shop of phones, cases and lamps, small enough to count by hand: its events, its sheet, and what is known of it."""

import numpy as np
import pandas as pd

from tandem.data import schema
from tandem.features import dataset
from tandem.features.dataset import Dataset
from tandem.features.partners import Partners
from tandem.params import FeaturesParams

DAY = pd.Timestamp("2026-03-01T09:00Z")
ORDERS = 40


def events(left_out: tuple[str, ...] = ()) -> pd.DataFrame:
    """40 orders on as many days: 10 of phone and case, 10 of a phone, of which 4 are followed by the case 3 days later,
    and 20 of a lamp; each customer has three of them. Customers look at both phones, and buy the one.
    """
    rows = []
    for n in range(ORDERS):
        user, at = f"u{n % 14:02}", DAY + pd.Timedelta(days=n)
        bought = ["phone", "case"] if n < 10 else ["phone"] if n < 20 else ["lamp"]
        rows += [(user, product, "purchase", at, f"o{n:02}", None) for product in bought]
        if 10 <= n < 14:
            rows.append((user, "case", "purchase", at + pd.Timedelta(days=3), f"p{n}", None))
        if n < 20:
            rows += [(user, product, "view", at, None, f"s{n:02}") for product in ("phone", "other phone")]
        else:
            rows.append((user, "lamp", "view", at, None, f"s{n:02}"))
    table = pd.DataFrame(rows, columns=["user_id", "product_id", "kind", "time", "order_id", "session_id"])
    table = table[~table["order_id"].isin(left_out)].sort_values("time", kind="stable")
    return table.assign(
        event_id=[str(n) for n in range(len(table))],
        time=table["time"].astype("datetime64[us, UTC]"),
        quantity=1.0,
        unit_price=None,
    )


def sheet() -> pd.DataFrame:
    """Two phones of one brand, a case, a lamp."""
    rows = [
        ("phone", ["electronics", "phones"], "Acme", 400.0),
        ("other phone", ["electronics", "phones"], "Acme", 500.0),
        ("case", ["electronics", "cases"], "Bolt", 20.0),
        ("lamp", ["home"], None, 30.0),
    ]
    table = pd.DataFrame(rows, columns=["product_id", "category", "brand", "price"])
    return table.reindex(columns=schema.PRODUCTS.names).assign(currency="EUR")


def known(left_out: tuple[str, ...] = ()) -> Dataset:
    """Known sixty days later."""
    params = FeaturesParams(target_kinds=("purchase",), kind_weight={"view": 0.1, "purchase": 1.0})
    reviews = pd.DataFrame(
        {"user_id": ["u00", "u01"], "product_id": "case", "time": DAY + pd.Timedelta(days=9), "tone": [1.0, 0.5]}
    ).assign(**{aspect: float(aspect == "quality") for aspect in schema.ASPECTS})
    reviews["time"] = reviews["time"].astype("datetime64[us, UTC]")
    return dataset.build(events(left_out), sheet(), DAY + pd.Timedelta(days=60), params, reviews)


def partners(data: Dataset) -> Partners:
    """The phone's lamp and case, the lamp by what the two are and the likelier, and the other phone in its place."""
    ids = data.vocabulary.encode(["phone", "lamp", "case", "other phone"])
    counts = np.array([[0] * 6, [10, 4, 0, 0, 0, 0], [0, 0, 0, 20, 0, 20]])
    users = np.array([[0] * 6, [10, 4, 0, 0, 0, 0], [0, 0, 0, 14, 0, 14]])
    first = np.array([0, 1, 0])
    return Partners.of(
        np.repeat(ids[0], 3), ids[1:], np.array([1, 1, 2]), np.array([0.9, 0.8, np.nan]), first, counts, users
    )
