"""Shapes that say which records are rows: patterns, beginnings, and each combination once."""

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from tandem.data.batches import Batch, Export
from tandem.data.entries import Starts
from tandem.data.shapes import batching
from tandem.errors import SourceError


def only(batch: Batch, patterns: dict[str, str]) -> Batch:
    """The records in which every pattern is found, white space around the cell aside."""
    keep = np.ones(batch.cells.num_rows, bool)
    for name, pattern in patterns.items():
        texts = pc.utf8_trim_whitespace(batching.texts(batch, name).fill_null(""))
        keep &= pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return batching.take(batch, np.flatnonzero(keep | ~batching.sound_rows(batch)))


def starts(stream: Iterator[Batch], starts: Starts, export: Export) -> Iterator[Batch]:
    """The records that continue none of the period before; the last period of each combination is held in memory."""
    periods: dict[str, int] = {}
    spells: dict[tuple[str | None, ...], tuple[int, int]] = {}  # first and last period
    before = 0
    for batch in stream:
        keys = zip(*(batching.texts(batch, name).to_pylist() for name in starts.by), strict=True)
        overs = pc.utf8_trim_whitespace(batching.texts(batch, starts.over).fill_null("")).to_pylist()
        rows = []
        for row, (key, over, sound) in enumerate(zip(keys, overs, batching.sound_rows(batch), strict=True)):
            if not sound:
                rows.append(row)
                continue
            now = periods.setdefault(over, len(periods))
            if now < len(periods) - 1:
                again = f"what record {before + row + 1} holds stands further up"
                raise SourceError(f"{export.name} is not in the order of `{starts.over}`: {again}")
            first, last = spells.get(key, (now, now))
            spells[key] = (first if last >= now - 1 else now, now)
            if spells[key][0] == now:
                rows.append(row)
        before += batch.cells.num_rows
        yield batching.take(batch, np.array(rows, np.int64))


def distinct(stream: Iterator[Batch], names: tuple[str, ...]) -> Iterator[Batch]:
    """The first record of each combination of these columns, which are held in memory."""
    seen: set[tuple[str | None, ...]] = set()
    for batch in stream:
        found = list(zip(*(batching.texts(batch, name).to_pylist() for name in names), strict=True))
        sound, rows = batching.sound_rows(batch), []
        for row, values in enumerate(found):
            if not sound[row] or values not in seen:
                rows.append(row)
                if sound[row]:
                    seen.add(values)
        taken = batching.take(batch, np.array(rows, np.int64))
        yield Batch(batching.record_batch({name: batching.texts(taken, name) for name in names}), taken.problems)
