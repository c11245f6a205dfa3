"""The blend that ships: what counts, the association network and content together say of what goes with a product."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from models.association.ranker import Association
from tandem.ranking.blend import Blend, Component
from tandem.ranking.content import CosineOfLike, NearPicture, NearText, NearTitle, SameBrand, SameCategory
from tandem.ranking.ease import BasketEase
from tandem.ranking.neighbours import CoCount, WeightedCosine, WeightedCosineTrend
from tandem.ranking.ranker import Ranker

OF_BASKETS: tuple[type[Ranker], ...] = (WeightedCosine, WeightedCosineTrend, BasketEase, CoCount, Association)
"""Rankers that know a product by its baskets. Of those that count, one is the blend's anchor."""


class BlendWithNetwork(Blend):
    """A blend that can load the association network."""

    kinds: ClassVar[Mapping[str, type[Ranker]]] = {**Blend.kinds, Association.name: Association}


def components(made: Callable[[type[Ranker]], Ranker]) -> list[Component]:
    """All that take part, each ranker made by its class; what a shop's sheet does not tell says nothing."""
    return [
        *(Component(made(kind)) for kind in OF_BASKETS),
        Component(made(CosineOfLike), of_content=True),
        *(
            Component(made(kind), logs=False, of_content=True)
            for kind in (NearText, NearTitle, NearPicture, SameCategory, SameBrand)
        ),
    ]
