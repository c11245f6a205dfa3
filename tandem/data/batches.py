"""A raw file, and a piece of it: some of its rows as text, in the file's order."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class Export:
    """One raw file: `name` is its path below the source's folder, with `!member` for one of several in a zip."""

    name: str
    path: Path
    member: str | None = None  # name within the zip at `path`; None: the file itself, or the only one in its archive


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of one raw file. A row that does not fit the header has no cells but a problem."""

    cells: pa.RecordBatch  # (rows, raw columns), each pa.string()
    problems: pa.StringArray | None = None  # (rows,); None where no row has a problem
