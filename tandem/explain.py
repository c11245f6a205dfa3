"""Why two products belong together, in statements that the snapshot can prove: counts, people, time, likeness, reviews.

Every statement holds the numbers that its sentence says. Counts are of the rows that `tandem.features.graph` counts, up
to the dataset's end; without these rows the statement would not be made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from tandem.data.schema import ASPECTS
from tandem.errors import TandemError
from tandem.features import graph, strength
from tandem.features.dataset import Dataset
from tandem.features.graph import KINDS, Kind
from tandem.features.histories import DAY_US
from tandem.features.relations import RELATIONS, at, label

SENTENCES: Mapping[Kind, str] = {
    "together": "{n:,} baskets hold both, {lift:.3g} times as many as chance would give ({expected:,.1f})",
    "after": "within {days:g} days of {n:,} baskets with {a} the same customer bought {b}, {lift:.3g} times as "
    "often as chance would have it ({expected:,.1f})",
    "viewed": "{n:,} sessions looked at both, {lift:.3g} times as many as chance would give ({expected:,.1f})",
    "instead": "in {n:,} sessions customers looked at both and then bought {b}, not {a}; {expected:,.1f} by chance",
}
TOPIC_SHARE = 0.2
"""Of a product's reviews that must speak of something for it to be named."""


class ExplanationError(TandemError, LookupError):
    """There is nothing to explain."""


@dataclass(frozen=True)
class Statement:
    """One reason with its numbers."""

    about: str  # a kind of edge and its direction, or what the two share
    sentence: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Explanation:
    """What is known of a directed pair of products."""

    a: str
    b: str
    relation: str | None  # of RELATIONS, as far as behaviour tells; None: withheld, with every count
    first: str | None  # the product that comes first, where the relation has a direction
    statements: list[Statement]
    withheld: int  # statements that rest on too few people to be shown


def explain(dataset: Dataset, products: pd.DataFrame, a: str, b: str, min_users: int) -> Explanation:
    """Every statement about a → b, the best proved first.

    Args:
        dataset: what is known; vectors of texts and pictures are compared where it has them.
        products: a table of schema.PRODUCTS.
        a: id of the product that is there.
        b: id of the product that goes with it.
        min_users: counts that fewer known users stand behind are withheld.

    Raises:
        ExplanationError: a product that the dataset does not know, or one product twice.
    """
    first, second = _index(dataset, a), _index(dataset, b)
    if first == second:
        raise ExplanationError(f"{a} is one product; name two")
    counted = [found for kind in KINDS for found in _both_ways(dataset, kind, (first, second), (a, b))]
    shown = [s for s in counted if min_users <= 1 or s.values["users"] >= min_users]
    shown.sort(key=lambda s: s.values["chance"])
    relation, leads = _relation(dataset, first, second) if shown or not counted else (None, 0)
    like = [*_shared(products, a, b), *_alike(dataset, first, second)]
    like += _said(dataset, (first, second), (a, b), min_users)
    return Explanation(a, b, relation, {1: a, -1: b}.get(leads), [*shown, *like], withheld=len(counted) - len(shown))


def _index(dataset: Dataset, product_id: str) -> int:
    place = int(dataset.vocabulary.encode([product_id])[0])
    if not place:
        raise ExplanationError(
            f"product {product_id!r} has no event before the end of the dataset and is not in its list"
        )
    return place


def _relation(dataset: Dataset, a: int, b: int) -> tuple[str, int]:
    """The relation that is believed, and 1 where a comes first, -1 where b does, 0 where it has no direction."""
    found = label(dataset)
    place = np.flatnonzero((found.a == a) & (found.b == b))
    if not len(place):
        return RELATIONS[0], 0
    relation = RELATIONS[found.kind[place[0]]]
    return relation, int(np.sign(found.forward[place[0]])) if relation == "complement" else 0


def _both_ways(dataset: Dataset, kind: Kind, at_: tuple[int, int], names: tuple[str, str]) -> Iterator[Statement]:
    """What edges of a kind say of a → b, and of b → a where that is something else."""
    rows = graph.rows(dataset, kind)
    yield from _counted(dataset, kind, rows, at_, names)
    if rows.target is not None:
        yield from _counted(dataset, kind, rows, at_[::-1], names[::-1])


def _counted(
    dataset: Dataset, kind: Kind, rows: graph.Rows, at_: tuple[int, int], names: tuple[str, str]
) -> Iterator[Statement]:
    witnesses = rows.witnesses(*at_)
    if not len(witnesses):
        return
    edges = strength.given_sizes(graph.edges(dataset, kind))  # as relations are judged
    pair = at(edges, *(np.array([place], np.int32) for place in at_))
    users, times = rows.user[witnesses], rows.time_us[witnesses]
    low, high = (float(of[0]) for of in strength.lift_interval(pair))
    values: dict[str, Any] = {
        "n": len(witnesses),
        "rows": pair.rows,
        "of_a": int(pair.of_a[0]),
        "of_b": int(pair.of_b[0]),
        "expected": float(strength.expected(pair)[0]),
        "lift": float(strength.lift(pair)[0]),
        "lift_interval": [low, high],
        "chance": float(strength.chance_of_more(pair)[0]),
        "users": len(np.unique(users[users >= 0])),
        "span": [_day(times.min()), _day(times.max())],
    }
    days = {"after": dataset.params.graph.after_days}.get(kind)
    said = SENTENCES[kind].format(a=names[0], b=names[1], days=days, **values)
    behind = f"{values['users']:,} known customers, {values['span'][0]} to {values['span'][1]}"
    yield Statement(f"{kind}: {names[0]}, {names[1]}", f"{said}; {behind}", values)


def _day(time_us: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + pd.Timedelta(days=int(time_us) // DAY_US)).date().isoformat()


def _shared(products: pd.DataFrame, a: str, b: str) -> Iterator[Statement]:
    """What the product sheet says of both."""
    rows = products.set_index("product_id").reindex([a, b])
    paths = [list(path) if isinstance(path, (list, np.ndarray)) else [] for path in rows["category"]]
    depth = next((n for n, (x, y) in enumerate(zip(*paths, strict=False)) if x != y), min(map(len, paths)))
    if depth:
        path = paths[0][:depth]
        yield Statement("category", f"both are in {' > '.join(path)}", {"category": path})
    brands = [brand for brand in rows["brand"] if isinstance(brand, str)]
    if len(brands) == 2 and brands[0] == brands[1]:
        yield Statement("brand", f"both are of {brands[0]}", {"brand": brands[0]})
    prices = rows["price"].to_numpy(np.float64)
    if np.isfinite(prices).all() and (prices > 0).all() and rows["currency"].nunique() == 1:
        ratio = float(prices[1] / prices[0])
        yield Statement(
            "price", f"{b} costs {ratio:.3g} times as much as {a}", {"ratio": ratio, "prices": prices.tolist()}
        )


def _alike(dataset: Dataset, a: int, b: int) -> Iterator[Statement]:
    """How near the vectors of texts and of pictures are."""
    for name, noun in (("text", "texts"), ("picture", "pictures")):
        vectors = getattr(dataset.products, name)
        if vectors.shape[1] and np.isfinite(vectors[[a, b]]).all():
            cosine = float(vectors[a] @ vectors[b])
            yield Statement(name, f"the {noun} are alike by {cosine:.2f} of 1", {"cosine": cosine})


def _said(dataset: Dataset, at_: tuple[int, int], names: tuple[str, str], min_reviews: int) -> Iterator[Statement]:
    """What reviewers say of each, if so many do: `ProductFeatures.sentiment` is tone, log(1 + reviews), topics."""
    for place, name in zip(at_, names, strict=True):
        said = dataset.products.sentiment[place]
        count = round(float(np.expm1(said[1]))) if len(said) and np.isfinite(said).all() else 0
        if count >= max(min_reviews, 1):
            tone = float(said[0])
            topics = [aspect for aspect, share in zip(ASPECTS, said[2:], strict=True) if share >= TOPIC_SHARE]
            of = f", mostly of {', '.join(topics)}" if topics else ""
            sentence = f"{count:,} reviews of {name} are {tone:+.2f} on a scale from -1 to 1{of}"
            yield Statement(f"reviews: {name}", sentence, {"reviews": count, "tone": tone, "topics": topics})
