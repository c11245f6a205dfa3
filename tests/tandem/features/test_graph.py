"""Edges of every kind, by hand and by plain loops."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data import schema
from tandem.features import dataset, graph
from tandem.features.dataset import Dataset
from tandem.features.pairs import Pairs
from tandem.params import FeaturesParams, GraphParams

START = pd.Timestamp("2026-01-01T09:00Z")
AS_OF_DAY = 20
Shop = Callable[..., Dataset]


@pytest.fixture(scope="session")
def shop() -> Shop:
    """A dataset of rows (user, product, kind, day, order or session) and of reviews (user, product, day, tone)."""

    def timed(rows, columns) -> pd.DataFrame:
        table = pd.DataFrame(rows, columns=columns)
        return table.assign(time=(START + pd.to_timedelta(table.pop("day").astype(float), unit="D")).astype(
            "datetime64[us, UTC]"
        ))  # fmt: skip

    def build(rows, said=(), **params: float) -> Dataset:
        events = timed(rows, ["user_id", "product_id", "kind", "day", "key"])
        bought = events["kind"] == "purchase"
        key = events.pop("key")
        events = events.assign(order_id=key.where(bought), session_id=key.where(~bought), quantity=1.0, unit_price=None)
        events = events.assign(event_id=[str(n) for n in range(len(events))]).sort_values("time", kind="stable")
        reviews = timed(said, ["user_id", "product_id", "day", "tone"]).assign(**dict.fromkeys(schema.ASPECTS, 0.0))
        table = pd.DataFrame({"product_id": sorted({row[1] for row in rows})}).reindex(columns=schema.PRODUCTS.names)
        table["category"] = [[] for _ in range(len(table))]
        known = FeaturesParams(
            target_kinds=("purchase",), kind_weight={"view": 0.1, "purchase": 1.0}, graph=GraphParams(**params)
        )
        return dataset.build(events, table, START + pd.Timedelta(days=AS_OF_DAY), known, reviews)

    return build


def named(found: Pairs, of: Dataset, values: np.ndarray | None = None) -> dict[tuple[str, str], float]:
    """Counts, or other values, by ids."""
    a, b = (of.vocabulary.decode(side) for side in (found.a, found.b))
    return dict(zip(zip(a, b, strict=True), (found.n if values is None else values).tolist(), strict=True))


BASKETS = [
    ("u", "a", "purchase", 0.0, "o1"),
    ("u", "b", "purchase", 0.0, "o1"),
    ("u", "b", "purchase", 4.0, "o2"),
    ("u", "c", "purchase", 4.0, "o2"),
    ("u", "a", "purchase", 10.0, "o3"),
    (None, "a", "purchase", 1.0, "o4"),
    (None, "b", "purchase", 1.0, "o4"),
]


def test_together_counts_baskets_of_anybody(shop: Shop) -> None:
    known = shop(BASKETS)
    found = graph.edges(known, "together")
    assert named(found, known) == {("a", "b"): 2, ("b", "a"): 2, ("b", "c"): 1, ("c", "b"): 1}
    assert (found.rows, found.source.tolist()) == (4, [0, 3, 3, 1])


def test_after_counts_what_a_user_bought_after_the_first_time(shop: Shop) -> None:
    """c came 4 days after a and b; a came again 6 days after c, and b's first basket had it."""
    known = shop(BASKETS, after_days=6)
    found = graph.edges(known, "after")
    assert named(found, known) == {("a", "c"): 1, ("b", "c"): 1, ("c", "a"): 1}
    assert (found.rows, found.source.tolist(), found.target.tolist()) == (3, [0, 1, 1, 1], [0, 1, 0, 1])
    assert ("c", "a") not in named(graph.edges(close := shop(BASKETS, after_days=5.9), "after"), close)


def test_after_looks_beyond_the_next_basket(shop: Shop) -> None:
    rows = [("u", product, "purchase", day, f"o{day}") for product, day in (("a", 0.0), ("b", 1.0), ("c", 2.0))]
    known = shop(rows)
    assert named(graph.edges(known, "after"), known) == {("a", "b"): 1, ("a", "c"): 1, ("b", "c"): 1}


def test_after_counts_a_user_once_for_a_pair(shop: Shop) -> None:
    habits = [("u", product, "purchase", day, f"{product}{day}") for day in range(0, 18, 3) for product in "ab"]
    habits = [(user, product, kind, day + (product == "b"), key) for user, product, kind, day, key in habits]
    known = shop(habits)
    assert named(graph.edges(known, "after"), known) == {("a", "b"): 1, ("b", "a"): 1}


def test_weights_fall_with_age_and_size_and_join_in_one_number(shop: Shop) -> None:
    """o1 is 20 days old, o2 16, o3 10; half as much after 10 days, and products weigh by 1/√size."""
    known = shop(BASKETS[:5], half_life_days=10, size_exponent=0.5, after_days=6, after_weight=0.5)
    first, second, third = 0.5**2 * 2**-0.5, 0.5**1.6 * 2**-0.5, 0.5**1
    together = graph.edges(known, "together")
    near = named(together, known, together.weight)
    assert near == pytest.approx({("a", "b"): first, ("b", "a"): first, ("b", "c"): second, ("c", "b"): second})
    after = {("a", "c"): (first * second) ** 0.5, ("b", "c"): (first * second) ** 0.5}
    after |= {("c", "a"): (second * third) ** 0.5}
    apart = graph.edges(known, "after")
    assert named(apart, known, apart.weight) == pytest.approx(after)
    one = graph.one_number(known).toarray()
    expected = np.zeros((4, 4))
    for scale, of in ((1, near), (0.5, after)):
        for (a, b), value in of.items():
            expected["_abc".index(a), "_abc".index(b)] += scale * value
    assert one == pytest.approx(expected)
    gram = (x := graph.weighted_baskets(known).toarray()).T @ x
    assert gram[1, 2] == pytest.approx(first)
    assert gram[2, 2] == pytest.approx(first + second)


def test_without_weight_for_later_baskets_one_number_is_symmetric(shop: Shop) -> None:
    one = graph.one_number(shop(BASKETS, after_weight=0)).toarray()
    assert one == pytest.approx(one.T)


def test_what_the_buyer_said_weighs_and_what_others_said_does_not(shop: Shop) -> None:
    """u disliked a twice (-1 and -0.5) and later liked c; v's praise of a is v's; a review of the future is none."""
    said = [("u", "a", 5, -1.0), ("u", "a", 6, -0.5), ("u", "c", 6, 0.5), ("v", "a", 6, 1.0), ("u", "b", 30, 1.0)]
    plain, told = shop(BASKETS, said), shop(BASKETS, said, sentiment_weight=0.4)
    for kind, pair, factor in (
        ("together", ("a", "b"), None),
        ("together", ("b", "c"), 1.2),
        ("after", ("a", "c"), 0.7 * 1.2),
        ("after", ("c", "a"), 1.2 * 0.7),
    ):
        before, after = graph.edges(plain, kind), graph.edges(told, kind)
        assert after.n.tolist() == before.n.tolist()
        weights = [named(found, plain, found.weight)[pair] for found in (before, after)]
        if factor is None:  # nobody's basket is as it was
            of_u, of_nobody = 0.5 ** (20 / 120) * 2**-0.5, 0.5 ** (19 / 120) * 2**-0.5
            assert weights == pytest.approx([of_u + of_nobody, 0.7 * of_u + of_nobody])
        else:
            assert weights[1] == pytest.approx(factor * weights[0])


SEEN = [
    ("u", "a", "view", 0.0, "s1"),
    ("u", "b", "view", 0.01, "s1"),
    ("u", "c", "click", 0.02, "s1"),
    ("u", "b", "purchase", 3.0, "o1"),
    ("u", "a", "view", 5.0, "s2"),
    ("u", "a", "purchase", 5.1, "o2"),
    (None, "a", "view", 6.0, "s3"),
    (None, "c", "view", 6.0, "s3"),
]


def test_viewed_counts_sessions_of_anybody(shop: Shop) -> None:
    known = shop(SEEN)
    found = graph.edges(known, "viewed")
    assert named(found, known)[("a", "c")] == 2
    assert named(found, known)[("a", "b")] == named(found, known)[("b", "a")] == 1
    assert found.rows == 3


def test_instead_is_what_was_bought_within_the_window_over_what_was_not(shop: Shop) -> None:
    """a is bought 5.1 days after the session in which all were seen, b 3."""
    known = shop(SEEN, instead_days=4)
    assert named(graph.edges(known, "instead"), known) == {("a", "b"): 1, ("c", "b"): 1}
    known = shop(SEEN, instead_days=6)
    assert named(graph.edges(known, "instead"), known) == {("c", "b"): 1, ("c", "a"): 1}
    known = shop(SEEN, instead_days=2.9)
    assert named(graph.edges(known, "instead"), known) == {}
    assert graph.edges(known, "instead").rows == 2  # sessions of known users


def test_the_future_makes_no_edges(shop: Shop) -> None:
    rows = [("u", "a", "view", 1.0, "s"), ("u", "b", "view", 1.0, "s"), ("u", "b", "purchase", 21.0, "o")]
    assert len(graph.edges(shop(rows, instead_days=30), "instead")) == 0


def test_a_shop_without_views_has_no_edges_of_views(shop: Shop) -> None:
    for kind in ("viewed", "instead"):
        found = graph.edges(shop(BASKETS), kind)
        assert (len(found), found.rows) == (0, 0)


def test_edges_are_counted_once_for_all(shop: Shop) -> None:
    known = shop(BASKETS)
    assert all(graph.edges(known, kind) is graph.edges(known, kind) for kind in graph.KINDS)


def test_baskets_of_one_second_are_one_so_that_a_user_counts_once(shop: Shop) -> None:
    """Both orders of day 1 hold a, and either could be the first; b of the second one is in the same moment."""
    rows = [("u", p, "purchase", day, key) for p, day, key in [("a", 1.0, "o1"), ("a", 1.0, "o2"), ("b", 1.0, "o2")]]
    known = shop([*rows, ("u", "c", "purchase", 2.0, "o3")], after_days=3)
    found = graph.edges(known, "after")
    assert named(found, known) == {("a", "c"): 1, ("b", "c"): 1}
    assert found.rows == 2


acts = st.tuples(
    st.sampled_from("uv") | st.none(),
    st.sampled_from("abc"),
    st.sampled_from(["view", "purchase"]),
    st.integers(0, 9),
    st.integers(0, 1),
)


@given(drawn=st.lists(acts, min_size=1, max_size=30))
def test_every_kind_is_counted_as_by_plain_loops(shop: Shop, drawn: list[tuple]) -> None:
    """One order or session for each user, day and number; windows of 3 days."""
    rows = [(u, p, kind, float(day), f"{kind}{u}{day}{number}") for u, p, kind, day, number in drawn]
    known = shop(rows, after_days=3, instead_days=3)
    held: dict[str, tuple] = {}
    for user, product, kind, day, key in rows:
        held.setdefault(key, (user, kind, day, set()))[3].add(product)
    baskets = sorted((of for of in held.values() if of[1] == "purchase"), key=lambda of: of[2])
    views = [of for of in held.values() if of[1] == "view"]
    moments: dict[tuple, set[str]] = {}
    for user, _, when, holds in baskets:
        moments.setdefault((user, when), set()).update(holds)
    own = [(user, "purchase", when, holds) for (user, when), holds in moments.items() if user]
    seen = [of for of in views if of[0]]

    def bought(user: str, day: float, far: float) -> set[str]:
        return {p for who, _, when, held in own if who == user and day <= when <= day + far for p in held}

    def later(user: str, day: float) -> set[str]:
        return {p for who, _, when, held in own if who == user and day < when <= day + 3 for p in held}

    def new(place: int) -> set[str]:
        user, _, _, holds = own[place]
        return holds - {product for who, _, _, held in own[:place] if who == user for product in held}

    expected = {
        "together": [(of[3], of[3]) for of in baskets],
        "viewed": [(of[3], of[3]) for of in views],
        "after": [(new(place), later(of[0], of[2]) - of[3]) for place, of in enumerate(own)],
        "instead": [(of[3] - (taken := bought(of[0], of[2], 3)), of[3] & taken) for of in seen],
    }
    for kind, sides in expected.items():
        found = graph.edges(known, kind)
        counts = {pair: sum(pair[0] in s and pair[1] in t for s, t in sides) for pair in permutations("abc", 2)}
        assert named(found, known) == {pair: n for pair, n in counts.items() if n}
        assert found.rows == len(sides)


def test_one_edge_is_counted_as_among_all(shop: Shop) -> None:
    rows = [(f"u{n % 2}", p, "purchase", float(n), f"o{n}") for n in range(6) for p in ("ab", "bc", "ca")[n % 3]]
    rows += [(f"u{n % 2}", p, "view", n + 0.5, f"s{n}") for n in range(4) for p in "abc"[: 2 + n % 2]]
    known = shop(rows, size_exponent=0.5, half_life_days=3.0)
    for kind in graph.KINDS:
        found, whole = graph.edges(known, kind), graph.rows(known, kind)
        assert whole.pairs == found.n.sum() > 0
        for place, pair in enumerate(zip(found.a.tolist(), found.b.tolist(), strict=True)):
            one = whole.edge(*pair)
            for name in ("n", "weight", "of_a", "of_b"):
                assert getattr(one, name) == pytest.approx(getattr(found, name)[[place]])
            assert (one.a, one.b, one.rows) == (*pair, found.rows)
        assert whole.edge(1, 1).n == (whole.target is None) * found.source[1]


def test_users_behind_a_pair_are_counted_once_each_and_nobody_not_at_all(shop: Shop) -> None:
    """a and b: three baskets of u, one of v, one of nobody; c once with each by u alone; after: v took c after a."""
    rows = [("u", product, "purchase", day, f"o{day}") for day in (0.0, 1.0, 2.0) for product in ("a", "b")]
    rows += [("u", "c", "purchase", 2.0, "o2.0"), ("v", "a", "purchase", 3.0, "o3"), ("v", "b", "purchase", 3.0, "o3")]
    rows += [(None, "a", "purchase", 4.0, "o4"), (None, "b", "purchase", 4.0, "o4"), ("v", "c", "purchase", 5.0, "o5")]
    known = shop(rows)
    a, b = known.vocabulary.encode(["b", "a", "c", "c"]), known.vocabulary.encode(["a", "b", "a", "c"])
    assert graph.users(graph.rows(known, "together"), a[:3], b[:3]).tolist() == [2, 2, 1]
    after = graph.rows(known, "after")
    assert graph.users(after, known.vocabulary.encode(["a"]), known.vocabulary.encode(["c"])).tolist() == [2]
    for kind in ("together", "after"):
        found, whole = graph.edges(known, kind), graph.rows(known, kind)
        expected = [
            len({user for user in whole.user[whole.witnesses(*pair)].tolist() if user >= 0})
            for pair in zip(found.a.tolist(), found.b.tolist(), strict=True)
        ]
        assert graph.users(whole, found.a, found.b).tolist() == expected
    assert graph.users(after, a[:0], b[:0]).tolist() == []
