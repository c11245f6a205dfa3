"""Items made ready ahead of who asks for them."""

import threading
from collections.abc import Iterator

import pytest

from tandem.data.ahead import ahead
from tandem.errors import SourceError


def test_items_come_in_their_order() -> None:
    assert list(ahead(iter(range(1000)), 3)) == list(range(1000))
    assert list(ahead(iter(()), 3)) == []


def test_the_next_are_made_while_the_first_is_worked_on_and_no_more_of_them() -> None:
    made: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    found = ahead(items(), 2)
    assert next(found) == 0
    assert third.wait(10)  # nobody asked for it yet
    found.close()
    assert made == [0, 1, 2]


def test_an_error_comes_unchanged_after_the_items_before_it() -> None:
    error = SourceError("row 3 cannot be read")

    def items() -> Iterator[int]:
        yield from (1, 2)
        raise error

    found = ahead(items(), 4)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(SourceError) as raised:
        next(found)
    assert raised.value is error
    assert list(found) == []


def test_no_thread_is_left_when_asking_stops() -> None:
    before = threading.active_count()
    found = ahead(iter(range(100)), 2)
    next(found)
    assert threading.active_count() == before + 1
    found.close()
    assert threading.active_count() == before
