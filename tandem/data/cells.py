"""From a raw cell's text to a value, as Ibis expressions: null means missing before reading, unreadable after."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tandem.data import schema
from tandem.data.blocks import Block
from tandem.data.engine import Engine
from tandem.data.entries import UNIX, Levels, Numbers, Ordinal, Picture, Split
from tandem.data.records import BLANK, WHOLE
from tandem.data.schema import Column

ISO_8601 = (
    r"^\d{4}-\d{1,2}-\d{1,2}"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC)|[+-](0\d|1[0-4])(:?[0-5]\d)?)?)?$"
)
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
SPACES = " \u00a0\u202f"
"""Any of them may stand between thousands where one is said to: plain, no-break, narrow no-break."""

MOMENT = dt.Timestamp("UTC", 6)
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
FAR = 2.5e17
"""Microseconds since 1970 beyond which no time is believed: about the year 9892."""

NO_PATH = ibis.null("array<string>")


def dtype(column: Column) -> dt.DataType:
    """The column's type in Ibis' words."""
    return dt.DataType.from_pyarrow(column.type)


def cell(raw: ir.StructValue, name: str) -> ir.StringValue:
    """The raw cell; an empty one is missing."""
    return raw[name].nullif("")


def text(raw: ir.StructValue, block: Block, name: str) -> ir.StringValue:
    """What stands in the raw column mapped to the canonical column `name`, in the source's spelling of ids."""
    found = cell(raw, block.raw_of(name)[0])
    if name in block.integers:
        found = found.re_replace(WHOLE, r"\1")
    if name in block.upper:
        found = found.upper()
    told = block.translate.get(name)
    return found.cases(*told.items(), else_=found) if told else found


def value(engine: Engine, text: ir.StringValue, block: Block, column: Column) -> ir.Value:
    """The canonical value of a mapped cell's text."""
    how = block.columns[column.name]
    if isinstance(how, Ordinal):
        return _place(engine, text, how)
    if column.type == schema.TIME:
        return moment(engine, text, block.time_formats)
    if dtype(column).is_floating():
        found = number(text, block.numbers)
        return found * block.scale[column.name] if column.name in block.scale else found
    if isinstance(how, Picture):
        return (f"{how.archive}!" if how.archive else "") + text + how.suffix
    return text


def number(text: ir.StringValue, written: Numbers | None = None) -> ir.FloatingValue:
    """The finite number that the text is; null for anything else.

    Args:
        text: a cell.
        written: how numbers are written; by default with a decimal point, or in scientific notation.
    """
    if written is None:
        return _finite(text.re_search(NUMBER), text)
    alone = _alone(text, written)
    return _finite(alone.re_search(_shape(written)), _plain(alone, written))


def _finite(readable: ir.BooleanValue, text: ir.StringValue) -> ir.FloatingValue:
    read = ibis.ifelse(readable, text, ibis.null(str)).try_cast("float64")
    return ibis.ifelse(read.isinf(), ibis.null("float64"), read)


def _shape(written: Numbers) -> str:
    """The pattern of a number: groups are of three digits and begin with no 0, which would be another's decimals."""
    grouped = rf"|[1-9]\d{{0,2}}(?:{_between(written.thousands)}\d{{3}})+" if written.thousands else ""
    return rf"^[+-]?(?:(?:\d+{grouped})(?:[{written.decimal}]\d*)?|[{written.decimal}]\d+)$"


def _alone(text: ir.StringValue, written: Numbers) -> ir.StringValue:
    """The number without what stands beside it, its sign kept.

    After a letter comes a digit: `Rs.50` is not Rs and half of one, but `$.50` is half a dollar.
    """
    if not written.strip:
        return text
    after = {True: r"\d", False: rf"[\d{written.decimal}]"}
    found = {letter: [mark for mark in written.strip if mark[-1].isalpha() == letter] for letter in after}
    fronts = [f"(?:{_any(some)})[{BLANK}]*([+-]?{after[letter]})" for letter, some in found.items() if some]
    kept = "".join(rf"\{group}" for group in range(1, len(fronts) + 2))
    return text.re_replace(rf"^([+-]?)[{BLANK}]*(?:{'|'.join(fronts)})|[{BLANK}]*(?:{_any(written.strip)})$", kept)


def _plain(text: ir.StringValue, written: Numbers) -> ir.StringValue:
    """The number with a decimal point and without signs of thousands."""
    whole = text.re_replace(_between(written.thousands), "") if written.thousands else text
    return whole if written.decimal == "." else whole.replace(written.decimal, ".")


def _between(sign: str) -> str:
    """The pattern of what stands between thousands."""
    return f"[{SPACES if sign in SPACES else sign}]"


def _any(texts: Iterable[str]) -> str:
    """The pattern of any of the texts, the longest first."""
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


def moment(engine: Engine, text: ir.StringValue, formats: tuple[str, ...] = ()) -> ir.TimestampValue:
    """The time in ISO 8601, or in one of the `formats`; null for anything else.

    A text without zone is local time in the zone of the connection, which is the source's. A local time that the
    clocks skip counts as if they had not been changed yet; of one that comes twice, the later is meant.
    """
    iso = engine.iso(ibis.ifelse(text.re_search(ISO_8601), text, ibis.null(str)))
    return _believed(ibis.coalesce(iso, *(_formatted(engine, text, pattern) for pattern in formats)))


def _believed(time: ir.TimestampValue) -> ir.TimestampValue:
    """The time; null outside the years that every tool behind this one can hold."""
    return ibis.ifelse(time.between(ibis.literal(FIRST), ibis.literal(LAST)), time, ibis.null(MOMENT))


def _formatted(engine: Engine, text: ir.StringValue, pattern: str) -> ir.TimestampValue:
    if pattern in UNIX:
        return _since_1970(engine, number(text) * UNIX[pattern])
    return engine.strptime(text, pattern)


def _place(engine: Engine, text: ir.StringValue, how: Ordinal) -> ir.TimestampValue:
    start = datetime(how.start.year, how.start.month, how.start.day, tzinfo=UTC).timestamp()
    return _believed(_since_1970(engine, (number(text) * how.step_minutes * 60 + start) * 1_000_000))


def _since_1970(engine: Engine, microseconds: ir.FloatingValue) -> ir.TimestampValue:
    known = ibis.ifelse(microseconds.abs() < FAR, microseconds, ibis.null("float64"))
    return engine.moment(known.round().cast("int64"))


def path(raw: ir.StructValue, how: object) -> ir.ArrayValue:
    """The category path, widest first, without empty levels; null when nothing is left."""
    match how:
        case Levels(columns=columns):
            levels = ibis.array([cell(raw, name) for name in columns])
        case Split(column=column, split=split, strip=strip):
            whole = (
                cell(raw, column).re_replace(f"^[{re.escape(strip)}]+|[{re.escape(strip)}]+$", "") if strip else None
            )
            levels = (cell(raw, column) if whole is None else whole).split(split.strip() or split)
            levels = levels.map(lambda level: level.strip())
        case _:
            levels = ibis.array([cell(raw, str(how))])
    kept = levels.filter(lambda level: level.notnull() & (level != ""))
    return ibis.ifelse(kept.length() > 0, kept, NO_PATH)
