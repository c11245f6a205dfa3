"""From a raw cell's text to a value, as Ibis expressions: null means missing before reading, unreadable after."""

import re
from datetime import UTC, datetime

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tandem.data import schema
from tandem.data.blocks import Block
from tandem.data.engine import Engine
from tandem.data.entries import UNIX, Levels, Ordinal, Picture, Split
from tandem.data.records import WHOLE
from tandem.data.schema import Column

ISO_8601 = (
    r"^\d{4}-\d{1,2}-\d{1,2}"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC)|[+-](0\d|1[0-4])(:?[0-5]\d)?)?)?$"
)
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
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
        return number(text) * block.scale[column.name] if column.name in block.scale else number(text)
    if isinstance(how, Picture):
        return (f"{how.archive}!" if how.archive else "") + text + how.suffix
    return text


def number(text: ir.StringValue) -> ir.FloatingValue:
    """The finite number with a decimal point that the text is; null for anything else."""
    read = ibis.ifelse(text.re_search(NUMBER), text, ibis.null(str)).try_cast("float64")
    return ibis.ifelse(read.isinf(), ibis.null("float64"), read)


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
