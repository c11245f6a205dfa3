"""What DuckDB's functions do with texts and times, as functions of Spark's SQL."""

import re

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf
from pyspark.sql.types import StringType

from tandem.errors import SourceError

BETWEEN = "\x1f"
FIELDS = "YymbdHpMSfz"
"""Parts of a time in the order in which `tandem_time` takes them; those that a text lacks are empty."""

ISO = (
    r"\A(?<Y>\d{4})-(?<m>\d{1,2})-(?<d>\d{1,2})"
    r"(?:[ T](?<H>\d{1,2}):(?<M>\d{2})(?::(?<S>\d{2})(?:\.(?<f>\d+))?)?(?<z>Z| UTC|[+-]\d{2}(?::?\d{2})?)?)?\z"
)
MONTHS = ["january", "february", "march", "april", "may", "june"]
MONTHS += ["july", "august", "september", "october", "november", "december"]
PARTS = {
    "Y": r"(?<Y>\d{1,4}+)",
    "y": r"(?<y>\d{1,2}+)",
    "m": r"(?<m>\d{1,2}+)",
    "d": r"(?<d>\d{1,2}+)",
    "H": r"(?<H>(?!24)\d{1,2}+)",
    "I": r"(?<H>(?:1[012]|0?[1-9])(?!\d))",
    "M": r"(?<M>\d{1,2}+)",
    "S": r"(?<S>\d{1,2}+)",
    "f": r"(?<f>\d{1,6}+)",
    "p": r"(?<p>(?i:am|pm))",
    "b": rf"(?<b>(?i:{'|'.join(month[:3] for month in MONTHS)}))",
    "B": rf"(?<b>(?i:{'|'.join(MONTHS)}))",
    "z": r"(?<z>[+-]\d{2}(?::?\d{2}(?::\d{2})?)?)",
    "%": "%",
}
"""What the parts of a strptime pattern read: two letters with the same group cannot stand in one."""

_GREEK = [0x1F80 + row + place for row in (0, 0x10, 0x20) for place in range(8)]
LOWER = "ß" + "".join(map(chr, [*_GREEK, 0x1FB3, 0x1FC3, 0x1FF3]))
UPPER = "ẞ" + "".join(map(chr, [*(code + 8 for code in _GREEK), 0x1FBC, 0x1FCC, 0x1FFC]))
NEW = "\u019b\u0264\u1c8a\ua7cd\ua7db\U00010d70-\U00010d85"
"""Letters whose upper case Java and DuckDB do not agree on."""

SQL = (
    # A local time that the clocks skip is moved on; of one that comes twice, Spark takes the earlier and we the later.
    """after_shift(early TIMESTAMP) RETURNS TIMESTAMP RETURN early + (INTERVAL '12' HOUR
    - (CAST(early + INTERVAL '12' HOUR AS TIMESTAMP_NTZ) - CAST(early AS TIMESTAMP_NTZ)))""",
    """later_of(local TIMESTAMP_NTZ, early TIMESTAMP, later TIMESTAMP) RETURNS TIMESTAMP RETURN
    CASE WHEN CAST(later AS TIMESTAMP_NTZ) = local THEN later ELSE early END""",
    """tandem_local(local TIMESTAMP_NTZ) RETURNS TIMESTAMP RETURN
    later_of(local, CAST(local AS TIMESTAMP), after_shift(CAST(local AS TIMESTAMP)))""",
    """after_utc(zone STRING) RETURNS BIGINT RETURN CAST(substr(zone, 1, 1) || '1' AS BIGINT) * 1000000 * (
    CAST(substr(zone, 2, 2) AS BIGINT) * 3600 + CAST('0' || substr(replace(zone, ':'), 4, 2) AS BIGINT) * 60
    + CAST('0' || substr(replace(zone, ':'), 6, 2) AS BIGINT))""",
    # 24:00 is midnight of the next day.
    """tandem_moment(y INT, mo INT, d INT, h INT, mi INT, s DECIMAL(8, 6), zone STRING) RETURNS TIMESTAMP RETURN CASE
    WHEN y IS NULL OR s >= 60 OR h > 24 OR h = 24 AND (mi > 0 OR s > 0) THEN NULL
    WHEN zone = '' THEN tandem_local(try_make_timestamp_ntz(y, mo, d, h % 24, mi, s) + make_dt_interval(h DIV 24))
    ELSE timestamp_micros(unix_micros(try_make_timestamp(y, mo, d, h % 24, mi, s, 'UTC')) + h DIV 24 * 86400000000
    - CASE WHEN zone IN ('Z', ' UTC') THEN 0 ELSE after_utc(zone) END) END""",
    """hour_of(h INT, half STRING) RETURNS INT RETURN CASE WHEN half = '' THEN h WHEN h NOT BETWEEN 1 AND 12 THEN NULL
    ELSE h % 12 + CASE WHEN lower(half) = 'pm' THEN 12 ELSE 0 END END""",
    """tandem_time(p ARRAY<STRING>) RETURNS TIMESTAMP RETURN tandem_moment(
    CASE WHEN p[1] = '' THEN CAST(coalesce(nullif(p[0], ''), '1900') AS INT)
    ELSE CAST(p[1] AS INT) + CASE WHEN CAST(p[1] AS INT) < 69 THEN 2000 ELSE 1900 END END,
    CASE WHEN p[3] = '' THEN CAST(coalesce(nullif(p[2], ''), '1') AS INT)
    ELSE (instr('janfebmaraprmayjunjulaugsepoctnovdec', lower(substr(p[3], 1, 3))) + 2) DIV 3 END,
    CAST(coalesce(nullif(p[4], ''), '1') AS INT),
    hour_of(CAST('0' || p[5] AS INT), p[6]),
    CAST('0' || p[7] AS INT), CAST('0' || p[8] || '.' || substr(p[9], 1, 6) AS DECIMAL(8, 6)), p[10])""",
    """tandem_parts(text STRING, pattern STRING, put STRING) RETURNS ARRAY<STRING> RETURN
    CASE WHEN regexp_like(text, pattern) THEN split(regexp_replace(text, pattern, put), '\\u001f') END""",
    """tandem_time_text(t TIMESTAMP) RETURNS STRING RETURN
    CAST(t AS STRING) || regexp_replace(date_format(t, 'xxx'), ':00\\\\z', '')""",
    # Letters whose upper case is several letters have one of their own or stay; so do those new in Unicode 16.
    f"""tandem_upper(text STRING) RETURNS STRING RETURN CASE WHEN regexp_like(text, '\\\\A\\\\p{{ASCII}}*\\\\z')
    THEN upper(text) ELSE array_join(transform(split(text, ''), c -> CASE WHEN char_length(upper(c)) = 1
    AND NOT regexp_like(c, '[{NEW}]') THEN upper(c) ELSE translate(c, '{LOWER}', '{UPPER}') END), '') END""",
)


def number_text(numbers: pd.Series) -> pd.Series:
    """The shortest text that is read as the same number, which Java before 19 does not always find."""
    return numbers.map(lambda number: None if pd.isna(number) else repr(number)).astype(object)


@ibis.udf.scalar.builtin
def xxhash64(value) -> int:  # type: ignore[no-untyped-def,empty-body]
    """Spark's own: 64 bits; of what is missing always the same."""


@ibis.udf.scalar.builtin
def unix_micros(moment: dt.Timestamp("UTC", 6)) -> int:  # type: ignore[valid-type,empty-body]
    """Spark's own: how many microseconds after 1970-01-01 UTC the moment is."""


@ibis.udf.scalar.builtin
def timestamp_micros(microseconds: int) -> dt.Timestamp("UTC", 6):  # type: ignore[valid-type]
    """Spark's own: the moment so many microseconds after 1970-01-01 UTC."""


@ibis.udf.scalar.builtin
def tandem_parts(text: str, pattern: str, put: str) -> dt.Array(dt.string):  # type: ignore[valid-type]
    """The parts of a time, in the order of FIELDS; null where the text does not fit the pattern."""


@ibis.udf.scalar.builtin
def tandem_time(parts: dt.Array(dt.string)) -> dt.Timestamp("UTC", 6):  # type: ignore[valid-type]
    """The moment with these parts; null if there is none."""


def register(session: SparkSession) -> None:
    """Make the functions known to a session."""
    for function in SQL:
        session.sql(f"CREATE TEMPORARY FUNCTION {function}")
    written = pandas_udf(number_text, StringType())  # type: ignore[call-overload]
    session.udf.register("tandem_number_text", written)


def iso(text: ir.StringValue) -> ir.TimestampValue:
    """The moment that a text in ISO 8601 writes; null if there is no such moment."""
    return _time(text, ISO)


def strptime(text: ir.StringValue, pattern: str) -> ir.TimestampValue:
    """The moment that the text writes by a strptime `pattern`; null for anything else.

    Raises:
        SourceError: the pattern has a part that is not in PARTS.
    """
    found = []
    for part in re.findall(r"%-?.|\s+|.", pattern, re.DOTALL):
        if part.startswith("%") and len(part) > 1:
            if part[-1] not in PARTS:
                raise SourceError(
                    f"time format {pattern!r}: Spark reads no {part}, but %{', %'.join(PARTS)}; "
                    "write the times otherwise or set TANDEM_ENGINE=duckdb"
                )
            found.append(PARTS[part[-1]])
        else:
            found.append(r"[\s\x0B]+" if part.isspace() else re.escape(part))
    return _time(text, rf"\A{''.join(found)}\z")


def _time(text: ir.StringValue, pattern: str) -> ir.TimestampValue:
    put = BETWEEN.join(f"${{{field}}}" if f"(?<{field}>" in pattern else "" for field in FIELDS)
    return tandem_time(tandem_parts(text, pattern, put))
