"""What a file of `sources/` says: where a shop's raw files are and how their columns become ours.

Everything peculiar to a shop stands in its YAML, nothing of it in code. `docs/sources.md` explains each key.
"""

import codecs
from collections.abc import Iterable
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tandem.data import schema
from tandem.data.schema import Table
from tandem.errors import SourceError

GENERATED = {"event_id", "review_id", "kind", "attributes"}
"""Columns of the tables that a source does not map under `columns`: made here, or set by their own key."""


UNIX = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
"""Microseconds in one unit of a time that is counted since 1970-01-01 UTC, by the name that `time_formats` takes."""

PROSE = ("title", "description", "brand", "text")
"""Canonical columns with text for people to read."""

AUTO = "auto"
"""The encoding that is found by looking: a byte-order mark, else UTF-8, else GB 18030, each checked strictly."""


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


Regex = Annotated[str, AfterValidator(_regex)]
Group = Annotated[str, AfterValidator(_group)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]
RawColumn = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """A frozen part of a source's YAML; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class OwnRule(Strict):
    """A source's own rule: the rows it matches are refused, or become events of `kind`.

    A row matches when every pattern of `where` is found in its raw cell, white space around it aside, and no pattern
    of `unless` is. Of several rules that match, the first speaks.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    where: dict[RawColumn, Regex] = {}
    unless: dict[RawColumn, Regex] = {}
    refuse: str | None = None
    kind: str | None = None

    @model_validator(mode="after")
    def _says_what_to_do(self) -> Self:
        if (self.refuse is None) == (self.kind is None):
            raise ValueError("a rule has either `refuse: sentence` or `kind: …`")
        if not self.where and not self.unless:
            raise ValueError("a rule has `where`, `unless` or both")
        return self


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

    archive: Annotated[str, AfterValidator(_glob)] | None = None
    column: RawColumn
    suffix: str = ""  # added to the cell, such as `.jpg`


Cell = RawColumn | Levels | Split | Ordinal | Picture


class KindColumn(Strict):
    """The kind stands in a raw column; a value of `null` says that such rows are not used."""

    column: RawColumn
    values: dict[str, str | None] = Field(min_length=1)


class Window(Strict):
    """The part of a matrix that is read: half-open ranges of its rows and columns, counted from 0."""

    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None


class Join(Strict):
    """One other raw file whose columns are looked up by the column `by`, which both have."""

    files: Annotated[str, AfterValidator(_glob)]
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


class Block(Strict):
    """One kind of raw file and how its rows become rows of `table`."""

    table: ClassVar[Table]
    required: ClassVar[tuple[str, ...]]

    files: Annotated[str, AfterValidator(_glob)]
    format: Literal["csv", "typed", "excel", "json", "jsonl", "parquet", "sequences", "baskets", "matrix"]
    encoding: str = AUTO  # of text
    delimiter: str | None = Field(None, min_length=1, max_length=1)  # csv: comma, typed: tab, lines: white space
    header: tuple[RawColumn, ...] = ()  # csv without a line of names
    sheet: str | None = None  # excel; the first one by default
    matrix: Window = Window()
    beside: tuple[Annotated[str, AfterValidator(_glob)], ...] = ()  # files aligned line by line
    glue: tuple[RawColumn, ...] = ()  # cells that hold lists of texts: one text
    parts: dict[RawColumn, Part] = {}  # new raw column: a piece of another
    only: dict[RawColumn, Regex] = {}  # records in which every pattern is found; others are not of this block
    join: tuple[Join, ...] = ()  # files to look columns up in
    unpivot: Unpivot | None = None
    explode: tuple[RawColumn, ...] = ()  # cells that hold lists: one row for each element
    starts: Starts | None = None
    pairs: Pairs | None = None
    distinct: tuple[RawColumn, ...] = ()  # these columns alone, each combination once in a file
    may_have: frozenset[RawColumn] = frozenset()  # columns that some files have and others lack
    columns: dict[str, Cell]
    integers: frozenset[str] = frozenset()  # canonical columns written like 17850.0
    upper: frozenset[str] = frozenset()  # canonical columns to put in capitals
    translate: dict[str, dict[str, str]] = {}  # canonical column: raw text: text, before it is read
    scale: dict[str, float] = {}  # canonical column: factor from the raw unit to ours
    time_formats: tuple[TimeFormat, ...] = ()  # strptime or UNIX, tried in order on what is not ISO 8601
    corrections: tuple[str, ...] = ()  # canonical columns: of rows equal there, the last counts
    rules: tuple[OwnRule, ...] = ()

    @field_validator("join", mode="before")
    @classmethod
    def _one_is_enough(cls, given: Any) -> Any:
        return [given] if isinstance(given, dict) else given

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        if encoding == AUTO:
            return encoding
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise ValueError("Python knows no such encoding") from None

    @model_validator(mode="after")
    def _fits_the_table(self) -> Self:
        mappable = [name for name in self.table.names if name not in GENERATED]
        _only(self.columns, mappable, f"columns of {self.table.name}")
        _only(self.required, self.columns, "`columns`, all of which must be mapped")
        for name, cell in self.columns.items():
            allowed = {"category": (str, Levels, Split), "image": (str, Picture), "time": (str, Ordinal)}.get(
                name, (str,)
            )
            if not isinstance(cell, allowed):
                raise ValueError(f"`{name}` takes the name of one raw column")
        _only(self.integers | self.upper, self.texts, "mapped text columns (`integers`, `upper`)")
        _only(self.corrections, self.columns, "mapped columns (`corrections`)")
        _only(self.translate, set(self.columns) - {"user_id"}, "mapped columns other than the user (`translate`)")
        _only(self.scale, self.numbers, "mapped columns of numbers (`scale`)")
        return self

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        wanted = {"header": ("csv",), "beside": ("csv",), "sheet": ("excel",), "matrix": ("matrix",)}
        for key, formats in wanted.items():
            if key in self.model_fields_set and self.format not in formats:
                raise ValueError(f"`{key}` is for format {' or '.join(formats)}, not {self.format}")
        return self

    @model_validator(mode="after")
    def _has_sound_rules(self) -> Self:
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError(f"two rules have the same name: {', '.join(names)}")
        for rule in self.rules:
            _only([rule.kind] if rule.kind else [], self.kinds, f"kinds of {self.table.name}")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that a row of this table may have; none where it has no kind."""
        return next((c.values or () for c in self.table.columns if c.name == "kind"), ())

    @property
    def texts(self) -> list[str]:
        """Mapped columns that hold text."""
        return [c.name for c in self.table.columns if c.name in self.columns and c.type == pa.string()]

    @property
    def numbers(self) -> list[str]:
        """Mapped columns that hold numbers."""
        return [c.name for c in self.table.columns if c.name in self.columns and c.type == pa.float64()]

    @property
    def prose(self) -> set[str]:
        """Raw columns whose text is written for people."""
        return {raw for name in (*PROSE, "category") if name in self.columns for raw in self.raw_of(name)}

    @property
    def speech(self) -> set[str]:
        """Raw columns in which users speak freely."""
        return set()

    @property
    def user_column(self) -> str | None:
        """The raw column of user ids."""
        column = self.columns.get("user_id")
        return column if isinstance(column, str) else None

    @property
    def attribute_columns(self) -> dict[str, str]:
        """Raw columns that make the attributes, by attribute."""
        return {}

    @property
    def kind_of(self) -> str | KindColumn | None:
        """The kind of every row, or the column that tells it."""
        return None

    def raw_of(self, name: str) -> tuple[str, ...]:
        """Raw columns that the canonical column `name` is made of."""
        match self.columns[name]:
            case Levels(columns=columns):
                return columns
            case Split(column=column) | Picture(column=column) | Ordinal(ordinal=column) | str(column):
                return (column,)

    @property
    def read(self) -> set[str]:
        """Raw columns of which one value is read; levels of a category are put together."""
        return {raw for name in self.columns if name != "category" for raw in self.raw_of(name)}

    @property
    def valued(self) -> set[str]:
        """Raw columns that become a value other than the user."""
        mapped = [raw for name in self.columns if name != "user_id" for raw in self.raw_of(name)]
        kind = [self.kind_of.column] if isinstance(self.kind_of, KindColumn) else []
        return {*mapped, *kind, *self.attribute_columns.values()}

    def copied(self, columns: set[str]) -> set[str]:
        """Those of the raw columns whose cells also stand under a name that a shape gives them."""
        found = {part.of for part in self.parts.values()} | ({self.pairs.of} if self.pairs else set())
        melted = self.unpivot.columns if self.unpivot else None
        return columns & found | {name for name in columns if melted and pc.match_substring_regex(name, melted).as_py()}

    @property
    def product_keys(self) -> set[str]:
        """Raw columns that hold ids of products."""
        return {raw for name in ("product_id", "other_id") if name in self.columns for raw in self.raw_of(name)}

    @property
    def mapped(self) -> set[str]:
        """Raw columns that become a value or the user."""
        return self.valued | ({self.user_column} if self.user_column else set())

    @property
    def named(self) -> list[str]:
        """Every raw column that this block speaks of, sorted."""
        return sorted({*self.mapped, *(raw for rule in self.rules for raw in (*rule.where, *rule.unless))})


class WithAttributes(Block):
    """A block whose further raw columns go into one JSON object."""

    attributes: dict[str, RawColumn] = {}  # attribute → raw column; a list where the names are the same

    @field_validator("attributes", mode="before")
    @classmethod
    def _same_names(cls, given: Any) -> Any:
        return {name: name for name in given} if isinstance(given, list) else given

    @property
    def attribute_columns(self) -> dict[str, str]:
        """Raw columns that make the attributes, by attribute."""
        return self.attributes


class WithKind(Block):
    """A block whose rows have a kind: one for all, or told by a raw column."""

    kind: str | KindColumn

    @model_validator(mode="after")
    def _is_a_kind(self) -> Self:
        given = [self.kind] if isinstance(self.kind, str) else self.kind.values.values()
        _only([kind for kind in given if kind], self.kinds, f"kinds of {self.table.name}")
        return self

    @property
    def kind_of(self) -> str | KindColumn | None:
        """The kind of every row, or the column that tells it."""
        return self.kind


class Events(WithKind):
    """Raw files whose rows are events."""

    table = schema.EVENTS
    required = ("product_id", "time")
    session_gap_minutes: int | None = Field(None, gt=0)  # a longer pause begins a session where none is told
    order_gap_minutes: int | None = Field(None, gt=0)  # a longer pause between purchases begins an order, the same


class Products(WithAttributes):
    """Raw files whose rows are products."""

    table = schema.PRODUCTS
    required = ("product_id",)


class Reviews(Block):
    """Raw files whose rows are reviews."""

    table = schema.REVIEWS
    required = ("product_id", "time")

    @property
    def speech(self) -> set[str]:
        """Raw columns in which users speak freely."""
        return self.prose


class Users(WithAttributes):
    """Raw files whose rows are users."""

    table = schema.USERS
    required = ("user_id",)


class Relations(WithKind):
    """Raw files whose rows are labelled pairs of products."""

    table = schema.RELATIONS
    required = ("product_id", "other_id")


class Download(Strict):
    """A file at the publisher's official address."""

    url: Annotated[str, Field(pattern="^https?://")]
    to: Annotated[str, AfterValidator(_glob)]  # below the source's folder
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    unpack: bool = False


class Extract(Strict):
    """Rows of an SQL database, kept as raw Parquet files `<name>-<n>.parquet`."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    url_variable: str = Field(pattern="^[A-Z][A-Z0-9_]*$")  # of the environment; its value is a SQLAlchemy URL
    query: str = Field(min_length=1)
    cursor: RawColumn | None = None  # `:since` in the query is its largest value so far

    @model_validator(mode="after")
    def _has_a_cursor_to_bind(self) -> Self:
        if (":since" in self.query) != (self.cursor is not None):
            raise ValueError("`:since` in `query` and `cursor` go together")
        return self


class Links(Strict):
    """A raw column that holds addresses of pictures."""

    files: Annotated[str, AfterValidator(_glob)]
    column: RawColumn
    format: Literal["csv", "typed", "excel", "json", "jsonl", "parquet"] = "csv"


class Pictures(Strict):
    """Product pictures that `tandem ingest` packs into shards: loose files, a zip of them, or addresses."""

    files: Annotated[str, AfterValidator(_glob)] | None = None
    links: Links | None = None

    @model_validator(mode="after")
    def _come_from_one_place(self) -> Self:
        if (self.files is None) == (self.links is None):
            raise ValueError("pictures have either `files` or `links`")
        return self


class FromEvents(Strict):
    """What events tell of their products: raw columns of the events' files, and the price paid."""

    title: RawColumn | None = None
    description: RawColumn | None = None
    category: RawColumn | None = None
    brand: RawColumn | None = None
    price: Literal["unit_price"] | None = None

    @property
    def texts(self) -> dict[str, str]:
        """Raw columns of the texts, by product column."""
        return {name: raw for name, raw in self.model_dump(exclude={"price"}).items() if raw}


class Source(Strict):
    """One dataset or shop."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    title: str
    timezone: str  # of times that name none
    currency: str | None = Field(None, pattern="^[A-Z]{3}$")
    events: tuple[Events, ...] = ()
    products: tuple[Products, ...] = ()
    reviews: tuple[Reviews, ...] = ()
    users: tuple[Users, ...] = ()
    relations: tuple[Relations, ...] = ()
    products_from_events: FromEvents | None = None
    pictures: tuple[Pictures, ...] = ()
    extracts: tuple[Extract, ...] = ()
    fetch: tuple[Download, ...] = ()
    params: dict[str, dict[str, Any]] = {}  # values for params.yaml that suit this source

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (KeyError, OSError, ValueError):
            raise ValueError("not a time zone of the IANA list, such as `Europe/London`") from None

    @model_validator(mode="after")
    def _knows_its_products(self) -> Self:
        told = self.products_from_events
        if not any(self.blocks.values()):
            raise ValueError("no table has a block")
        if not (self.products or self.events or self.reviews):
            raise ValueError("products come from `products`, `events` or `reviews`; none of them has a block")
        if told and not self.events:
            raise ValueError("`products_from_events` is there, yet `events` has no block")
        if self.events and not self.products and told is None:
            raise ValueError("products come from `products`, `products_from_events` or both; neither is there")
        return self

    @model_validator(mode="after")
    def _keeps_user_ids_apart(self) -> Self:
        """A raw column of user ids in one block becomes no value in any other, where the ids would get out raw.

        Ids of products are free to stand in a column of that name: `id` may be the key in every file.
        """
        blocks = [block for found in self.blocks.values() for block in found]
        users = {block.user_column for block in blocks if block.user_column}
        told = set(self.products_from_events.texts.values()) if self.products_from_events else set()
        valued = [
            (block.table.name, block.valued - (block.product_keys - {block.user_column}) | block.copied(users))
            for block in blocks
        ]
        for where, columns in [*valued, ("products_from_events", told)]:
            if leaking := sorted(users & columns):
                raise ValueError(f"`{leaking[0]}` holds user ids and cannot be mapped to anything else ({where})")
        return self

    @property
    def knows_products(self) -> bool:
        """Whether files or events say which products there are."""
        return bool(self.products or self.events)

    @property
    def blocks(self) -> dict[str, tuple[Block, ...]]:
        """The blocks by name of their table."""
        return {
            "events": self.events,
            "products": self.products,
            "reviews": self.reviews,
            "users": self.users,
            "relations": self.relations,
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        """The source described by the YAML file at `path`.

        Raises:
            SourceError: missing, not YAML, or a value that does not fit; names file, key, value and what fits.
        """
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SourceError(f"{path} is missing; {_known_sources(path.parent)}") from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SourceError(f"{path} cannot be read as YAML: {error}") from None
        try:
            source = cls.model_validate(values)
        except ValidationError as error:
            raise SourceError(_explain(error, path)) from None
        if source.name != path.stem:
            raise SourceError(f"{path}: `name` = {source.name!r} must be the file's own name, {path.stem!r}")
        return source


def _only(given: Iterable[str], allowed: Iterable[str], what: str) -> None:
    fitting = list(allowed)
    if wrong := [value for value in given if value not in fitting]:
        raise ValueError(f"`{'`, `'.join(sorted(wrong))}` not among the {what}: {', '.join(fitting) or 'none'}")


def _known_sources(folder: Path) -> str:
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    return f"{folder} holds {', '.join(names) or 'no source'}"


def _explain(error: ValidationError, path: Path) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        came = "" if problem["type"] == "missing" or isinstance(problem["input"], dict) else f" = {problem['input']!r}"
        lines.append(f"{path}: `{key}`{came}: {problem['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
