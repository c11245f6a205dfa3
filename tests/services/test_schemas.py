"""The API's types agree with the core's."""

from typing import get_args

from services import schemas
from tandem.data import schema


def test_the_kinds_of_events_are_those_of_the_tables() -> None:
    assert get_args(schemas.Kind) == schema.KINDS
