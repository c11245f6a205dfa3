"""Baskets: what was taken together."""

import numpy as np

from tandem.features import baskets
from tandem.features.vocabulary import Vocabulary

ABC = Vocabulary.of("abc")


def test_a_basket_holds_each_product_once_with_or_without_a_user(make_events) -> None:
    events = make_events(
        [
            ("u1", "b", "purchase", "2020-01-02T09:00", "o2"),
            (None, "c", "purchase", "2020-01-01T10:00", "o1"),
            (None, "a", "purchase", "2020-01-01T11:00", "o1"),
            (None, "a", "purchase", "2020-01-01T11:00", "o1"),
            (None, "?", "purchase", "2020-01-01T11:00", "o1"),
            ("u1", "a", "view", "2020-01-02T09:00", "o2"),
            ("u1", "c", "purchase", "2020-01-03T08:00", None),
            ("u1", "b", "purchase", "2020-01-03T23:00", None),
        ]
    )
    found = baskets.gather(events, ABC, ("purchase",))
    assert found.content.toarray().tolist() == [[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert found.size.tolist() == [2, 1, 2]
    hours = 18262 * 24 + 10, 18263 * 24 + 9, 18264 * 24 + 8  # 2020-01-01 is day 18262
    assert (found.time_us / 3.6e9).tolist() == list(hours)
    assert len(found) == 3


def test_anonymous_purchases_without_an_order_are_not_one_basket(make_events) -> None:
    """Nothing says that nobody's purchases of a day belong together."""
    rows = [(None, product, "purchase", "2020-01-01", None) for product in "abc"]
    assert baskets.gather(make_events(rows), ABC, ("purchase",)).size.tolist() == [1, 1, 1]


def test_several_kinds_may_make_a_basket(make_events) -> None:
    events = make_events([("u", "a", "cart", "2020-01-01", "o"), ("u", "b", "purchase", "2020-01-01", "o")])
    assert baskets.gather(events, ABC, ("cart", "purchase")).size.tolist() == [2]


def test_no_events_make_no_baskets(make_events) -> None:
    found = baskets.gather(make_events([]), ABC, ("purchase",))
    assert len(found) == 0
    assert found.content.shape == (0, 4)


def test_a_basket_belongs_to_the_first_of_its_known_users(make_events) -> None:
    """o1 is v's and u's, o2 v's alone, o3 nobody's, o4 somebody's who is not known."""
    rows = [("v", "a", "o1"), ("u", "b", "o1"), ("v", "a", "o2"), (None, "a", "o3"), ("x", "c", "o4")]
    events = make_events([(user, product, "purchase", "2020-01-01", order) for user, product, order in rows])
    found = baskets.gather(events, ABC, ("purchase",), np.array(["u", "v"], object))
    assert found.user.tolist() == [0, 1, -1, -1]
    assert baskets.gather(events, ABC, ("purchase",)).user.tolist() == [-1] * 4


def test_baskets_come_back(make_events, tmp_path) -> None:
    events = make_events([("u", "a", "purchase", "2020-01-01", "o1"), ("u", "c", "purchase", "2020-01-02", "o1")])
    found = baskets.gather(events, ABC, ("purchase",), np.array(["u"], object))
    found.write(tmp_path / "baskets.npz")
    again = baskets.Baskets.read(tmp_path / "baskets.npz", ABC.size)
    assert again.content.toarray().tolist() == found.content.toarray().tolist() == [[0, 1, 0, 1]]
    assert (again.time_us.tolist(), again.user.tolist()) == (found.time_us.tolist(), [0])
