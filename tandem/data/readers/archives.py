"""Raw files as streams of bytes: plain, gzip or zip, told apart by what they hold; harmful archives are refused."""

import gzip
import io
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

import pyarrow as pa

from tandem.data.batches import Export
from tandem.errors import SourceError

MAX_RATIO = 500
"""Bytes out for each byte in. Exports of shops reach 5 to 50; deflate can do 1,032, and only a bomb comes near."""

FREE_BYTES = 100 * 2**20
"""Up to here the ratio is not looked at: so much can do no harm, and a small file of one repeated row is no bomb."""

MAX_BYTES = 2**40
"""No archive gives more; days of reading."""

PIECE = 2**20

GZIP, ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
OTHERS = {b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"\x28\xb5\x2f\xfd": "Zstandard"}
JUNK = {"Thumbs.db", "desktop.ini"}


class Readable(Protocol):
    """What bytes are read from, piece by piece."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, as many as asked for unless the end comes before."""


@contextmanager
def faults(export: Export) -> Iterator[None]:
    """What goes wrong within becomes a `SourceError` that names the file; lower libraries' errors end here."""
    try:
        yield
    except (EOFError, zlib.error, BadZipFile, gzip.BadGzipFile) as error:
        raise SourceError(f"{where(export)} is cut short or damaged: {_sentence(error)}") from None
    except (pa.ArrowException, NotImplementedError) as error:
        raise SourceError(f"{where(export)} cannot be read: {_sentence(error)}") from None
    except OSError as error:
        raise SourceError(f"{where(export)} cannot be read: {error.strerror or _sentence(error)}") from None


def where(export: Export) -> str:
    """The file's path, and the member of the archive."""
    return f"{export.path}!{export.member}" if export.member else str(export.path)


def members(path: Path) -> list[str] | None:
    """Names of the data files in the zip at `path`, sorted; None where the file is no archive of files.

    Raises:
        SourceError: a damaged zip, or a member that is encrypted, a link, twice there, or outside its archive.
    """
    with faults(Export(path.name, path)):
        with path.open("rb") as stream:
            if not stream.read(4).startswith(ZIP):
                return None
        try:
            with ZipFile(path) as archive:
                infos = archive.infolist()
        except UnicodeDecodeError:
            raise SourceError(f"{path} is damaged: the name of a member is not UTF-8, as it says") from None
    if _is_a_format([info.filename for info in infos]):
        return None
    found = [info for info in infos if not info.is_dir() and not _is_junk(info.filename)]
    for info in found:
        _check(path, info)
    names = sorted(info.filename for info in found)
    if len(set(names)) < len(names):
        raise SourceError(f"{path} has two members of one name: {next(n for n in names if names.count(n) > 1)}")
    return names


@contextmanager
def stream(export: Export, own_zip: bool = False) -> Iterator[Readable]:
    """The file's bytes, unpacked.

    Args:
        export: the file.
        own_zip: its format is itself a zip (a workbook, an npz), which is then no nested archive.

    Raises:
        SourceError: damaged, encrypted, an archive within an archive, a bomb, or compressed in another way.
    """
    with faults(export):
        held = members(export.path)
        if held is not None:
            member = export.member or _only_one(export, held)
            with ZipFile(export.path) as archive, archive.open(member) as unpacked:
                yield _Unpacked(unpacked, archive.getinfo(member).compress_size, export, own_zip)
            return
        with export.path.open("rb") as plain:
            head = plain.read(10)
            plain.seek(0)
            if head.startswith(GZIP):
                with gzip.GzipFile(fileobj=plain) as unpacked:
                    yield _Unpacked(unpacked, export.path.stat().st_size, export, own_zip)
            else:
                _refuse_compressed(export, head, nested=False, own_zip=True)
                yield plain


@contextmanager
def seekable(export: Export) -> Iterator[BinaryIO]:
    """The file's bytes where a reader must jump to and fro; what is packed is unpacked to a file without a name."""
    with stream(export, own_zip=True) as found:
        if isinstance(found, io.BufferedReader):
            yield found
            return
        with tempfile.TemporaryFile() as copy:
            while piece := found.read(PIECE):
                copy.write(piece)
            copy.seek(0)
            yield copy


class _Unpacked:
    """What comes out of an archive, as long as it is in proportion to what went in."""

    def __init__(self, stream: Readable, packed: int, export: Export, own_zip: bool) -> None:
        self._stream, self._packed, self._export, self._count = stream, packed, export, 0
        self._head = stream.read(10)
        _refuse_compressed(export, self._head, nested=True, own_zip=own_zip)

    def read(self, size: int, /) -> bytes:
        """The next bytes; a `SourceError` where they come to more than any shop's file would."""
        found, self._head = self._head[:size], self._head[size:]
        found += self._stream.read(size - len(found)) if len(found) < size else b""
        self._count += len(found)
        if self._count > min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * self._packed)):
            raise SourceError(
                f"{where(self._export)} unpacks to more than {self._count:,} bytes from {self._packed:,}: no export of "
                f"a shop does (limit: {MAX_RATIO} times its size); if it is sound, put it there unpacked"
            )
        return found


def _refuse_compressed(export: Export, head: bytes, nested: bool, own_zip: bool) -> None:
    if nested and (head.startswith(GZIP) or (head.startswith(ZIP) and not own_zip)):
        raise SourceError(f"{where(export)} is an archive within an archive; unpack the outer one")
    kind = next((name for magic, name in OTHERS.items() if head.startswith(magic)), None)
    kind = "bzip2" if head[:3] == b"BZh" and head[4:10] == b"1AY&SY" else kind
    if kind:
        raise SourceError(f"{where(export)} is compressed as {kind}; gzip and zip are read, others must be unpacked")


def _only_one(export: Export, names: list[str]) -> str:
    if len(names) != 1:
        raise SourceError(f"{export.path} holds {len(names)} files where one is expected: {', '.join(names[:5])}")
    return names[0]


def _is_a_format(names: list[str]) -> bool:
    """Whether a zip with these members is a workbook or an npz."""
    return "[Content_Types].xml" in names or (bool(names) and all(name.endswith(".npy") for name in names))


def _is_junk(name: str) -> bool:
    """What operating systems leave in archives."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") and part not in ("..", ".") for part in parts)
    return hidden or "__MACOSX" in parts or parts[-1] in JUNK


def _check(path: Path, info: ZipInfo) -> None:
    said = f"{path}: the member {info.filename!r}"
    parts = info.orig_filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        raise SourceError(f"{said} points outside its archive; the archive is not to be trusted")
    if info.flag_bits & 1:
        raise SourceError(f"{said} is encrypted; put it there unpacked")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise SourceError(f"{said} is a link, not a file")


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
