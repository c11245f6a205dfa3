"""What a block does to a file's records before they are mapped: files beside and behind it, lists, wide tables, pairs.

Every step takes a stream of batches and gives one; memory grows with the file only where a step says so. A record that
has a problem passes through as one row. The order of the rows depends on the file alone, not on how it was cut.
"""

import ast
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tandem.data.batches import Batch, Export
from tandem.data.sources import Block, Join, Starts, Unpivot
from tandem.errors import SourceError

ROWS = 65_536
"""Rows in a batch that is made here."""


class Other(NamedTuple):
    """Another raw file, read with the format options of the block that asks for it."""

    name: str
    header: list[str]
    batches: Iterator[Batch]


Open = Callable[[str, tuple[str, ...]], Other]
"""Opens the one raw file that a pattern matches; its columns are named by the header given, if any."""

Step = Callable[[Iterator[Batch]], Iterator[Batch]]


def columns(header: list[str], block: Block, open_other: Open) -> list[str]:
    """The raw columns that `apply` gives for a file with this header.

    Raises:
        SourceError: a shape needs a column that is not there, or makes one that is.
    """
    found = _with(header, [name for name in ("@row", "@file") if name in used(block) - set(header)], block)
    for pattern in block.beside:
        found = _with(found, open_other(pattern, ()).header, block)
    _need(block.glue, found, block, "glue")
    _need([part.of for part in block.parts.values()], found, block, "parts")
    found = _with(found, block.parts, block)
    _need(block.only, found, block, "only")
    for join in block.join:
        other = open_other(join.files, join.header).header
        for names, where in ((found, "join"), (other, f"join` of `{join.files}")):
            _need([join.by], names, block, where)
        found = _with(found, [name for name in other if name != join.by], block)
    if block.unpivot:
        found = _unpivoted(found, block, block.unpivot)
    for level, name in enumerate(block.explode, start=1):
        _need([name], found, block, "explode")
        found = _with(found, [f"@place_{level}"] if f"@place_{level}" in used(block) else [], block)
    if block.starts:
        _need([*block.starts.by, block.starts.over], found, block, "starts")
    if block.pairs:
        _need([block.pairs.by, block.pairs.of], found, block, "pairs")
        found = ["@first", "@second"]
    _need(block.distinct, found, block, "distinct")
    return list(block.distinct) or found


def apply(
    batches: Iterator[Batch], block: Block, export: Export, open_other: Open, left_out: Counter[str]
) -> Iterator[Batch]:
    """The records of one file in the shape that the block asks for.

    Args:
        batches: the file's records.
        block: says which steps; `@row` and `@file` come first, then they follow one another as its keys do.
        export: the file.
        open_other: reads the files that are put beside it or looked up.
        left_out: is told how many records each shape leaves out, by its key; of `explode`, how many lists are empty.

    Raises:
        SourceError: a file beside it has another number of records; one that is looked up has a key twice.
    """
    for step in _steps(block, export, open_other, left_out):
        batches = step(batches)
    return batches


def _counted(name: str, left_out: Counter[str], step: Step) -> Step:
    """The step, which tells how many records it leaves out."""

    def counted(stream: Iterator[Batch], sign: int) -> Iterator[Batch]:
        for batch in stream:
            left_out[name] += sign * batch.cells.num_rows
            yield batch

    return lambda stream: counted(step(counted(stream, 1)), -1)


def _steps(block: Block, export: Export, open_other: Open, left_out: Counter[str]) -> Iterator[Step]:
    """The steps in their order: each is a function of a stream."""
    spoken, may_have = used(block), block.may_have
    if {"@row", "@file"} & spoken:
        yield lambda stream: _numbered(stream, spoken, export)
    for pattern in block.beside:
        yield lambda stream, pattern=pattern: _beside(stream, export, open_other(pattern, ()))  # type: ignore[misc]
    if block.glue:
        yield lambda stream: (_glued(batch, block.glue) for batch in stream)
    if block.parts:
        yield lambda stream: (_with_parts(batch, block) for batch in stream)
    if block.only:
        yield _counted("only", left_out, lambda stream: (_only(batch, block.only) for batch in stream))
    for join in block.join:
        yield lambda stream, join=join: _joined(stream, join, open_other(join.files, join.header))  # type: ignore[misc]
    if unpivot := block.unpivot:
        yield lambda stream: (_unpivot(batch, unpivot, spoken, left_out) for batch in stream)
    for level, name in enumerate(block.explode, start=1):
        place = f"@place_{level}" if f"@place_{level}" in spoken else None
        yield lambda stream, n=name, p=place: (  # type: ignore[misc]
            _explode(batch, n, p, n in may_have, left_out) for batch in stream
        )
    if starts := block.starts:
        yield _counted("starts", left_out, lambda stream: _starts(stream, starts, export))
    if pairs := block.pairs:
        yield lambda stream: _pairs(stream, pairs.by, pairs.of, left_out)
    if block.distinct:
        yield _counted("distinct", left_out, lambda stream: _distinct(stream, block.distinct))


def used(block: Block) -> set[str]:
    """Raw columns that the block speaks of anywhere. Those that begin with @ are made only where it does."""
    shapes = {*block.explode, *block.only, *block.distinct, *(join.by for join in block.join)}
    pairs = {block.pairs.by, block.pairs.of} if block.pairs else set()
    starts = {*block.starts.by, block.starts.over} if block.starts else set()
    return {*block.named, *shapes, *pairs, *starts, *(part.of for part in block.parts.values())}


# Headers


def _with(header: list[str], more: Iterable[str], block: Block) -> list[str]:
    """The header with more names at its end."""
    found = [*header, *more]
    if twice := sorted(name for name, count in Counter(found).items() if count > 1):
        described = twice[0] in used(block) | {*block.parts}  # else it may be a cell of a file without header
        shown = f"`{twice[0]}`" if described else f"with the name of column {found.index(twice[0]) + 1}"
        raise SourceError(
            f"`{block.files}` ({block.table.name}): a shape makes a column {shown}, which is there already; "
            f"the file has {len(header)} columns"
        )
    return found


def _need(names: Iterable[str], header: list[str], block: Block, shape: str) -> None:
    if lacking := [name for name in names if name not in header and name not in block.may_have]:
        raise SourceError(
            f"`{block.files}` ({block.table.name}): `{shape}` needs the column `{lacking[0]}`, "
            f"which is none of the {len(header)} that are there"
        )


def _unpivoted(header: list[str], block: Block, unpivot: Unpivot) -> list[str]:
    melted = _melted(header, unpivot)
    if not melted:
        raise SourceError(
            f"`{block.files}` ({block.table.name}): none of the {len(header)} columns matches `unpivot` "
            f"`{unpivot.columns}`"
        )
    made = [name for name in ("@name", "@value") if name in used(block)]
    return _with([name for name in header if name not in melted], made, block)


def _melted(header: list[str], unpivot: Unpivot) -> list[str]:
    matches = pc.match_substring_regex(pa.array(header, pa.string()), unpivot.columns).to_pylist()
    return [name for name, match in zip(header, matches, strict=True) if match]


# Batches


def _sound(batch: Batch) -> NDArray[np.bool_]:
    """(rows,) True where the row has no problem."""
    if batch.problems is None:
        return np.ones(batch.cells.num_rows, bool)
    return batch.problems.is_null().to_numpy(zero_copy_only=False)


def _texts(batch: Batch, name: str) -> pa.Array:
    """The column; missing cells where the file lacks it."""
    held = name in batch.cells.schema.names
    return batch.cells.column(name) if held else pa.nulls(batch.cells.num_rows, pa.string())


def _take(batch: Batch, rows: NDArray[np.int64]) -> Batch:
    places = pa.array(rows)
    return Batch(batch.cells.take(places), None if batch.problems is None else batch.problems.take(places))


def _set(batch: Batch, columns: dict[str, pa.Array]) -> Batch:
    """The batch with these columns, new ones at its end; rows with a problem have no cells."""
    held = {name: batch.cells.column(name) for name in batch.cells.schema.names}
    sound = pa.array(_sound(batch))
    if not pc.all(sound).as_py():
        columns = {name: pc.if_else(sound, column, None) for name, column in columns.items()}
    return Batch(_record_batch(held | columns), batch.problems)


def _record_batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _cut(rows: Iterator[tuple[str, ...]], names: tuple[str, ...]) -> Iterator[Batch]:
    """Batches of these rows."""
    held: list[tuple[str, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) == ROWS:
            yield _of_rows(held, names)
            held = []
    if held:
        yield _of_rows(held, names)


def _of_rows(rows: list[tuple[str, ...]], names: tuple[str, ...]) -> Batch:
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return Batch(_record_batch(dict(zip(names, texts, strict=True))))


def _problems_only(batch: Batch, names: tuple[str, ...]) -> Iterator[Batch]:
    """The rows that have a problem, with nothing but missing cells in columns of these names."""
    rows = np.flatnonzero(~_sound(batch))
    if rows.size and batch.problems is not None:
        missing = {name: pa.nulls(len(rows), pa.string()) for name in names}
        yield Batch(_record_batch(missing), batch.problems.take(pa.array(rows)))


# Steps that keep one row for each record


def _numbered(stream: Iterator[Batch], used: set[str], export: Export) -> Iterator[Batch]:
    """With `@row`, the record's number in the file from 0, and `@file`."""
    begin = 0
    for batch in stream:
        count = batch.cells.num_rows
        made = {"@row": pa.array(range(begin, begin + count)).cast(pa.string())}
        made["@file"] = pa.repeat(pa.scalar(export.name, pa.string()), count)
        begin += count
        yield _set(batch, {name: made[name] for name in made if name in used - set(batch.cells.schema.names)})


def _beside(stream: Iterator[Batch], export: Export, other: Other) -> Iterator[Batch]:
    """With the columns of the file whose n-th record belongs to the n-th record here."""
    read, rest = 0, chain.from_iterable(_slices(batch) for batch in other.batches)
    waiting: Batch | None = None
    for batch in stream:
        pieces, lacking = [], batch.cells.num_rows
        while lacking:
            waiting = waiting or next(rest, None)
            if waiting is None:
                raise SourceError(
                    f"{other.name} ends after {read} records, {export.name} has more: they are not aligned"
                )
            size = min(lacking, waiting.cells.num_rows)
            pieces.append(_slice(waiting, 0, size))
            waiting = _slice(waiting, size) if size < waiting.cells.num_rows else None
            lacking, read = lacking - size, read + size
        yield from _put_beside(batch, pieces, other.name)
    if waiting is not None or next(rest, None) is not None:
        raise SourceError(f"{export.name} ends after {read} records, {other.name} has more: they are not aligned")


def _slices(batch: Batch) -> Iterator[Batch]:
    if batch.cells.num_rows:
        yield batch


def _slice(batch: Batch, begin: int, size: int | None = None) -> Batch:
    problems = None if batch.problems is None else batch.problems.slice(begin, size)
    return Batch(batch.cells.slice(begin, size), problems)


def _put_beside(batch: Batch, pieces: list[Batch], name: str) -> Iterator[Batch]:
    """Columns side by side, piece by piece; a row has the problem of either."""
    begin = 0
    for piece in pieces:
        here = _slice(batch, begin, piece.cells.num_rows)
        begin += piece.cells.num_rows
        own = here.problems if here.problems is not None else pa.nulls(piece.cells.num_rows, pa.string())
        if piece.problems is not None:
            own = pc.coalesce(own, pc.binary_join_element_wise(f"{name}:", piece.problems, " "))
        there = {column: piece.cells.column(column) for column in piece.cells.schema.names}
        yield _set(Batch(here.cells, own if own.null_count < len(own) else None), there)


def _glued(batch: Batch, names: tuple[str, ...]) -> Batch:
    """The elements of lists put together with blanks between them; what is no list stays as it is."""
    held = [name for name in names if name in batch.cells.schema.names]
    return _set(batch, {name: pa.array(map(_glue, _texts(batch, name).to_pylist()), pa.string()) for name in held})


def _glue(text: str | None) -> str | None:
    elements = _list(text)
    return text if elements is None else " ".join(filter(None, elements)) or None


def _with_parts(batch: Batch, block: Block) -> Batch:
    return _set(batch, {name: _part(_texts(batch, part.of), part.match) for name, part in block.parts.items()})


def _part(texts: pa.Array, pattern: str) -> pa.Array:
    """What the pattern's first group finds in each text, missing where it finds nothing or an empty text."""
    found = pc.replace_substring_regex(texts, f"(?s)^.*?(?:{pattern}).*$", r"\1")
    held = pc.and_(pc.match_substring_regex(texts, pattern), pc.not_equal(found, ""))
    return pc.if_else(held, found, None)


def _only(batch: Batch, patterns: dict[str, str]) -> Batch:
    """The records in which every pattern is found, white space around the cell aside."""
    keep = np.ones(batch.cells.num_rows, bool)
    for name, pattern in patterns.items():
        texts = pc.utf8_trim_whitespace(_texts(batch, name).fill_null(""))
        keep &= pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return _take(batch, np.flatnonzero(keep | ~_sound(batch)))


def _joined(stream: Iterator[Batch], join: Join, other: Other) -> Iterator[Batch]:
    """With the columns of the file in which the record's key is looked up; that file is held in memory."""
    places, found = _index(join, other)
    for batch in stream:
        keys = pc.utf8_trim_whitespace(batch.cells.column(join.by)).to_pylist()
        rows = pa.array([places.get(key) for key in keys], pa.int64())
        yield _set(batch, {name: found.column(name).take(rows).combine_chunks() for name in found.column_names})


def _index(join: Join, other: Other) -> tuple[dict[str | None, int], pa.Table]:
    """The row of each key, and the other columns."""
    batches: list[pa.RecordBatch] = []
    for batch in other.batches:
        if (broken := np.flatnonzero(~_sound(batch))).size and batch.problems is not None:
            row = sum(held.num_rows for held in batches) + int(broken[0]) + 1
            problem = batch.problems[int(broken[0])].as_py()
            raise SourceError(f"{other.name}, which is looked up by `{join.by}`: row {row}: {problem}")
        batches.append(batch.cells)
    held = pa.Table.from_batches(batches, pa.schema([(name, pa.string()) for name in other.header]))
    keys = pc.utf8_trim_whitespace(held.column(join.by)).to_pylist()
    places = {key: row for row, key in enumerate(keys) if key}
    if len(places) < sum(bool(key) for key in keys):
        first, last = next((row, places[key]) for row, key in enumerate(keys) if key and places[key] != row)
        raise SourceError(
            f"{other.name} has the same `{join.by}` in records {first + 1} and {last + 1}: "
            "what is looked up there must be one row"
        )
    return places, held.drop_columns([join.by]).combine_chunks()


# Steps that make another number of rows


def _unpivot(batch: Batch, unpivot: Unpivot, used: set[str], left_out: Counter[str]) -> Batch:
    """One row for each matching cell that is kept, record by record, in the order of the columns."""
    melted, sound = _melted(batch.cells.schema.names, unpivot), _sound(batch)
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
    taken = _set(_take(batch, rows), {name: made[name] for name in made if name in used})
    return Batch(taken.cells.drop_columns(melted), taken.problems)


def _explode(batch: Batch, name: str, place: str | None, may_lack: bool, left_out: Counter[str]) -> Batch:
    """One row for each element of the list in the cell, in its order; an empty or missing list gives none."""
    lists = [_list(text) for text in _texts(batch, name).to_pylist()]
    broken = np.array([found is None for found in lists], bool)
    sound = _sound(batch)
    single = broken | ~sound
    counts = np.where(single, 1, [len(found or ()) for found in lists]).astype(np.int64)
    left_out["explode"] += int((counts == 0).sum())
    rows = np.repeat(np.arange(len(lists)), counts)
    elements = chain.from_iterable([None] if one else found or () for one, found in zip(single, lists, strict=True))
    texts = pa.array(elements, pa.string(), size=len(rows))
    taken = _take(batch, rows)
    if (broken & sound).any():
        problem = pc.if_else(pa.array((broken & sound)[rows]), f"`{name}` cannot be read as a list", None)
        taken = Batch(taken.cells, problem if taken.problems is None else pc.coalesce(taken.problems, problem))
    made = {name: texts} if name in batch.cells.schema.names or may_lack else {}
    if place:
        counted = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        made[place] = pa.array(counted).cast(pa.string())
    return _set(taken, made)


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


def _starts(stream: Iterator[Batch], starts: Starts, export: Export) -> Iterator[Batch]:
    """The records that continue none of the period before; the last period of each combination is held in memory."""
    periods: dict[str, int] = {}
    spells: dict[tuple[str | None, ...], tuple[int, int]] = {}  # first and last period
    before = 0
    for batch in stream:
        keys = zip(*(_texts(batch, name).to_pylist() for name in starts.by), strict=True)
        overs = pc.utf8_trim_whitespace(_texts(batch, starts.over).fill_null("")).to_pylist()
        rows = []
        for row, (key, over, sound) in enumerate(zip(keys, overs, _sound(batch), strict=True)):
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
        yield _take(batch, np.array(rows, np.int64))


def _pairs(stream: Iterator[Batch], by: str, of: str, left_out: Counter[str]) -> Iterator[Batch]:
    """Every ordered pair of different values that share a key, group by group; the two columns are held in memory."""
    groups: dict[str, Counter[str]] = {}  # records of each value
    for batch in stream:
        yield from _problems_only(batch, ("@first", "@second"))
        texts = (pc.utf8_trim_whitespace(_texts(batch, name)).to_pylist() for name in (by, of))
        for key, value, sound in zip(*texts, _sound(batch), strict=True):
            if key and value:
                groups.setdefault(key, Counter())[value] += 1
            else:
                left_out["pairs"] += int(sound)
    left_out["pairs"] += sum(values.total() for values in groups.values() if len(values) == 1)
    pairs = ((a, b) for values in groups.values() for a in values for b in values if a != b)
    yield from _cut(pairs, ("@first", "@second"))


def _distinct(stream: Iterator[Batch], names: tuple[str, ...]) -> Iterator[Batch]:
    """The first record of each combination of these columns, which are held in memory."""
    seen: set[tuple[str | None, ...]] = set()
    for batch in stream:
        found = list(zip(*(_texts(batch, name).to_pylist() for name in names), strict=True))
        sound, rows = _sound(batch), []
        for row, values in enumerate(found):
            if not sound[row] or values not in seen:
                rows.append(row)
                if sound[row]:
                    seen.add(values)
        taken = _take(batch, np.array(rows, np.int64))
        yield Batch(_record_batch({name: _texts(taken, name) for name in names}), taken.problems)
