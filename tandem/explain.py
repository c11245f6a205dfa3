"""Why two products belong together, in statements that the snapshot can prove: counts, people, time, likeness, reviews.

Every statement holds the numbers that its sentence says. Counts are of the rows that `tandem.features.graph` counts, up
to the dataset's end; without these rows the statement would not be made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np
import pandas as pd

from tandem.data.schema import ASPECTS
from tandem.errors import TandemError
from tandem.features import graph, strength
from tandem.features.dataset import Dataset
from tandem.features.graph import KINDS, Kind
from tandem.features.histories import DAY_US
from tandem.features.partners import Partners, Relation
from tandem.features.vocabulary import Vocabulary
from tandem.release import Release

SENTENCES: Mapping[Kind, str] = {
    "together": "{n:,} baskets hold both",
    "after": "{n:,} customers who bought {a} for the first time bought {b} within {days:g} days",
    "viewed": "in {n:,} visits both were looked at",
    "instead": "in {n:,} visits both were looked at, then {b} was bought and {a} was not",
}
TOPIC_SHARE = 0.2
"""Of a product's reviews that must speak of something for it to be named."""
TOPICS = 2
"""That are named at most."""
CLEAR = 1 / 3
"""Tone from which on reviews are called good, or below its negative bad."""


class ExplanationError(TandemError, LookupError):
    """There is nothing to explain."""


@dataclass(frozen=True)
class Statement:
    """One reason with its numbers."""

    about: str  # `release`, `served`, a kind of edge and its direction, or what the two share
    sentence: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Served:
    """What `/related` answers from."""

    partners: Partners
    vocabulary: Vocabulary  # that partners are numbered by
    min_users: int  # known users that stand behind whatever is shown
    statement: Statement  # which release it is, or that none is deployed

    @classmethod
    def deployed(cls, found: Release, data_hash: str) -> "Served":
        """By the release that is deployed; `data_hash` is of the data that all else is told of."""
        name, made_of = f"{found.name} {found.content_hash[:12]}", str(found.manifest["data_hash"])
        other = f"; it was made of other data ({made_of[:12]}) than what is counted below ({data_hash[:12]})"
        sentence = f"/related answers from {name}, which is deployed{other if made_of != data_hash else ''}"
        values = {"deployed": True, "name": found.name, "content_hash": found.content_hash, "data_hash": made_of}
        return cls(found.partners, found.vocabulary, found.min_users, Statement("release", sentence, values))

    @classmethod
    def not_yet(cls, partners: Partners, vocabulary: Vocabulary, min_users: int) -> "Served":
        """By what the last run found, for nothing is deployed."""
        sentence = "nothing is deployed: what /related would show is told by the last run"
        return cls(partners, vocabulary, min_users, Statement("release", sentence, {"deployed": False}))


@dataclass(frozen=True)
class Explanation:
    """What is known of a directed pair of products."""

    a: str
    b: str
    statements: list[Statement]
    withheld: int  # counts that rest on too few people to be shown

    @property
    def private(self) -> bool:
        """Whether the two met, but too few people know of it: what was learned of them is not to be told either."""
        return self.withheld > 0 and not any("users" in statement.values for statement in self.statements)


def explain(dataset: Dataset, served: Served, products: pd.DataFrame, a: str, b: str, min_users: int) -> Explanation:
    """Every statement about a → b: what is served, counts, the surest first, and what the two are.

    Args:
        dataset: what is known; vectors of texts and pictures are compared where it has them.
        served: what `/related` answers from.
        products: a table of schema.PRODUCTS.
        a: id of the product that is there.
        b: id of the product that goes with it.
        min_users: counts that fewer known users stand behind are withheld.

    Raises:
        ExplanationError: a product that the dataset does not know, or one product twice.
    """
    at, names = (_index(dataset, a), _index(dataset, b)), (a, b)
    if a == b:
        raise ExplanationError(f"{a} is one product; name two")
    counted = [found for kind in KINDS for found in _both_ways(dataset, kind, at, names)]
    shown = [s for s in counted if min_users <= 1 or s.values["users"] >= min_users]
    shown.sort(key=lambda s: s.values["chance"])
    like = [*_shared(products, a, b), *_alike(dataset, *at), *_said(dataset, at, names, min_users)]
    nothing = Statement("counts", "nothing was counted of the two together", {"n": 0})
    statements = [served.statement, _served(served, names), *(shown if counted else [nothing]), *like]
    return Explanation(a, b, statements, withheld=len(counted) - len(shown))


def rounded(number: float) -> str:
    """The number to two digits, as people write it: 0.043, 2.3, 170, 12,000."""
    return f"{float(f'{number:.2g}'):,.10g}"


def _index(dataset: Dataset, product_id: str) -> int:
    place = int(dataset.vocabulary.encode([product_id])[0])
    if not place:
        raise ExplanationError(
            f"product {product_id!r} has no event before the end of the dataset and is not in its list"
        )
    return place


def _served(served: Served, names: tuple[str, str]) -> Statement:
    """Where b stands among the partners of a that `/related` answers with."""
    partners, at = served.partners, served.vocabulary.encode(names).tolist()
    for relation in get_args(Relation):
        shown, _ = partners.shown(at[0], relation, served.min_users)
        for place in np.flatnonzero(partners.b[shown] == at[1]).tolist():
            probability, first = float(partners.probability[shown[place]]), int(partners.first[shown[place]])
            values = {
                "relation": relation,
                "probability": None if np.isnan(probability) else probability,
                "first": {1: names[0], -1: names[1]}.get(first),
                "place": place + 1,
                "of": len(shown),
            }
            return Statement("served", _shown_as(names, values), values)
    nothing = dict.fromkeys(("relation", "probability", "first", "place", "of"))
    missing = [name for name, place in zip(names, at, strict=True) if not place]
    sentence = f"/related shows {names[1]} neither as complement nor as substitute of {names[0]}"
    unknown = f": it does not know {' and '.join(missing)} yet" if missing else ""
    return Statement("served", sentence + unknown, nothing)


def _shown_as(names: tuple[str, str], values: Mapping[str, Any]) -> str:
    relation, of = values["relation"], values["of"]
    which = f"a {relation}" if of > 1 else f"the only {relation}"
    place = f", in place {values['place']} of {of}" if of > 1 else ""
    order = f"; {values['first']} is bought first" if values["first"] else ""
    return f"/related shows {names[1]} as {which} of {names[0]}{place}; {_sure(values['probability'])}{order}"


def _sure(probability: float | None) -> str:
    if probability is None:
        return "counts prove it, no probability was learned"
    return f"probability {probability:.0%}" if probability < 0.995 else "probability above 99%"


def _both_ways(dataset: Dataset, kind: Kind, at: tuple[int, int], names: tuple[str, str]) -> Iterator[Statement]:
    """What edges of a kind say of a → b, and of b → a where that is something else."""
    rows = graph.rows(dataset, kind)
    yield from _counted(dataset, kind, rows, at, names)
    if rows.target is not None:
        yield from _counted(dataset, kind, rows, at[::-1], names[::-1])


def _counted(
    dataset: Dataset, kind: Kind, rows: graph.Rows, at: tuple[int, int], names: tuple[str, str]
) -> Iterator[Statement]:
    witnesses = rows.witnesses(*at)
    if not len(witnesses):
        return
    pair = strength.given_sizes(rows.edge(*at), rows.pairs)  # as relations are judged
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
    said = SENTENCES[kind].format(a=names[0], b=names[1], days=dataset.params.graph.after_days, **values)
    by_chance = f"{rounded(values['lift'])} times as many as by chance ({rounded(values['expected'])})"
    behind = f"{values['users']:,} known customers, {' to '.join(values['span'])}"
    yield Statement(f"{kind}: {names[0]}, {names[1]}", f"{said}, {by_chance}; {behind}", values)


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
        yield _priced((a, b), prices.tolist(), rows["currency"].iloc[0])


def _priced(names: tuple[str, str], prices: list[float], currency: str) -> Statement:
    (low, cheap), (high, dear) = sorted(zip(prices, names, strict=True))
    times = f"{rounded(high / low)} times" if high >= 1.05 * low else "about"
    sentence = f"{dear} costs {high:,.2f} {currency}, {times} as much as {cheap} ({low:,.2f})"
    return Statement("price", sentence, {"prices": prices, "currency": currency})


def _alike(dataset: Dataset, a: int, b: int) -> Iterator[Statement]:
    """How near the vectors of texts and of pictures are, and how many other products are nearer to a."""
    for name, noun in (("text", "texts"), ("picture", "pictures")):
        vectors = getattr(dataset.products, name)  # (products, dim) NaN where there is none
        if vectors.shape[1] and np.isfinite(vectors[[a, b]]).all():
            cosines = vectors @ vectors[a]  # (products,)
            others = np.delete(cosines, [0, a, b])
            nearer, of = int((others > cosines[b]).sum()), int(np.isfinite(others).sum())
            alike = f"their {noun} are alike by {cosines[b]:.2f} (1 is the same)"
            beside = f"{nearer:,} of {of:,} other products are nearer to {dataset.vocabulary.ids[a - 1]}"
            yield Statement(name, f"{alike}; {beside}", {"cosine": float(cosines[b]), "nearer": nearer, "of": of})


def _said(dataset: Dataset, at: tuple[int, int], names: tuple[str, str], min_reviews: int) -> Iterator[Statement]:
    """What reviewers say of each, if so many do: `ProductFeatures.sentiment` is tone, log(1 + reviews), topics."""
    for place, name in zip(at, names, strict=True):
        said = dataset.products.sentiment[place]
        count = round(float(np.expm1(said[1]))) if len(said) and np.isfinite(said).all() else 0
        if count >= max(min_reviews, 1):
            tone, shares = float(said[0]), dict(zip(ASPECTS, said[2:].tolist(), strict=True))
            topics = [of for of in sorted(shares, key=lambda of: -shares[of])[:TOPICS] if shares[of] >= TOPIC_SHARE]
            most = (
                "; they speak most often of " + " and ".join(f"{of} ({shares[of]:.0%})" for of in topics)
                if topics
                else ""
            )
            mood = "good" if tone >= CLEAR else "bad" if tone <= -CLEAR else "mixed"
            heard = f"{count:,} reviews of {name} are {mood} on the whole ({tone:+.2f}, from -1 bad to 1 good){most}"
            values = {"reviews": count, "tone": tone, "topics": {of: shares[of] for of in topics}}
            yield Statement(f"reviews: {name}", heard, values)
