"""Headers of the files that are tried: what of them differs from the first one's, and what is close to what lacks."""

from tandem.data import exports, headers
from tandem.data.batches import Export
from tandem.data.blocks import FREE, Block
from tandem.errors import SourceError
from tandem.unseen import drift, names


def close(header: list[str], block: Block) -> str:
    """Columns of the file with names close to those that the block needs and does not find."""
    lacking = exports.lacking(header, block)
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
    return headers.difference(block, first, exports.header(first, block), export, header)
