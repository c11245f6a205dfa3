"""Headers of raw files that come in: the columns that are needed are there, and they are those of the files before."""

from tandem.data import exports
from tandem.data.batches import Export
from tandem.data.blocks import FREE, Block
from tandem.errors import SourceError
from tandem.unseen import drift

SAMPLED = 1000
"""Rows that a proposal for a changed header looks at."""


def check(new: list[Export], earlier: Export | None, block: Block) -> dict[str, list[str]]:
    """The raw columns of each new file, by its name.

    A difference comes before a column that lacks, for it says more. Records of JSON may differ in what is not needed.

    Args:
        new: files of the block, one at least.
        earlier: a file that was read before; without one the first new file with all columns stands for it.
        block: how they are read.

    Raises:
        SourceError: a file cannot be read, has other columns than the files before it, or lacks one that is needed.
    """
    found = {export.name: exports.header(export, block) for export in new}
    first = earlier or next((export for export in new if not exports.lacking(found[export.name], block)), new[0])
    if block.format not in FREE:
        before = found.get(first.name) or exports.header(first, block)
        for export in new:
            if differs := difference(block, first, before, export, found[export.name]):
                raise SourceError(differs.message(str(export.path)))
    for export in new:
        exports.check(found[export.name], export, block)
    return found


def difference(
    block: Block, first: Export, before: list[str], export: Export, now: list[str]
) -> drift.Difference | None:
    """How the raw columns of `export` differ from those of the `first`, judged by names and some values."""
    if drift.compare(before, now, block, None, None) is None:
        return None
    return drift.compare(before, now, block, _samples(first, block), _samples(export, block))


def _samples(export: Export, block: Block) -> dict[str, list[str]]:
    """Some values of each column."""
    first = next((batch for batch in exports.batches(export, block) if batch.cells.num_rows), None)
    if first is None:
        return {}
    columns = {name: first.cells.column(name).slice(0, SAMPLED).to_pylist() for name in first.cells.schema.names}
    return {name: [value for value in values if value] for name, values in columns.items()}
