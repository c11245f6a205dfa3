"""What a shop's files do not say outright but its events tell: sessions, orders, and products without a file."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from tandem.data import choices
from tandem.data.sources import FromEvents, Source

TOLD = ["time", "file", "row"]
"""The order of events, ties in the order of the raw rows."""


def asked(source: Source) -> bool:
    """Whether sessions or orders are inferred."""
    return any(block.session_gap_minutes or block.order_gap_minutes for block in source.events)


def with_runs(events: ir.Table, source: Source) -> ir.Table:
    """Events with a session and an order where none is told and the source asks for it; all those of their users."""
    if any(block.session_gap_minutes for block in source.events):
        events = _with_runs(events, "session_id", events.session_gap_minutes, events.session_gap_minutes.notnull())
    if any(block.order_gap_minutes for block in source.events):
        wanted = events.order_gap_minutes.notnull() & (events.kind == "purchase")
        events = _with_runs(events, "order_id", events.order_gap_minutes, wanted)
    return events


def _with_runs(events: ir.Table, name: str, gap: ir.IntegerValue, asked: ir.BooleanValue) -> ir.Table:
    """Events with the column `name` filled where it is missing and asked for: `file:row` of the first of the run.

    A user's event begins a run when the one before lies more than the gap back. Events without user get none.
    """
    asked = events.mutate(gap=gap, asked=asked & events.user_id.notnull() & events[name].isnull())
    own = ibis.window(group_by=["asked", "user_id"], order_by=TOLD)
    pause = asked.microseconds - asked.microseconds.lag().over(own)
    begun = asked.mutate(begins=(pause / 60_000_000 > asked.gap).fill_null(True))
    so_far = ibis.window(group_by=["asked", "user_id"], order_by=TOLD, preceding=None, following=0)
    counted = begun.mutate(nth_run=begun.begins.cast("int64").sum().over(so_far))
    first = ibis.window(group_by=["asked", "user_id", "nth_run"], order_by=TOLD)
    run = counted.file.first().over(first) + ":" + counted.row.first().over(first).cast("string")
    return counted.mutate(**{name: counted.asked.ifelse(run, counted[name])}).select(events.columns)


def with_products_of_events(
    listed: ir.Table, events: ir.Table, told: FromEvents, texts: Mapping[str, ir.Table]
) -> ir.Table:
    """The listed products, what they leave open filled from the events, and those that only events know.

    A text is the first of `texts`, what `told_texts` gives; the price is the median of the prices paid.
    """
    joined = listed.outer_join(_seen(events, told, texts), "product_id", rname="seen_{name}")
    filled = {
        name: joined[name].coalesce(joined[f"seen_{name}"])
        for name in listed.columns
        if f"seen_{name}" in joined.columns
    }
    return joined.mutate(**filled).select(listed.columns)


def with_products_of_reviews(listed: ir.Table, reviews: ir.Table) -> ir.Table:
    """The listed products, of which there are none, and those that reviews are about."""
    known = reviews.select("product_id").distinct()
    return known.left_join(listed, "product_id").select("product_id", *(listed[n] for n in listed.columns[1:]))


def told_texts(events: ir.Table, told: FromEvents) -> dict[str, ir.Table]:
    """What events tell of their products, by column of products, as `choices.ranked` has it."""
    return {
        name: choices.ranked(events.select("product_id", "time", text=events[f"told_{name}"])) for name in told.texts
    }


def _seen(events: ir.Table, told: FromEvents, texts: Mapping[str, ir.Table]) -> ir.Table:
    """One row per product of the events, with what they tell of it."""
    price = {"price": events.unit_price.median()} if told.price else {}
    seen = events.group_by("product_id").agg(events=events.count(), **price).drop("events")
    for name, ranked in texts.items():
        first = choices.chosen(ranked).rename({name: "text"})
        seen = seen.left_join(first, "product_id", rname="other_{name}").drop("other_product_id")
    if told.category:
        path = seen.category.notnull().ifelse(ibis.array([seen.category]), ibis.null("array<string>"))
        seen = seen.mutate(category=path)
    return seen
