"""Download a source's files from the publisher's address, and take them in as any other raw files.

Reads   sources/<source>.yaml, the addresses under `fetch`
Writes  <home>/downloads/<source>/arriving/…    as downloaded
        <home>/downloads/<source>/files/…       as taken in: unpacked where the source says so
        and all that `flows.ingest` writes
"""

import fcntl
import gzip
import logging
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from flows import prepare
from flows.download import Patience, download
from tandem import files
from tandem.data.sources import Download, Source
from tandem.errors import SourceError

log = logging.getLogger(__name__)

MEMBERS = 200_000
RATIO = 200
SMALL_BYTES = 1 << 28
"""An archive may unpack to this much, or to RATIO times its own size, whichever is more, in at most MEMBERS files."""


def fetch(source: str, patience: Patience | None = None) -> None:
    """Bring the files that `source` says how to fetch into `data/raw/<source>` and under DVC's care.

    A file that was fetched before is not downloaded again, a broken download goes on where it stopped.

    Raises:
        SourceError: no such source, it names no address, a download failed, or an archive is not what it should be.
    """
    from flows.ingest import SOURCES, ingest

    home = prepare().home
    described = Source.read(SOURCES / f"{source}.yaml")
    if not described.fetch:
        raise SourceError(
            f"source {source} says no address under `fetch`: get its files by hand ({described.title.strip()}) and use "
            f"`tandem ingest --source {source} --raw FOLDER`"
        )
    folder = home / "downloads" / source
    with _alone(folder):
        for one in described.fetch:
            _bring(one, folder, patience)
    ingest(source, folder / "files")


def _bring(one: Download, folder: Path, patience: Patience | None) -> None:
    """Download and, where it says so, unpack one file into `<folder>/files`."""
    arrived, target = folder / "arriving" / one.to, folder / "files" / one.to
    download(one.url, arrived if one.unpack else target, one.sha256, patience)
    if one.unpack:
        unpack(arrived, _without_suffix(target))


def unpack(archive: Path, target: Path) -> None:
    """Unpack a zip into the folder `target`, or a gzip into the file `target`; all or nothing, bounded.

    Raises:
        SourceError: neither of the two, damaged, more than the bounds, or a member that does not stay in the folder.
    """
    done = target.with_name(f".{target.name}.of")
    sum_of_archive = files.hash_file(archive)
    if target.exists() and done.exists() and done.read_text(encoding="ascii") == sum_of_archive:
        return
    partial = target.with_name(f".{target.name}.partial")
    _remove(partial)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        _unpack(archive, partial)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, NotImplementedError) as error:
        _remove(partial)
        raise SourceError(f"{archive} cannot be unpacked: {error}") from None
    except SourceError:
        _remove(partial)
        raise
    done.unlink(missing_ok=True)
    _remove(target)
    partial.replace(target)
    done.write_text(sum_of_archive, encoding="ascii")


def _unpack(archive: Path, partial: Path) -> None:
    most = max(SMALL_BYTES, RATIO * archive.stat().st_size)
    if zipfile.is_zipfile(archive):
        _unzip(archive, partial, most)
        return
    with archive.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            raise SourceError(f"{archive} is neither zip nor gzip: `unpack` cannot be true for it")
    with gzip.open(archive) as stream:
        _copy(stream, partial, most, archive)  # type: ignore[arg-type]


def _unzip(archive: Path, partial: Path, most: int) -> None:
    with zipfile.ZipFile(archive) as content:
        members = [member for member in content.infolist() if not member.is_dir() and not _is_litter(member.filename)]
        if len(members) > MEMBERS:
            raise SourceError(f"{archive} has {len(members)} members; more than {MEMBERS} are not unpacked")
        _are_distinct(members, archive)
        for member in members:
            target = partial / _place(member, archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            with content.open(member) as stream:
                most -= _copy(stream, target, most, archive)  # type: ignore[arg-type]
    if not members:
        raise SourceError(f"{archive} has no file in it")


def _place(member: zipfile.ZipInfo, archive: Path) -> PurePosixPath:
    """Where a member goes, below the folder.

    Raises:
        SourceError: it would leave the folder, is a link, or is encrypted.
    """
    path = PurePosixPath(member.filename)
    odd = "\\" in member.filename or ":" in path.parts[0] or "\0" in member.filename
    if path.is_absolute() or ".." in path.parts or odd:
        raise SourceError(f"{archive}: member {member.filename[:100]!r} would leave the folder; nothing was unpacked")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceError(f"{archive}: member {member.filename[:100]!r} is a link; nothing was unpacked")
    if member.flag_bits & 0x1:
        raise SourceError(f"{archive}: member {member.filename[:100]!r} is encrypted; nothing was unpacked")
    return path


def _are_distinct(members: list[zipfile.ZipInfo], archive: Path) -> None:
    names = [str(PurePosixPath(member.filename)).casefold() for member in members]
    if len(set(names)) < len(names):
        raise SourceError(f"{archive} has two members of one name; nothing was unpacked")


def _is_litter(name: str) -> bool:
    """What a Mac puts into archives."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name == ".DS_Store"


def _copy(stream: BinaryIO, target: Path, most: int, archive: Path) -> int:
    """Bytes written, counted as they come: what an archive says of its sizes may be untrue."""
    written = 0
    with target.open("wb") as out:
        while chunk := stream.read(1 << 20):
            written += len(chunk)
            if written > most:
                raise SourceError(f"{archive} unpacks to more than {RATIO} times its size: nothing was unpacked")
            out.write(chunk)
    return written


def _without_suffix(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.casefold() in (".zip", ".gz") else path


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second fetch of the same source out.

    Raises:
        SourceError: one is running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SourceError(f"another `tandem sources fetch` is at work in {folder}") from None
        yield
    finally:
        os.close(descriptor)
