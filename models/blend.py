"""The blend that ships: what counts, the association network and content together say of what goes with a product."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from models.association.ranker import Association
from tandem.ranking.blend import Blend
from tandem.ranking.component import Component
from tandem.ranking.content import CosineOfLike, NearPicture, NearText, NearTitle, SameBrand, SameCategory
from tandem.ranking.counting import COUNTING
from tandem.ranking.ease import BasketEase
from tandem.ranking.neighbours import CoCount, WeightedCosine, WeightedCosineTrend
from tandem.ranking.ranker import Ranker

OF_BASKETS: tuple[type[Ranker], ...] = (WeightedCosine, WeightedCosineTrend, BasketEase, CoCount, Association)
"""Rankers that know a product by its baskets, and whose scores are weighed."""

ONLY_ANCHORS: tuple[type[Ranker], ...] = tuple(
    kind for kind in COUNTING.values() if "related" in kind.tasks and kind not in OF_BASKETS
)
"""Rankers that count and are not weighed: the one best on validation of all that count is the anchor."""


class BlendWithNetwork(Blend):
    """A blend that can load the association network, and each ranker that counts."""

    kinds: ClassVar[Mapping[str, type[Ranker]]] = {
        **Blend.kinds,
        **{kind.name: kind for kind in ONLY_ANCHORS},
        Association.name: Association,
    }


def components(made: Callable[[type[Ranker]], Ranker]) -> list[Component]:
    """All that take part, each ranker made by its class; what a shop's sheet does not tell says nothing."""
    return [
        *(Component(made(kind)) for kind in OF_BASKETS),
        *(Component(made(kind), weighed=False) for kind in ONLY_ANCHORS),
        Component(made(CosineOfLike), of_content=True),
        *(
            Component(made(kind), logs=False, of_content=True)
            for kind in (NearText, NearTitle, NearPicture, SameCategory, SameBrand)
        ),
    ]
