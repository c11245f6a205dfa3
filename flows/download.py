"""One file over HTTP, to the last byte: resumed after a broken transfer, tried again with bounds, checked by its sum.

What has arrived lies in `<target>.partial`, beside it in `<target>.partial.json` which version of the file it is.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tandem import files
from tandem.errors import SourceError

log = logging.getLogger(__name__)

TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
SPARE_BYTES = 1 << 28
"""Room on the disk that a download leaves free."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to try again without a byte gained before giving up."""

    attempts: int = 6
    wait_s: float = 1.0  # doubled each time
    longest_wait_s: float = 30.0
    timeout_s: float = 30.0  # without a byte
    told_every_s: float = 5.0

    def pause_s(self, failures: int, asked_s: float | None) -> float:
        """Seconds before the next attempt: what the server asked for, else doubling; never above the longest."""
        return min(self.longest_wait_s, asked_s if asked_s is not None else self.wait_s * 2 ** (failures - 1))


class _Broken(Exception):
    """A transfer that may succeed when tried again."""

    def __init__(self, why: str, asked_s: float | None = None) -> None:
        super().__init__(why)
        self.asked_s = asked_s


def download(url: str, target: Path, sha256: str | None, patience: Patience | None = None) -> None:
    """Bring the file at `url` to `target`, all or nothing; one that is there and has the right sum stays.

    Args:
        url: http or https; redirects to these are followed.
        target: where the file goes; without a sum, a file that is there counts as complete.
        sha256: what its bytes must sum up to, in hex.
        patience: bounds of waiting and trying again.

    Raises:
        SourceError: the server refuses, keeps breaking off, or the sum is wrong: the bytes are then kept aside.
    """
    patience = patience or Patience()
    if target.exists() and (sha256 is None or files.hash_file(target) == sha256):
        log.info("%s is complete: not downloaded again", target.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target, checked=sha256 is not None)
    with httpx.Client(follow_redirects=True, max_redirects=5, timeout=patience.timeout_s) as client, _told(url):
        _persist(client, url, part, patience)
    _accept(part, sha256, url)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Errors of the disk and of addresses as sentences."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
        raise SourceError(f"{url} cannot be fetched: {error}; only http and https, at most 5 redirects") from None
    except OSError as error:
        raise SourceError(f"{url} cannot be stored: {error.strerror or error}") from None


class _Part:
    """The bytes that have arrived so far."""

    def __init__(self, target: Path, *, checked: bool) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.partial")
        self.facts_path = target.with_name(f"{target.name}.partial.json")
        self._checked = checked

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str | None:
        """What the server called the version these bytes are of: a strong ETag, else a date."""
        return files.read_json(self.facts_path)["version"] if self.facts_path.exists() else None

    @property
    def continues(self) -> bool:
        """Whether more bytes may be added: their version is known, or the sum will tell."""
        return self.size > 0 and (self.version is not None or self._checked)

    def begin(self, version: str | None) -> None:
        """Forget what arrived; what comes next is of `version`."""
        self.path.write_bytes(b"")
        files.write_json({"version": version}, self.facts_path)

    def drop(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
        self.facts_path.unlink(missing_ok=True)


def _persist(client: httpx.Client, url: str, part: _Part, patience: Patience) -> None:
    """Transfer until all is there. Only attempts in a row without a new byte count as failures."""
    failures, most = 0, part.size
    while True:
        try:
            return _transfer(client, url, part, patience)
        except _Broken as error:
            failures, most = (1, part.size) if part.size > most else (failures + 1, most)
            if failures >= patience.attempts:
                raise SourceError(
                    f"{url} broke off {failures} times in a row without a new byte ({error}); {part.size} bytes are "
                    f"kept in {part.path}: the next `tandem sources fetch` goes on from there"
                ) from None
            pause = patience.pause_s(failures, error.asked_s)
            log.warning("%s: %s; again in %.1f s, from byte %d", url, error, pause, part.size)
            time.sleep(pause)


def _transfer(client: httpx.Client, url: str, part: _Part, patience: Patience) -> None:
    try:
        with client.stream("GET", url, headers=_asking(part)) as answer:
            if _is_complete(answer, part):
                return
            _receive(answer, part, patience)
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects):
        raise
    except httpx.TransportError as error:
        raise _Broken(f"{type(error).__name__}: {error}".rstrip(": ")) from None


def _asking(part: _Part) -> dict[str, str]:
    """Ask for the bytes as they are stored; of a file begun, for the rest, if it is still the same version."""
    asked = {"Accept-Encoding": "identity"}
    if not part.continues:
        return asked
    known = {"If-Range": part.version} if part.version else {}
    return asked | {"Range": f"bytes={part.size}-"} | known


def _is_complete(answer: httpx.Response, part: _Part) -> bool:
    """Whether nothing is left to receive; makes the part ready for what comes otherwise.

    Raises:
        SourceError: the server will not give the file.
        _Broken: it may later.
    """
    status, total = answer.status_code, _total(answer)
    if status == 416 and part.size:
        if total == part.size:
            return True
        part.drop()
        raise _Broken("the server has no byte after those that arrived, so that they are of another file")
    if status in TRY_AGAIN:
        raise _Broken(f"the server answers {status}", _asked_to_wait(answer))
    if status not in (200, 206):
        raise SourceError(f"{answer.url} answers {status} {answer.reason_phrase}: {_advice(status)}")
    if status == 206 and not _is_the_rest(answer, part):
        part.drop()
        raise _Broken("the server sends another part than was asked for, or of another version")
    if status == 200:
        if part.size:
            log.warning("%s: changed, or cannot be resumed there; started anew", answer.url)
        part.begin(_version(answer))
    _has_room(part, total)
    return False


def _receive(answer: httpx.Response, part: _Part, patience: Patience) -> None:
    total, told = _total(answer), time.monotonic()
    with part.path.open("ab") as out:
        for chunk in answer.iter_raw():  # as they come: of larger ones a break would lose a part
            out.write(chunk)
            if time.monotonic() - told >= patience.told_every_s:
                told = time.monotonic()
                log.info("%s: %s", part.target.name, _progress(out.tell(), total))
    if total is not None and part.size < total:
        raise _Broken(f"the server closed after {part.size} of {total} bytes")
    log.info("%s: %s", part.target.name, _progress(part.size, total))


def _accept(part: _Part, sha256: str | None, url: str) -> None:
    """Make the part the file, if its sum is right.

    Raises:
        SourceError: it is wrong; names both sums, and where the bytes are kept.
    """
    found = files.hash_file(part.path)
    if sha256 is not None and found != sha256:
        aside = part.target.with_name(f"{part.target.name}.wrong-{found[:8]}")
        part.path.replace(aside)
        part.facts_path.unlink(missing_ok=True)
        raise SourceError(
            f"{url} gave {aside.stat().st_size} bytes with sha256 {found}, where the source expects {sha256}; they are "
            f"kept in {aside}. Either the publisher changed the file (then correct `sha256`) or it was damaged"
        )
    if sha256 is None:
        log.warning("%s: nothing to check against; its sha256 is %s", part.target.name, found)
    part.path.replace(part.target)
    part.facts_path.unlink(missing_ok=True)


def _version(answer: httpx.Response) -> str | None:
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _is_the_rest(answer: httpx.Response, part: _Part) -> bool:
    begins = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return begins == str(part.size) and _version(answer) in (None, part.version)


def _total(answer: httpx.Response) -> int | None:
    """Bytes of the whole file, where the server says so."""
    told = answer.headers.get("Content-Range", "").rpartition("/")[2]
    told = told if answer.status_code in (206, 416) else answer.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() else None


def _asked_to_wait(answer: httpx.Response) -> float | None:
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() else None


def _has_room(part: _Part, total: int | None) -> None:
    free, left = shutil.disk_usage(part.path.parent).free, (total or 0) - part.size
    if free - left < SPARE_BYTES:
        raise SourceError(
            f"{part.path.parent} has {_megabytes(free)} free, {part.target.name} needs {_megabytes(left)}"
        )


def _advice(status: int) -> str:
    if status in (401, 403):
        return "the publisher wants a login or an agreement; download it by hand and use `tandem ingest --raw`"
    return "the address may have changed: compare with the publisher's page"


def _progress(done: int, total: int | None) -> str:
    return f"{_megabytes(done)} of {_megabytes(total)} ({done / total:.0%})" if total else _megabytes(done)


def _megabytes(count: Any) -> str:
    return f"{count / 1e6:.1f} MB"
