"""A shop's exported files as streams of rows of text: every cell as it came, file by file."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tandem.data import pictures
from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.entries import Picture
from tandem.data.readers import archives, columnar, delimited, jsons, lists, matrices, rows, workbooks
from tandem.data.shapes import steps
from tandem.data.shapes.others import Open, Other
from tandem.data.sources import Source
from tandem.errors import SourceError

READERS: dict[str, Callable[[Export, Block], Iterator[Batch]]] = {
    "csv": delimited.batches,
    "typed": delimited.batches,
    "excel": workbooks.batches,
    "json": jsons.batches,
    "jsonl": jsons.batches,
    "parquet": columnar.batches,
    "sequences": lists.batches,
    "baskets": lists.batches,
    "matrix": matrices.batches,
}
"""What reads each format: at least one batch, the first of them with the header if with no row."""


MAX_COLUMNS = 2000
"""Columns after the block's shapes. Beyond it each file would take minutes, and no table of a shop has as many."""


class Exports(NamedTuple):
    """The raw files of one source: of each block, and those that no block speaks of."""

    of: dict[str, list[tuple[Block, list[Export]]]]  # by table
    unmapped: list[str]

    @property
    def paths(self) -> set[Path]:
        """Where those of the blocks lie; several may lie in one archive."""
        return {export.path for blocks in self.of.values() for _, found in blocks for export in found}


def find(source: Source, folder: Path) -> Exports:
    """The raw files below `folder` by table and block, in order of their names. Hidden files do not count.

    Each file of a zip that holds several is an export of its own, `archive.zip!member`; a pattern such as
    `archive.zip!orders*.csv` chooses among them.

    Raises:
        SourceError: no such folder, a block without files, one file in two blocks of a table, a link that leaves the
            folder, an archive that is damaged or not to be trusted.
    """
    names = _names(folder)
    of = {
        table: [(block, _matching(source, folder, block, names)) for block in blocks]
        for table, blocks in source.blocks.items()
    }
    for table, blocks in of.items():
        _each_once(source, table, [export.name for _, exports in blocks for export in exports])
    exports = [export for blocks in of.values() for _, found in blocks for export in found]
    for export in exports:
        check_name(export.name, folder)
    patterns = [pattern for blocks in of.values() for block, _ in blocks for pattern in _others(block)]
    read = {export.name for export in exports} | _archives(source, names) | _matches(folder, patterns)
    opened = {export.name.partition("!")[0]: export.path for export in exports if export.member}
    inside = {name: [f"{name}!{member}" for member in archives.members(path) or ()] for name, path in opened.items()}
    held = [found for name in names for found in inside.get(name, [name])]
    return Exports(of, [name for name in held if name not in read])


def of_file(block: Block, folder: Path, name: str) -> list[Export]:
    """What the block reads of the one file `name` below `folder`: the file, members of an archive, or nothing.

    Raises:
        SourceError: an archive that is damaged or not to be trusted.
    """
    pattern, _, inner = block.files.partition("!")
    if not _fits(PurePosixPath(name).parts, PurePosixPath(pattern).parts):
        return []
    return _members(folder, name, inner or "*")


def _fits(name: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether a pattern matches a path, both in their parts; `**` stands for any number of folders."""
    if not pattern or not name:
        return not pattern and not name
    if pattern[0] == "**":
        return _fits(name, pattern[1:]) or _fits(name[1:], pattern)
    return fnmatchcase(name[0], pattern[0]) and _fits(name[1:], pattern[1:])


def header(export: Export, block: Block) -> list[str]:
    """The raw columns of a file, after the block's shapes.

    Raises:
        SourceError: the file cannot be read as the block describes it.
    """
    raw = _header(export, block)
    wanted = {name for name in steps.used(block) if not name.startswith("@")} - set(block.parts)
    if wanted and not wanted & set(raw):
        raise rows.without_header(export, block)
    found = steps.columns(raw, block, _opener(export, block))
    if len(found) > MAX_COLUMNS:
        raise SourceError(
            f"{archives.where(export)} has {len(found):,} columns, more than the {MAX_COLUMNS:,} that are read; "
            f"is `delimiter` right? `unpivot` makes rows of a wide table"
        )
    return found


def batches(export: Export, block: Block, left_out: Counter[str] | None = None) -> Iterator[Batch]:
    """The rows of a file, after the block's shapes; in memory that does not grow with the file.

    Args:
        export: the file.
        block: how it is read.
        left_out: is told how many records each shape leaves out, by the shape's key.

    Raises:
        SourceError: the file cannot be read as the block describes it.
    """
    left_out = Counter() if left_out is None else left_out
    return steps.apply(_batches(export, block), block, export, _opener(export, block), left_out)


def lacking(header: list[str], block: Block) -> list[str]:
    """The columns that the block needs and a file with this header does not have."""
    return [name for name in block.named if name not in header and name not in block.may_have]


def check(header: list[str], export: Export, block: Block) -> None:
    """Raise unless every column that the block names is there. What may be a row of data is not put into the message.

    Raises:
        SourceError: names the columns that lack.
    """
    absent = lacking(header, block)
    if absent and not any(name in header for name in block.named if name not in block.may_have):
        raise rows.without_header(export, block)
    if absent:
        needed = f"`{'`, `'.join(absent)}`, which the source's {block.table.name} need"
        raise SourceError(f"{archives.where(export)} has no column {needed}; it has {', '.join(header)}")


def _header(export: Export, block: Block) -> list[str]:
    return next(_batches(export, block)).cells.schema.names


def _batches(export: Export, block: Block) -> Iterator[Batch]:
    """The rows of a file as they stand there."""
    return READERS[block.format](export, block)


def _opener(export: Export, block: Block) -> Open:
    """Opens the one file that a pattern matches, in the folder of the export's source."""

    def open_other(pattern: str, names: tuple[str, ...]) -> Other:
        depth = len(PurePosixPath(export.name.partition("!")[0]).parts)
        folder = export.path.parents[depth - 1]
        found = [other for name in sorted(_matches(folder, [pattern])) for other in _members(folder, name, "*")]
        if len(found) != 1:
            raise SourceError(
                f"{folder} has {len(found) or 'no'} files that match `{pattern}`, which is put to {export.name}; "
                f"it must be one"
            )
        like = block.model_copy(update={"header": names})
        return Other(found[0].name, _header(found[0], like), _batches(found[0], like))

    return open_other


# What lies in the folder


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder; it should hold the shop's raw files (`tandem ingest` puts them)")
    try:
        next(folder.iterdir(), None)  # rglob is silent about a folder that may not be read
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from None
    paths = [path for path in folder.rglob("*") if not _is_hidden(path.relative_to(folder))]
    for path in paths:
        if path.is_symlink():
            _check_link(path, folder)
    names = [path.relative_to(folder).as_posix() for path in paths if path.is_file()]
    for name in names:
        check_name(name, folder)
    return sorted(name for name in names if not pictures.is_packed(name))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def check_name(name: str, folder: Path) -> None:
    """Make sure that a file's name, which stands in every table, is one line of UTF-8.

    Raises:
        SourceError: it is not.
    """
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise SourceError(
            f"{folder} has a file whose name is not UTF-8 or holds control characters: {name!a}; rename it"
        )


def _check_link(path: Path, folder: Path) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise SourceError(f"{path} is a link that leads nowhere") from None
    if not target.is_relative_to(folder.resolve()):
        raise SourceError(f"{path} is a link to outside the folder; put the file itself there")


def _matching(source: Source, folder: Path, block: Block, names: list[str]) -> list[Export]:
    pattern, _, inner = block.files.partition("!")
    found = _matches(folder, [pattern])
    exports = [export for name in names if name in found for export in _members(folder, name, inner or "*")]
    if not exports:
        raise SourceError(
            f"{folder} has no file that matches `{block.files}`, as the {block.table.name} of source {source.name} "
            f"need; it has {some(names)}"
        )
    return exports


def _matches(folder: Path, patterns: list[str]) -> set[str]:
    return {path.relative_to(folder).as_posix() for pattern in patterns for path in folder.glob(pattern)}


def _members(folder: Path, name: str, pattern: str) -> list[Export]:
    """The file, or those of the files in the archive that match."""
    path = folder / name
    members = archives.members(path)
    if members is None or (len(members) == 1 and fnmatchcase(members[0], pattern)):
        return [Export(name, path)]
    return [Export(f"{name}!{member}", path, member) for member in members if fnmatchcase(member, pattern)]


def others(folder: Path, block: Block) -> list[Path]:
    """Raw files below `folder` that are put to a block's own: beside them, or joined."""
    return sorted(folder / name.partition("!")[0] for name in _matches(folder, _others(block)))


def _others(block: Block) -> list[str]:
    """Patterns of the files that are put to a block's own."""
    return [*block.beside, *(join.files for join in block.join)]


def _each_once(source: Source, table: str, names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []:
        raise SourceError(f"source {source.name}: two blocks of {table} match the same file: {some(twice)}")


def _archives(source: Source, names: list[str]) -> set[str]:
    cells = [block.columns.get("image") for block in source.products]
    archives = {cell.archive for cell in cells if isinstance(cell, Picture) and cell.archive}
    if lacking := sorted(archives - set(names)):
        raise SourceError(f"source {source.name}: no picture archive {some(lacking)} among the raw files")
    return archives


def some(names: list[str], shown: int = 5) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more if names else "no file at all"
