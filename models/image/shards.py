"""Bytes of many pictures: each zip is opened once."""

import zipfile
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tandem.data.pictures import LARGEST_BYTES, too_large
from tandem.errors import SourceError


class Shards:
    """The zips of `places` (`shard!member`) below a source's raw files, open within the block; threads may share it."""

    def __init__(self, folder: Path, places: Iterable[str]) -> None:
        self._folder = folder
        self._names = sorted({place.partition("!")[0] for place in places})
        self._open: dict[str, zipfile.ZipFile] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open all of them.

        Raises:
            SourceError: one is absent or no zip.
        """
        with ExitStack() as stack:
            for name in self._names:
                self._open[name] = stack.enter_context(self._zip(name))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def read(self, place: str) -> tuple[bytes, str | None]:
        """The picture at `place`, or nothing and why it cannot be read."""
        shard, _, member = place.partition("!")
        try:
            info = self._open[shard].getinfo(member)
            if info.file_size > LARGEST_BYTES:
                return b"", too_large(info.file_size)
            return self._open[shard].read(info), None
        except KeyError:
            return b"", f"{shard} has no member {member!r}"
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
            return b"", f"damaged in its zip: {error}"

    def _zip(self, name: str) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._folder / name)
        except (OSError, zipfile.BadZipFile) as error:
            raise SourceError(f"{self._folder / name} cannot be read as a zip: {error}") from None
