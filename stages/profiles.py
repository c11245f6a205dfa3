"""What a snapshot looks like in a few counts, and how far another one is from it.

A profile lies beside the manifest of its snapshot as `profile.json`: counts by kind, by widest category, by price and
by events of a user. It holds no row and no id.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from stages.measures import SNAPSHOT, Tables, whole
from tandem import files
from tandem.data.difference import psi

STEPS = 16
"""Bins in which a number doubles: each is 2^(1/16) - 1 = 4.4 % wide, and each integer up to 23 has its own."""

LOWEST = -20_000
"""Bin of zero and less; 2^(-20000/16) is below every other float."""

OTHERS = "…"
LARGEST = 200
"""Categories that a profile names; what is left is counted as OTHERS."""

NONE = "(none)"

Counts = Mapping[str, int]
Bins = Mapping[int, int]


@dataclass(frozen=True)
class Profile:
    """Counts of one snapshot."""

    rows: Counts  # by table
    span: list[str] | None  # first and last event
    kinds: Counts  # events
    categories: Counts  # events by the product's widest category
    unit_price: Bins  # events that have one
    price: Bins  # products that have one
    events_per_user: Bins  # users

    def json(self) -> dict[str, Any]:
        """As JSON knows it, with the LARGEST categories by name."""
        return {**asdict(self), "categories": _largest(self.categories)}

    @classmethod
    def read(cls, path: Path) -> "Profile":
        """The profile at `path`."""
        found = files.read_json(path)
        bins = {
            name: {int(b): n for b, n in found[name].items()} for name in ("unit_price", "price", "events_per_user")
        }
        return cls(**{**found, **bins})


@dataclass(frozen=True)
class Before:
    """What is known of the snapshot accepted before."""

    rows: Counts
    profile: Profile | None  # none where it was accepted before profiles were made


def before(manifest: Path, source: str) -> Before | str:
    """The snapshot accepted before, or why there is nothing to compare with."""
    if not manifest.exists():
        return "no snapshot was accepted before"
    found = files.read_json(manifest)
    if found["source"] != source:
        return f"the snapshot accepted before is of source {found['source']}"
    path = manifest.with_name("profile.json")
    return Before(dict(found["rows"]), Profile.read(path) if path.exists() else None)


def take(tables: Tables) -> Profile:
    """The profile of the canonical tables."""
    events, products = tables["events"], tables["products"]
    by_user = events.filter(events.user_id.notnull()).group_by("user_id").agg(number=ibis._.count())
    return Profile(
        rows={table.name: whole(tables[table.name].count()) for table in SNAPSHOT},
        span=_span(events),
        kinds=_counts(events.group_by(value="kind").agg(number=events.count())),
        categories=_counts(_categories(events, products)),
        unit_price=_bins(events.unit_price),
        price=_bins(products.price),
        events_per_user=_bins(by_user.number.cast("float64")),
    )


def _span(events: ir.Table) -> list[str] | None:
    (found,) = events.aggregate(first=events.time.min(), last=events.time.max()).to_pyarrow().to_pylist()
    return None if found["first"] is None else [found["first"].isoformat(), found["last"].isoformat()]


def _categories(events: ir.Table, products: ir.Table) -> ir.Table:
    """Events by the widest category of their product: `value`, `number`."""
    of_products = events.group_by("product_id").agg(events=events.count())
    widest = products.select("product_id", value=products.category[0])
    joined = of_products.left_join(widest, "product_id").mutate(value=ibis._.value.fill_null(NONE))
    return joined.group_by("value").agg(number=joined.events.sum())


def _counts(counted: ir.Table) -> dict[str, int]:
    """`number` by `value`."""
    return {str(row["value"]): int(row["number"]) for row in counted.order_by("value").to_pyarrow().to_pylist()}


def _bins(numbers: ir.FloatingColumn) -> dict[int, int]:
    """How many numbers are in each bin, by the number of the bin: ⌊STEPS · log₂ x⌋.

    One pass, the same for every order of rows, and bins that no snapshot chooses: any two can be compared.
    """
    table = numbers.name("x").as_table()
    finite = table.filter(table.x.notnull() & ~table.x.isnan() & ~table.x.isinf())
    place = ibis.cases((finite.x > 0, (STEPS * finite.x.log2()).floor().cast("int64")), else_=LOWEST)
    counted = finite.group_by(value=place).agg(number=finite.count()).order_by("value").to_pyarrow().to_pylist()
    return {int(row["value"]): int(row["number"]) for row in counted}


def _largest(counts: Counts) -> dict[str, int]:
    """The LARGEST by name, the sum of all others as OTHERS."""
    named = sorted(counts, key=lambda name: (-counts[name], name))[:LARGEST]
    rest = sum(counts.values()) - sum(counts[name] for name in named)
    largest = {name: counts[name] for name in named}
    return {**largest, OTHERS: largest.get(OTHERS, 0) + rest} if rest else largest


def mix_distance(earlier: Counts, now: Counts) -> float | None:
    """Population stability index of two mixes, 0 for the same shares; None where one has nothing.

    A value that only one of them names is a bin of its own, unless the earlier one names only its LARGEST: then all
    that it does not name are OTHERS in both.
    """
    if OTHERS in earlier:
        unnamed = sum(count for value, count in now.items() if value not in earlier)
        now = {value: count for value, count in now.items() if value in earlier}
        now = {**now, OTHERS: now.get(OTHERS, 0) + unnamed}
    return psi(*_aligned(earlier, now))


def distance(earlier: Bins, now: Bins) -> float | None:
    """Largest distance of the two cumulative distributions at the ends of bins; None where one has nothing.

    D = max_e |F(e) − G(e)|, e over the bins' upper ends

    This is the Kolmogorov–Smirnov distance of the numbers rounded down to their bins. Of the numbers themselves it is
    at least D, and at most D + `distance_error`: inside a bin that holds the shares p of F and q of G, |F − G| exceeds
    its values at the two ends by at most min(p, q).

    Source: Smirnov 1948, Table for estimating the goodness of fit of empirical distributions.
    """
    f, g = _aligned(earlier, now)
    if not f.sum() or not g.sum():
        return None
    return float(np.abs(np.cumsum(f) / f.sum() - np.cumsum(g) / g.sum()).max())


def distance_error(earlier: Bins, now: Bins) -> float:
    """By how much the distance of the numbers themselves may exceed `distance`: max over bins of min(p, q)."""
    f, g = _aligned(earlier, now)
    return float(np.minimum(f / max(f.sum(), 1), g / max(g.sum(), 1)).max(initial=0))


def _aligned(a: Mapping[Any, int], b: Mapping[Any, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts of both over the same bins, in order."""
    values = sorted({*a, *b})
    first, second = (np.array([side.get(value, 0) for value in values], dtype=np.int64) for side in (a, b))
    return first, second
