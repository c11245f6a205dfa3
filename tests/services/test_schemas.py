"""The API's types agree with the core's, and keep what they refuse to themselves."""

from typing import get_args

import pytest
from pydantic import ValidationError

from services import schemas
from services.schemas import Recommend
from tandem.data import schema


def test_the_kinds_of_events_are_those_of_the_tables() -> None:
    assert get_args(schemas.Kind) == schema.KINDS


def test_a_refused_value_is_not_in_the_error_that_a_log_would_show() -> None:
    with pytest.raises(ValidationError) as refused:
        Recommend.model_validate_json(b'{"user_id": ["secret-user"]}')
    assert "user_id" in str(refused.value)
    assert "secret-user" not in str(refused.value)
