"""Rules that look at more than one row of events: bots, near duplicates, and values that nobody can mean.

A rule is asked of rows that live, neither duplicate nor refused, and gives the `place`, `file`, `rule` and `reason` of
those that it refuses. All of it is portable Ibis: cheap groups first, windows only over the rows that are left.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir

from tandem.params import Bot, CleaningParams, DominantUser, ImpossibleValue, NearDuplicate, PriceOutlier, Rule

Store = Callable[[ir.Table], ir.Table]
"""Computes an expression and keeps its rows: `Engine.store`."""

SAID = ["user_id", "product_id", "kind", "order_id", "quantity", "unit_price"]
ACTED = ["place", "file", "row", "time", "microseconds", *SAID]
ASKED = [*ACTED, "user", "met"]
"""Of the columns of judged events, those that the rules look at."""

BOUNDED = {"max_price": ("unit_price", "price"), "max_quantity": ("quantity", "stock")}
"""The columns of the tables that a bound of `impossible_value` is for."""

QUARTERS, SECONDS = "quarters", "seconds"
ODD: Mapping[str, Callable[[ir.Table], ir.IntegerValue]] = {
    QUARTERS: lambda rows: rows.microseconds // 60_000_000 % 15,  # 0 at midnight in every time zone of today
    SECONDS: lambda rows: rows.microseconds // 1_000_000 % 60,
}
"""Minutes past the quarter of an hour, and seconds past the minute."""

LARGEST = 1e13
"""What is larger is not written out in a reason."""


class Facts(NamedTuple):
    """What rules ask of all events together."""

    kinds: dict[str, dict[str, int]]  # of each kind, how many `rows`, and how many with odd QUARTERS and SECONDS
    most: int  # events of the user with the most of them, or more

    def fine(self, odd: str) -> list[str]:
        """The kinds whose times are fine enough: more than half of them are `odd`, not 0.

        Times by the day say nothing about actions in an hour, and those by the minute nothing about pauses of seconds.
        """
        return sorted(kind for kind, counts in self.kinds.items() if 2 * counts[odd] > counts["rows"])

    def moved(self, gone: Mapping[str, Mapping[str, int]], come: Mapping[str, Mapping[str, int]]) -> "Facts":
        """The facts without some events and with others, given the `kinds` of both."""
        found = {kind: dict(counts) for kind, counts in self.kinds.items()}
        for sign, counted in ((-1, gone), (1, come)):
            for kind, counts in counted.items():
                of = found.setdefault(kind, dict.fromkeys(counts, 0))
                of.update({name: of[name] + sign * count for name, count in counts.items()})
        return Facts({kind: counts for kind, counts in found.items() if counts["rows"]}, self.most)

    def dominated(self, bounds: DominantUser) -> bool:
        """Whether some user may have more than a share of all events."""
        return self.most > sum(counts["rows"] for counts in self.kinds.values()) * bounds.max_share


class Slim(NamedTuple):
    """The events in question, a slim copy of them, and the facts of all events."""

    live: ir.Table  # as they were given
    rows: ir.Table  # `place`, MET, `kind`, `time` and whether a value is `beyond` its bounds
    users: ir.Table  # `user`, `events`
    facts: Facts
    store: Store


def slim(live: ir.Table, params: CleaningParams, store: Store, facts: Facts | None = None) -> Slim:
    """What `clean` asks first: two hashes and a time of each event.

    Args:
        live: `place`, `file`, `row`, MET of `tandem.data.mapping` and the columns of events; stored or in files. All
            events, or, where users stand `apart`, all those of some users.
        params: the rules' switches and bounds.
        store: keeps it.
        facts: of all events, where `live` are those of some users; else they are taken from `live`.
    """
    beyond = ibis.or_(*(applies for applies, _ in _beyond(live, params.impossible_value)))
    rows = store(live.select("place", "user", "met", "kind", "time", "microseconds", beyond=beyond))
    users = store(rows.filter(rows.user.notnull()).group_by("user").agg(events=ibis._.count()))
    most = users.events.max().to_pyarrow().as_py() or 0
    known = facts or Facts(kinds(rows), 0)
    return Slim(live, rows, users, known._replace(most=max(known.most, most)), store)


def kinds(live: ir.Table) -> dict[str, dict[str, int]]:
    """What `Facts.kinds` says of the events."""
    odd = {name: (of(live) != 0).cast("int64").sum() for name, of in ODD.items()}
    counted = live.group_by("kind").agg(rows=live.count(), **odd)
    return {found.pop("kind"): found for found in counted.to_pyarrow().to_pylist()}


def apart(before: Facts, now: Facts, params: CleaningParams) -> bool:
    """Whether what the rules say of a user's events, at both times, rests on no other user's."""
    dominant = params.dominant_user.enabled and any(of.dominated(params.dominant_user) for of in (before, now))
    same = all(before.fine(odd) == now.fine(odd) for odd in ODD)
    return same and not dominant and not params.price_outlier.enabled


def clean(slim: Slim, params: CleaningParams) -> list[ir.Table]:
    """What each rule that finds any of the events refuses, stored: each row by the first rule that finds it.

    A rule first asks the slim copy whose rows it has to look at: mostly nobody's. The hashes only narrow down; what a
    rule finds is decided on the columns themselves.
    """
    found: list[ir.Table] = []
    for rule in (r for r in RULES if getattr(params, r.name).enabled):
        bounds = getattr(params, rule.name)
        suspects = rule.narrow(slim, bounds)
        if suspects is None:
            continue
        for earlier in found:
            suspects = suspects.anti_join(earlier, "place")
        these = slim.store(rule.find(suspects, bounds))
        if some(these):
            found.append(these)
    return found


def some(rows: ir.Table) -> bool:
    """Whether there is any row."""
    return bool(rows.limit(1).count().to_pyarrow().as_py())


def impossible_values(live: ir.Table, bounds: ImpossibleValue) -> ir.Table:
    """`impossible_value`: price, quantity or time are beyond all bounds; for the rows of any table."""
    reasons = _beyond(live, bounds)
    beyond = live.filter(ibis.or_(*(applies for applies, _ in reasons)))
    return _found(beyond, "impossible_value", ibis.cases(*_beyond(beyond, bounds)))


def price_outliers(live: ir.Table, bounds: PriceOutlier) -> ir.Table:
    """`price_outlier`: the price is far from the median of the product's events."""
    priced = live.filter(live.unit_price > 0)
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


def bots(live: ir.Table, bounds: Bot) -> ir.Table:
    """`bot`: the user is faster and broader than a person."""
    return _bots(_timed(live, Facts(kinds(live), 0), QUARTERS), bounds)


def dominant_users(live: ir.Table, bounds: DominantUser) -> ir.Table:
    """`dominant_user`: one user has a large share of all events."""
    named = live.filter(live.user_id.notnull())
    counts = named.group_by("user_id").agg(events=named.count())
    all_of = counts.aggregate(users=counts.count()).cross_join(live.aggregate(total=live.count()))
    beside = counts.cross_join(all_of)
    large = beside.filter((beside.users >= bounds.min_users) & (beside.events > beside.total * bounds.max_share))
    percent = (large.events * 100 // large.total).cast("string")
    reason = "user with " + large.events.cast("string") + " of all " + large.total.cast("string") + " events, "
    reason += percent + f" percent; at most {bounds.max_share:.0%} are believed".replace("%", " percent")
    return _found(named.join(large.select("user_id", why=reason), "user_id"), "dominant_user", ibis._.why)


def near_duplicates(live: ir.Table, bounds: NearDuplicate) -> ir.Table:
    """`near_duplicate`: the event says the same as the one just before.

    Of a run of such events, each within the window of the one before, the first is kept.
    """
    return _repeated(_timed(live, Facts(kinds(live), 0), SECONDS), bounds)


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


def _found(rows: ir.Table, rule: str, reason: ir.StringValue) -> ir.Table:
    return rows.select("place", "file", rule=ibis.literal(rule), reason=reason)


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


def _repeated(rows: ir.Table, bounds: NearDuplicate) -> ir.Table:
    again = rows.filter(rows.user_id.notnull() & rows.kind.isin(list(bounds.window_s)))
    runs = again.mutate(repeats=_close(again, ibis.window(group_by=SAID, order_by=["time", "file", "row"]), bounds))
    so_far = ibis.window(group_by=SAID, order_by=["time", "file", "row"], preceding=None, following=0)
    runs = runs.mutate(run=(~runs.repeats).cast("int64").sum().over(so_far))
    of_run = ibis.window(group_by=[*SAID, "run"], order_by=["time", "file", "row"])
    first = runs.file.first().over(of_run) + " row " + runs.row.first().over(of_run).cast("string")
    reason = "repeats " + first + " within " + runs.kind.cases(*((k, f"{w:g} s") for k, w in bounds.window_s.items()))
    return _found(runs.mutate(why=reason).filter(ibis._.repeats), "near_duplicate", ibis._.why)


def _close(rows: ir.Table, same: Any, bounds: NearDuplicate) -> ir.BooleanValue:
    """Whether an event lies within its kind's window of the one before, in the windows `same`."""
    pause = rows.microseconds - rows.microseconds.lag().over(same)
    windows = bounds.window_s.items()
    return ibis.or_(*((rows.kind == k) & (pause <= round(w * 1_000_000)) for k, w in windows)).fill_null(False)


def _timed(rows: ir.Table, facts: Facts, odd: str) -> ir.Table:
    """The rows of kinds whose times are fine enough."""
    return rows.filter(rows.kind.isin(facts.fine(odd)))


def _where_beyond(slim: Slim, bounds: ImpossibleValue) -> ir.Table | None:
    beyond = slim.rows.filter(slim.rows.beyond)
    return slim.live.semi_join(beyond, "place") if some(beyond) else None


def _all(slim: Slim, bounds: Rule) -> ir.Table | None:
    return slim.live


def _of_busy(slim: Slim, bounds: Bot) -> ir.Table | None:
    """Events of users with more of them in some hour than the bound: no others can have more on average.

    The average is left to the rule, for the kinds whose times count alone have a say in it.
    """
    many = slim.users.filter(slim.users.events > bounds.max_actions_per_hour)
    theirs = slim.rows.semi_join(many, "user")
    hours = theirs.group_by("user", hour=theirs.time.truncate("h")).agg(events=ibis._.count())
    busy = slim.store(hours.filter(hours.events > bounds.max_actions_per_hour).select("user").distinct())
    return _acted(slim, slim.rows.semi_join(busy, "user"), QUARTERS) if some(busy) else None


def _if_dominated(slim: Slim, bounds: DominantUser) -> ir.Table | None:
    return slim.live if slim.facts.dominated(bounds) else None


def _of_hasty(slim: Slim, bounds: NearDuplicate) -> ir.Table | None:
    """Events of users with products that they met twice within the window."""
    asked = slim.rows.filter(slim.rows.user.notnull() & slim.rows.kind.isin(list(bounds.window_s)))
    close = asked.mutate(close=_close(asked, ibis.window(group_by="met", order_by="time"), bounds))
    hasty = slim.store(close.filter(close.close).select("met").distinct())
    return _acted(slim, asked.semi_join(hasty, "met"), SECONDS) if some(hasty) else None


def _acted(slim: Slim, few: ir.Table, odd: str) -> ir.Table:
    """The events at the places of `few`, of kinds whose times are fine enough."""
    # Stored first: in one query with what narrows them down, DuckDB makes its hash table of all events.
    places = slim.store(_timed(few, slim.facts, odd).select("place"))
    return slim.store(slim.live.semi_join(places, "place").select(ACTED))


def _decimal(value: ir.FloatingValue) -> ir.StringValue:
    """The number with two decimals, cut; written the same by every engine."""
    cents = (ibis.least(value, LARGEST) * 100).floor().cast("int64")
    return (cents // 100).cast("string") + "." + (cents % 100).cast("string").lpad(2, "0")


class _Rule(NamedTuple):
    """A rule: which rows it has to look at, None where there are none, and which of them it refuses."""

    name: str
    narrow: Callable[[Slim, Any], ir.Table | None]
    find: Callable[[ir.Table, Any], ir.Table]


RULES = (
    _Rule("impossible_value", _where_beyond, impossible_values),
    _Rule("price_outlier", _all, price_outliers),
    _Rule("bot", _of_busy, _bots),
    _Rule("dominant_user", _if_dominated, dominant_users),
    _Rule("near_duplicate", _of_hasty, _repeated),
)
"""In the order in which they are asked."""
