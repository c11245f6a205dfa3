"""What the association network says of two products, as statements of an explanation."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.association.ranker import Association
from tandem.explain import Statement
from tandem.features import graph
from tandem.features.dataset import Dataset
from tandem.features.graph import KINDS
from tandem.features.vocabulary import Vocabulary

RELATIONS = {
    "together": "bought with it",
    "after": "bought after it",
    "after, reversed": "bought before it",
    "viewed": "looked at with it",
    "instead": "bought instead of it",
    "instead, reversed": "left for it",
}
"""What a neighbour is to the product that listens."""


def statements(
    network: Association, vocabulary: Vocabulary, known: Dataset, names: tuple[str, str], min_users: int
) -> Iterator[Statement]:
    """Rank as complement, nearness as substitute and association of a → b, and whom a listens to; nothing of strangers.

    Args:
        vocabulary: of the network's release.
        known: the data it learned from, to count who stands behind a neighbour.
        names: ids of a and b.
        min_users: neighbours that fewer known users stand behind are left out.
    """
    (a, b), of = map(int, vocabulary.encode(list(names))), network.learned()
    if not (a and b):
        return
    others = np.setdiff1d(np.arange(1, vocabulary.size), a)
    scores = of.complements(a)
    place = 1 + int((scores[others] > scores[b]).sum())
    yield Statement(
        "network: complement",
        f"association network: {names[1]} is no. {place:,} of {len(others):,} that go with {names[0]}, "
        "popularity aside",
        {"score": float(scores[b]), "place": place, "of": len(others)},
    )
    if of.alike.any():
        cosine = of.substitute(a, b)
        sentence = f"association network: as substitutes they are alike by {cosine:.2f} of 1"
        yield Statement("network: substitute", sentence, {"cosine": cosine})
    parts = of.association(a, b)
    cosine = sum(parts.values())
    yield Statement(
        "network: association",
        f"association network: in all they are alike by {cosine:.2f} of 1 ({parts['source']:+.2f} by what goes with "
        f"them, {parts['target']:+.2f} by what they go with, {parts['alike']:+.2f} by what replaces them)",
        {"cosine": cosine, **parts},
    )
    yield from _heard(network, vocabulary, known, names[0], min_users)


def _heard(
    network: Association, vocabulary: Vocabulary, known: Dataset, name: str, min_users: int
) -> Iterator[Statement]:
    """The neighbours whose vectors weigh most in what the product says as source."""
    found = network.heard.by(int(vocabulary.encode([name])[0])) if network.heard else []
    ids = vocabulary.decode(np.array([near for near, _, _ in found], np.int64))
    heard: list[dict[str, Any]] = [
        {"product": other, "relation": relation, "share": share}
        for other, (_, relation, share) in zip(ids, found, strict=True)
        if _users(known, name, other, relation) >= min_users or min_users <= 1
    ]
    if heard:
        told = ", ".join(f"{of['product']} ({RELATIONS[of['relation']]}, {of['share']:.0%})" for of in heard)
        rest = f"; {len(found) - len(heard)} more are withheld" if len(heard) < len(found) else ""
        sentence = f"association network: {name} learns most from its neighbours {told}{rest}"
        yield Statement("network: neighbours", sentence, {"heard": heard, "withheld": len(found) - len(heard)})


def _users(known: Dataset, name: str, other: str, relation: str) -> int:
    """How many known users stand behind the edge between the two."""
    kind = next(kind for kind in KINDS if relation.startswith(kind))
    way = [other, name] if "reversed" in relation else [name, other]
    a, b = known.vocabulary.encode(way)
    return int(graph.users(graph.rows(known, kind), np.array([a]), np.array([b]))[0])
