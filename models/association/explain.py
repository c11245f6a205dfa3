"""What the association network says of two products, as statements of an explanation."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from models.association.learned import Roles
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

NETWORK = "the association network of the last run"
PARTS = {"source": "goes with them", "target": "they go with", "alike": "replaces them"}
"""What products that are near in a role have in common."""


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
    a, b = vocabulary.encode(list(names)).tolist()
    if not (a and b):
        return
    yield _goes_with(network.learned(), (a, b), names)
    yield from _alike(network.learned(), a, b)
    yield from _heard(network, vocabulary, known, names[0], min_users)


def _goes_with(roles: Roles, at: tuple[int, int], names: tuple[str, str]) -> Statement:
    """Where b stands among all other products by A."""
    scores = roles.complements(at[0])
    others = np.delete(scores, [0, at[0]])
    values = {"score": float(scores[at[1]]), "place": 1 + int((others > scores[at[1]]).sum()), "of": len(others)}
    which = f"in place {values['place']:,} of {values['of']:,} products"
    sentence = f"{NETWORK} puts {names[1]} {which} by how well they go with {names[0]}, popularity aside"
    return Statement("network: complement", sentence, values)


def _alike(roles: Roles, a: int, b: int) -> Iterator[Statement]:
    """How near the two are as substitutes, where any were learned, and in all roles."""
    if roles.alike.any():
        cosine = roles.substitute(a, b)
        sentence = f"{NETWORK} finds them alike by {cosine:.2f} (1 is the same) as replacements of each other"
        yield Statement("network: substitute", sentence, {"cosine": cosine})
    parts = roles.association(a, b)
    cosine = sum(parts.values())
    told = ", ".join(f"{part:.2f} by what {PARTS[name]}" for name, part in parts.items() if part)
    sentence = f"{NETWORK} finds them alike by {cosine:.2f} in all (1 is the same)" + (f": {told}" if told else "")
    yield Statement("network: association", sentence, {"cosine": cosine, **parts})


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
        sentence = f"{NETWORK} learns of {name} most from {told}{rest}"
        yield Statement("network: neighbours", sentence, {"heard": heard, "withheld": len(found) - len(heard)})


def _users(known: Dataset, name: str, other: str, relation: str) -> int:
    """How many known users stand behind the edge between the two."""
    kind = next(kind for kind in KINDS if relation.startswith(kind))
    way = [other, name] if "reversed" in relation else [name, other]
    a, b = known.vocabulary.encode(way)
    return int(graph.users(graph.rows(known, kind), np.array([a]), np.array([b]))[0])
