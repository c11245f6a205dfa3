"""One file per stage of dvc.yaml: functions from files to files."""

import atexit
import gc
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from tandem import settings
from tandem.errors import TandemError


def run(main: Callable[..., None]) -> None:
    """Call a stage's `main` with the command line's arguments as paths; purposeful errors become one message."""
    settings.quiet()
    atexit.register(gc.freeze)  # without it the interpreter looks through every object once more as it ends
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        main(*(Path(argument) for argument in sys.argv[1:]))
    except TandemError as error:
        sys.exit(f"error: {error}")
