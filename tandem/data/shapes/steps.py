"""The shapes of a block as steps in their order, and the columns that they give.

Every step takes a stream of batches and gives one; memory grows with the file only where a step says so. A record that
has a problem passes through as one row. The order of the rows depends on the file alone, not on how it was cut.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.entries import Unpivot
from tandem.data.shapes import batching, choosing, others, unfolding
from tandem.data.shapes.others import Open
from tandem.errors import SourceError

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
        yield lambda stream, pattern=pattern: others.beside(stream, export, open_other(pattern, ()))  # type: ignore[misc]
    if block.glue:
        yield lambda stream: (unfolding.glued(batch, block.glue) for batch in stream)
    if block.parts:
        yield lambda stream: (_with_parts(batch, block) for batch in stream)
    if block.only:
        yield _counted("only", left_out, lambda stream: (choosing.only(batch, block.only) for batch in stream))
    for join in block.join:
        yield lambda stream, join=join: others.joined(stream, join, open_other(join.files, join.header))  # type: ignore[misc]
    if unpivot := block.unpivot:
        yield lambda stream: (unfolding.unpivoted(batch, unpivot, spoken, left_out) for batch in stream)
    for level, name in enumerate(block.explode, start=1):
        place = f"@place_{level}" if f"@place_{level}" in spoken else None
        yield lambda stream, n=name, p=place: (  # type: ignore[misc]
            unfolding.exploded(batch, n, p, n in may_have, left_out) for batch in stream
        )
    if starts := block.starts:
        yield _counted("starts", left_out, lambda stream: choosing.starts(stream, starts, export))
    if pairs := block.pairs:
        yield lambda stream: unfolding.pairs(stream, pairs.by, pairs.of, left_out)
    if block.distinct:
        yield _counted("distinct", left_out, lambda stream: choosing.distinct(stream, block.distinct))


def used(block: Block) -> set[str]:
    """Raw columns that the block speaks of anywhere. Those that begin with @ are made only where it does."""
    shapes = {*block.explode, *block.only, *block.distinct, *(join.by for join in block.join)}
    pairs = {block.pairs.by, block.pairs.of} if block.pairs else set()
    starts = {*block.starts.by, block.starts.over} if block.starts else set()
    return {*block.named, *shapes, *pairs, *starts, *(part.of for part in block.parts.values())}


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
    melted = unfolding.melted_columns(header, unpivot)
    if not melted:
        raise SourceError(
            f"`{block.files}` ({block.table.name}): none of the {len(header)} columns matches `unpivot` "
            f"`{unpivot.columns}`"
        )
    made = [name for name in ("@name", "@value") if name in used(block)]
    return _with([name for name in header if name not in melted], made, block)


def _numbered(stream: Iterator[Batch], used: set[str], export: Export) -> Iterator[Batch]:
    """With `@row`, the record's number in the file from 0, and `@file`."""
    begin = 0
    for batch in stream:
        count = batch.cells.num_rows
        made = {"@row": pa.array(range(begin, begin + count)).cast(pa.string())}
        made["@file"] = pa.repeat(pa.scalar(export.name, pa.string()), count)
        begin += count
        yield batching.put(batch, {name: made[name] for name in made if name in used - set(batch.cells.schema.names)})


def _with_parts(batch: Batch, block: Block) -> Batch:
    return batching.put(
        batch, {name: _part(batching.texts(batch, part.of), part.match) for name, part in block.parts.items()}
    )


def _part(texts: pa.Array, pattern: str) -> pa.Array:
    """What the pattern's first group finds in each text, missing where it finds nothing or an empty text."""
    found = pc.replace_substring_regex(texts, f"(?s)^.*?(?:{pattern}).*$", r"\1")
    held = pc.and_(pc.match_substring_regex(texts, pattern), pc.not_equal(found, ""))
    return pc.if_else(held, found, None)
