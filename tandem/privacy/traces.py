"""Traces of a person in files: bytes searched, through archives, compressed files, tables and databases.

What is searched, everywhere:
- each pseudonym (32 hex digits, no other text has them) as UTF-8, UTF-16, UTF-32 and as 16 raw bytes;
- the raw id where it cannot be mistaken for something else (`is_unmistakable`), as a whole token. A short id such as
  17850 stands in prices, counts and hashes by chance: it is told apart only where a column of users is known, by the
  readers of raw files (`tandem.data.removal`).
"""

import bz2
import gzip
import json
import lzma
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

SQLITE = b"SQLite format 3\0"
"""How a database begins."""

ERASED = "erased"
"""What stands where a trace stood, in what is edited and not made anew."""

ENCODINGS = ("utf-8", "utf-16-le", "utf-32-le")

CHUNK = 4 * 1024 * 1024
IN_MEMORY = 64 * 1024 * 1024
DEEPEST = 6
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, pa.ArrowException)
"""What a damaged archive or table raises; its bytes as they lie are searched all the same."""

SHORTEST_WITH_LETTERS, SHORTEST_OF_DIGITS = 8, 12


def is_unmistakable(user_id: str) -> bool:
    """Whether an id stands nowhere by chance: an address, or long and not a plain word or a small number."""
    digits = any(sign.isdigit() for sign in user_id)
    if user_id.isdigit():
        return len(user_id) >= SHORTEST_OF_DIGITS
    return "@" in user_id or (digits and len(user_id) >= SHORTEST_WITH_LETTERS)


class Search:
    """A search for one person; `counts` says how many files were looked at in which way.

    Args:
        pseudonyms: under every key that is known.
        user_id: the shop's own id; searched only where it is unmistakable.
    """

    def __init__(self, pseudonyms: Iterable[str], user_id: str) -> None:
        self.counts: Counter[str] = Counter()
        self.closed: list[str] = []
        texts = [*pseudonyms]
        self._needles = {needle: put for text in texts for needle, put in _encoded(text).items()}
        self._needles |= {bytes.fromhex(text): ERASED.encode() for text in texts}
        self._word: re.Pattern[bytes] | None = None
        if is_unmistakable(user_id):
            self._needles |= _encoded(user_id, ENCODINGS[1:])
            written = {user_id.encode(), json.dumps(user_id)[1:-1].encode(), _gbk(user_id)}
            self._word = re.compile(rb"(?<![A-Za-z0-9_])(?:%s)(?![A-Za-z0-9_])" % b"|".join(map(re.escape, written)))
            texts.append(user_id)
        self._longest = max(map(len, self._needles), default=0) + 2 + 6 * len(user_id)
        self._texts = texts

    def in_file(self, path: Path) -> bool:
        """Whether the file, or anything packed in it, holds the person."""
        with path.open("rb") as stream:
            return self.in_stream(stream, str(path))

    def in_stream(self, stream: IO[bytes], name: str, depth: int = 0) -> bool:
        """The same of a stream that can be wound back; `name` is for what is said of it."""
        self.counts["bytes"] += 1
        if self._in_bytes(_chunks(stream)):
            return True
        reader = self._reader(stream)
        if reader is None or depth > DEEPEST:
            return False
        stream.seek(0)
        kind, look = reader
        self.counts[kind] += 1
        try:
            return look(stream, name, depth)
        except BROKEN:
            self.closed.append(name)
            return False

    def in_bytes(self, content: bytes) -> bool:
        """Whether these bytes, as they are, hold the person."""
        return any(needle in content for needle in self._needles) or bool(self._word and self._word.search(content))

    def without(self, content: bytes) -> bytes:
        """These bytes with `erased` in place of each trace, in the encoding that the trace has."""
        for needle, put in self._needles.items():
            content = content.replace(needle, put)
        return self._word.sub(ERASED.encode(), content) if self._word else content

    def _in_bytes(self, chunks: Iterable[bytes]) -> bool:
        rest = b""
        for chunk in chunks:
            content = rest + chunk
            if self.in_bytes(content):
                return True
            rest = content[-self._longest :]
        return False

    def _reader(self, stream: IO[bytes]) -> tuple[str, Callable[[Any, str, int], bool]] | None:
        """How to look into a file, by its first bytes."""
        stream.seek(0)
        head = stream.read(16)
        for magic, opened in PACKED.items():
            if head.startswith(magic):
                return "compressed", partial(self._unpacked, opened)
        readers: dict[bytes, tuple[str, Callable[[Any, str, int], bool]]] = {
            b"PK\x03\x04": ("zip", self._in_zip),
            b"PAR1": ("Parquet", lambda s, n, d: self._in_table(_parquet(s))),
            b"ARROW1": ("Arrow", lambda s, n, d: self._in_table(_arrow(s))),
            SQLITE: ("SQLite", self._in_database),
        }
        return next((reader for magic, reader in readers.items() if head.startswith(magic)), None)

    def _unpacked(self, opened: Callable[[Any], Any], stream: BinaryIO, name: str, depth: int) -> bool:
        return self._in_packed(opened(stream), name, depth)

    def _in_packed(self, stream: Any, name: str, depth: int) -> bool:
        with stream, tempfile.SpooledTemporaryFile(IN_MEMORY) as unpacked:
            shutil.copyfileobj(stream, unpacked, CHUNK)
            return self.in_stream(unpacked, name, depth + 1)

    def _in_zip(self, stream: BinaryIO, name: str, depth: int) -> bool:
        with zipfile.ZipFile(stream) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            return any(self._in_packed(archive.open(one), f"{name}!{one.filename}", depth) for one in members)

    def _in_table(self, arrays: Iterator[pa.Array]) -> bool:
        return any(self._in_array(array) for array in arrays)

    def _in_array(self, array: pa.Array) -> bool:
        if pa.types.is_fixed_size_binary(array.type):
            array = array.cast(pa.binary())
        if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
            return any(pc.any(pc.match_substring(array, needle)).as_py() for needle in self._needles)
        return any(pc.any(pc.match_substring(array, text)).as_py() for text in self._texts)

    def _in_database(self, stream: BinaryIO, name: str, depth: int) -> bool:
        """Whether a cell holds the person: a long text is cut in pieces in the file's own bytes."""
        with tempfile.NamedTemporaryFile(suffix=".db") as copy:
            stream.seek(0)
            shutil.copyfileobj(stream, copy, CHUNK)
            copy.flush()
            with closing(sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)) as database:
                try:
                    return any(self.in_bytes(cell) for cell in _cells(database))
                except sqlite3.Error:
                    self.closed.append(name)
                    return False


def _zstd(stream: BinaryIO) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")


PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x28\xb5\x2f\xfd": _zstd,
}
"""How compressed files are opened, by their first bytes."""


def _encoded(text: str, encodings: Iterable[str] = ENCODINGS) -> dict[bytes, bytes]:
    """What a text may look like, and what to put there instead."""
    return {text.encode(encoding): ERASED.encode(encoding) for encoding in encodings}


def _gbk(text: str) -> bytes:
    return text.encode("gb18030", errors="replace")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(0)
    while chunk := stream.read(CHUNK):
        yield chunk


def _parquet(stream: BinaryIO) -> Iterator[pa.Array]:
    """Every array of text or bytes in a Parquet file, piece by piece."""
    for batch in pq.ParquetFile(stream).iter_batches():
        yield from (leaf for column in batch.columns for leaf in _leaves(column))


def _arrow(stream: BinaryIO) -> Iterator[pa.Array]:
    reader = pa.ipc.open_file(stream)
    for number in range(reader.num_record_batches):
        yield from (leaf for column in reader.get_batch(number).columns for leaf in _leaves(column))


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """The arrays of text or bytes that a nested array is made of."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _leaves(array.dictionary)
    elif pa.types.is_struct(kind):
        yield from (leaf for child in array.flatten() for leaf in _leaves(child))
    elif pa.types.is_map(kind):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif pa.types.is_nested(kind):
        yield from _leaves(array.flatten())
    elif any(is_(kind) for is_ in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)) or any(
        is_(kind) for is_ in (pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    ):
        yield array


def _cells(database: sqlite3.Connection) -> Iterator[bytes]:
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        quoted = name.replace('"', '""')
        for row in database.execute(f'SELECT * FROM "{quoted}"'):
            yield from (
                cell.encode() if isinstance(cell, str) else cell for cell in row if isinstance(cell, str | bytes)
            )
