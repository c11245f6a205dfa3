"""What a stage says, as people read it."""

import logging

import pytest

from stages import shown


@pytest.mark.parametrize(
    ("level", "line"),
    [(logging.INFO, "9 rows"), (logging.WARNING, "warning: 9 rows"), (logging.ERROR, "9 rows")],
)
def test_a_warning_has_a_label_and_nothing_else_has(level: int, line: str) -> None:
    assert shown().format(logging.LogRecord("stages", level, "", 0, "%d rows", (9,), None)) == line
