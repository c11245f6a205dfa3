"""Histories: who did what, oldest first."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data import schema
from tandem.features import histories
from tandem.features.histories import DAY_US, Histories, basket_key, encode
from tandem.features.vocabulary import Vocabulary

ABC = Vocabulary.of("abc")
AS_OF = pd.Timestamp("2020-02-01", tz="UTC")
BUY, VIEW = schema.KIND_CODE["purchase"], schema.KIND_CODE["view"]


@pytest.fixture
def known(make_events) -> Histories:
    """Two users: `u1` views a, then buys a and b in one order, later c; `u2` buys c twice on two days."""
    events = make_events(
        [
            ("u2", "c", "purchase", "2020-01-01", "o1"),
            ("u1", "a", "view", "2020-01-02", None),
            ("u1", "b", "purchase", "2020-01-03", "o2"),
            ("u1", "a", "purchase", "2020-01-03", "o2"),
            ("u1", "a", "purchase", "2020-01-03", "o2"),
            (None, "a", "purchase", "2020-01-04", "o3"),
            ("u1", "?", "purchase", "2020-01-05", "o4"),
            ("u3", "?", "purchase", "2020-01-05", "o5"),
            ("u1", "c", "purchase", "2020-01-06", "o6"),
            ("u2", "c", "purchase", "2020-01-07", "o7"),
            ("u1", "c", "purchase", "2020-02-01", "o8"),
        ]
    )
    return encode(events, ABC, AS_OF)


def test_each_user_has_own_events_oldest_first(known: Histories) -> None:
    """No anonymous row, no unknown product, nothing at or after `as_of`, one row per order and product."""
    assert known.user_ids.tolist() == ["u1", "u2"]
    assert known.offsets.tolist() == [0, 4, 6]
    assert known.product.tolist() == [1, 2, 1, 3, 3, 3]
    assert known.kind.tolist() == [VIEW, BUY, BUY, BUY, BUY, BUY]
    assert known.basket.tolist() == [0, 1, 1, 2, 0, 1]
    assert (known.time_us / DAY_US - 18262).tolist() == [1, 2, 2, 5, 0, 6]  # 2020-01-01 is day 18262
    assert (known.products, known.as_of_us) == (4, 18293 * DAY_US)
    assert known.age_days().tolist() == [30, 29, 29, 26, 31, 25]


def test_seen_and_matrix_count_by_user_and_product(known: Histories) -> None:
    assert known.seen(("view",)).toarray().tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert known.seen(("purchase",)).toarray().tolist() == [[0, 1, 1, 1], [0, 0, 0, 1]]
    assert known.matrix(known.age_days()).toarray().tolist() == [[0, 59, 29, 26], [0, 0, 0, 56]]


def test_the_last_events_are_right_aligned_and_padded_with_zero(known: Histories) -> None:
    product, kind, basket, time_us = known.last(3)
    assert product.tolist() == [[2, 1, 3], [0, 3, 3]]
    assert kind.tolist() == [[BUY, BUY, BUY], [0, BUY, BUY]]
    assert basket.tolist() == [[1, 1, 2], [0, 0, 1]]
    assert (time_us == 0).tolist() == [[False] * 3, [True, False, False]]


def test_taking_users_keeps_their_events_in_the_asked_order(known: Histories) -> None:
    taken = known.take(np.array([1, 0, 1]))
    assert taken.user_ids.tolist() == ["u2", "u1", "u2"]
    assert taken.offsets.tolist() == [0, 2, 6, 8]
    assert taken.product.tolist() == [3, 3, 1, 2, 1, 3, 3, 3]
    assert taken.user.tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_histories_come_back_from_their_file(known: Histories, tmp_path) -> None:
    known.write(tmp_path / "h.npz")
    again = Histories.read(tmp_path / "h.npz")
    for name, value in vars(known).items():
        assert np.array_equal(getattr(again, name), value), name
        assert getattr(getattr(again, name), "dtype", None) == getattr(value, "dtype", None), name


def test_no_events_make_no_histories(make_events) -> None:
    none = encode(make_events([]), ABC, AS_OF)
    assert len(none) == 0
    assert none.offsets.tolist() == [0]
    assert [part.shape for part in none.last(5)] == [(0, 5)] * 4


def test_a_product_is_asked_for_by_a_history_of_one_event() -> None:
    asked = histories.of_products(np.array([2, 3]), 4, AS_OF.value // 1000)
    assert asked.seen(("purchase",)).toarray().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]
    assert asked.age_days().tolist() == [0, 0]


def _together(key: pd.Series) -> list[list[int]]:
    return sorted(list(rows) for rows in key.groupby(key).groups.values())


def test_order_joins_before_session_and_session_before_user_and_day(make_events) -> None:
    noon, evening = "2020-01-01T12:00", "2020-01-01T20:00"
    events = make_events(
        [
            ("u", "a", "purchase", noon, "1"),
            ("u", "b", "purchase", evening, "1"),
            ("u", "a", "view", noon, None),  # session 1, which is not order 1
            ("u", "b", "view", evening, None),
            ("u", "a", "view", noon, None),  # neither: the user's day
            ("u", "b", "view", evening, None),
            ("u", "b", "view", "2020-01-02", None),
            ("v", "b", "view", evening, None),
            (None, "a", "view", noon, None),  # nobody's: alone
            (None, "b", "view", noon, None),
        ],
        session_id=["9", "9", "1", "1", *[None] * 6],
    )
    assert _together(basket_key(events)) == [[0, 1], [2, 3], [4, 5], [6], [7], [8], [9]]


EVENT = st.tuples(
    st.sampled_from(["u1", "u2", "u3", None]),
    st.sampled_from("abcd"),
    st.sampled_from(schema.KINDS),
    st.integers(0, 40),
    st.sampled_from(["o1", "o2", "o3", None]),
)


@given(st.lists(EVENT, max_size=30), st.integers(1, 6))
def test_every_history_is_what_a_plain_loop_finds(make_events, rows: list[tuple], length: int) -> None:
    """Against the definition written as a loop over the rows in order of time."""
    start = pd.Timestamp("2020-01-01", tz="UTC").tz_localize(None)
    rows = sorted(((u, p, k, d, o) for u, p, k, d, o in rows), key=lambda row: row[3])
    events = make_events([(u, p, k, (start + pd.Timedelta(days=d)).isoformat(), o) for u, p, k, d, o in rows])
    expected: dict[str, list[tuple]] = {}
    for user, product, kind, day, order in rows:
        if user and product in "abc" and day < 31:
            key = order or f"day {day}"
            own = expected.setdefault(user, [])
            if not any(e[:3] == (key, kind, product) for e in own):
                own.append((key, kind, product, day))
    found = encode(events, ABC, AS_OF)
    assert found.user_ids.tolist() == sorted(expected)
    for user, (begin, end) in zip(found.user_ids, zip(found.offsets, found.offsets[1:], strict=False), strict=True):
        own = expected[user]
        assert ABC.decode(found.product[begin:end]) == [e[2] for e in own]
        assert [schema.KINDS[code - 1] for code in found.kind[begin:end]] == [e[1] for e in own]
        assert (found.age_days()[begin:end]).tolist() == [31 - e[3] for e in own]
        order = list(dict.fromkeys(e[0] for e in own))
        assert found.basket[begin:end].tolist() == [order.index(e[0]) for e in own]
    product = found.last(length)[0]
    for row, (begin, end) in enumerate(zip(found.offsets, found.offsets[1:], strict=False)):
        own = found.product[begin:end][-length:].tolist()
        assert product[row].tolist() == [0] * (length - len(own)) + own
