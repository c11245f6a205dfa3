"""A request's events become the same history that the pipeline would have made of them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from services import recent
from services.schemas import Event
from tandem.data import schema
from tandem.features import histories
from tandem.features.histories import DAY_US, Histories
from tandem.features.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("a", "b", "c"))
INDEX = {"a": 1, "b": 2, "c": 3}
START = datetime(2026, 6, 1, tzinfo=UTC)

times = st.integers(0, 4 * 24).map(lambda hours: START + timedelta(hours=hours))
events = st.builds(Event, product_id=st.sampled_from("abcz"), kind=st.sampled_from(schema.KINDS), time=times)


def as_table(given_events: list[Event], start: int = 0) -> pd.DataFrame:
    rows = [(f"f:{i + start}", "u", e.product_id, e.kind, e.time) for i, e in enumerate(given_events)]
    table = pd.DataFrame(rows, columns=["event_id", "user_id", "product_id", "kind", "time"])
    table["time"] = pd.to_datetime(table["time"], utc=True)
    return table.assign(session_id=None, order_id=None, quantity=1.0, unit_price=None)


def encoded(given_events: list[Event]) -> Histories:
    end = pd.Timestamp(max(e.time for e in given_events)) + pd.Timedelta("1us")
    return histories.encode(as_table(given_events), VOCABULARY, end)


def assert_same(left: Histories, right: Histories) -> None:
    for name in ("offsets", "product", "kind", "time_us", "basket"):
        assert getattr(left, name).tolist() == getattr(right, name).tolist(), name
        assert getattr(left, name).dtype == getattr(right, name).dtype, name
    assert left.products == right.products


@settings(max_examples=40)
@given(st.lists(events, min_size=1, max_size=30).filter(lambda many: any(e.product_id in INDEX for e in many)))
def test_events_alone_are_encoded_as_the_pipeline_does(many: list[Event]) -> None:
    assert_same(recent.extend(recent.nobody(VOCABULARY.size, 0), many, INDEX), encoded(many))


@settings(max_examples=40)
@given(st.lists(events, max_size=20), st.lists(events, min_size=1, max_size=20))
def test_a_history_goes_on_where_it_ended(earlier: list[Event], later: list[Event]) -> None:
    later = [e.model_copy(update={"time": e.time + timedelta(days=5)}) for e in later]
    known = [e for e in earlier if e.product_id in INDEX]
    if not known or not any(e.product_id in INDEX for e in later):
        return
    assert_same(recent.extend(encoded(earlier), later, INDEX), encoded(earlier + later))


@settings(max_examples=40)
@given(st.lists(events, min_size=1, max_size=20).filter(lambda many: any(e.product_id in INDEX for e in many)))
def test_events_that_the_history_holds_are_not_counted_again(many: list[Event]) -> None:
    known = encoded(many)
    held = [e for e in many if e.product_id in INDEX]
    again = recent.extend(known, [min(held, key=lambda e: e.time)], INDEX)
    assert_same(again, known)


def test_an_event_in_the_middle_finds_its_place() -> None:
    first, second, third = (
        Event(product_id=p, kind="view", time=START + timedelta(days=d)) for p, d in zip("abc", (0, 1, 2), strict=True)
    )
    merged = recent.extend(encoded([first, third]), [second], INDEX)
    assert merged.product.tolist() == [1, 2, 3]
    assert merged.basket.tolist() == [0, 1, 2]
    assert (np.diff(merged.time_us) > 0).all()


def test_the_history_is_as_of_just_after_its_newest_event() -> None:
    known = encoded([Event(product_id="a", kind="view", time=START)])
    newest = Event(product_id="b", kind="view", time=START + timedelta(days=1))
    assert recent.extend(known, [newest], INDEX).as_of_us == known.as_of_us + DAY_US
    oldest = Event(product_id="b", kind="view", time=START - timedelta(days=1))
    assert recent.extend(known, [oldest], INDEX).as_of_us == known.as_of_us


def test_an_unknown_product_changes_nothing() -> None:
    known = encoded([Event(product_id="a", kind="view", time=START)])
    assert recent.extend(known, [Event(product_id="z", kind="view", time=START)], INDEX) is known
