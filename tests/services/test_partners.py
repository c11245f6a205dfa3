"""Complements and substitutes apart, each with direction, probability and reason."""

import pytest

from services import answers
from services.schemas import Partner, Related
from services.shelf import Shelf


def related(shop: Shelf, product_id: str, **question) -> answers.RelatedAnswer:
    return answers.related(shop, Related(product_id=product_id, **question))


def test_partners_are_described_and_the_most_probable_comes_first(shop: Shelf) -> None:
    case, cable, likely = related(shop, "phone-a").complements
    assert case == Partner(
        product_id="case-a", title="Case A", price=20.0, currency="EUR", probability=0.9, direction="after",
        source="relations", reason="bought together with Phone A",
        evidence={"together": 2, "after": 1, "before": None, "viewed": 3, "instead": None, "instead_of": None},
    )  # fmt: skip
    assert (cable.product_id, cable.direction) == ("cable", "either")
    assert likely.product_id == "case-b"


def test_likeness_alone_has_a_sentence_of_its_own(shop: Shelf) -> None:
    answer = related(shop, "phone-a")
    assert answer.complements[2].reason == "likely to go with Phone A, by what the two are"
    assert answer.substitutes[0].reason == "likely to serve the same need as Phone A, by what the two are"
    assert set(answer.substitutes[0].evidence.model_dump().values()) == {None}


def test_a_substitute_says_what_others_did(shop: Shelf) -> None:
    seen, chosen = related(shop, "case-b").substitutes
    assert seen.reason == "looked at by customers who looked at Case B"
    assert chosen.reason == "bought by customers who also looked at Case B"
    assert {seen.direction, chosen.direction} == {"either"}


def test_where_nothing_was_learned_counts_are_the_source(shop: Shelf) -> None:
    (case,) = related(shop, "phone-b").complements
    assert (case.source, case.probability, case.direction) == ("counts", None, "before")
    assert case.reason == "bought before Phone B"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"k": 1}, ["case-a"]),
        ({"filters": {"exclude": ["case-a"]}}, ["cable", "case-b"]),
        ({"filters": {"brand": "Bolt"}}, ["case-b"]),
        ({"filters": {"price_max": 5}}, ["cable"]),
        ({"filters": {"brand": "None such"}}, []),
    ],
)
def test_filters_and_k_hold_for_partners(shop: Shelf, question: dict, expected: list[str]) -> None:
    assert [partner.product_id for partner in related(shop, "phone-a", **question).complements] == expected


def test_a_product_without_partners_has_empty_lists(shop: Shelf) -> None:
    answer = related(shop, "tea")
    assert (answer.complements, answer.substitutes) == ([], [])
    assert answer.items
