"""Files with a list in each line: `user item item …`, or a basket `a b c`."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import pyarrow as pa

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.readers import encodings, rows
from tandem.data.readers.archives import where
from tandem.errors import SourceError

SEQUENCE = ["user", "item", "@place_1"]
BASKET = ["item", "@row", "@place_1"]


def batches(export: Export, block: Block) -> Iterator[Batch]:
    """One row for each item: with the line's user, or with the number of the line; and its place in the line, from 0.

    Blank lines do not count; a user without items gives no row.

    Raises:
        SourceError: a NUL in the text, or what reading text raises.
    """
    header = SEQUENCE if block.format == "sequences" else BASKET
    yield rows.empty(header, export, block)
    begin = 0
    for lines in encodings.lines(export, block.encoding):
        if any("\0" in line for line in lines):
            raise SourceError(f"{where(export)} holds NUL characters; is it text, in the right `encoding`?")
        found = [_items(line, block.delimiter) for line in lines if line.strip()]
        keys = [items.pop(0) for items in found] if header is SEQUENCE else range(begin, begin + len(found))
        begin += len(found)
        for cells in _table(found, list(map(str, keys)), header).to_batches(rows.ROWS):
            yield Batch(cells)


def _items(line: str, delimiter: str | None) -> list[str]:
    return [item.strip() for item in line.split(delimiter)] if delimiter else line.split()


def _table(found: list[list[str]], keys: list[str], header: list[str]) -> pa.Table:
    """A row for each item of each list, in their order."""
    counts = np.array([len(items) for items in found], np.int64)
    lists = np.repeat(np.arange(len(found)), counts)
    places = np.arange(len(lists)) - np.repeat(np.cumsum(counts) - counts, counts)
    items = pa.array(chain.from_iterable(found), pa.string(), size=len(lists))
    key = pa.array(keys, pa.string()).take(pa.array(lists))
    columns = [key, items] if header is SEQUENCE else [items, key]
    return pa.table([*columns, pa.array(places).cast(pa.string())], names=header)
