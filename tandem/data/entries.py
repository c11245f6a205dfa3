"""Entries of a source's YAML: patterns, cells, shapes and rules, each checked when the file is read."""

from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

UNIX = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
"""Microseconds in one unit of a time that is counted since 1970-01-01 UTC, by the name that `time_formats` takes."""

SIGNS = ("+", "-", ".", ",", "'", "’")
"""What stands in numbers beside digits."""


class Strict(BaseModel):
    """A frozen part of a source's YAML; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


# Texts


def _regex(pattern: str) -> str:
    if problem := _problem("SELECT regexp_matches('', ?)", pattern):
        raise ValueError(f"not an RE2 pattern ({problem}); for `does not match` there is `unless`")
    return pattern


def _time_format(pattern: str) -> str:
    if pattern in UNIX:
        return pattern
    if problem := _problem("SELECT try_strptime('', ?)", pattern):
        raise ValueError(f"not a strptime pattern ({problem})")
    return pattern


def _problem(query: str, pattern: str) -> str | None:
    """What DuckDB, which will use the pattern, has against it."""
    import duckdb

    try:
        with duckdb.connect() as engine:
            engine.execute(query, [pattern])
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return None


def _glob(pattern: str) -> str:
    path = PurePosixPath(pattern)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError("must be a pattern below the source's folder, such as `**/*.csv`")
    return pattern


def _group(pattern: str) -> str:
    if problem := _problem("SELECT regexp_extract('', ?, 1)", pattern):
        raise ValueError(f"not an RE2 pattern with a group ({problem}), such as `^(..)`")
    return pattern


def _beside_numbers(text: str) -> str:
    found = text.strip()
    if not found or found in SIGNS or any(map(str.isnumeric, found)):
        raise ValueError("must be a text beside a number, such as `€` or `EUR`: no digits, no sign of a number alone")
    return found


Regex = Annotated[str, AfterValidator(_regex)]
Group = Annotated[str, AfterValidator(_group)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]
RawColumn = Annotated[str, Field(min_length=1)]
BesideNumbers = Annotated[str, AfterValidator(_beside_numbers)]
Below = Annotated[str, AfterValidator(_glob)]
"""A pattern of files below the source's folder."""


# Cells of a row


class Levels(Strict):
    """A category path with one raw column per level, the widest first."""

    columns: tuple[RawColumn, ...] = Field(min_length=1)


class Split(Strict):
    """A category path in one raw column, levels set apart by `split`."""

    column: RawColumn
    split: str = Field(min_length=1)
    strip: str = ""  # characters taken off both ends before


class Ordinal(Strict):
    """A time for data in order but without times: `start` and one step for each place that the raw column counts."""

    ordinal: RawColumn
    start: date
    step_minutes: int = Field(gt=0)


class Picture(Strict):
    """A picture named by a raw column: in a zip below the source's folder, else among the packed pictures."""

    archive: Below | None = None
    column: RawColumn
    suffix: str = ""  # added to the cell, such as `.jpg`


Cell = RawColumn | Levels | Split | Ordinal | Picture


class Numbers(Strict):
    """How numbers are written: their signs, and texts such as that of a currency that may stand at either end."""

    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", "'", "’", " ", "\u00a0", "\u202f"] | None = None  # each space stands for all three
    strip: tuple[BesideNumbers, ...] = ()

    @model_validator(mode="after")
    def _has_two_signs(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"`decimal` (a point by default) and `thousands` are both `{self.decimal}`: must differ")
        return self


class KindColumn(Strict):
    """The kind stands in a raw column; a value of `null` says that such rows are not used."""

    column: RawColumn
    values: dict[str, str | None] = Field(min_length=1)


# Shapes of a file's records


class Window(Strict):
    """The part of a matrix that is read: half-open ranges of its rows and columns, counted from 0."""

    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None


class Join(Strict):
    """One other raw file whose columns are looked up by the column `by`, which both have."""

    files: Below
    by: RawColumn  # `on` would be YAML's way of writing true
    header: tuple[RawColumn, ...] = ()  # where the other file has no line of names


class Part(Strict):
    """A new raw column: what the first group of `match` finds in the column `of`; missing where it finds nothing."""

    of: RawColumn
    match: Group


class Unpivot(Strict):
    """One row for each matching column whose cell is `keep`, or holds anything: `@name` of the column, `@value`."""

    columns: Regex
    keep: str | None = None


class Starts(Strict):
    """Of records that are alike in `by` and go on from one value of `over` to the next, the first alone is a row.

    The file's records are in the order of `over`, such as the months of what somebody holds.
    """

    by: tuple[RawColumn, ...] = Field(min_length=1)
    over: RawColumn


class Pairs(Strict):
    """One row for each ordered pair of different values of `of` that share `by`: `@first`, `@second`."""

    by: RawColumn
    of: RawColumn


# Rules


class OwnRule(Strict):
    """A source's own rule: the rows it matches are refused, or become events of `kind`.

    A row matches when every pattern of `where` is found in its raw cell, white space around it aside, and no pattern
    of `unless` is. Of several rules that match, the first speaks.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    where: dict[RawColumn, Regex] = Field({})
    unless: dict[RawColumn, Regex] = Field({})
    refuse: str | None = None
    kind: str | None = None

    @model_validator(mode="after")
    def _says_what_to_do(self) -> Self:
        if (self.refuse is None) == (self.kind is None):
            raise ValueError("a rule has either `refuse: sentence` or `kind: …`")
        if not self.where and not self.unless:
            raise ValueError("a rule has `where`, `unless` or both")
        return self
