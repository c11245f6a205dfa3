"""Headers of the files that are tried: what of them differs from the first one's, and what is close to what lacks."""

from tandem.data import exports
from tandem.data.batches import Export
from tandem.data.blocks import FREE, Block
from tandem.errors import SourceError
from tandem.unseen import drift, names

COMPARED = 1_000
"""Rows of each file of which the values are compared."""


def close(header: list[str], block: Block) -> str:
    """Columns of the file with names close to those that the block needs and does not find."""
    lacking = [name for name in block.named if name not in header and name not in block.may_have]
    if not header or len(lacking) == len(block.named):
        return ""  # what is there may be a row of data
    likely = {name: max(header, key=lambda other: names.likeness(name, other)) for name in lacking}
    close = [f"`{other}` is close to `{n}`" for n, other in likely.items() if names.likeness(n, other) >= drift.RENAMED]
    return f"; {', '.join(close)}" if close else ""


def model(files: list[Export], block: Block) -> Export | None:
    """The file that the others are to be like: the first with all columns that are needed; none for JSON."""
    for export in files if block.format not in FREE else ():
        try:
            exports.check(exports.header(export, block), export, block)
        except SourceError:
            continue
        return export
    return None


def difference(block: Block, first: Export | None, header: list[str], export: Export) -> drift.Difference | None:
    """How a file's columns differ from those of the `first`, judged by names and values."""
    if first is None or export is first:
        return None
    before = exports.header(first, block)
    if drift.compare(before, header, block, None, None) is None:
        return None
    return drift.compare(before, header, block, _values(first, block), _values(export, block))


def _values(export: Export, block: Block) -> dict[str, list[str]]:
    """Some values of each column, by which a column that was renamed is known again."""
    batch = next((one for one in exports.batches(export, block) if one.cells.num_rows), None)
    if batch is None:
        return {}
    listed = {name: batch.cells.column(name).slice(0, COMPARED).to_pylist() for name in batch.cells.schema.names}
    return {name: [value for value in values if value] for name, values in listed.items()}
