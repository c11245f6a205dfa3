"""A proposed block of a draft, and the columns that its table may have."""

from dataclasses import dataclass
from typing import Any

from tandem.unseen.roles import Group

START = "2000-01-01"
"""Where times begin that are made of places in order."""


@dataclass
class Proposal:
    """One block of the draft: its keys, and a comment for each."""

    table: str
    keys: dict[str, Any]
    about: list[str]
    unsure: list[str]
    notes: dict[str, str]  # by canonical column
    groups: list[Group]  # whose files it reads
    refused: float = 0.0  # share of the rows that it refuses on purpose


def wanted(table: str) -> list[tuple[str, str]]:
    """Columns of the table that may be mapped, each with the meaning that fits."""
    events = ("product_id", "user_id", "time", "session_id", "order_id", "quantity", "unit_price")
    products = ("product_id", "title", "description", "category", "brand", "unit_price", "stock", "image")
    reviews = ("product_id", "user_id", "time", "rating", "headline", "text", "language")
    listed = {"events": events, "products": products, "reviews": reviews, "users": ("user_id",)}[table]
    ours = {"headline": "title", "unit_price": "price" if table == "products" else "unit_price"}
    return [(ours.get(meaning, meaning), meaning) for meaning in listed]
