"""What a shop's files do not say outright but its events tell: sessions, and products without a product file."""

import ibis
import ibis.expr.types as ir

from tandem.data import cells
from tandem.data.sources import FromEvents

TOLD = ["time", "file", "row"]
"""The order of events, ties in the order of the raw rows."""


def with_sessions(events: ir.Table) -> ir.Table:
    """Events with a session wherever `session_gap_minutes` asks for it; its id is that of its first event.

    A user's event begins a session when the one before lies more than the gap back. Events without user get none.
    """
    asked = events.mutate(asked=events.session_gap_minutes.notnull() & events.user_id.notnull())
    own = ibis.window(group_by=["asked", "user_id"], order_by=TOLD)
    pause_us = asked.time.delta(asked.time.lag().over(own), unit="microsecond")
    begun = asked.mutate(begins=(pause_us > 60_000_000 * asked.session_gap_minutes).fill_null(True))
    so_far = ibis.window(group_by=["asked", "user_id"], order_by=TOLD, preceding=None, following=0)
    counted = begun.mutate(place=begun.begins.cast("int64").sum().over(so_far))
    session = counted.event_id.first().over(group_by=["asked", "user_id", "place"], order_by=TOLD)
    return counted.mutate(session_id=counted.asked.ifelse(session, counted.session_id))


def with_products_of_events(listed: ir.Table, events: ir.Table, told: FromEvents) -> ir.Table:
    """The listed products, what they leave open filled from the events, and those that only events know.

    A text is the one that most of the product's events tell, of equals the alphabetically first; the price is the
    median of the prices paid.
    """
    joined = listed.outer_join(_seen(events, told), "product_id", rname="seen_{name}")
    filled = {
        name: joined[name].coalesce(joined[f"seen_{name}"])
        for name in listed.columns
        if f"seen_{name}" in joined.columns
    }
    return joined.mutate(**filled).select(listed.columns)


def _seen(events: ir.Table, told: FromEvents) -> ir.Table:
    """One row per product of the events, with what they tell of it."""
    price = {"price": events.unit_price.median()} if told.price else {}
    seen = events.group_by("product_id").agg(events=events.count(), **price).drop("events")
    for name in told.texts:
        seen = seen.left_join(_most_frequent(events, name), "product_id", rname="other_{name}").drop("other_product_id")
    if told.category:
        path = seen.category.notnull().ifelse(ibis.array([seen.category]), ibis.null("array<string>"))
        seen = seen.mutate(category=path)
    return seen


def _most_frequent(events: ir.Table, name: str) -> ir.Table:
    """`product_id` and, as `name`, the text told most often; tidied before it is counted."""
    said = events.select("product_id", raw=events[f"told_{name}"])
    counted = said.filter(said.raw.notnull()).group_by("product_id", "raw").agg(n=lambda t: t.count())
    tidied = counted.mutate(text=cells.tidy(counted.raw)).filter(lambda t: t.text != "")
    total = tidied.group_by("product_id", "text").agg(n=lambda t: t.n.sum())
    best = ibis.row_number().over(group_by="product_id", order_by=[ibis.desc("n"), "text"])
    return total.mutate(place=best).filter(lambda t: t.place == 0).select("product_id", **{name: total.text})
