"""One file per stage of dvc.yaml: functions from files to files, and how they tell people what they do."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tandem import settings
from tandem.errors import TandemError

WARNS = "warning: "
"""Before each line that warns."""


class Labelled(logging.Formatter):
    """Messages as they are, a warning with a label before it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line to show."""
        message = super().format(record)
        return f"{WARNS}{message}" if record.levelno == logging.WARNING else message


def shown() -> logging.Handler:
    """A handler that writes to standard error what people read."""
    handler = logging.StreamHandler()
    handler.setFormatter(Labelled())
    return handler


def run(main: Callable[..., None]) -> None:
    """Call a stage's `main` with the command line's arguments as paths; purposeful errors become one message."""
    settings.quiet()
    logging.basicConfig(level=logging.INFO, handlers=[shown()])
    try:
        main(*(Path(argument) for argument in sys.argv[1:]))
    except TandemError as error:
        sys.exit(f"error: {error}")


def leave() -> NoReturn:
    """End the process at once, its work done: what it wrote is written.

    Else Python takes every module apart first, object by object, which after Great Expectations takes a second. What
    libraries want called at the end is not called, so this is for a stage of which they have nothing open any more.
    """
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)
