"""Product pictures in zip shards that never change: each content once and checked, with an index beside each shard.

`pictures-<n>.zip` holds pictures as they came, uncompressed, each named by its content; `pictures-<n>.index.parquet`
says of every name that was offered which member holds its picture, or why it was refused. A later shard counts over
an earlier one, so a new picture under an old name takes its place.
"""

import hashlib
import io
import logging
import re
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tandem.errors import SourceError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Made = TypeVar("Made")

FOLDER = "pictures"
"""Where shards lie, below a source's raw files."""

SHARD_BYTES = 64_000_000
SHARD_PICTURES = 10_000
LARGEST_BYTES = 32_000_000
"""A larger picture is refused before it is read."""

SUFFIXES = {
    "AVIF": "avif",
    "BMP": "bmp",
    "GIF": "gif",
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "TIFF": "tif",
    "WEBP": "webp",
}
"""Formats that are taken, by Pillow's name; of others some start foreign programs when they are opened."""

OPENED = tuple(name for name in SUFFIXES if name != "MPO")  # what cameras write instead of JPEG, opened as such

OVERHEAD_BYTES = 200
"""What zip adds to each picture, at most."""

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows: no clock is in a shard
PACKED = re.compile(rf"{FOLDER}/pictures-\d{{5}}\.(zip|index\.parquet)")
WORKERS = 4


@dataclass(frozen=True)
class Offered:
    """A picture under the name that products know it by, or why there is none."""

    name: str
    content: bytes = b""
    refused: str | None = None


@dataclass(frozen=True)
class Entry:
    """A row of an index: a name that was offered, and the picture's place or why it was refused."""

    name: str
    sha256: str
    bytes: int
    shard: str | None = None
    member: str | None = None
    format: str | None = None
    mode: str | None = None  # Pillow's: RGB, CMYK, P (palette), L (grey), …
    width: int | None = None
    height: int | None = None
    frames: int | None = None  # more than one: animated
    refused: str | None = None


SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        *(pa.field(name, pa.string()) for name in ("shard", "member", "format", "mode")),
        *(pa.field(name, pa.int32()) for name in ("width", "height", "frames")),
        pa.field("refused", pa.string()),
    ]
)


@dataclass
class Tally:
    """What became of the pictures offered: they add up."""

    packed: int = 0
    shared: int = 0  # another name has the same content
    refused: int = 0
    known: int = 0  # came before

    @property
    def new(self) -> int:
        """Names that the indices did not have, or not with this content."""
        return self.packed + self.shared + self.refused


def is_packed(name: str) -> bool:
    """Whether a raw file, named by its path below the source's folder, is a shard or an index."""
    return PACKED.fullmatch(name) is not None


def index(folder: Path, archive: str | None = None) -> pa.Table:
    """Pictures below a source's raw files by `name`, each name once, with their `place`: `shard!member`.

    A name is the path or address that was offered, or an end of it that no other picture has: `a/b.jpg` is also found
    as `b.jpg`. With `archive`, a zip below `folder`, the pictures are those of that zip.

    Raises:
        SourceError: a damaged index or archive.
    """
    places = _members(folder, archive) if archive else _packed(folder)
    ends: dict[str, set[str]] = {}
    for name, place in places.items():
        for end in _ends(name):
            ends.setdefault(end, set()).add(place)
    found = places | {end: next(iter(of)) for end, of in ends.items() if len(of) == 1 and end not in places}
    names = sorted(found)
    return pa.table({"name": pa.array(names, pa.string()), "place": pa.array([found[n] for n in names], pa.string())})


def read(folder: Path, place: str) -> bytes:
    """The picture at `place`, as `index` gives it, below a source's raw files.

    Raises:
        SourceError: nothing is there.
    """
    shard, _, member = place.partition("!")
    try:
        with zipfile.ZipFile(folder / shard) as archive:
            return archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise SourceError(f"{folder / shard} has no picture {member!r}: {error}") from None


def entries(folder: Path) -> Iterator[Entry]:
    """Rows of all indices below a source's raw files, the earliest first.

    Raises:
        SourceError: a damaged index.
    """
    for path in sorted((folder / FOLDER).glob("pictures-*.index.parquet")):
        try:
            yield from (Entry(**row) for row in pq.read_table(path).to_pylist())
        except (pa.ArrowException, OSError, TypeError) as error:
            raise SourceError(f"{path} cannot be read as an index of pictures: {error}") from None


def members(path: Path) -> Iterator[Offered]:
    """Pictures of a zip, in order of their names; hidden ones do not count.

    Raises:
        SourceError: not a zip that can be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                if not info.is_dir() and not _hidden(info.filename):
                    yield _extracted(archive, info)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} cannot be read as a zip: {error}") from None


def loose(name: str, path: Path) -> Offered:
    """The picture in a file of its own.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        size = path.stat().st_size
        return Offered(name, refused=too_large(size)) if size > LARGEST_BYTES else Offered(name, path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None


def too_large(size: int) -> str:
    """Why a picture of so many bytes is refused."""
    return f"{size} bytes, more than {LARGEST_BYTES}"


def pack(offered: Iterable[Offered], folder: Path) -> Tally:
    """Put what is new among the pictures offered into the next shards below a source's raw files.

    Equal pictures in equal order give equal bytes. What was packed stays when `offered` raises.
    """
    with Packer(folder) as packer, _quiet():
        for entry, content in ahead(lambda given: _judge(given, packer.contents), offered, WORKERS):
            packer.add(entry, content)
    return packer.tally


class Packer:
    """Writes shards one after the other; leaving its block finishes the last one."""

    def __init__(self, folder: Path) -> None:
        self.tally = Tally()
        self.names: dict[str, str] = {}  # content by name
        self.contents: dict[str, Entry] = {}  # where each content is, or why it was refused
        self._folder = folder / FOLDER
        self._new: list[Entry] = []
        self._archive: zipfile.ZipFile | None = None
        self._bytes = 0
        for entry in entries(folder):
            self._remember(entry)
        self._number = 1 + max(
            (int(path.name[9:14]) for path in self._folder.glob("pictures-*.index.parquet")), default=-1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._finish()

    def add(self, entry: Entry, content: bytes) -> None:
        """Pack a picture that was judged, unless its content is there already."""
        if self.names.get(entry.name) == entry.sha256:
            self.tally.known += 1
            return
        known = self.contents.get(entry.sha256)
        if known is not None and known.member:
            entry = replace(known, name=entry.name)
            self.tally.shared += 1
        elif entry.refused:
            self.tally.refused += 1
        else:
            entry = self._store(entry, content)
            self.tally.packed += 1
        self._remember(entry)
        self._new.append(entry)

    def _remember(self, entry: Entry) -> None:
        self.names[entry.name] = entry.sha256
        if entry.sha256:
            self.contents[entry.sha256] = entry

    @property
    def _shard(self) -> str:
        return f"pictures-{self._number:05d}.zip"

    def _store(self, entry: Entry, content: bytes) -> Entry:
        size = len(content) + OVERHEAD_BYTES
        if self._archive and (self._bytes + size > SHARD_BYTES or len(self._archive.filelist) >= SHARD_PICTURES):
            self._finish()
        if self._archive is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._archive = zipfile.ZipFile(self._folder / f".{self._shard}.partial", "w")
        member = f"{entry.sha256[:32]}.{SUFFIXES[str(entry.format)]}"
        info = zipfile.ZipInfo(member, EPOCH)
        info.create_system = 3  # the same on every system
        self._archive.writestr(info, content)
        self._bytes += size
        return replace(entry, shard=f"{FOLDER}/{self._shard}", member=member)

    def _finish(self) -> None:
        """Close the shard and write its index last: a shard without one is what a killed run left, and written anew."""
        if not self._new:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._archive:
            self._archive.close()
            (self._folder / f".{self._shard}.partial").replace(self._folder / self._shard)
            log.info("wrote %s: %d pictures, %d bytes", self._shard, len(self._archive.filelist), self._bytes)
        target = self._folder / f"{self._shard.removesuffix('.zip')}.index.parquet"
        partial = target.with_name(f".{target.name}.partial")
        pq.write_table(
            pa.Table.from_pylist([asdict(entry) for entry in self._new], SCHEMA), partial, compression="zstd"
        )
        partial.replace(target)
        self._archive, self._new, self._bytes, self._number = None, [], 0, self._number + 1


def ahead(work: Callable[[Item], Made], items: Iterable[Item], workers: int) -> Iterator[Made]:
    """`work` of each item in order, done by so many threads at most twice as many items ahead."""
    source = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(work, item) for item in islice(source, 2 * workers))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(source, 1))
                yield made
        finally:
            for one in waiting:
                one.cancel()


def _judge(offered: Offered, known: dict[str, Entry]) -> tuple[Entry, bytes]:
    """What the index will say of a picture, and its content."""
    size = len(offered.content)
    digest = hashlib.sha256(offered.content).hexdigest() if not offered.refused else ""
    if digest in known:
        return replace(known[digest], name=offered.name), offered.content
    if offered.refused:
        return Entry(offered.name, "", 0, refused=offered.refused), b""
    return Entry(offered.name, digest, size, **_look(offered.content)), offered.content


def _look(content: bytes) -> dict[str, Any]:
    """What a picture is, all of it read, or why it is none."""
    from PIL import Image, UnidentifiedImageError

    if not content:
        return {"refused": "empty"}
    try:
        with Image.open(io.BytesIO(content), formats=OPENED) as picture:
            frames = getattr(picture, "n_frames", 1)
            picture.load()
            width, height = picture.size
            facts = {"format": picture.format, "mode": picture.mode, "width": width, "height": height}
            return {**facts, "frames": frames}
    except UnidentifiedImageError:
        return {"refused": f"not a picture of a known format ({', '.join(OPENED)})"}
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"refused": f"more than {Image.MAX_IMAGE_PIXELS} pixels"}
    except Exception as error:  # decoders raise almost anything on damaged input
        return {"refused": f"damaged: {str(error) or type(error).__name__}"}


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow's warnings: too many pixels are an error, the rest does not matter."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _extracted(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Offered:
    if info.file_size > LARGEST_BYTES:
        return Offered(info.filename, refused=too_large(info.file_size))
    try:
        with archive.open(info) as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        return Offered(info.filename, refused=f"damaged in its zip: {error}")
    return Offered(info.filename, content)


def _packed(folder: Path) -> dict[str, str]:
    latest = {entry.name: entry for entry in entries(folder)}
    return {name: f"{entry.shard}!{entry.member}" for name, entry in latest.items() if entry.member}


def _members(folder: Path, archive: str) -> dict[str, str]:
    try:
        with zipfile.ZipFile(folder / archive) as stored:
            names = [name for name in stored.namelist() if not name.endswith("/") and not _hidden(name)]
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{folder / archive} cannot be read as a zip: {error}") from None
    return {name: f"{archive}!{name}" for name in names}


def _hidden(name: str) -> bool:
    parts = set(PurePosixPath(name).parts) - {"..", "."}
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _ends(name: str) -> list[str]:
    """Every end of a path or address that begins at a part of it."""
    parts = name.split("/")
    return ["/".join(parts[place:]) for place in range(1, len(parts)) if parts[-1]]
