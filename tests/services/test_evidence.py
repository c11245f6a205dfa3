"""An association that few people stand behind is shown to nobody."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from services import answers, shelf
from services.evidence import Evidence
from services.schemas import Recommend, Related
from services.shelf import Shelf
from tandem import release
from tandem.evaluation import cases
from tandem.features import dataset, histories
from tandem.params import BlendParams, CountingParams, PrivacyParams
from tandem.privacy import pseudonyms
from tandem.ranking.blend import Blend
from tandem.ranking.component import Component
from tandem.ranking.content import CosineOfLike
from tandem.ranking.neighbours import CoCount

from .conftest import AS_OF, FEATURES, event_table, product_table


def needing(found: Shelf, users: int) -> Shelf:
    return dataclasses.replace(found, evidence=dataclasses.replace(found.evidence, min_users=users))


@pytest.fixture
def strict(serving: Path, key: bytes, rankers: dict) -> Shelf:
    """The shop, where an association needs two users: phones and their cases have them, cables do not."""
    found = shelf.load(serving, "related", pseudonyms.key_id(key), rankers)
    return needing(found, 2)


def test_users_who_took_both_are_counted_once_each_and_unknown_ones_not_at_all(strict: Shelf) -> None:
    index = strict.catalogue.index
    users = strict.evidence.users(index["phone-a"])
    assert {name: int(users[item]) for name, item in index.items() if users[item]} == {
        "phone-a": 3,  # finn, bert, anna
        "case-a": 2,  # bert, anna
        "cable": 1,  # bert
    }
    assert strict.evidence.users(index["cable"])[index["cable"]] == 2  # dora and bert, not the order of nobody


def test_counts_agree_with_a_matrix_product(strict: Shelf) -> None:
    taken = strict.evidence.taken.toarray()
    for item in range(taken.shape[1]):
        assert np.array_equal(strict.evidence.users(item), taken.T @ taken[:, item])


def test_what_one_user_took_together_is_not_told(shop: Shelf, strict: Shelf) -> None:
    def told(found: Shelf) -> set[str]:
        answer = answers.related(found, Related(product_id="phone-a", k=6))
        return {item.product_id for item in answer.items if item.reason == "goes with Phone A"}

    assert told(shop) == {"case-a", "cable"}
    assert told(strict) == {"case-a"}


def test_popular_products_fill_the_place_and_say_that_they_are_popular(strict: Shelf) -> None:
    items = answers.related(strict, Related(product_id="phone-a", k=6)).items
    (cable,) = [item for item in items if item.product_id == "cable"]
    assert cable.reason == "popular in the last 7 days"


def test_a_recommendation_names_no_product_that_few_took_with_it(shop: Shelf, strict: Shelf) -> None:
    def reason(found: Shelf) -> str:
        user = pseudonyms.of(bytes(range(32)), "finn")
        answer = answers.recommend(found, Recommend(user_id="finn", k=6), user)
        return next(item.reason for item in answer.items if item.product_id == "cable")

    assert reason(shop) == "because you bought Phone A"
    assert reason(strict) == "ranked by together"  # not that it is popular, for that is not why it stands there


def test_the_bound_and_the_kinds_come_from_the_releases_manifest(strict: Shelf) -> None:
    found = strict.release
    manifest = {**found.manifest, "min_users": 7, "target_kinds": ["favourite"]}
    evidence = Evidence.of(dataclasses.replace(found, manifest=manifest))
    assert evidence.min_users == 7
    assert evidence.taken.nnz == 0
    assert not evidence.enough(1).any()


def test_a_complement_that_one_user_took_with_it_is_not_told_but_one_of_likeness_is(shop: Shelf, strict: Shelf) -> None:
    def told(found: Shelf) -> list[str]:
        return [p.product_id for p in answers.related(found, Related(product_id="phone-a")).complements]

    assert told(shop) == ["case-a", "cable", "case-b"]
    assert told(strict) == [
        "case-a",
        "case-b",
    ]  # all three baskets with the cable are one user's; case-b rests on nobody


def test_counts_of_few_users_are_not_told(strict: Shelf) -> None:
    (case, *_) = answers.related(strict, Related(product_id="phone-a")).complements
    assert case.evidence.model_dump() == {
        "together": 2, "after": None, "before": None, "viewed": 3, "instead": None, "instead_of": None
    }  # fmt: skip


def test_a_substitute_needs_users_behind_its_counts(shop: Shelf, strict: Shelf) -> None:
    def told(found: Shelf) -> list[str]:
        return [p.product_id for p in answers.related(found, Related(product_id="case-b")).substitutes]

    assert told(shop) == ["case-a", "phone-b"]
    assert told(strict) == ["phone-b"]  # one user alone looked at case-a nine times


@pytest.fixture
def newcomer(tmp_path: Path, root: Path, key: bytes) -> Shelf:
    """The shop with a cup that nobody bought, described like the first phone; an association needs two users.

    With so few cases the blend answers by the count for every product that a basket held.
    """
    events = event_table()[lambda table: table["product_id"] != "cup"]
    known = dataset.build(events, product_table(), AS_OF, FEATURES.model_copy(update={"new_products": True}))
    words = np.eye(len(known.vocabulary.ids) + 1, dtype=np.float32)
    cup, phone = known.vocabulary.encode(["cup", "phone-a"])
    words[cup] = words[phone]
    known = dataclasses.replace(known, products=dataclasses.replace(known.products, text=words))
    later = cases.of_baskets(known.baskets.content, known.demand, min_count=1)
    counting = CountingParams.read(root / "params.yaml")
    parts = [Component(CoCount(counting)), Component(CosineOfLike(counting), of_content=True)]
    blend = Blend(parts, BlendParams.read(root / "params.yaml")).fit(known, later)
    assert blend.weights["warm"].anchor == "co_count"
    state = histories.encode(events, known.vocabulary, AS_OF), known.demand
    facts = {"data_hash": "d" * 64, "tasks": ["related"], "key_id": pseudonyms.key_id(key), "min_users": 2}
    release.write(tmp_path / "related", blend, known.vocabulary, product_table(), state, facts | {"kind": "blend"})
    return shelf.load(tmp_path, "related", pseudonyms.key_id(key), {"blend": Blend})


def test_a_product_without_baskets_goes_with_what_enough_users_took_with_its_like(newcomer: Shelf) -> None:
    cup, phone = (newcomer.catalogue.index[name] for name in ("cup", "phone-a"))
    assert (newcomer.stand_ins(cup), newcomer.stand_ins(phone)) == ([phone], [])

    def told(found: Shelf) -> dict[str, str]:
        items = answers.related(found, Related(product_id="cup", k=6)).items
        assert {item.product_id for item in items} > {"case-a", "cable"}
        return {item.product_id: item.reason for item in items if item.reason.startswith("goes with")}

    unbound = needing(newcomer, 1)
    assert told(newcomer) == {"case-a": "goes with products like Cup"}  # one user alone took the phone and the cable
    assert told(unbound) == dict.fromkeys(("case-a", "cable"), "goes with products like Cup")


def test_a_blend_that_answers_by_what_counts_tells_no_more_of_products_with_baskets(
    newcomer: Shelf, shop: Shelf, strict: Shelf
) -> None:
    """`shop` and `strict` count together what the blend's anchor counts."""

    def told(found: Shelf) -> list[tuple[str, str]]:
        items = answers.related(found, Related(product_id="phone-a", k=6)).items
        return [(item.product_id, item.reason) for item in items if item.source == found.release.name]

    assert told(needing(newcomer, 1)) == told(shop) == [("case-a", "goes with Phone A"), ("cable", "goes with Phone A")]
    assert told(newcomer) == told(strict) == [("case-a", "goes with Phone A")]


def test_by_default_nothing_is_told_in_a_shop_where_no_two_products_have_five_users(
    newcomer: Shelf, root: Path
) -> None:
    """At most three took a product; by its like a new one is ranked, and by popular products answered."""
    default = needing(newcomer, PrivacyParams.read(root / "params.yaml").min_users)
    for product in newcomer.catalogue.index:
        answer = answers.related(default, Related(product_id=product, k=6))
        assert {item.source for item in answer.items} <= {"popular_7d", "popular_60d"}
        assert not any("goes with" in item.reason for item in answer.items)
    assert answers.related(needing(newcomer, 1), Related(product_id="cup")).items[0].source == "blend"
