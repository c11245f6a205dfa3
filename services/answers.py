"""From a question to an answer: rank, filter, fall back, and say why. Nothing here knows HTTP."""

import uuid
from collections.abc import Iterable, Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from services import recent
from services.bundles import bundles
from services.partners import partners
from services.schemas import Answer, Event, Item, Recommend, Related, RelatedAnswer
from services.shelf import POPULAR, Pick, Shelf
from tandem.data.schema import KIND_CODE
from tandem.errors import TandemError
from tandem.features import histories
from tandem.features.histories import Histories
from tandem.features.partners import Relation
from tandem.ranking.base import CountingRanker
from tandem.ranking.popularity import Popular

BECAUSE = {
    KIND_CODE["purchase"]: "because you bought {}",
    KIND_CODE["favourite"]: "because you liked {}",
    KIND_CODE["cart"]: "because you put {} in your cart",
    KIND_CODE["click"]: "because you looked at {}",
    KIND_CODE["view"]: "because you looked at {}",
    KIND_CODE["return"]: "because you returned {}",
    KIND_CODE["review"]: "because you reviewed {}",
}
"""What a user did with a product, by code of its kind, the most telling first."""


POPULAR_REASON = {source: f"popular in the last {days} days" for source, days in POPULAR.items()}


class UnknownProduct(TandemError, LookupError):
    """The catalogue does not hold the product that was asked about."""


def recommend(shelf: Shelf, question: Recommend, user_id: str | None) -> Answer:
    """What the user wants next; popular products fill what the ranker leaves open.

    Args:
        user_id: pseudonym of `question.user_id`.
    """
    history = shelf.history(user_id, question.events)
    events = len(history.product)
    allowed = shelf.catalogue.allowed(question.filters)
    if question.filters.exclude_bought:
        allowed[history.product[history.kind == KIND_CODE["purchase"]]] = False
    ranked = shelf.ranked(history, allowed, question.k) if events else []
    crowds = {why: shelf.evidence.enough(why) for why in {pick.why for pick in ranked if pick.why}}
    reasons = [_because(shelf, history, pick, crowds) for pick in ranked]
    about = f"events of the user ({events})" if events else _nobody(question)
    return _answer(shelf, ranked, reasons, [allowed], question.k, about)


def related(shelf: Shelf, question: Related) -> RelatedAnswer:
    """What goes with a product; popular products, near ones first, fill what the ranker leaves open. Beside them its
    complements, substitutes and bundles, which nothing fills.

    A product that the ranker does not place because of the one asked about gives way to them, and so does one that
    fewer than `privacy.min_users` users took together with it; of a product without baskets, with one that is like it.

    Raises:
        UnknownProduct: the catalogue does not hold it.
    """
    catalogue = shelf.catalogue
    item = catalogue.index.get(question.product_id)
    if item is None:
        raise UnknownProduct(f"product {question.product_id!r} is not in the catalogue")
    allowed = catalogue.allowed(question.filters)
    allowed[item] = False
    kept = shelf.release.histories
    asking = histories.of_products(np.array([item]), kept.products, kept.as_of_us)
    stand_ins = shelf.stand_ins(item)
    enough = np.logical_or.reduce([shelf.evidence.enough(of) for of in (item, *stand_ins)])
    ranked = [pick for pick in shelf.ranked(asking, allowed & enough, question.k) if pick.why]
    what = f"products like {catalogue.name(item)}" if stand_ins else catalogue.name(item)
    reasons = [f"goes with {what}"] * len(ranked)
    rings = (allowed & near for near in catalogue.around(item))
    general = _answer(shelf, ranked, reasons, rings, question.k, f"product {question.product_id}")
    complements, substitutes = (partners(shelf, item, relation, allowed, question.k) for relation in get_args(Relation))
    sets = bundles(shelf, item, allowed)
    return RelatedAnswer(**dict(general), complements=complements, substitutes=substitutes, bundles=sets)


def warm_up(shelf: Shelf) -> None:
    """Ask both questions about one product, so that the first caller does not wait for what is made once."""
    product_id = shelf.release.vocabulary.ids[0]
    event = Event(product_id=product_id, kind="purchase", time=recent.EPOCH)
    recommend(shelf, Recommend(events=[event]), None)
    related(shelf, Related(product_id=product_id))


def _answer(
    shelf: Shelf,
    ranked: list[Pick],
    reasons: list[str],
    rings: Iterable[NDArray[np.bool_]],
    k: int,
    about: str,
) -> Answer:
    """Ranked products with their reasons, then popular ones from each ring of allowed products in turn."""
    popular = _popular(shelf, ranked, rings, k)
    picks = ranked + popular
    reasons = reasons + [POPULAR_REASON[pick.source] for pick in popular]
    found = shelf.release
    return Answer(
        items=[_item(shelf, pick, reason) for pick, reason in zip(picks, reasons, strict=True)],
        asked=k,
        source=picks[0].source if picks else found.name,
        reason=_reason(found.name, len(ranked), len(picks), k, about),
        model=found.name,
        model_version=found.content_hash,
        data_hash=found.manifest["data_hash"],
        response_id=str(uuid.uuid4()),
    )


def _popular(shelf: Shelf, ranked: list[Pick], rings: Iterable[NDArray[np.bool_]], k: int) -> list[Pick]:
    picks = list(ranked)
    for allowed in rings:
        if len(picks) == k:
            break
        left = allowed.copy()
        left[[pick.item for pick in picks]] = False
        picks += shelf.wanted(left, k - len(picks))
    return picks[len(ranked) :]


def _item(shelf: Shelf, pick: Pick, reason: str) -> Item:
    return Item(**shelf.catalogue.described(pick.item), score=pick.score, source=pick.source, reason=reason)


def _because(shelf: Shelf, history: Histories, pick: Pick, crowds: Mapping[int, NDArray[np.bool_]]) -> str:
    if not pick.why or (pick.why != pick.item and not crowds[pick.why][pick.item]):
        return _unnamed(shelf, pick)
    name = "it" if pick.why == pick.item else shelf.catalogue.name(pick.why)
    kinds = set(history.kind[history.product == pick.why].tolist())
    telling = next((text for kind, text in BECAUSE.items() if kind in kinds), "because of {}")
    return telling.format(name)


def _unnamed(shelf: Shelf, pick: Pick) -> str:
    """How the ranker placed a product for which no product of the history speaks, or none that may be named."""
    ranker = shelf.release.ranker
    if isinstance(ranker, Popular):
        return "popular of all time"
    by_demand = isinstance(ranker, CountingRanker) and not pick.why and shelf.popular[0, pick.item] > 0
    return POPULAR_REASON["popular_7d"] if by_demand else f"ranked by {pick.source}"


def _nobody(question: Recommend) -> str:
    asked = {"user": question.user_id, "products in events": question.events}
    return "unknown " + " and ".join(name for name, given in asked.items() if given is not None)


def _reason(ranker: str, ranked: int, total: int, k: int, about: str) -> str:
    """The sentence for the caller, from how many products the ranker gave and how many there are."""
    text = f"{about}: ranked by {ranker}" if ranked else f"{about}: popular products, none ranked by {ranker}"
    if 0 < ranked < total:
        text += f"; the last {total - ranked} are popular products"
    if total < k:
        text += f"; {total} of {k} asked: no other product qualifies"
    return text
