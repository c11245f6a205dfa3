"""The edges of the product graph counted by a query engine, for shops that one machine's memory does not hold.

The same rows, edges and counts as in `tandem.features.graph`, as Ibis expressions: DuckDB and Spark run them alike.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import ibis
import ibis.expr.types as ir

from tandem.features.dataset import VIEWED
from tandem.features.graph import SECOND_US, Kind
from tandem.features.histories import DAY_US
from tandem.params import GraphParams

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rows(NamedTuple):
    """What edges of one kind are counted in."""

    all: ir.Table  # `row`, `user_id` (null where nobody is known), `second` since 1970; each row once
    source: ir.Table  # `row`, `product_id`; each product once
    target: ir.Table | None  # the same; None: the sources


def edge_counts(
    events: ir.Table, kind: Kind, params: GraphParams, target_kinds: Sequence[str], max_products: int | None = None
) -> ir.Table:
    """In how many rows of a kind each product stands as source and each other one as target.

    Args:
        events: a table of schema.EVENTS, those before the moment that is asked about.
        target_kinds: what counts as bought.
        max_products: baskets and sessions with more, those of wholesalers and crawlers, are left out of all counts.

    Returns:
        One row for each directed pair of different products that is there, in no order: `product_id`, `other_id`, `n`
        rows with both, distinct `users` of these (an association is shown to people only from `min_users` of them on),
        `source_rows` and `target_rows` with each, and `all_rows`.
    """
    viewed, bought = (_baskets(events, kinds, max_products) for kinds in (VIEWED, target_kinds))
    if kind == "together":
        return pair_counts(bought)
    if kind == "viewed":
        return pair_counts(viewed)
    if kind == "after":
        return pair_counts(_after(bought, params.after_days))
    return pair_counts(_instead(events, params.instead_days, target_kinds, max_products))


def pair_counts(rows: Rows) -> ir.Table:
    """The counts of `edge_counts` in any rows."""
    all_rows, products = _numbered(rows.all, "user_id", "user"), _products(rows)
    source = _coded(rows.source, products, "product").join(all_rows.select("row", "user"), "row")
    target = _coded(rows.source if rows.target is None else rows.target, products, "other")
    both = source.join(target, "row")
    both = both.filter(both.product < both.other if rows.target is None else both.product != both.other)
    by_user = both.group_by("product", "other", "user").agg(n=ibis._.count()).group_by("product", "other")
    # DuckDB adds whole numbers up to 128 bits, which Parquet has not; counts are exact in 53.
    pairs = by_user.agg(n=ibis._.n.sum().cast("float64"), users=ibis._.user.count())
    pairs = pairs.mutate(n=pairs.n.cast("int64"))
    if rows.target is None:
        mirrored = pairs.select("n", "users", product="other", other="product")
        pairs = pairs.union(mirrored.select(pairs.columns))
    return _with_margins(pairs, rows, products)


def with_baskets(events: ir.Table) -> ir.Table:
    """Events with `basket`, equal for those that `tandem.features.histories.basket_key` puts together."""
    return events.mutate(
        basket=ibis.coalesce(
            ibis.literal("o") + events.order_id,
            ibis.literal("s") + events.session_id,
            ibis.literal("u") + (_microseconds(events) // DAY_US).cast("string") + " " + events.user_id,
            ibis.literal("e") + events.event_id,
        )
    )


def _baskets(events: ir.Table, kinds: Sequence[str], max_products: int | None) -> Rows:
    """A basket counts once for a product; its user is the one of its events, of several the alphabetically first."""
    taken = with_baskets(events.filter(events.kind.isin(list(kinds))))
    return _grouped(taken.mutate(row=taken.basket), max_products)


def _grouped(taken: ir.Table, max_products: int | None) -> Rows:
    """The rows of events that say which `row` they belong to."""
    by_row = taken.group_by("row")
    each = by_row.agg(
        user_id=taken.user_id.min(), second=_microseconds(taken).min() // SECOND_US, products=taken.product_id.nunique()
    )
    if max_products is not None:
        each = each.filter(each.products <= max_products)
    return Rows(each.drop("products"), taken.select("row", "product_id").distinct().semi_join(each, "row"), None)


def _after(bought: Rows, days: float) -> Rows:
    """A user's baskets: what was new in each, and what else came within so many days."""
    own, held = _moments(bought)
    cells = held.join(own, "row")
    first = cells.second.min().over(ibis.window(group_by=["user_id", "product_id"]))
    fresh = cells.mutate(first=first)
    next_ones = own.select("user_id", later="row", then="second")
    paired = own.join(next_ones, "user_id")
    paired = paired.filter((paired.then > paired.second) & (paired.then <= paired.second + _seconds(days)))
    follows = paired.select("row", "later").join(held.select("product_id", later="row"), "later")
    follows = follows.select("row", "product_id").distinct().anti_join(held, ["row", "product_id"])
    return Rows(own, fresh.filter(fresh.second == fresh.first).select("row", "product_id"), follows)


def _moments(bought: Rows) -> tuple[ir.Table, ir.Table]:
    """`all` and `source` of the baskets of known users, of which those of one user in one second are one."""
    known = bought.all.filter(bought.all.user_id.notnull())
    known = known.mutate(moment=known.user_id + " " + known.second.cast("string"))
    held = bought.source.join(known.select("row", "moment"), "row").select("product_id", row="moment").distinct()
    return known.select("user_id", "second", row="moment").distinct(), held


def _instead(events: ir.Table, days: float, target_kinds: Sequence[str], max_products: int | None) -> Rows:
    """Sessions of known users: what was seen and not bought within so many days, and what was."""
    known = with_baskets(events.filter(events.user_id.notnull()))
    seen = known.filter(known.kind.isin(list(VIEWED)))
    sessions = _grouped(seen.mutate(row=seen.user_id + " " + seen.basket), max_products)
    bought = known.filter(known.kind.isin(list(target_kinds)))
    bought = bought.group_by("user_id", "product_id", "basket", "kind").agg(at=_microseconds(bought).min() // SECOND_US)
    cells = sessions.source.join(sessions.all, "row")
    taken = cells.join(bought.select("user_id", "product_id", "at"), ["user_id", "product_id"])
    taken = taken.filter((taken["at"] >= taken.second) & (taken["at"] <= taken.second + _seconds(days)))
    taken = taken.select("row", "product_id").distinct()
    return Rows(sessions.all, sessions.source.anti_join(taken, ["row", "product_id"]), taken)


def _products(rows: Rows) -> ir.Table:
    """`product_id` and `code` of every product: numbers are counted faster than texts."""
    ids = rows.source.select("product_id")
    if rows.target is not None:
        ids = ids.union(rows.target.select("product_id"))
    known = ids.distinct()
    return known.mutate(code=ibis.row_number().over(order_by="product_id"))


def _coded(cells: ir.Table, products: ir.Table, name: str) -> ir.Table:
    return cells.join(products, "product_id").select("row", **{name: "code"})


def _numbered(rows: ir.Table, name: str, number: str) -> ir.Table:
    """The rows with a number for each different value of a column, null where it is."""
    known = rows.filter(rows[name].notnull()).select(name).distinct()
    return rows.left_join(known.mutate(**{number: ibis.row_number().over(order_by=name)}), name)


def _with_margins(pairs: ir.Table, rows: Rows, products: ir.Table) -> ir.Table:
    """The pairs by the products' ids, with the rows of each product in its role and of all."""
    source, target = (
        cells.group_by("product_id").agg(**{name: ibis._.count()}).join(products, "product_id")
        for cells, name in (
            (rows.source, "source_rows"),
            (rows.source if rows.target is None else rows.target, "target_rows"),
        )
    )
    source = source.select("product_id", "source_rows", product="code")
    target = target.select("target_rows", other_id="product_id", other="code")
    total = rows.all.aggregate(all_rows=rows.all.count())
    named = pairs.join(source, "product").join(target, "other").cross_join(total)
    return named.select("product_id", "other_id", "n", "users", "source_rows", "target_rows", "all_rows")


def _microseconds(events: ir.Table) -> ir.IntegerColumn:
    return events.time.delta(ibis.literal(EPOCH), unit="microsecond")


def _seconds(days: float) -> int:
    return int(days * DAY_US // SECOND_US)
