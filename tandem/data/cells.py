"""From a raw cell's text to a value, as Ibis expressions: null means missing before reading, unreadable after."""

import html
import unicodedata

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tandem.data import schema
from tandem.data.schema import Column
from tandem.data.sources import Block, Levels, Picture, Split

TIDIED = {"title", "description", "brand", "text"}
"""Columns for people to read: entities resolved, white space collapsed, Unicode composed."""

ISO_8601 = (
    r"^\d{4}-\d{1,2}-\d{1,2}"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC)|[+-]\d{2}(:?\d{2})?)?)?$"
)
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff"
"""All Unicode white space, no-break and ideographic spaces among it, and the byte-order mark."""

MOMENT = dt.Timestamp("UTC", 6)
NO_PATH = ibis.null("array<string>")


@ibis.udf.scalar.builtin
def try_strptime(text: str, pattern: str) -> dt.timestamp:
    """DuckDB's own: the time without zone, null where the text does not fit the pattern."""


@ibis.udf.scalar.builtin
def trim(text: str, characters: str) -> dt.string:
    """DuckDB's own: the text without any of the characters at its ends."""


@ibis.udf.scalar.python
def tidy(text: str) -> str:
    """The text for people: HTML entities resolved, Unicode NFC, no byte-order marks, single spaces."""
    return " ".join(unicodedata.normalize("NFC", html.unescape(text)).replace("\ufeff", " ").split())


def dtype(column: Column) -> dt.DataType:
    """The column's type in Ibis' words."""
    return dt.DataType.from_pyarrow(column.type)


def cell(raw: ir.StructValue, name: str) -> ir.StringValue:
    """The raw cell without `BLANK` around it; an empty one is missing."""
    return trim(raw[name], BLANK).nullif("")


def text(raw: ir.StructValue, block: Block, name: str) -> ir.StringValue:
    """What stands in the raw column mapped to the canonical column `name`, in the source's spelling of ids."""
    found = cell(raw, block.raw_of(name)[0])
    if name in block.integers:
        found = found.re_replace(r"^([+-]?\d+)\.0+$", r"\1")
    return found.upper() if name in block.upper else found


def value(text: ir.StringValue, block: Block, column: Column) -> ir.Value:
    """The canonical value of a mapped cell's text."""
    how = block.columns[column.name]
    if column.type == schema.TIME:
        return moment(text, block.time_formats)
    if dtype(column).is_floating():
        return number(text)
    if isinstance(how, Picture):
        return f"{how.archive}!" + text
    return tidy(text).nullif("") if column.name in TIDIED else text


def number(text: ir.StringValue) -> ir.FloatingValue:
    """The finite number with a decimal point that the text is; null for anything else."""
    read = ibis.ifelse(text.re_search(NUMBER), text, ibis.null(str)).try_cast("float64")
    return ibis.ifelse(read.isinf(), ibis.null("float64"), read)


def moment(text: ir.StringValue, formats: tuple[str, ...] = ()) -> ir.TimestampValue:
    """The time in ISO 8601, or in one of the strptime `formats`; null for anything else.

    A text without zone is local time in the zone of the connection, which is the source's. A local time that the
    clocks skip counts as if they had not been changed yet; of one that comes twice, the later is meant.
    """
    iso = ibis.ifelse(text.re_search(ISO_8601), text, ibis.null(str)).try_cast(MOMENT)
    return ibis.coalesce(iso, *(try_strptime(text, pattern).cast(MOMENT) for pattern in formats))


def path(raw: ir.StructValue, how: str | Levels | Split | Picture) -> ir.ArrayValue:
    """The category path, widest first, without empty levels; null when nothing is left."""
    match how:
        case Levels(columns=columns):
            levels = ibis.array([tidy(cell(raw, name)) for name in columns])
        case Split(column=column, split=split):
            levels = tidy(cell(raw, column)).split(split.strip() or split).map(lambda level: level.strip())
        case _:
            levels = ibis.array([tidy(cell(raw, str(how)))])
    kept = levels.filter(lambda level: level.notnull() & (level != ""))
    return ibis.ifelse(kept.length() > 0, kept, NO_PATH)
