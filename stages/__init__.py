"""One file per stage of dvc.yaml: functions from files to files."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from tandem import settings
from tandem.errors import TandemError


def run(main: Callable[..., None]) -> None:
    """Call a stage's `main` with the command line's arguments as paths; purposeful errors become one message."""
    settings.quiet()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
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
