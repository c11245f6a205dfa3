"""The text of a raw file as UTF-8: its encoding found by looking or taken as told, and checked strictly either way."""

import codecs
from collections.abc import Iterator
from functools import lru_cache

from tandem.data.batches import Export
from tandem.data.blocks import AUTO
from tandem.data.readers import archives
from tandem.errors import SourceError

BLOCK = 2**22
"""Bytes read at a time; what one row of a file takes decides how many rows that is, often about 64,000."""

MAX_LINE = 2**24
"""Bytes in one line or field; no export has longer ones, and each must fit into memory."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

COMMON_SHARE = 0.9
"""Text read as GB 18030 must have at least this share of its wide characters in GB 2312, as Chinese text has.

Letters of Windows-1252 such as é followed by a plain letter are valid GB 18030 too, but never of GB 2312.
"""


def blocks(export: Export, encoding: str) -> Iterator[bytes]:
    """The file's text in pieces of UTF-8 without byte-order mark; a piece may end anywhere.

    Raises:
        SourceError: bytes that are not of this encoding; says which byte and where to set another.
    """
    name = detect(export) if encoding == AUTO else encoding
    try:
        for place, block in enumerate(_decoded(export, name)):
            yield block.removeprefix(codecs.BOM_UTF8) if place == 0 else block
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{archives.where(export)} is not {name}: byte {error.start} cannot be read ({error.reason}); "
            f"the source's YAML sets `encoding`"
        ) from None


def detect(export: Export) -> str:
    """The encoding of the whole file: by its byte-order mark, else UTF-8, else GB 18030.

    Raises:
        SourceError: none of them fits.
    """
    with archives.faults(export):
        status = export.path.stat()
    return _detect(export, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _detect(export: Export, _size: int, _changed: int) -> str:
    with archives.stream(export) as stream:
        head = stream.read(4)
    if marked := next((name for mark, name in MARKS if head.startswith(mark)), None):
        return marked
    tried = []
    for name, fits in (("utf-8", _is_utf8), ("gb18030", _is_chinese)):
        try:
            if fits(export):
                return name
            tried.append(f"{name} (too few common characters for Chinese text)")
        except UnicodeDecodeError as error:
            tried.append(f"{name} (byte {error.start}: {error.reason})")
    raise SourceError(
        f"{archives.where(export)} is in none of the encodings tried: {', '.join(tried)}; "
        f"the source's YAML sets `encoding`, such as cp1252"
    )


def _is_utf8(export: Export) -> bool:
    for _ in _decoded(export, "utf-8"):
        pass
    return True


def _is_chinese(export: Export) -> bool:
    wide = common = 0
    for block in _decoded(export, "gb18030"):
        text = "".join(filter(lambda letter: letter > "\x7f", block.decode()))
        wide += len(text)
        common += len(text.encode("gb2312", "ignore")) // 2
    return common >= COMMON_SHARE * wide


def _decoded(export: Export, name: str) -> Iterator[bytes]:
    """The file's text as UTF-8; a `UnicodeDecodeError` tells the byte's place in the file."""
    decoder, begin = codecs.getincrementaldecoder(name)("strict"), 0
    is_utf8 = codecs.lookup(name).name == "utf-8"
    with archives.stream(export) as stream:
        while True:
            block = stream.read(BLOCK)
            held = len(decoder.getstate()[0])  # bytes of a character that is not complete
            if is_utf8 and not held and block.isascii():
                text = block
            else:
                found = _decode(decoder, block, begin - held)
                text = block if is_utf8 else found.encode()
            if text:
                yield text
            if not block:
                return
            begin += len(block)


def _decode(decoder: codecs.IncrementalDecoder, block: bytes, begin: int) -> str:
    try:
        return decoder.decode(block, final=not block)
    except UnicodeDecodeError as error:
        raise UnicodeDecodeError(error.encoding, b"", begin + error.start, begin + error.end, error.reason) from None


def lines(export: Export, encoding: str) -> Iterator[list[str]]:
    """The file's lines without their ends, blank ones among them, in lists of about `BLOCK` bytes.

    Raises:
        SourceError: a line of more than `MAX_LINE` bytes, or bytes that are not of this encoding.
    """
    held = b""
    for block in blocks(export, encoding):
        held += block
        cut = line_end(held)
        if cut:
            yield _split(held[:cut])
            held = held[cut:]
        check_length(held, export)
    if held:
        yield _split(held)


def line_end(text: bytes) -> int:
    """Where the last line that is surely complete ends: behind its \\n, or \\r that no \\n follows; 0 if none is."""
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, max(len(text) - 1, 0))) + 1


def check_length(line: bytes, export: Export) -> None:
    """Raise where one line is longer than `MAX_LINE`."""
    if len(line) > MAX_LINE:
        raise SourceError(f"{archives.where(export)} has a line of more than {MAX_LINE:,} bytes; is it text?")


def _split(text: bytes) -> list[str]:
    return [line.decode() for line in text.splitlines()]
