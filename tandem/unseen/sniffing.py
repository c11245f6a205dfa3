"""What a text of unknown format tells of itself: JSON or Python's literals, delimiter, header, lists of codes."""

import ast
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Any


def members(text: str) -> Iterator[Any]:
    """The members of the outermost list or object that `text` begins with, as far as the text reaches."""
    decoder, place = json.JSONDecoder(), text.index(text.lstrip()[0])
    keyed, place = text[place] == "{", place + 1
    gap = re.compile(r"[\s,:]*")
    while True:
        place = gap.match(text, place).end()  # type: ignore[union-attr]
        try:
            value, place = decoder.raw_decode(text, place)
            if keyed:
                place = gap.match(text, place).end()  # type: ignore[union-attr]
                member, place = decoder.raw_decode(text, place)
                value = (value, member)
        except json.JSONDecodeError:
            return
        yield value


def record(line: str) -> Any:
    """The value of a line in JSON, or of one that is a Python dictionary written out; None if it is neither."""
    found = loads(line)
    if found is None and line.startswith("{'"):
        try:
            return ast.literal_eval(line)
        except (ValueError, SyntaxError, MemoryError):
            return None
    return found


def loads(line: str) -> Any:
    """The value of a line in JSON; None if it is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def delimiter(lines: list[str]) -> tuple[str | None, int, float]:
    """The delimiter that cuts most lines into the same number of cells, that number, and the share of such lines."""
    best: tuple[str | None, int, float] = (None, 1, 0.0)
    for delimiter in ("\t", ",", ";", "|", " "):
        if delimiter == " " and not all(1 < len(line.split(" ")) < 6 and '"' not in line for line in lines):
            continue
        widths = Counter(len(cells) for cells in csv.reader(lines, delimiter=delimiter))
        width, count = widths.most_common(1)[0]
        share = count / widths.total()
        if width > 1 and (share, width) > (round(best[2], 2), best[1] if share < 0.98 else 0):
            best = (delimiter, width, share)
    return best


def are_codes(lines: list[str]) -> bool:
    """Nearly all that white space sets apart has a digit in it, and many lines have more than one."""
    words = [line.split() for line in lines[:200]]
    codes = [any(c.isdigit() for c in word) and len(word) < 40 for line in words for word in line]
    return sum(codes) >= 0.95 * len(codes) and len(codes) > 1.5 * len(words)


def is_header(first: list[str], rest: list[list[str]]) -> bool:
    """Whether the first line holds names: different texts, no numbers, and at no place a value of the lines below."""
    cells = [cell.strip() for cell in first]
    if len(set(filter(None, cells))) < len(list(filter(None, cells))) or not any(cells):
        return False
    if any(re.fullmatch(r"[+-]?[\d.,:/ -]*\d[\d.,:/ -]*", cell) for cell in cells):
        return False
    below = [{row[place].strip() for row in rest if len(row) == len(first)} for place in range(len(first))]
    repeated = any(cell and cell in values for cell, values in zip(cells, below, strict=True))
    return not repeated and all(len(cell) <= 60 for cell in cells)


def header_place(rows: list[list[str]]) -> int:
    """The place of the row that holds the names: the first, unless only a few cells of those above are filled."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows[:200]]
    usual = median(filled) if filled else 0
    place = next((place for place, count in enumerate(filled[:10]) if count > max(1, 0.7 * usual)), 0)
    above = filled[:place]
    if not above or max(above) > max(1, 0.5 * usual):
        return 0
    return place if is_header(rows[place], rows[place + 1 :]) else 0
