"""Product pictures of a shop's export, or of the addresses it lists, packed into shards.

Reads   loose pictures and zips of the export, addresses in data/raw/<source>/…
Writes  data/raw/<source>/pictures/…    tandem.data.pictures
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path, PurePath

import httpx

from tandem.data import exports, pictures
from tandem.data.blocks import Products
from tandem.data.pictures import LARGEST_BYTES, Offered, Tally
from tandem.data.sources import Source
from tandem.errors import SourceError

log = logging.getLogger(__name__)

FETCHERS = 8
TIMEOUT_S = 20
DEADLINE_S = 120
"""For one picture, however slowly it drips in."""

TRIES = 3
PAUSE_S = 0.5
"""Before the second try; twice that before the third."""

GIVE_UP = 50
"""Addresses in a row that do not answer before the rest is left for the next time."""

PASSING = {408, 425, 429, 500, 502, 503, 504}
"""What a server says when the same question may be answered later."""


@dataclass(frozen=True)
class Unreachable:
    """An address that did not answer now, and may later."""

    why: str


def take(source: Source, raw: Path | None, folder: Path) -> Tally:
    """Pack what is new among the source's pictures into shards below `folder`, its raw files.

    Pictures that were packed or refused before are not fetched again; one that cannot be reached now is tried the next
    time.

    Args:
        source: its `pictures` say where they are.
        raw: the shop's export, a folder or one file; without it only addresses are looked at.
        folder: the source's raw files, where files with addresses lie already.

    Raises:
        SourceError: a zip or a file with addresses cannot be read, or no address answers; what was packed stays.
    """
    patterns = [found.files for found in source.pictures if found.files]
    offered = chain(
        _exported(find(source, raw), raw) if raw and patterns else (),
        _fetched(_addresses(source, folder) - _known(folder)),
    )
    tally = pictures.pack(offered, folder)
    if source.pictures:
        log.info(
            "pictures: %d packed, %d equal to another, %d refused, %d known",
            tally.packed, tally.shared, tally.refused, tally.known,
        )  # fmt: skip
    return tally


def find(source: Source, raw: Path) -> list[Path]:
    """Loose pictures and zips of pictures in the shop's export, in order of their names; hidden ones do not count."""
    patterns = [found.files for found in source.pictures if found.files]
    if not raw.is_dir():
        return [raw] if any(fnmatch(raw.name, PurePath(pattern).name) for pattern in patterns) else []
    matching = {path for pattern in patterns for path in raw.glob(pattern)}
    files = {file for path in matching for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(raw).parts))


def _exported(paths: list[Path], raw: Path) -> Iterator[Offered]:
    for path in paths:
        if path.suffix.lower() == ".zip":
            yield from pictures.members(path)
        else:
            yield pictures.loose(path.relative_to(raw).as_posix() if path != raw else path.name, path)


def _known(folder: Path) -> set[str]:
    return {entry.name for entry in pictures.entries(folder)}


def _addresses(source: Source, folder: Path) -> set[str]:
    """Every address that the files below `folder` name."""
    addresses: set[str] = set()
    for links in (found.links for found in source.pictures if found.links):
        block = Products(files=links.files, format=links.format, columns={"product_id": links.column})
        alone = source.model_copy(update={**dict.fromkeys(source.blocks, ()), "products": (block,)})
        for export in exports.find(alone, folder).of["products"][0][1]:
            exports.check(exports.header(export, block), export, block)
            for batch in exports.batches(export, block):
                cells = batch.cells.column(links.column).to_pylist()
                addresses |= {cell.strip() for cell in cells if cell and cell.strip()}
    return addresses


def _fetched(addresses: set[str]) -> Iterator[Offered]:
    """Pictures at these addresses in order, without those that cannot be reached now."""
    if not addresses:
        return
    missed, in_a_row = 0, 0
    limits = httpx.Limits(max_connections=FETCHERS)
    with httpx.Client(timeout=TIMEOUT_S, limits=limits, follow_redirects=True, max_redirects=5) as client:
        for got in pictures.ahead(lambda address: _tried(client, address), sorted(addresses), FETCHERS):
            if isinstance(got, Offered):
                in_a_row = 0
                yield got
                continue
            missed, in_a_row = missed + 1, in_a_row + 1
            if in_a_row == GIVE_UP:
                raise SourceError(f"{GIVE_UP} pictures in a row could not be fetched, the last because {got.why}")
    if missed:
        log.warning("%d pictures could not be fetched; the next ingest tries them again", missed)


def _tried(client: httpx.Client, address: str) -> Offered | Unreachable:
    """The picture, tried again after a pause where that may help."""
    for attempt in range(TRIES):
        got = _fetch(client, address)
        if isinstance(got, Offered):
            break
        if attempt + 1 < TRIES:
            time.sleep(PAUSE_S * 2**attempt)
    return got


def _fetch(client: httpx.Client, address: str) -> Offered | Unreachable:
    try:
        with client.stream("GET", address) as answer:
            if answer.status_code in PASSING:
                return Unreachable(f"the server said {answer.status_code}")
            if not answer.is_success:
                return Offered(address, refused=f"the server said {answer.status_code}")
            return _received(answer, address)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
        return Offered(address, refused=f"not an address that can be fetched: {error}")
    except httpx.HTTPError as error:
        return Unreachable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _received(answer: httpx.Response, address: str) -> Offered | Unreachable:
    declared = answer.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > LARGEST_BYTES:
        return Offered(address, refused=pictures.too_large(int(declared)))
    began, content = time.monotonic(), bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > LARGEST_BYTES:
            return Offered(address, refused=f"more than {LARGEST_BYTES} bytes")
        if time.monotonic() - began > DEADLINE_S:
            return Unreachable(f"it was not complete after {DEADLINE_S} s")
    return Offered(address, bytes(content))
