"""Complements and substitutes of shops in which it is planted what they are."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tandem.data import schema
from tandem.features import dataset, relations, strength
from tandem.features.dataset import Dataset
from tandem.features.pairs import Pairs
from tandem.features.relations import RELATIONS, Relations
from tandem.params import FeaturesParams, GraphParams

START = pd.Timestamp("2026-01-01T09:00Z")
DAYS = 60


@pytest.fixture(scope="session")
def shop() -> Callable[..., Dataset]:
    """A dataset of visits (user, day, "seen products", "bought products") and sheets {product: (category, price)}."""

    def build(visits, sheets, **params: float) -> Dataset:
        rows = [
            {
                "user_id": user, "product_id": product, "kind": kind, "session_id": f"s{n}",
                "time": START + pd.Timedelta(days=day, minutes=minute),
                "order_id": f"o{n}" if kind == "purchase" else None,
            }
            for n, (user, day, seen, bought) in enumerate(visits)
            for kind, products, minute in (("view", seen, 0), ("purchase", bought, 9))
            for product in products.split()
        ]  # fmt: skip
        events = pd.DataFrame(rows).assign(quantity=1.0, unit_price=None).sort_values("time", kind="stable")
        events = events.assign(event_id=[str(n) for n in range(len(events))])
        events["time"] = events["time"].astype("datetime64[us, UTC]")
        table = pd.DataFrame({"product_id": list(sheets)}).reindex(columns=schema.PRODUCTS.names)
        table["category"], table["currency"] = [[category] for category, _ in sheets.values()], "EUR"
        table["price"] = [float(price) for _, price in sheets.values()]
        known = FeaturesParams(
            target_kinds=("purchase",), kind_weight={"view": 0.1, "purchase": 1.0}, graph=GraphParams(**params)
        )
        return dataset.build(events, table, START + pd.Timedelta(days=DAYS), known)

    return build


PHONES, CASES, OTHERS = ("p0", "p1", "p2"), ("c0", "c1", "c2"), tuple(f"x{n}" for n in range(8))
REST = dict.fromkeys(OTHERS, ("others", 1))
SHEETS = dict.fromkeys(PHONES, ("phones", 9)) | dict.fromkeys(CASES, ("cases", 1)) | REST


@pytest.fixture(scope="session")
def browsed(shop: Callable[..., Dataset]) -> Dataset:
    """People look at two phones and buy one, half with its case, which they look at too, half with it a day later.

    Others buy a case, or two things that have nothing to do with each other, after looking at both.
    """
    rng = np.random.default_rng(2)
    visits = []
    for n in range(240):
        one, two = rng.choice(3, 2, replace=False)
        now = rng.random() < 0.5
        bought = f"p{one} c{one}" if now else f"p{one}"
        visits.append((f"u{n}", n % 50, f"p{one} p{two}" + f" c{one}" * now, bought))
        if not now:
            visits.append((f"u{n}", n % 50 + 1, "", f"c{one}"))
        visits.append((f"v{n}", n % 50, "", f"c{rng.integers(3)}"))
        both = " ".join(rng.choice(OTHERS, 2, replace=False))
        visits += [(f"w{n}-{k}", n % 50, both, both) for k in range(3)]
    return shop(visits, SHEETS)


def named(found: Relations, known: Dataset, relation: str) -> set[tuple[str, str]]:
    believed = found.kind == RELATIONS.index(relation)
    return set(zip(*(known.vocabulary.decode(side[believed]) for side in (found.a, found.b)), strict=True))


def both_ways(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return pairs | {(b, a) for a, b in pairs}


def test_phones_replace_each_other_and_their_cases_go_with_them(browsed: Dataset) -> None:
    """A case is looked at together with its phone, and with the phone that was not bought, and replaces neither."""
    found = relations.label(browsed)
    goes = {(f"p{n}", f"c{n}") for n in range(3)}
    assert both_ways(goes) <= named(found, browsed, "complement")
    assert named(found, browsed, "substitute") == both_ways({("p0", "p1"), ("p0", "p2"), ("p1", "p2")})
    seen = strength.chance_of_more(relations.evidence(browsed)["viewed"])
    looked = {pair for pair, p in zip(_pairs(found, browsed), seen, strict=True) if p < 0.001}
    assert goes <= looked


def test_the_phone_comes_first(browsed: Dataset) -> None:
    forward = dict(zip(_pairs(found := relations.label(browsed), browsed), found.forward, strict=True))
    assert all(forward[f"p{n}", f"c{n}"] > 0 > forward[f"c{n}", f"p{n}"] for n in range(3))


def test_scores_of_substitutes_are_the_same_in_both_directions(browsed: Dataset) -> None:
    found = relations.label(browsed)
    for values in (found.substitute, found.substitute_q):
        of = dict(zip(_pairs(found, browsed), values, strict=True))
        assert all(of[pair] == of[pair[::-1]] for pair in of)
    back = relations.mirrored(relations.evidence(browsed)["after"], found.forward)
    np.testing.assert_allclose(back, -found.forward, atol=1e-12)


def test_numbers_of_pairs_by_hand(bought: Dataset, browsed: Dataset) -> None:
    found = relations.evidence(browsed)
    names, numbers = relations.numbers(found, turned(found))
    table = dict(zip(names, numbers.T, strict=True))
    pairs = _pairs(relations.label(browsed), browsed)
    there, back = pairs.index(("p0", "c0")), pairs.index(("c0", "p0"))
    assert table["after_count"][there] == pytest.approx(np.log1p(found["after"].n[there]))
    assert table["after_count_back"][back] == table["after_count"][there] > table["after_count"][back]
    of = found["viewed"]
    by_chance = of.of_a[there] * of.of_b[there] / of.rows
    assert table["viewed_log_lift"][there] == pytest.approx(np.log((of.n[there] + 0.5) / (by_chance + 0.5)), rel=1e-5)
    assert np.isfinite(numbers).all()
    found = relations.evidence(bought)
    names, numbers = relations.numbers(found, turned(found))
    unknown = {name for name, of in zip(names, numbers.T, strict=True) if np.isnan(of).all()}
    assert unknown == {name for name in names if name.startswith(("viewed", "instead"))}


def turned(found: relations.Evidence) -> relations.Evidence:
    """Of all pairs a → b what was counted of b → a."""
    return {kind: relations.at(pairs, pairs.b, pairs.a) for kind, pairs in found.items()}


def _pairs(found: Relations, known: Dataset) -> list[tuple[str, str]]:
    return list(zip(known.vocabulary.decode(found.a), known.vocabulary.decode(found.b), strict=True))


@pytest.fixture(scope="session")
def bought(shop: Callable[..., Dataset]) -> Dataset:
    """Nobody's views are known. Users of coffee take one of three and, a week later, another; of ten teas any two.

    Half of all orders are of something else.
    """
    rng = np.random.default_rng(4)
    visits = []
    for n in range(150):
        first, second = rng.choice(3, 2, replace=False)
        visits += [(f"u{n}", n % 40, "", f"k{first}"), (f"u{n}", n % 40 + 7, "", f"k{second}")]
        visits.append((f"v{n}", n % 40, "", " ".join(rng.choice([f"t{k}" for k in range(10)], 2, replace=False))))
        visits += [(f"w{n}-{k}", n % 40, "", f"x{rng.integers(8)}") for k in range(3)]
    sheets = {f"k{n}": ("coffee", price) for n, price in enumerate((5, 5.2, 5.1))}
    return shop(visits, sheets | {f"t{n}": ("tea", 5) for n in range(10)} | REST)


def test_without_views_what_serves_one_need_and_takes_turns_is_a_substitute(bought: Dataset) -> None:
    found = relations.label(bought)
    assert named(found, bought, "substitute") == both_ways({("k0", "k1"), ("k0", "k2"), ("k1", "k2")})
    assert np.isneginf(found.substitute[[pair == ("k0", "x0") for pair in _pairs(found, bought)]]).all()


def test_products_far_apart_in_price_serve_no_common_need(shop: Callable[..., Dataset]) -> None:
    sheets = {f"k{n}": ("coffee", price) for n, price in enumerate((4.9, 5, 5, 5.1, 5, 5, 5.2, 4.8, 5, 50))}
    known = shop([("u", day, "", product) for day, product in enumerate(sheets)], sheets)
    a, b = (known.vocabulary.encode(side) for side in (["k0", "k0"], ["k1", "k9"]))
    assert relations.same_need(known, a, b).tolist() == [True, False]


def test_near_texts_serve_one_need(shop: Callable[..., Dataset]) -> None:
    known = shop([("u", 1, "", "a b c")], {"a": ("x", 1), "b": ("y", 1), "c": ("z", 1)})
    text = np.array([[np.nan, np.nan], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
    told = known.with_vectors(text, known.products.picture)
    a, b = np.array([1, 1]), np.array([2, 3])
    assert relations.same_need(told, a, b).tolist() == [True, False]
    assert relations.same_need(known, a, b).tolist() == [False, False]


def test_what_was_not_counted_is_counted_as_nothing() -> None:
    a, b = np.array([[1, 3], [2, 1]], np.int32)
    known = Pairs(a, b, np.array([4.0, 7.0]), np.array([0.4, 0.7]), np.full(4, 9.0), np.full(4, 9.0), 20)
    found = relations.at(known, np.array([3, 2, 1], np.int32), np.array([1, 3, 2], np.int32))
    assert (found.n.tolist(), found.weight.tolist()) == ([7, 0, 4], [0.7, 0, 0.4])
    nothing = relations.at(known.keep(np.zeros(2, bool)), a, b)
    assert nothing.n.tolist() == [0, 0]


def test_a_shop_that_sold_one_thing_at_a_time_to_strangers_has_no_relations(shop: Callable[..., Dataset]) -> None:
    found = relations.label(shop([(None, 1, "", "a"), (None, 2, "", "b")], {"a": ("x", 1), "b": ("x", 1)}))
    assert len(found) == 0
