"""What is answered, worked out by hand from the orders in conftest."""

import math
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from services import answers, shelf
from services.answers import UnknownProduct
from services.schemas import Answer, Recommend, Related
from services.shelf import Shelf
from tandem import files
from tandem.errors import ReleaseError
from tandem.privacy import pseudonyms
from tandem.ranking.ranker import top_k

Ask = Callable[..., Answer]
POPULAR = ["cable", "phone-a", "case-a", "case-b", "phone-b", "tea"]


def ids(answer: Answer) -> list[str]:
    return [item.product_id for item in answer.items]


@pytest.fixture
def ask(shop: Shelf, key: bytes) -> Ask:
    def recommend(user: str, **question) -> Answer:
        return answers.recommend(shop, Recommend(user_id=user, **question), pseudonyms.of(key, user))

    return recommend


def event(product_id: str, kind: str = "view", time: str = "2026-06-30T12:00:00+00:00") -> dict:
    return {"product_id": product_id, "kind": kind, "time": datetime.fromisoformat(time)}


def test_a_known_user_gets_what_is_bought_together_and_why(ask: Ask) -> None:
    answer = ask("finn", k=2)  # who bought phone-a: two baskets hold it with case-a, one with cable
    assert [(item.product_id, item.score) for item in answer.items] == [("case-a", 2), ("cable", 1)]
    assert {item.reason for item in answer.items} == {"because you bought Phone A"}
    assert (answer.source, answer.asked) == ("together", 2)
    assert answer.reason == "events of the user (1): ranked by together"


def test_an_item_carries_what_the_catalogue_knows(ask: Ask) -> None:
    item = ask("finn", k=1).items[0]
    assert (item.title, item.price, item.currency, item.source) == ("Case A", 20.0, "EUR", "together")


def test_popular_products_fill_what_the_ranker_leaves_open(ask: Ask) -> None:
    answer = ask("finn", k=5)
    assert ids(answer) == ["case-a", "cable", "phone-a", "case-b", "phone-b"]
    assert [item.source for item in answer.items] == ["together"] * 2 + ["popular_7d"] * 3
    assert answer.reason == "events of the user (1): ranked by together; the last 3 are popular products"


def test_an_unknown_user_gets_popular_products_and_is_told_so(ask: Ask) -> None:
    answer = ask("nobody", k=6)
    assert ids(answer) == POPULAR
    assert [item.score for item in answer.items] == [3, 3, 2, 2, 2, 1]
    assert [item.source for item in answer.items] == ["popular_7d"] * 5 + ["popular_60d"]
    assert answer.items[0].reason == "popular in the last 7 days"
    assert answer.items[5].reason == "popular in the last 60 days"
    assert answer.source == "popular_7d"
    assert answer.reason == "unknown user: popular products, none ranked by together"


def test_fewer_are_returned_where_no_more_qualify_and_the_answer_counts_them(ask: Ask) -> None:
    answer = ask("nobody", k=10)  # nobody took the cup in the last 60 days
    assert len(answer.items) == 6
    assert answer.asked == 10
    assert answer.reason.endswith("; 6 of 10 asked: no other product qualifies")


def test_a_user_is_known_by_events_alone(shop: Shelf) -> None:
    answer = answers.recommend(shop, Recommend(events=[event("phone-b")], k=2), None)
    assert ids(answer) == ["case-b", "cable"]
    assert answer.items[0].reason == "because you looked at Phone B"


def test_newest_events_stand_beside_the_history(ask: Ask) -> None:
    answer = ask("finn", events=[event("phone-b"), event("phone-b", "cart")], k=3)
    # phone-a once and phone-b twice: case-b 2 x 2, cable 1 + 2 x 1, case-a 2
    assert [(item.product_id, item.score) for item in answer.items] == [("case-b", 4), ("cable", 3), ("case-a", 2)]
    assert answer.items[0].reason == "because you put Phone B in your cart"
    assert answer.reason.startswith("events of the user (3)")


def test_events_with_unknown_products_only_are_an_unknown_user(shop: Shelf) -> None:
    answer = answers.recommend(shop, Recommend(user_id="nobody", events=[event("gone")]), "f" * 32)
    assert answer.source == "popular_7d"
    assert answer.reason.startswith("unknown user and products in events: popular products")


def test_bought_products_are_left_out_on_request_only(ask: Ask) -> None:
    assert "phone-a" in ids(ask("finn"))
    assert "phone-a" not in ids(ask("finn", filters={"exclude_bought": True}))


def test_a_purchase_among_the_newest_events_is_bought_and_a_view_is_not(ask: Ask) -> None:
    events = [event("case-a", "purchase"), event("cable", "view")]
    found = ids(ask("finn", events=events, filters={"exclude_bought": True}))
    assert "case-a" not in found
    assert "cable" in found


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"category": ["electronics", "cases"]}, ["case-a", "case-b"]),
        ({"category": ["electronics"]}, ["case-a", "cable", "phone-a", "case-b", "phone-b"]),
        ({"category": ["cases"]}, []),
        ({"brand": "Bolt"}, ["case-b", "phone-b"]),
        ({"price_min": 15}, ["case-a", "phone-a", "case-b", "phone-b"]),
        ({"price_max": 5}, ["cable", "tea"]),
        ({"price_min": 5, "price_max": 5}, ["cable"]),
        ({"exclude": ["case-a", "gone"]}, ["cable", "phone-a", "case-b", "phone-b", "tea"]),
    ],
)
def test_filters_hold_for_ranked_and_popular_products(ask: Ask, filters: dict, expected: list[str]) -> None:
    assert ids(ask("finn", filters=filters)) == expected


def test_an_empty_answer_says_so(ask: Ask) -> None:
    answer = ask("finn", filters={"brand": "None such"})
    assert answer.items == []
    assert answer.source == "together"
    assert answer.reason.endswith("0 of 10 asked: no other product qualifies")


def test_related_products_name_the_product_they_go_with(shop: Shelf) -> None:
    answer = answers.related(shop, Related(product_id="phone-b", k=2))
    assert [(item.product_id, item.score) for item in answer.items] == [("case-b", 2), ("cable", 1)]
    assert answer.items[0].reason == "goes with Phone B"
    assert answer.reason == "product phone-b: ranked by together"


def test_popular_products_near_the_product_come_before_others(shop: Shelf) -> None:
    answer = answers.related(shop, Related(product_id="phone-b"))
    # co-counts give case-b and cable; then the phones, then electronics, then all; never phone-b itself
    assert ids(answer) == ["case-b", "cable", "phone-a", "case-a", "tea"]


def test_a_product_that_went_with_nothing_still_shows_popular_ones(shop: Shelf) -> None:
    answer = answers.related(shop, Related(product_id="cup", k=3))
    assert ids(answer) == POPULAR[:3]
    assert answer.source == "popular_7d"
    assert answer.reason == "product cup: popular products, none ranked by together"


def test_a_product_outside_the_catalogue_is_refused_by_name(shop: Shelf) -> None:
    with pytest.raises(UnknownProduct, match="'gone' is not in the catalogue"):
        answers.related(shop, Related(product_id="gone"))


def test_answers_carry_where_they_come_from(shop: Shelf, ask: Ask) -> None:
    first, second = ask("finn"), ask("nobody")
    assert first.model == second.model == "together"
    assert first.model_version == second.model_version == shop.release.content_hash
    assert first.data_hash == second.data_hash == "d" * 64
    assert first.response_id != second.response_id


def test_what_is_served_is_what_was_evaluated(shop: Shelf, ask: Ask, key: bytes) -> None:
    kept, catalogue = shop.release.histories, shop.catalogue
    best = top_k(shop.release.ranker.scores(kept, shop.release.demand), 2)
    for user in ("anna", "bert", "cleo", "dora", "finn"):
        expected = [catalogue.product_ids[item] for item in best[shop.user_row[pseudonyms.of(key, user)]]]
        assert ids(ask(user, k=2)) == expected


@pytest.mark.parametrize("counting_shelves", ["personal"], indirect=True)
def test_a_product_of_the_history_itself_is_called_it(counting_shelves: dict[str, Shelf]) -> None:
    shop = counting_shelves["recommend"]
    answer = answers.recommend(shop, Recommend(events=[event("tea", "purchase")], k=1), None)
    assert [(item.product_id, item.reason) for item in answer.items] == [("tea", "because you bought it")]


@pytest.mark.parametrize(
    ("counting_shelves", "reasons"),
    [
        # taken ever: cable 3, phone-a 3, all others but tea and cup, which one order holds, twice
        ("popular", dict.fromkeys(("cable", "phone-a", "case-a", "case-b", "phone-b"), "popular of all time")),
        (
            "popular_7d",
            dict.fromkeys(("cable", "phone-a", "case-a", "case-b", "phone-b"), "popular in the last 7 days"),
        ),
        # with phone-a went case-a twice and the cable once; then the others come in order of recent demand
        (
            "itemknn",
            dict.fromkeys(("case-a", "cable"), "because you looked at Phone A")
            | dict.fromkeys(("case-b", "phone-b"), "popular in the last 7 days"),
        ),
    ],
    indirect=["counting_shelves"],
)
def test_a_reason_is_true_of_the_ranker_that_placed_the_product(
    counting_shelves: dict[str, Shelf], reasons: dict[str, str]
) -> None:
    shop = counting_shelves["recommend"]
    items = answers.recommend(shop, Recommend(events=[event("phone-a")], k=5), None).items
    told = {item.product_id: item.reason for item in items if item.source == shop.release.name}
    assert {product: told.get(product) for product in reasons} == reasons


def test_every_ranker_that_counts_can_serve(counting_shelves: dict[str, Shelf]) -> None:
    times = "1970-01-01T00:00:00+00:00", "2026-06-30T12:00:00+00:00", "9999-12-31T23:59:59+00:00"
    events = [
        event(product, kind, time) for time in times for product, kind in (("phone-a", "cart"), ("tea", "return"))
    ]
    for task, shop in counting_shelves.items():
        if task == "recommend":
            answer = answers.recommend(shop, Recommend(events=events, k=4), None)
        else:
            answer = answers.related(shop, Related(product_id="phone-a", k=4))
            assert "phone-a" not in ids(answer)
        assert len(set(ids(answer))) == 4
        assert {item.source for item in answer.items} <= {shop.release.name, "popular_7d", "popular_60d"}
        assert all(math.isfinite(item.score) for item in answer.items)


def test_no_request_changes_the_shelf(shop: Shelf, ask: Ask) -> None:
    before = ask("finn").items
    ask("finn", filters={"exclude": list(shop.catalogue.index)}, events=[event("tea")])
    answers.related(shop, Related(product_id="tea", filters={"brand": "Bolt"}))
    assert ask("finn").items == before


def test_a_release_made_with_another_key_is_refused(serving: Path, rankers: dict) -> None:
    with pytest.raises(ReleaseError, match=r"pseudonym key .* the key at hand is 00000000"):
        shelf.load(serving, "recommend", "00000000", rankers)


def test_an_altered_release_is_refused(serving: Path, tmp_path: Path, key: bytes, rankers: dict) -> None:
    shutil.copytree(serving / "related", tmp_path / "related")
    files.write_json(["other"], tmp_path / "related" / "vocabulary.json")
    with pytest.raises(ReleaseError, match="was altered"):
        shelf.load(tmp_path, "related", pseudonyms.key_id(key), rankers)


def test_a_missing_release_is_refused(tmp_path: Path, rankers: dict) -> None:
    with pytest.raises(ReleaseError, match="related is not a release"):
        shelf.load(tmp_path, "related", "00000000", rankers)
