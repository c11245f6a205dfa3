"""What a snapshot must keep, as plain claims: made from the schema, and from what is true of any shop.

`stages.measures` computes what they are about, `stages.validate` hands both to Great Expectations.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import ibis.expr.types as ir

from stages import profiles
from stages.measures import (
    PLACE,
    RAW_FILES,
    RAW_TABLES,
    SNAPSHOT,
    Known,
    Measure,
    Orphans,
    Repeats,
    Rows,
    Scalar,
    Tables,
    share_without,
    whole,
)
from stages.profiles import Before, Profile
from tandem.data.schema import Column, Table
from tandem.errors import ParamsError
from tandem.params import ValidateParams

NAMES = (
    "columns",
    "required",
    "unique_key",
    "known_values",
    "value_range",
    "price_range",
    "quantity_range",
    "not_empty",
    "future_events",
    "freshness",
    "orphan_products",
    "unseen_purchases",
    "reviewers_without_purchase",
    "one_currency",
    "volume",
    "behaviour_mix",
    "category_mix",
    "price_distribution",
    "user_activity",
    "exact_accounting",
    "refused_share",
)
"""Every name that `validate.severity` may hold."""

REFERENCES = {"events": ("product_id",), "reviews": ("product_id",), "relations": ("product_id", "other_id")}
"""Columns that hold a key of products, by table."""

SEEN = ("view", "click")
"""Kinds of events that show that a user saw a product."""


@dataclass(frozen=True)
class Claim:
    """One expectation of one table: a measure between two bounds, both of them allowed."""

    table: str
    name: str  # one of NAMES
    of: str  # the columns or the quantity it speaks of
    sentence: str  # what holds, for people
    measure: Measure
    at_least: Any = None
    at_most: Any = 0  # rows that break it
    shown: Any = None  # a value to show beside the rows that break it

    @property
    def column(self) -> str:
        """Where the measured value stands in the batch of its table."""
        return f"{self.name}({self.of})"

    @property
    def absent(self) -> str:
        """Why there may be nothing to judge."""
        return self.measure.absent if isinstance(self.measure, Scalar) else ""

    @property
    def counts_rows(self) -> bool:
        """Whether the measure is a number of rows that break the claim."""
        return isinstance(self.measure, Rows | Repeats | Orphans)


@dataclass(frozen=True)
class Skipped:
    """An expectation that could not be asked, or was not to be, and why."""

    table: str
    name: str
    reason: str


def ask(
    tables: Tables, profile: Profile, params: ValidateParams, as_of: datetime, before: Before | str
) -> tuple[list[Claim], list[Skipped]]:
    """All that is to be judged, and what cannot be or is switched off.

    Args:
        profile: of these tables.
        before: what is known of the snapshot accepted before, or a sentence why there is nothing.

    Raises:
        ParamsError: `validate.severity` names an expectation that does not exist.
    """
    if strange := sorted(set(params.severity) - set(NAMES)):
        known = ", ".join(NAMES)
        raise ParamsError(f"params.yaml: `validate.severity.{strange[0]}` is no expectation. Known names: {known}.")
    asked: list[Claim | Skipped] = [claim for table in SNAPSHOT for claim in of_schema(table, tables, params)]
    asked += [*of_presence(params), *of_references(), *of_time(as_of, params), *of_accounting(tables, params)]
    asked += [*of_people(profile, params), *of_currency(), *of_volume(profile, before, params)]
    asked += of_distributions(profile, before, params)
    asked = [_unless_off(one, params) for one in asked]
    return [a for a in asked if isinstance(a, Claim)], [a for a in asked if isinstance(a, Skipped)]


def _unless_off(one: Claim | Skipped, params: ValidateParams) -> Claim | Skipped:
    off = params.severity.get(one.name) == "off"
    return Skipped(one.table, one.name, "switched off in params.yaml") if off else one


def of_schema(table: Table, tables: Tables, params: ValidateParams) -> Iterator[Claim]:
    """Columns, missing values, key, value sets and ranges, as `tandem.data.schema` says."""
    names, key = ", ".join(table.names), ", ".join(table.key)
    strange = set(table.names) ^ (set(tables[table.name].columns) - {PLACE})
    yield Claim(table.name, "columns", "table", f"has the columns {names}", Known(len(strange)))
    yield Claim(table.name, "unique_key", key, f"{key} is unique", Repeats(table.key))
    for column in table.columns:
        if not column.nullable:
            yield _rows(table, "required", column, "is never missing", lambda values: values.isnull())
        if column.values:
            sentence = f"is one of {', '.join(column.values)}"
            yield _rows(table, "known_values", column, sentence, partial(_not_in, column.values))
        if column.minimum is not None or column.maximum is not None:
            yield _range(table, column, params)


def _not_in(allowed: tuple[str, ...], values: ir.StringColumn) -> ir.BooleanValue:
    return values.notin(allowed)


def of_time(as_of: datetime, params: ValidateParams) -> Iterator[Claim]:
    """Nothing comes from the future, and the last event is recent."""
    sentence = f"time is before {_named(as_of, params)}"
    for table in ("events", "reviews"):
        yield Claim(table, "future_events", "time", sentence, Rows(lambda rows: rows.time >= as_of))
    days = params.max_days_since_last_event
    since = as_of - timedelta(days=days)
    bound = f"at most {days:g} days (validate.max_days_since_last_event) before {_named(as_of, params)}"
    sentence = f"the last event is {bound}; so it is not before {_clock(since)}"
    last = Scalar(lambda tables: tables["events"].time.max().to_pyarrow().as_py(), "there are no events")
    yield Claim("events", "freshness", "last time", sentence, last, at_least=since, at_most=None)


def _named(as_of: datetime, params: ValidateParams) -> str:
    """The moment with the key of params.yaml that sets it."""
    if params.as_of == "now":
        return f"validate.as_of, which is now: {_clock(as_of)}, when raw files last came in"
    return f"validate.as_of, which is {_clock(as_of)} in params.yaml"


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def of_references() -> Iterator[Claim]:
    """Every product that is spoken of is in products."""
    for table, columns in REFERENCES.items():
        for column in columns:
            yield Claim(table, "orphan_products", column, f"{column} is in products", Orphans(column))


def of_presence(params: ValidateParams) -> Iterator[Claim]:
    """What a shop cannot do without is there."""
    for table in params.must_have_rows:
        yield Claim(table, "not_empty", "rows", "has rows", _number_of_rows(table), at_least=1, at_most=None)


def of_accounting(tables: Tables, params: ValidateParams) -> Iterator[Claim]:
    """No raw row is lost, and few are refused; shown are the most rows lost of a file, and the largest share."""
    files, raw = tables[RAW_FILES], tables[RAW_TABLES]
    lost = Rows(lambda rows: rows.rows != rows.accounted)
    most = (files.rows - files.accounted).abs().max().to_pyarrow().as_py()
    yield Claim(RAW_FILES, "exact_accounting", "rows", "rows = kept + duplicates + refused", lost, shown=most)
    sentence = f"at most {params.max_refused_share:.4g} of a table's raw rows are refused"
    many = Rows(lambda rows: rows.refused_share > params.max_refused_share)
    share = raw.refused_share.max().to_pyarrow().as_py()
    shown = None if share is None else round(share, 6)
    yield Claim(RAW_TABLES, "refused_share", "refused", sentence, many, shown=shown)


def of_people(profile: Profile, params: ValidateParams) -> Iterator[Claim | Skipped]:
    """Who buys has seen the product before, and who reviews has bought something: else a table is not whole."""
    if not any(profile.kinds.get(kind) for kind in SEEN):
        yield Skipped("events", "unseen_purchases", "there are no views or clicks")
    else:
        most = params.max_unseen_purchases
        sentence = f"of purchased pairs of user and product at most {most:.4g} were never viewed or clicked before"
        share = Scalar(unseen_purchases, "there are no purchases by known users")
        yield Claim("events", "unseen_purchases", "share", sentence, share, at_most=most)
    if not profile.kinds.get("purchase"):
        yield Skipped("reviews", "reviewers_without_purchase", "there are no purchases")
    else:
        most = params.max_reviewers_without_purchase
        sentence = f"at most {most:.4g} of the users who wrote reviews never bought anything"
        share = Scalar(reviewers_without_purchase, "there are no reviews by known users")
        yield Claim("reviews", "reviewers_without_purchase", "share", sentence, share, at_most=most)


def unseen_purchases(tables: Tables) -> float | None:
    """Share of distinct (user, product) that were bought, and not viewed or clicked at or before the first purchase."""
    events = tables["events"].filter(tables["events"].user_id.notnull())
    purchases = events.filter(events.kind == "purchase")
    bought = purchases.group_by("user_id", "product_id").agg(bought=purchases.time.min())
    seen = events.filter(events.kind.isin(SEEN)).select("user_id", "product_id", seen="time")
    return share_without(bought, bought.semi_join(seen, ["user_id", "product_id", bought.bought >= seen.seen]))


def reviewers_without_purchase(tables: Tables) -> float | None:
    """Share of distinct users with a review who have no purchase."""
    reviews, events = tables["reviews"], tables["events"]
    reviewers = reviews.filter(reviews.user_id.notnull()).select("user_id").distinct()
    buyers = events.filter(events.kind == "purchase").select("user_id")
    return share_without(reviewers, reviewers.semi_join(buyers, "user_id"))


def of_currency() -> Iterator[Claim]:
    """Prices can be compared."""
    several = Scalar(lambda tables: whole(tables["products"].currency.nunique()))
    yield Claim("products", "one_currency", "currency", "all prices are in one currency", several, at_most=1)


def of_volume(profile: Profile, before: Before | str, params: ValidateParams) -> Iterator[Claim | Skipped]:
    """Row counts in proportion to those of the snapshot accepted before."""
    low, high = params.volume_ratio
    if isinstance(before, str):
        yield Skipped("all", "volume", before)
        return
    for table in profile.rows:
        rows = before.rows.get(table, 0)
        if not rows:
            yield Skipped(table, "volume", "the snapshot accepted before had no such rows")
            continue
        least, most = round(low * rows), round(high * rows)
        sentence = f"has {least} to {most} rows; {rows} were accepted before"
        yield Claim(table, "volume", "rows", sentence, _number_of_rows(table), at_least=least, at_most=most)


@dataclass(frozen=True)
class _Distribution:
    """A part of the profile that may move only so far from that of the snapshot accepted before."""

    table: str
    name: str
    part: str  # of the profile
    about: str
    distance: Callable[[Any, Any], float | None]
    most: float


def of_distributions(profile: Profile, before: Before | str, params: ValidateParams) -> Iterator[Claim | Skipped]:
    """Mixes and distributions stay near those of the snapshot accepted before."""
    psi, ks = profiles.mix_distance, profiles.distance
    prices, activity = params.max_price_ks, params.max_activity_ks
    for d in (
        _Distribution("events", "behaviour_mix", "kinds", "events by kind", psi, params.max_behaviour_psi),
        _Distribution(
            "events", "category_mix", "categories", "events by widest category", psi, params.max_category_psi
        ),
        _Distribution("events", "price_distribution", "unit_price", "unit_price of events", ks, prices),
        _Distribution("products", "price_distribution", "price", "price of products", ks, prices),
        _Distribution("events", "user_activity", "events_per_user", "events of a user", ks, activity),
    ):
        yield _near(d, profile, before)


def _near(d: _Distribution, profile: Profile, before: Before | str) -> Claim | Skipped:
    if isinstance(before, str) or before.profile is None:
        reason = before if isinstance(before, str) else "the snapshot accepted before has no profile"
        return Skipped(d.table, d.name, reason)
    earlier, now = getattr(before.profile, d.part), getattr(profile, d.part)
    found = d.distance(earlier, now)
    if found is None:
        where = "the snapshot accepted before has" if not earlier else "there are"
        return Skipped(d.table, d.name, f"{where} no {d.about}")
    mixes = d.distance is profiles.mix_distance
    within = f"the {'stability index' if mixes else 'KS distance'} of {d.about} is at most {d.most:.4g}"
    also = "" if mixes else f" (to {profiles.distance_error(earlier, now):.2g} more unrounded)"
    sentence = f"{within} against the snapshot accepted before{also}"
    return Claim(d.table, d.name, d.part, sentence, Known(round(found, 6)), at_most=d.most)


def _number_of_rows(table: str) -> Scalar:
    return Scalar(lambda tables: whole(tables[table].count()))


def _rows(table: Table, name: str, column: Column, sentence: str, broken: Callable[[Any], ir.BooleanValue]) -> Claim:
    """A claim on each value of one column."""
    rows = Rows(lambda rows: broken(rows[column.name]))
    return Claim(table.name, name, column.name, f"{column.name} {sentence}", rows)


def _range(table: Table, column: Column, params: ValidateParams) -> Claim:
    least, most, name, strict = column.minimum, column.maximum, "value_range", False
    if column.name in ("price", "unit_price"):
        name, most = "price_range", params.max_unit_price
    if column.name == "quantity":
        name, most, strict = "quantity_range", params.max_quantity, True
    limits = [f"{'>' if strict else '≥'} {least:g}"] if least is not None else []
    limits += [f"≤ {most:g}"] if most is not None else []

    def broken(values: ir.FloatingColumn) -> ir.BooleanValue:
        outside = values.isnan() | values.isinf()
        if least is not None:
            outside |= (values <= least) if strict else (values < least)
        return outside | (values > most) if most is not None else outside

    return _rows(table, name, column, f"is {' and '.join(limits)}", broken)
