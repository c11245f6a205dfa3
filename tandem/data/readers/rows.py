"""Rows read one by one, put together to batches under their header."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.readers.archives import where
from tandem.errors import SourceError

ROWS = 2**16
"""Rows in a batch, at most."""

SIZE = 2**24
"""Characters after which a batch of fewer rows is handed on."""


class Row(NamedTuple):
    """The cells of one row, or why it has none."""

    cells: Sequence[str | None] | None
    problem: str | None = None


def names(found: Iterable[str]) -> list[str]:
    """Names of columns without white space around them; one without a name is `column_n`."""
    return [name.strip() or f"column_{place}" for place, name in enumerate(found, start=1)]


def empty(header: list[str], export: Export, block: Block) -> Batch:
    """No rows, with the header that they would have.

    Raises:
        SourceError: two columns have one name, capitals aside, or a name holds a NUL.
    """
    folded = Counter(name.casefold() for name in header)
    if twice := [name for name in header if folded[name.casefold()] > 1]:
        if not set(block.named) & set(header):
            raise without_header(export, block)
        raise SourceError(f"{where(export)}: columns `{'`, `'.join(twice)}` have the same name but for capitals")
    if any("\0" in name for name in header):
        raise SourceError(f"{where(export)}: its first line holds NUL characters; is it text, in the right `encoding`?")
    return Batch(pa.RecordBatch.from_arrays([pa.nulls(0, pa.string())] * len(header), names=header))


def without_header(export: Export, block: Block) -> SourceError:
    """What is wrong with a file whose first line names nothing that is needed: it may be data, so it is not told."""
    needed = f"`{'`, `'.join(block.named)}`, which the source's {block.table.name} need"
    if block.format in ("json", "jsonl"):
        return SourceError(f"{where(export)}: its objects have none of the keys {needed}")
    return SourceError(f"{where(export)}: its first line names none of the columns {needed}; has it a header?")


def batches(header: list[str], found: Iterable[Row], export: Export) -> Iterator[Batch]:
    """The rows in batches of bounded size; cells are withheld where their number is wrong or one holds a NUL."""
    rows: list[Row] = []
    size, missing = 0, [None] * len(header)
    for cells, problem in found:
        together = "".join(filter(None, cells or ()))
        problem = problem or _problem(cells or (), together, len(header))
        rows.append(Row(missing if problem else cells, problem))
        size += len(together)
        if len(rows) == ROWS or size > SIZE:
            yield _batch(header, rows)
            rows, size = [], 0
    if rows:
        yield _batch(header, rows)


def _problem(cells: Sequence[str | None], together: str, width: int) -> str | None:
    if len(cells) != width:
        return f"{len(cells)} cells where the header has {width}"
    return "a cell holds a NUL character" if "\0" in together else None


def _batch(header: list[str], rows: list[Row]) -> Batch:
    columns = zip(*(row.cells or () for row in rows), strict=True)
    texts = [pa.array(column, pa.string()) for column in columns]
    problems = [row.problem for row in rows]
    told = pa.array(problems, pa.string()) if any(problems) else None
    return Batch(pa.RecordBatch.from_arrays(texts, names=header), told)
