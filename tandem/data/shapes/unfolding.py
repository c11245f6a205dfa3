"""Shapes that make another number of rows of a record, or one text of its lists."""

import ast
import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.data.batches import Batch
from tandem.data.entries import Unpivot
from tandem.data.shapes import batching


def glued(batch: Batch, names: tuple[str, ...]) -> Batch:
    """The elements of lists put together with blanks between them; what is no list stays as it is."""
    held = [name for name in names if name in batch.cells.schema.names]
    return batching.put(
        batch, {name: pa.array(map(_glue, batching.texts(batch, name).to_pylist()), pa.string()) for name in held}
    )


def _glue(text: str | None) -> str | None:
    elements = _list(text)
    return text if elements is None else " ".join(filter(None, elements)) or None


def unpivoted(batch: Batch, unpivot: Unpivot, used: set[str], left_out: Counter[str]) -> Batch:
    """One row for each matching cell that is kept, record by record, in the order of the columns."""
    melted, sound = melted_columns(batch.cells.schema.names, unpivot), batching.sound_rows(batch)
    cells = [batch.cells.column(name) for name in melted]
    trimmed = [pc.utf8_trim_whitespace(texts.fill_null("")) for texts in cells]
    wanted = (
        pc.equal(texts, unpivot.keep) if unpivot.keep is not None else pc.not_equal(texts, "") for texts in trimmed
    )
    held = np.column_stack([mask.to_numpy(zero_copy_only=False) for mask in wanted])  # (rows, columns)
    held[~sound] = False
    held[~sound, 0] = True  # passes through as one row
    left_out["unpivot"] += int((~held.any(axis=1)).sum())
    rows, places = np.nonzero(held)
    names = pa.array(melted, pa.string()).take(pa.array(places))
    at = pa.array(places * len(sound) + rows)  # place in all columns, one below the other
    made = {"@name": names, "@value": pa.chunked_array(cells).take(at).combine_chunks()}
    taken = batching.put(batching.take(batch, rows), {name: made[name] for name in made if name in used})
    return Batch(taken.cells.drop_columns(melted), taken.problems)


def melted_columns(header: list[str], unpivot: Unpivot) -> list[str]:
    """The columns of a wide table that `unpivot` makes rows of."""
    matches = pc.match_substring_regex(pa.array(header, pa.string()), unpivot.columns).to_pylist()
    return [name for name, match in zip(header, matches, strict=True) if match]


def exploded(batch: Batch, name: str, place: str | None, may_lack: bool, left_out: Counter[str]) -> Batch:
    """One row for each element of the list in the cell, in its order; an empty or missing list gives none."""
    lists = [_list(text) for text in batching.texts(batch, name).to_pylist()]
    broken = np.array([found is None for found in lists], bool)
    sound = batching.sound_rows(batch)
    single = broken | ~sound
    counts = np.where(single, 1, [len(found or ()) for found in lists]).astype(np.int64)
    left_out["explode"] += int((counts == 0).sum())
    rows = np.repeat(np.arange(len(lists)), counts)
    elements = chain.from_iterable([None] if one else found or () for one, found in zip(single, lists, strict=True))
    texts = pa.array(elements, pa.string(), size=len(rows))
    taken = batching.take(batch, rows)
    if (broken & sound).any():
        problem = pc.if_else(pa.array((broken & sound)[rows]), f"`{name}` cannot be read as a list", None)
        taken = Batch(taken.cells, problem if taken.problems is None else pc.coalesce(taken.problems, problem))
    made = {name: texts} if name in batch.cells.schema.names or may_lack else {}
    if place:
        counted = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        made[place] = pa.array(counted).cast(pa.string())
    return batching.put(taken, made)


def pairs(stream: Iterator[Batch], by: str, of: str, left_out: Counter[str]) -> Iterator[Batch]:
    """Every ordered pair of different values that share a key, group by group; the two columns are held in memory."""
    groups: dict[str, Counter[str]] = {}  # records of each value
    for batch in stream:
        yield from batching.problems_only(batch, ("@first", "@second"))
        texts = (pc.utf8_trim_whitespace(batching.texts(batch, name)).to_pylist() for name in (by, of))
        for key, value, sound in zip(*texts, batching.sound_rows(batch), strict=True):
            if key and value:
                groups.setdefault(key, Counter())[value] += 1
            else:
                left_out["pairs"] += int(sound)
    left_out["pairs"] += sum(values.total() for values in groups.values() if len(values) == 1)
    pairs = ((a, b) for values in groups.values() for a in values for b in values if a != b)
    yield from batching.cut(pairs, ("@first", "@second"))


def _list(text: str | None) -> list[str | None] | None:
    """The elements of a list in JSON or in Python's way of writing, as text; None if it is neither."""
    if text is None or not text.strip():
        return []
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        value = _literal(text)
    if not isinstance(value, list | tuple):
        return None
    elements = [_text(element) for element in value]
    try:
        "".join(element or "" for element in elements).encode()
    except UnicodeEncodeError:
        return None
    return elements


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _text(element: Any) -> str | None:
    if element is None or isinstance(element, str):
        return element
    return json.dumps(element, ensure_ascii=False) if isinstance(element, bool | list | tuple | dict) else str(element)
