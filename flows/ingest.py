"""Take a shop's raw files in: the one entrance for data.

Reads   the shop's folder or file, its SQL databases, addresses of pictures, sources/<source>.yaml
Writes  data/raw/<source>/… and its .dvc file, data/truth/demo/ for the demo shop,
        data/raw/key_id.txt     which pseudonym key the data is registered with
        data/raw/as_of.txt      when raw files last came in
        data/accepted/{manifest.json,profile.json,runs/}, and `source` with what it recommends in params.yaml

Raw files only ever come in: one that is there already must have the same bytes. What is new is copied, as a clone that
shares its blocks where the file system can. Never as a hard link: that would change with the shop's own file. Before
that its header is looked at, so that nothing comes in that the source cannot read.
"""

import filecmp
import logging
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from prefect import flow
from sqlalchemy import URL

from flows import extracts, pictures, prepare, recommendations, versions
from tandem import demo, files
from tandem.data import exports, headers
from tandem.data.blocks import FREE, Block
from tandem.data.entries import Picture
from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.params import read_source
from tandem.privacy import pseudonyms
from tandem.settings import Settings

log = logging.getLogger(__name__)

SOURCES = recommendations.SOURCES
RAW = Path("data/raw")
KEY_ID = RAW / "key_id.txt"
AS_OF = RAW / "as_of.txt"
TRUTH = Path("data/truth")
SNAPSHOT = Path("data/snapshot/manifest.json")
ACCEPTED = Path("data/accepted/manifest.json")
PROFILE = "profile.json"
JUDGEMENTS = Path("data/docs/runs")
OPTIONAL = (ACCEPTED.parent, Path("data/champion"))
"""Inputs of the pipeline that may be empty, but must be there for DVC."""

REWRITTEN = Path("erasure/rewritten.json")
"""Below `Settings.home`: SHA-256 of what raw files were before a person was taken out of them, by path in `RAW`."""

PIECE = 2**30

DEMO = recommendations.DEMO
DEMO_SEED = 7


@flow(name="ingest")
def ingest(source: str | None = None, raw: Path | None = None) -> None:
    """Bring raw files under `data/raw/<source>` and under DVC's care.

    Args:
        source: name of a file of sources/; by default the one in params.yaml, which is switched otherwise.
        raw: the shop's export, a folder or one file; by default `Settings.inbox`, else what was taken in before. The
            demo shop makes its own. Databases and addresses that the source names are asked either way.

    Raises:
        SourceError: no such source, nothing to read, a file that came before with other content, one whose columns the
            source does not read, or a database or an address that fails.
        SettingsError: the data was registered with another pseudonym key than the one at hand, or a database's URL is
            not in the environment.
    """
    settings = prepare()
    name = source or read_source()
    described = Source.read(SOURCES / f"{name}.yaml")
    raw = raw or settings.inbox
    arriving, urls = _arriving(described, raw), extracts.urls(described)
    register_key(settings)
    recommendations.switch(described)
    for folder in OPTIONAL:
        _keep(folder)
    if not AS_OF.exists():
        _write_text(AS_OF, datetime.now(UTC).isoformat())
    keep_accepted(name, new=False)
    if name == DEMO and not (RAW / DEMO).exists():
        make_demo(RAW / DEMO, TRUTH / DEMO)
    new = _take_files(name, arriving) + _take_extracts(described, urls) + _take_pictures(described, raw)
    _ensure_some(name)
    versions.add(RAW / name)
    log.info("%s: new raw files and pictures: %d; raw files in all: %d", name, new, len(_raw_files(name)))


def _take_files(name: str, arriving: Mapping[Path, Path]) -> int:
    if arriving:
        _note_arrival(name)
    for path, target in arriving.items():
        _copy(path, target)
    return len(arriving)


def _take_extracts(source: Source, urls: Mapping[str, URL]) -> int:
    count = 0
    for extract in source.extracts:
        for partial, target in extracts.draw(extract, urls[extract.name], RAW / source.name).items():
            _note_arrival(source.name)
            partial.replace(target)
            count += 1
    return count


def _take_pictures(source: Source, raw: Path | None) -> int:
    tally = pictures.take(source, raw, RAW / source.name)
    if tally.new:
        _note_arrival(source.name)
    return tally.new


def _note_arrival(name: str) -> None:
    """Write down that raw files come in now; called before they are there, so that a killed run leaves none unnoted."""
    keep_accepted(name, new=True)
    _write_text(AS_OF, datetime.now(UTC).isoformat())


def _ensure_some(name: str) -> None:
    if not _raw_files(name):
        raise SourceError(f"source {name} has no raw files: its extracts returned no rows")


def _raw_files(name: str) -> list[Path]:
    return [path for path in (RAW / name).rglob("*") if path.is_file() and not _is_hidden(path.relative_to(RAW))]


def register_key(settings: Settings) -> None:
    """Tie data to the pseudonym key at hand; where there is neither data nor key, a new key is made.

    Raises:
        SettingsError: data was registered with another key.
    """
    if KEY_ID.exists():
        pseudonyms.registered_key(settings, KEY_ID)
    else:
        _write_text(KEY_ID, pseudonyms.key_id(pseudonyms.ensure_key(settings)))


def keep_accepted(source: str, *, new: bool) -> None:
    """Remember the accepted snapshot and all judgements before new files change them, for `stages.validate`.

    Kept are manifest and profile of the accepted snapshot, with which the next is compared, and the pages of Data Docs.
    Without new files nothing changes, so that a rerun finds the same inputs. What is of another source is dropped.
    """
    if ACCEPTED.exists() and files.read_json(ACCEPTED)["source"] != source:
        for path in (ACCEPTED, ACCEPTED.with_name(PROFILE)):
            path.unlink(missing_ok=True)
    if not new:
        return
    if SNAPSHOT.exists() and files.read_json(SNAPSHOT)["source"] == source:
        for name in (PROFILE, SNAPSHOT.name):  # the manifest last: where it is, all is there
            ACCEPTED.with_name(name).unlink(missing_ok=True)
            if SNAPSHOT.with_name(name).exists():
                _copy(SNAPSHOT.with_name(name), ACCEPTED.with_name(name))
    if JUDGEMENTS.is_dir():
        kept = ACCEPTED.with_name(JUDGEMENTS.name)
        partial = kept.with_name(f".{kept.name}.partial")
        for folder in (partial, kept):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(JUDGEMENTS, partial)
        partial.replace(kept)


def make_demo(raw: Path, truth: Path) -> None:
    """Generate the demo shop's exports and, apart from them, the truth they were made from; all or nothing."""
    partial = {folder: folder.with_name(f".{folder.name}.partial") for folder in (truth, raw)}
    for folder in (*partial.values(), truth, raw):
        shutil.rmtree(folder, ignore_errors=True)
    demo.generate(partial[raw], partial[truth], demo.DemoSize(), DEMO_SEED)
    for folder, made in partial.items():  # the raw files last: where they are, all is there
        made.replace(folder)


def _arriving(source: Source, raw: Path | None) -> dict[Path, Path]:
    """Files that are not in data/raw yet, and where each goes.

    Raises:
        SourceError: nothing there that the source reads, a file that came before with other content, or one whose
            columns the source does not read.
    """
    folder = RAW / source.name
    if raw is None:
        if source.name != DEMO and not source.extracts and not folder.is_dir():
            raise SourceError(f"source {source.name} has no raw files yet: name their folder (RAW=… or --raw …)")
        return {}
    readable = _read_by(source, raw)
    base = raw if raw.is_dir() else raw.parent
    targets = {path: folder / path.relative_to(base) for path in readable}
    new = {path: target for path, target in targets.items() if not target.exists()}
    came = {path: target for path, target in targets.items() if path not in new}
    _check_unchanged(came, Settings().home, source.name)
    _check_headers(source, base, sorted(path.relative_to(base).as_posix() for path in new))
    return new


def _check_headers(source: Source, base: Path, names: list[str]) -> None:
    """Raise if a new file lacks a column that the source reads, or has other columns than the files before it.

    Not asked are blocks of JSON, whose keys come and go and are known only when all is read, and those that other files
    are put to, which may have come before.

    Args:
        source: what the files are of.
        base: the folder of the new files.
        names: of these below it, as they will stand in the source's folder.
    """
    before = sorted(path.relative_to(RAW / source.name).as_posix() for path in _raw_files(source.name))
    for block in (block for blocks in source.blocks.values() for block in blocks):
        if block.format in FREE or block.beside or block.join:
            continue
        new = [export for name in names for export in exports.of_file(block, base, name)]
        came = (export for name in before for export in exports.of_file(block, RAW / source.name, name))
        try:
            if new:
                headers.check(new, next(came, None), block)
        except SourceError as error:
            raise SourceError(f"{error}\nNothing was taken in.") from None


def _check_unchanged(came: Mapping[Path, Path], home: Path, name: str) -> None:
    """Raise if a file has not the bytes of the one that came before, as it is or was before an erasure.

    What was found equal once is not read again while size and time of both stay as they were noted, so that the
    hundredth day costs no more than the first.
    """
    record = home / "compared" / f"{name}.json"
    known = files.read_json(record) if record.exists() else {}
    equal = {}
    for path, target in came.items():
        stamp = [str(path.resolve()), *_stamp(path), *_stamp(target)]
        if known.get(str(target)) != stamp and not _same(path, target) and not _was_before(path, target, home):
            raise SourceError(f"{path} differs from {target}, which came before: raw files never change; rename it")
        equal[str(target)] = stamp
    if known | equal != known:
        files.write_json(known | equal, record)


def _was_before(path: Path, target: Path, home: Path) -> bool:
    """Whether a file has the bytes that `target` had before a person was taken out of it."""
    erased = files.read_json(home / REWRITTEN) if (home / REWRITTEN).exists() else {}
    hashes = erased.get(target.relative_to(RAW).as_posix())
    if not hashes or files.hash_file(path) not in hashes:
        return False
    log.info("%s came before, a person was taken out since: not copied; erase the person at the shop's end too", path)
    return True


def _stamp(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _read_by(source: Source, raw: Path) -> list[Path]:
    """Files of the shop's export that the source reads as they are, in order.

    There may be none where pictures are there to pack or databases to ask.
    """
    patterns = [pattern.partition("!")[0] for pattern in _patterns(source)]  # of archives, which come as they are
    try:
        if not raw.exists():
            raise SourceError(f"raw data {raw} does not exist")
        if raw.is_dir():
            for _ in os.walk(raw, onerror=_raise):  # glob is silent about a folder that may not be read
                pass
            found = {path for pattern in patterns for path in raw.glob(pattern) if path.is_file()}
        else:
            found = _alone(source, patterns, raw)
        pictured = pictures.find(source, raw)
    except OSError as error:
        raise SourceError(f"raw data {raw} cannot be read: {error.strerror}") from None
    base = raw if raw.is_dir() else raw.parent
    visible = sorted(path for path in found if not _is_hidden(path.relative_to(base)))
    for path in visible:
        exports.check_name(str(path.relative_to(base)), base)
    if not visible and not source.extracts and not pictured:
        packed = [found.files for found in source.pictures if found.files]
        wanted = ", ".join([*patterns, *packed])
        raise SourceError(f"raw data {raw} has no file that source {source.name} reads: {wanted}")
    if raw.is_dir():
        _tell_unread(source, raw, {*visible, *pictured})
    return visible


def _tell_unread(source: Source, raw: Path, read: set[Path]) -> None:
    """Warn of files of the shop's export that no block reads; a later month may have another name."""
    names = (path.relative_to(raw) for path in raw.rglob("*") if path not in read and path.is_file())
    if unread := sorted(str(name) for name in names if not _is_hidden(name)):
        log.warning("no block of source %s reads %s", source.name, exports.some(unread))


def _alone(source: Source, patterns: list[str], raw: Path) -> set[Path]:
    """The file, if a pattern reads it where it will stand: in no folder."""
    named = [pattern for pattern in patterns if fnmatch(raw.name, Path(pattern).name)]
    if any(set(Path(pattern).parts[:-1]) <= {"**"} for pattern in named):
        return {raw}
    if named:
        raise SourceError(
            f"source {source.name} reads {raw.name} in a folder, as {', '.join(named)}: "
            "give as raw data the folder that this pattern begins in, not the file"
        )
    return set()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _raise(error: OSError) -> None:
    raise error


def _patterns(source: Source) -> list[str]:
    """Patterns of all files that the source reads as they are."""
    blocks: list[Block] = [block for found in source.blocks.values() for block in found]
    beside = [pattern for block in blocks for pattern in (*block.beside, *(join.files for join in block.join))]
    cells = [cell for block in blocks for cell in block.columns.values()]
    archives = [cell.archive for cell in cells if isinstance(cell, Picture) and cell.archive]
    links = [found.links.files for found in source.pictures if found.links]
    return sorted({*(block.files for block in blocks), *beside, *archives, *links})


def _same(path: Path, other: Path) -> bool:
    """Whether both have the same bytes; of files of different size none is read."""
    try:
        return filecmp.cmp(path, other, shallow=False)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None


def _copy(path: Path, target: Path) -> None:
    """Copy a file's bytes, all or nothing; a file that changes meanwhile is refused, since half of it would stay."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        before = path.stat()
        _clone(path, partial)
        after = path.stat()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        partial.unlink()
        raise SourceError(f"{path} changed while it was copied: take it in when it is complete")
    partial.replace(target)


def _clone(path: Path, target: Path) -> None:
    """Copy within the kernel, which lets XFS, Btrfs and others share the blocks; byte by byte where it cannot."""
    try:
        with path.open("rb") as source, target.open("wb") as copy:
            while os.copy_file_range(source.fileno(), copy.fileno(), PIECE):
                pass
            if os.fstat(copy.fileno()).st_size < os.fstat(source.fileno()).st_size:
                raise OSError  # some file systems end at once
    except OSError:
        shutil.copyfile(path, target)


def _keep(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitkeep").touch()


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")
