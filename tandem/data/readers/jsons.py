"""JSON: one object per line, a list of objects, or one object of keys and values; numbers stay as they are written.

Lines may also be Python's way of writing an object, as in some datasets of research.
"""

import ast
import json
import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any, NoReturn

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block
from tandem.data.readers import encodings, rows
from tandem.data.readers.archives import where
from tandem.data.readers.rows import Row
from tandem.data.readers.texts import text
from tandem.errors import SourceError

KEYED = ["@key", "@value"]
SPACE = " \t\r\n"
Found = tuple[dict[str, str | None], str | None]  # an object's cells, or why it has none


def batches(export: Export, block: Block) -> Iterator[Batch]:
    """The objects of a file; its columns are the keys of them all, in the order in which they first come.

    The file is read twice: for its keys, then for its rows.

    Raises:
        SourceError: no object at all; not JSON as a whole (a bad line of JSON lines is a row with a problem).
    """
    if block.format == "json" and _begins(export, block) == "{":
        yield rows.empty(KEYED, export, block)
        pairs = _members(_Text(export, block))
        yield from rows.batches(KEYED, (_pair(key, value) for key, value in pairs), export)
        return
    header = _keys(export, block)
    if not header:
        per_line = "one per line" if block.format == "jsonl" else "a list of them"
        raise SourceError(f"{where(export)} holds no JSON object: {per_line} is expected")
    yield rows.empty(header, export, block)
    found = (Row([record.get(name) for name in header], problem) for record, problem in _objects(export, block))
    yield from rows.batches(header, found, export)


def _pair(key: str, value: Any) -> Row:
    cells = (key, _cell(value))
    return Row(cells) if _is_sound("".join(filter(None, cells))) else Row(None, "not a JSON value (unreadable text)")


def _keys(export: Export, block: Block) -> list[str]:
    """The keys of all objects, in the order in which they first come."""
    found: dict[str, None] = {}
    for value in _values(export, block):
        if isinstance(value, dict) and not value.keys() <= found.keys():
            found |= dict.fromkeys(key for key in value if _is_sound(key))
    return list(found)


def _objects(export: Export, block: Block) -> Iterator[Found]:
    return (_record(value) for value in _values(export, block))


def _values(export: Export, block: Block) -> Iterator[Any]:
    """Each value as it is read, or the `_Unread` that says why it is not."""
    if block.format == "json":
        return _elements(_Text(export, block))
    lines = (line for part in encodings.lines(export, block.encoding) for line in part)
    return (_line(line) for line in lines if line.strip())


class _Unread(str):
    """Why a line is no JSON."""


def _line(line: str) -> Any:
    try:
        return DECODER.decode(line.strip(SPACE))
    except (ValueError, RecursionError) as error:
        found = _literal(line.strip(SPACE))
        return found if isinstance(found, dict) else _Unread(f"not a JSON object ({_said(error)})")


def _literal(line: str) -> Any:
    """The value of a line written as Python writes it, `{'id': 'a'}`, as some publishers do; None if it is none."""
    if not line.startswith("{'"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes such as \\d, which stay as they are
            found = ast.literal_eval(line)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return found if all(isinstance(key, str) for key in found) else None


def _record(value: Any) -> Found:
    if isinstance(value, _Unread):
        return {}, str(value)
    if not isinstance(value, dict):
        return {}, f"a JSON {type(value).__name__} where an object is expected"
    record = {key: _cell(cell) for key, cell in value.items()}
    if _is_sound("".join(chain(record, filter(None, record.values())))):
        return record, None
    return {}, "not a JSON object (unreadable text)"


def _cell(value: Any) -> str | None:
    return value if value is None or type(value) is str else text(value)


def _is_sound(found: str) -> bool:
    """Whether UTF-8 has bytes for the text: it holds no half of a character."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; a key that stands twice would lose a value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once)


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


# One JSON value that is the whole file


class _Text:
    """The text of a file from a moving place on; only what is being read is held."""

    def __init__(self, export: Export, block: Block) -> None:
        self._export, self._blocks = export, encodings.blocks(export, block.encoding)
        self._held, self._bytes, self._place, self._before = "", b"", 0, 0

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._place < len(self._held) and self._held[self._place] in SPACE:
                self._place += 1
            if self._place < len(self._held):
                return self._held[self._place]
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        """The next character, which is one of those expected."""
        letter = self.peek()
        if not letter or letter not in expected:
            self.fail(f"`{'` or `'.join(expected)}` is expected" if letter else "it ends too early")
        self._place += 1
        return letter

    def value(self) -> Any:
        """The next JSON value; more is read until it and the character behind it are there."""
        self.peek()
        while True:
            try:
                found, end = DECODER.raw_decode(self._held, self._place)
                length = end - self._place
                if end < len(self._held) or not self._more():
                    self._place += length
                    return found
            except json.JSONDecodeError as error:
                at, is_long = self._before + error.pos, len(self._held) - self._place > encodings.MAX_LINE
                if is_long or not self._more():
                    self.fail(error.msg, at)
            except (ValueError, RecursionError) as error:
                self.fail(_said(error))

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        """Raise with the place in the file."""
        at = self._before + self._place if at is None else at
        raise SourceError(f"{where(self._export)} cannot be read as JSON: {reason}, at character {at}")

    def _more(self) -> bool:
        """Read on, twice as much as is held, so that a long value is not tried too often."""
        self._before += self._place
        self._held, self._place = self._held[self._place :], 0
        size = len(self._held)
        for block in self._blocks:
            self._bytes += block
            cut = _whole(self._bytes)
            self._held += self._bytes[:cut].decode()
            self._bytes = self._bytes[cut:]
            if len(self._held) > 2 * size:
                break
        return len(self._held) > size


def _whole(text: bytes) -> int:
    """Where the last whole character of UTF-8 ends."""
    for back in range(1, min(4, len(text)) + 1):
        if text[-back] & 0xC0 == 0xC0:  # begins a character of several bytes
            length = 2 + (text[-back] >= 0xE0) + (text[-back] >= 0xF0)
            return len(text) - back if length > back else len(text)
        if text[-back] < 0x80:
            break
    return len(text)


def _begins(export: Export, block: Block) -> str:
    found = _Text(export, block).peek()
    if not found or found not in "[{":
        raise SourceError(
            f"{where(export)} holds no JSON object: a list of them, or one of keys and values is expected"
        )
    return found


def _elements(found: _Text) -> Iterator[Any]:
    found.take("[")
    if found.peek() == "]":
        found.take("]")
    else:
        yield found.value()
        while found.take(",]") == ",":
            yield found.value()
    _nothing_more(found)


def _members(found: _Text) -> Iterator[tuple[str, Any]]:
    found.take("{")
    if found.peek() == "}":
        found.take("}")
    else:
        yield _member(found)
        while found.take(",}") == ",":
            yield _member(found)
    _nothing_more(found)


def _member(found: _Text) -> tuple[str, Any]:
    if found.peek() != '"':
        found.take('"')
    key = found.value()
    found.take(":")
    return key, found.value()


def _nothing_more(found: _Text) -> None:
    if found.peek():
        found.fail("more than one value")
