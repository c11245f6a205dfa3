"""Rules that look at more than one row of events: bots, near duplicates, and values that nobody can mean.

A rule finds rows that live, neither duplicate nor refused, and refuses them with a reason. All of it is portable Ibis:
cheap groups first, windows only over the rows that are left.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir

from tandem.params import Bot, CleaningParams, DominantUser, ImpossibleValue, NearDuplicate, PriceOutlier, Rule

Store = Callable[[ir.Table], ir.Table]
"""Computes an expression and keeps its rows: `Engine.store`."""

PLACE = ["file", "row"]
ACTED = [*PLACE, "user_id", "product_id", "kind", "time", "order_id", "quantity", "unit_price"]
BOUNDED = {"max_price": ("unit_price", "price"), "max_quantity": ("quantity", "stock")}
"""The columns of the tables that a bound of `impossible_value` is for."""

LARGEST = 1e13
"""What is larger is not written out in a reason."""


def clean(rows: ir.Table, params: CleaningParams, store: Store) -> ir.Table:
    """The rows of events, refused by the first rule that finds them; where no rule finds any, the rows as they came.

    Each rule first asks a slim copy, two hashes and a time per row, whose rows it has to look at: mostly nobody's. The
    hashes only narrow down; what a rule finds is decided on the columns themselves.

    Args:
        rows: `file`, `row`, `rule`, `reason`, `duplicate` and the columns of events; stored or in files.
        params: the rules' switches and bounds.
        store: keeps what lies between and what each rule found.
    """
    live = _with_keys(rows.filter(lives(rows)))
    slim = _slim(live, params, store)
    found: list[ir.Table] = []
    for rule in (r for r in RULES if getattr(params, r.name).enabled):
        bounds = getattr(params, rule.name)
        suspects = rule.narrow(live, slim, bounds)
        if suspects is None:
            continue
        for earlier in found:
            suspects = suspects.anti_join(earlier, PLACE)
        these = store(rule.find(suspects, bounds))
        if _any(these):
            found.append(these)
    return _refuse(rows, store(ibis.union(*found)) if len(found) > 1 else found[0]) if found else rows


def impossible_values(rows: ir.Table, params: CleaningParams) -> ir.Table:
    """The rows of any table with `impossible_value` where price, quantity or time are beyond all bounds."""
    return _apply(rows, _impossible, params.impossible_value)


def price_outliers(rows: ir.Table, params: CleaningParams) -> ir.Table:
    """The events with `price_outlier` where the price is far from the median of the product's events."""
    return _apply(rows, _outliers, params.price_outlier)


def bots(rows: ir.Table, params: CleaningParams) -> ir.Table:
    """The events with `bot` where the user is faster and broader than a person."""
    return _apply(rows, lambda live, bounds: _bots(_timed(live, live, _quarters), bounds), params.bot)


def dominant_users(rows: ir.Table, params: CleaningParams) -> ir.Table:
    """The events with `dominant_user` where one user has a large share of all of them."""
    return _apply(rows, _dominant, params.dominant_user)


def near_duplicates(rows: ir.Table, params: CleaningParams) -> ir.Table:
    """The events with `near_duplicate` where one says the same as the one just before.

    Of a run of such events, each within the window of the one before, the first is kept.
    """
    return _apply(rows, lambda live, bounds: _repeated(_timed(live, live, _seconds), bounds), params.near_duplicate)


def report(
    params: CleaningParams, refused: Mapping[str, int], repaired: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Every cleaning rule with its switch, its bounds and how many rows it refused, or what it repaired.

    Args:
        params: the rules.
        refused: rows refused, by rule; those of other rules are left out.
        repaired: what came of the rules that repair, by rule: counts and examples.
    """
    entries = {}
    for name, bounds in params.model_dump(mode="json").items():
        enabled = bounds.pop("enabled")
        told = dict(repaired[name]) if name in repaired else {"rows": refused.get(name, 0)}
        entries[name] = {"enabled": enabled, "bounds": bounds, **told}
    return entries


def lives(rows: ir.Table) -> ir.BooleanValue:
    """Whether a row is neither duplicate nor refused so far."""
    return ~rows.duplicate & rows.rule.isnull()


def _apply(rows: ir.Table, find: Callable[[ir.Table, Any], ir.Table], bounds: Rule) -> ir.Table:
    return _refuse(rows, find(rows.filter(lives(rows)), bounds)) if bounds.enabled else rows


def _refuse(rows: ir.Table, found: ir.Table) -> ir.Table:
    """The rows with the verdicts of `found`."""
    joined = rows.left_join(found, PLACE, rname="found_{name}")
    verdict = {name: joined[f"found_{name}"].coalesce(joined[name]) for name in ("rule", "reason")}
    return joined.mutate(**verdict).select(rows.columns)


def _found(rows: ir.Table, rule: str, reason: ir.StringValue) -> ir.Table:
    return rows.select("file", "row", rule=ibis.literal(rule), reason=reason)


def _impossible(rows: ir.Table, bounds: ImpossibleValue) -> ir.Table:
    reasons = _beyond(rows, bounds)
    beyond = rows.filter(ibis.or_(*(applies for applies, _ in reasons)))
    return _found(beyond, "impossible_value", ibis.cases(*_beyond(beyond, bounds)))


def _beyond(rows: ir.Table, bounds: ImpossibleValue) -> list[tuple[ir.BooleanValue, ir.StringValue]]:
    """Where each value is impossible, and the reason to give."""
    found = []
    for name, columns in BOUNDED.items():
        limit = getattr(bounds, name)
        for column in (rows[name] for name in columns if name in rows.columns):
            reason = f"{column.get_name()} " + _decimal(column) + f" is above {limit:g}"
            found.append(((column > limit).fill_null(False), reason))
    if "time" in rows.columns:
        reason = "time is in the year " + rows.time.year().cast("string") + f", before {bounds.earliest.date()}"
        found.append(((rows.time < ibis.literal(bounds.earliest)).fill_null(False), reason))
    return found


def _outliers(rows: ir.Table, bounds: PriceOutlier) -> ir.Table:
    priced = rows.filter(rows.unit_price > 0)
    spans = priced.group_by("product_id").agg(
        prices=priced.count(), low=priced.unit_price.min(), high=priced.unit_price.max()
    )
    wide = spans.filter((spans.prices >= bounds.min_events) & (spans.high > spans.low * bounds.max_factor))
    theirs = priced.semi_join(wide, "product_id")
    usual = theirs.group_by("product_id").agg(usual=theirs.unit_price.median())
    known = theirs.join(usual, "product_id")
    far = (known.unit_price > known.usual * bounds.max_factor) | (known.unit_price * bounds.max_factor < known.usual)
    reason = "unit_price " + _decimal(known.unit_price) + " is more than "
    reason += f"{bounds.max_factor:g} times away from the product's median " + _decimal(known.usual)
    return _found(known.mutate(why=reason).filter(far), "price_outlier", ibis._.why)


def _bots(rows: ir.Table, bounds: Bot) -> ir.Table:
    theirs = rows.filter(rows.user_id.notnull())
    place = theirs.file + ":" + theirs.row.cast("string")
    action = theirs.order_id.isnull().ifelse(place, "order " + theirs.order_id)
    hours = _mean_of(theirs.mutate(action=action), "h", "action", "actions", "hours")
    days = _mean_of(theirs, "D", "product_id", "products", "days")
    both = hours.join(days, "user_id")
    fast = both.actions > both.hours * bounds.max_actions_per_hour
    broad = both.products > both.days * bounds.max_products_per_day
    told = {name: both[name].cast("string") for name in ("actions", "hours", "products", "days")}
    reason = "user with " + told["actions"] + " actions in " + told["hours"] + " active hours and "
    reason += told["products"] + " products in " + told["days"] + " active days, more than "
    reason += f"{bounds.max_actions_per_hour:g} an hour and {bounds.max_products_per_day:g} a day"
    caught = both.filter(fast & broad).select("user_id", why=reason)
    return _found(theirs.join(caught, "user_id"), "bot", ibis._.why)


def _mean_of(rows: ir.Table, unit: str, what: str, total: str, units: str) -> ir.Table:
    """`user_id`, how many different `what` each hour or day holds, summed, and in how many of them the user acted."""
    placed = rows.mutate(unit=rows.time.truncate(unit))
    counted = placed.group_by("user_id", "unit").agg(different=placed[what].nunique())
    return counted.group_by("user_id").agg(**{total: counted.different.sum(), units: counted.count()})


def _dominant(rows: ir.Table, bounds: DominantUser) -> ir.Table:
    named = rows.filter(rows.user_id.notnull())
    counts = named.group_by("user_id").agg(events=named.count())
    all_of = counts.aggregate(users=counts.count()).cross_join(rows.aggregate(total=rows.count()))
    beside = counts.cross_join(all_of)
    large = beside.filter((beside.users >= bounds.min_users) & (beside.events > beside.total * bounds.max_share))
    percent = (large.events * 100 // large.total).cast("string")
    reason = "user with " + large.events.cast("string") + " of all " + large.total.cast("string") + " events, "
    reason += percent + f" percent; at most {bounds.max_share:.0%} are believed".replace("%", " percent")
    return _found(named.join(large.select("user_id", why=reason), "user_id"), "dominant_user", ibis._.why)


def _repeated(rows: ir.Table, bounds: NearDuplicate) -> ir.Table:
    again = rows.filter(rows.user_id.notnull() & rows.kind.isin(list(bounds.window_s)))
    same = ["user_id", "product_id", "kind", "order_id", "quantity", "unit_price"]
    runs = again.mutate(repeats=_close(again, ibis.window(group_by=same, order_by=["time", *PLACE]), bounds))
    so_far = ibis.window(group_by=same, order_by=["time", *PLACE], preceding=None, following=0)
    runs = runs.mutate(run=(~runs.repeats).cast("int64").sum().over(so_far))
    of_run = ibis.window(group_by=[*same, "run"], order_by=["time", *PLACE])
    first = runs.file.first().over(of_run) + " row " + runs.row.first().over(of_run).cast("string")
    reason = "repeats " + first + " within " + runs.kind.cases(*((k, f"{w:g} s") for k, w in bounds.window_s.items()))
    return _found(runs.mutate(why=reason).filter(ibis._.repeats), "near_duplicate", ibis._.why)


def _close(rows: ir.Table, same: Any, bounds: NearDuplicate) -> ir.BooleanValue:
    """Whether an event lies within its kind's window of the one before, in the windows `same`."""
    before = rows.time.lag().over(same)
    close = [
        (rows.kind == kind) & (rows.time <= before + ibis.interval(microseconds=round(window_s * 1_000_000)))
        for kind, window_s in bounds.window_s.items()
    ]
    return ibis.or_(*close).fill_null(False)


def _timed(rows: ir.Table, told: ir.Table, odd: Callable[[ir.Table], ir.IntegerValue]) -> ir.Table:
    """The rows of kinds whose times, in `told`, are fine enough: more than half of them are `odd`, not 0.

    Times by the day say nothing about actions in an hour, and those by the minute nothing about pauses of seconds.
    """
    shares = told.group_by("kind").agg(share=(odd(told) != 0).cast("float64").mean())
    return rows.semi_join(shares.filter(shares.share > 0.5), "kind")


def _quarters(rows: ir.Table) -> ir.IntegerValue:
    """Minutes past the quarter of an hour: 0 at midnight in every time zone."""
    return rows.time.minute() % 15


def _seconds(rows: ir.Table) -> ir.IntegerValue:
    return rows.time.second()


def _with_keys(rows: ir.Table) -> ir.Table:
    """The rows with `user` and `met`, hashes of the user and of what the user did with which product."""
    user = rows.user_id.notnull().ifelse(rows.user_id.hash(), ibis.null("int64"))
    return rows.mutate(user=user, met=user ^ rows.product_id.hash() ^ rows.kind.hash())


class _Slim(NamedTuple):
    """What is asked of all rows."""

    rows: ir.Table  # `user`, `met`, `kind`, `time` and whether a value is `beyond` its bounds
    users: ir.Table  # `user`, `events`
    store: Store


def _slim(live: ir.Table, params: CleaningParams, store: Store) -> _Slim:
    beyond = ibis.or_(*(applies for applies, _ in _beyond(live, params.impossible_value)))
    rows = store(live.select("user", "met", "kind", "time", beyond=beyond))
    users = store(rows.filter(rows.user.notnull()).group_by("user").agg(events=ibis._.count()))
    return _Slim(rows, users, store)


def _where_beyond(live: ir.Table, slim: _Slim, bounds: ImpossibleValue) -> ir.Table | None:
    return live if _any(slim.rows.filter(slim.rows.beyond)) else None


def _all(live: ir.Table, slim: _Slim, bounds: Rule) -> ir.Table | None:
    return live


def _of_busy(live: ir.Table, slim: _Slim, bounds: Bot) -> ir.Table | None:
    """Events of users with more of them in some hour than the bound: no others can have more on average.

    The average is left to the rule, for the kinds whose times count alone have a say in it.
    """
    many = slim.users.filter(slim.users.events > bounds.max_actions_per_hour)
    theirs = slim.rows.semi_join(many, "user")
    hours = theirs.group_by("user", hour=theirs.time.truncate("h")).agg(events=ibis._.count())
    busy = slim.store(hours.filter(hours.events > bounds.max_actions_per_hour).select("user").distinct())
    if not _any(busy):
        return None
    # Stored first: in one query with the few kinds, DuckDB makes its hash table of all events.
    theirs = slim.store(live.semi_join(busy, "user").select(ACTED))
    return slim.store(_timed(theirs, slim.rows, _quarters))


def _if_dominated(live: ir.Table, slim: _Slim, bounds: DominantUser) -> ir.Table | None:
    most = slim.users.events.max().to_pyarrow().as_py()
    return live if most and most > slim.rows.count().to_pyarrow().as_py() * bounds.max_share else None


def _of_hasty(live: ir.Table, slim: _Slim, bounds: NearDuplicate) -> ir.Table | None:
    """Events of users with products that they met twice within the window."""
    asked = slim.rows.filter(slim.rows.user.notnull() & slim.rows.kind.isin(list(bounds.window_s)))
    times = asked.group_by("met").agg(times=ibis._.count())
    again = slim.store(asked.semi_join(times.filter(times.times > 1), "met").select("met", "kind", "time"))
    close = again.mutate(close=_close(again, ibis.window(group_by="met", order_by="time"), bounds))
    hasty = slim.store(close.filter(close.close).select("met").distinct())
    if not _any(hasty):
        return None
    # Stored first: in one query with the few kinds, DuckDB makes its hash table of all events.
    theirs = slim.store(live.semi_join(hasty, "met").select(ACTED))
    return slim.store(_timed(theirs, slim.rows, _seconds))


def _any(rows: ir.Table) -> bool:
    return bool(rows.limit(1).count().to_pyarrow().as_py())


def _decimal(value: ir.FloatingValue) -> ir.StringValue:
    """The number with two decimals, cut; written the same by every engine."""
    cents = (ibis.least(value, LARGEST) * 100).floor().cast("int64")
    return (cents // 100).cast("string") + "." + (cents % 100).cast("string").lpad(2, "0")


class _Rule(NamedTuple):
    """A rule: which rows it has to look at, None where there are none, and which of them it refuses."""

    name: str
    narrow: Callable[[ir.Table, _Slim, Any], ir.Table | None]
    find: Callable[[ir.Table, Any], ir.Table]


RULES = (
    _Rule("impossible_value", _where_beyond, _impossible),
    _Rule("price_outlier", _all, _outliers),
    _Rule("bot", _of_busy, _bots),
    _Rule("dominant_user", _if_dominated, _dominant),
    _Rule("near_duplicate", _of_hasty, _repeated),
)
"""In the order in which they are asked."""
