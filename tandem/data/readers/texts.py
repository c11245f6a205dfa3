"""Values of typed formats as the text that a person would see."""

import datetime
import json
from typing import Any


def text(value: Any) -> str:
    """A value as text: whole numbers without a point, times in ISO 8601, truth as true and false, the rest as JSON."""
    match value:
        case str():
            return value
        case bool() | list() | dict() | tuple():
            return json.dumps(value, ensure_ascii=False, default=text)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case datetime.datetime():
            return value.isoformat(" ")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case bytes():
            return value.decode()
        case _:
            return str(value)
