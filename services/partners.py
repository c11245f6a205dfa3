"""Complements and substitutes of a product, with what stands behind each."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.schemas import Counts, Partner
from services.shelf import Shelf
from tandem.features.partners import COUNTS, Relation

DIRECTIONS = {1: "after", -1: "before", 0: "either"}
"""By which of the two comes first: the product asked about, the partner, or neither."""

BOUGHT = ("together", "after", "before")

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

    What was bought with it is shown where `privacy.min_users` users took both, other partners where as many met both;
    one of whom nothing was counted rests on nobody's behaviour and is always shown.
    """
    known = shelf.release.partners
    places = known.places(item, relation)
    places = places[allowed[known.b[places]]]
    if not len(places):
        return []
    b, counts = known.b[places], known.counts[places]
    bought = counts[:, [COUNTS.index(name) for name in BOUGHT]].any(axis=1)
    crowd = shelf.evidence if relation == "complement" else shelf.sightings
    enough = np.where(bought, crowd.enough(item)[b], shelf.sightings.enough(item)[b])
    shown = places[~counts.any(axis=1) | enough]
    return [_partner(shelf, item, relation, place) for place in shown[:k].tolist()]


def _partner(shelf: Shelf, item: int, relation: Relation, place: int) -> Partner:
    known, least = shelf.release.partners, shelf.evidence.min_users
    probability = float(known.probability[place])
    counts = dict(zip(COUNTS, known.counts[place].tolist(), strict=True))
    told = {name: n if n >= least else None for name, n in counts.items()}
    speaks = next((name for name in REASONS[relation] if told.get(name)), "")
    return Partner(
        **shelf.catalogue.described(int(known.b[place])),
        probability=None if np.isnan(probability) else round(probability, 4),
        direction=DIRECTIONS[int(known.first[place])],
        source="counts" if np.isnan(probability) else "relations",
        reason=REASONS[relation][speaks].format(shelf.catalogue.name(item)),
        evidence=Counts(**told),
    )
