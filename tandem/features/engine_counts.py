"""How often products stand in one basket: the counts that the product graph is made of, on any engine."""

from collections.abc import Sequence
from datetime import UTC, datetime

import ibis
import ibis.expr.types as ir

from tandem.features.histories import DAY_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def with_baskets(events: ir.Table) -> ir.Table:
    """Events with `basket`, equal for those that `tandem.features.histories.basket_key` puts together."""
    day = events.time.delta(ibis.literal(EPOCH), unit="microsecond") // DAY_US
    return events.mutate(
        basket=ibis.coalesce(
            ibis.literal("o") + events.order_id,
            ibis.literal("s") + events.session_id,
            ibis.literal("u") + day.cast("string") + " " + events.user_id,
            ibis.literal("e") + events.event_id,
        )
    )


def pair_counts(events: ir.Table, kinds: Sequence[str], max_products: int | None = None) -> ir.Table:
    """In how many baskets each two products stand together.

    A basket counts once for a product, however many events it has there. Its user is the one of its events, of
    several the alphabetically first; a basket without user counts among baskets and for no user.

    Args:
        events: a table of schema.EVENTS.
        kinds: the events that fill baskets.
        max_products: baskets with more products, those of wholesalers and crawlers, are left out of all counts.

    Returns:
        One row for each ordered pair of different products that share a basket, in no order: `product_id`,
        `other_id`, `baskets` with both, distinct `users` of these (an association is shown to people only from
        `min_users` of them on), `product_baskets` and `other_baskets` with each, and `all_baskets`.
    """
    cells = _cells(with_baskets(events.filter(events.kind.isin(list(kinds)))), max_products)
    others = cells.select("basket", other="product")
    both = cells.join(others, "basket")
    by_user = both.filter(both.product < both.other).group_by("product", "other", "user")
    once = by_user.agg(baskets=ibis._.count()).group_by("product", "other")
    # DuckDB adds whole numbers up to 128 bits, which Parquet has not; baskets are exact in 53.
    pairs = once.agg(baskets=ibis._.baskets.sum().cast("float64"), users=ibis._.user.count())
    pairs = pairs.mutate(baskets=pairs.baskets.cast("int64"))
    mirrored = pairs.select("baskets", "users", product="other", other="product")
    return _with_singles(pairs.union(mirrored.select(pairs.columns)), cells)


def _cells(taken: ir.Table, max_products: int | None) -> ir.Table:
    """`basket`, `product` and `user`, all numbers, and `product_id`: one row for each product of a basket."""
    cells = taken.group_by("basket", "product_id").agg(user_id=ibis._.user_id.min())
    baskets = cells.group_by("basket").agg(user_id=ibis._.user_id.min(), products=ibis._.count())
    if max_products is not None:
        baskets = baskets.filter(baskets.products <= max_products)
    of_basket = baskets.left_join(_numbered(baskets, "user_id", "user"), "user_id").select("basket", "user")
    found = cells.join(of_basket, "basket")
    return found.join(_numbered(found, "product_id", "product"), "product_id").select(
        "basket", "product_id", "product", "user"
    )


def _numbered(rows: ir.Table, name: str, number: str) -> ir.Table:
    """The different values of a column and a number for each: numbers are counted faster than texts."""
    known = rows.filter(rows[name].notnull()).select(name).distinct()
    return known.mutate(**{number: ibis.row_number().over(order_by=name)})


def _with_singles(pairs: ir.Table, cells: ir.Table) -> ir.Table:
    """The pairs by the products' ids, with the baskets of each product and of all."""
    singles = cells.group_by("product", "product_id").agg(product_baskets=ibis._.count())
    others = singles.select(other="product", other_id="product_id", other_baskets="product_baskets")
    all_of = cells.aggregate(all_baskets=cells.basket.nunique())
    named = pairs.join(singles, "product").join(others, "other").cross_join(all_of)
    return named.select("product_id", "other_id", "baskets", "users", "product_baskets", "other_baskets", "all_baskets")
