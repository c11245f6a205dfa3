"""Pieces of a file of any size, and the text that they are: its encoding is told from the bytes."""

from collections.abc import Iterator
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
REACH_BYTES = 1 << 30
"""Chunks of a large file; of compressed files not further than REACH_BYTES."""

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read(stream: BinaryIO, size: int | None, most: int) -> tuple[list[bytes], bool]:
    """All bytes where they are few; else head, middle and tail, cut at line ends where they do not touch."""
    head = stream.read(most + 1)
    if len(head) <= most:
        return [head], True
    chunk = min(CHUNK_BYTES, most)
    chunks = [_until_line_end(head[: max(chunk, most // 4)])]
    if size is None:
        return [part for part in (*chunks, *_further(stream, chunk)) if part], False
    for start in (size // 2, size - chunk):
        stream.seek(start)
        chunks.append(_until_line_end(_after_line_end(stream.read(chunk)), last=start == size - chunk))
    return [part for part in chunks if part], False


def _further(stream: BinaryIO, chunk: int) -> Iterator[bytes]:
    """Of a stream that cannot be wound, the chunks after each doubling of the place, and the last one."""
    place, wanted, last = 0, chunk, b""
    while place < REACH_BYTES and (read := stream.read(chunk)):
        place, last = place + len(read), read
        if place >= wanted:
            wanted *= 2
            yield _until_line_end(_after_line_end(read))
            last = b""
    yield _until_line_end(_after_line_end(last))


def _after_line_end(data: bytes) -> bytes:
    return data.partition(b"\n")[2]


def _until_line_end(data: bytes, *, last: bool = False) -> bytes:
    return data if last else data[: data.rfind(b"\n") + 1] or data


def decode(chunks: list[bytes]) -> tuple[str | None, list[str], list[str]]:
    """Encoding, texts, and what is doubtful of them."""
    head = chunks[0]
    for mark, name in BOMS:
        if head.startswith(mark):
            parts = chunks if name == "utf-8" else chunks[:1]
            return name, [part.decode(name, "ignore").lstrip("\ufeff") for part in parts], []
    if b"\0" in head[:4096]:
        return None, [], ["a binary file of unknown format"]
    for name in ("utf-8", "gb18030"):
        texts = _strictly(chunks, name)
        if texts is not None and (name == "utf-8" or _reads_as_chinese(texts)):
            return name, texts, []
    doubt = "neither UTF-8 nor GB 18030; Windows-1252 is a guess: look at accented letters"
    return "cp1252", [part.decode("cp1252", "replace") for part in chunks], [doubt]


def _strictly(chunks: list[bytes], encoding: str) -> list[str] | None:
    try:
        return [part.decode(encoding) for part in chunks]
    except UnicodeDecodeError:
        return None


def _reads_as_chinese(texts: list[str]) -> bool:
    """Most letters outside ASCII are common Chinese ones; accented letters of Europe read as GB 18030 become rare ones.

    GB 2312 holds the 6,763 common ones.
    """
    strange = [c for text in texts for c in text[:200_000] if c > "\x7f"]
    common = sum(1 for c in strange if _in_gb2312(c))
    return common >= 0.9 * len(strange)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
