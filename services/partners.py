"""Complements and substitutes of a product, with what stands behind each."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.schemas import Counts, Partner
from services.shelf import Shelf
from tandem.features.partners import COUNTS, Relation

DIRECTIONS = {1: "after", -1: "before", 0: "either"}
"""By which of the two comes first: the product asked about, the partner, or neither."""

REASONS: Mapping[Relation, Mapping[str, str]] = {
    "complement": {
        "together": "bought together with {}",
        "after": "bought after {}",
        "before": "bought before {}",
        "": "likely to go with {}, by what the two are",
    },
    "substitute": {
        "instead": "bought by customers who also looked at {}",
        "viewed": "looked at by customers who looked at {}",
        "instead_of": "looked at by customers who then bought {}",
        "after": "bought by customers who had bought {} before",
        "before": "bought by customers who later bought {}",
        "": "likely to serve the same need as {}, by what the two are",
    },
}
"""A sentence by the count that speaks for it, "" where none does."""


def partners(shelf: Shelf, item: int, relation: Relation, allowed: NDArray[np.bool_], k: int) -> list[Partner]:
    """At most k allowed partners of a product, the most probable first.

    A counted partner is shown where `privacy.min_users` known users stand behind one of its counts; one of whom nothing
    was counted rests on nobody's behaviour and is always shown.
    """
    known = shelf.release.partners
    places, counts = known.shown(item, relation, shelf.evidence.min_users)
    passing = np.flatnonzero(allowed[known.b[places]])[:k]
    shown = zip(places[passing].tolist(), counts[passing].tolist(), strict=True)
    return [_partner(shelf, item, relation, place, told) for place, told in shown]


def _partner(shelf: Shelf, item: int, relation: Relation, place: int, counts: list[int]) -> Partner:
    known = shelf.release.partners
    probability = float(known.probability[place])
    told = {name: n or None for name, n in zip(COUNTS, counts, strict=True)}
    speaks = next((name for name in REASONS[relation] if told.get(name)), "")
    return Partner(
        **shelf.catalogue.described(int(known.b[place])),
        probability=None if np.isnan(probability) else round(probability, 4),
        direction=DIRECTIONS[int(known.first[place])],
        source="counts" if np.isnan(probability) else "relations",
        reason=REASONS[relation][speaks].format(shelf.catalogue.name(item)),
        evidence=Counts(**told),
    )
