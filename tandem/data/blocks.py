"""Blocks of a source: one kind of raw file each, how it is read, and how its rows become rows of a table."""

import codecs
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from tandem.data import schema
from tandem.data.entries import (
    Below,
    Cell,
    Join,
    KindColumn,
    Levels,
    Numbers,
    Ordinal,
    OwnRule,
    Pairs,
    Part,
    Picture,
    RawColumn,
    Regex,
    Split,
    Starts,
    Strict,
    TimeFormat,
    Unpivot,
    Window,
)
from tandem.data.schema import Table

GENERATED = {"event_id", "review_id", "kind", "attributes"}
"""Columns of the tables that a source does not map under `columns`: made here, or set by their own key."""

PROSE = ("title", "description", "brand", "text")
"""Canonical columns with text for people to read."""

AUTO = "auto"
"""The encoding that is found by looking: a byte-order mark, else UTF-8, else GB 18030, each checked strictly."""

LANGUAGES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja "
    "jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb "
    "nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq "
    "sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
"""ISO 639-1, all codes of two letters."""

FREE = ("json", "jsonl")
"""Formats whose records name their own columns."""


class Block(Strict):
    """One kind of raw file and how its rows become rows of `table`."""

    table: ClassVar[Table]
    required: ClassVar[tuple[str, ...]]

    files: Below
    format: Literal["csv", "typed", "excel", "json", "jsonl", "parquet", "sequences", "baskets", "matrix"]
    encoding: str = AUTO  # of text
    delimiter: str | None = Field(None, min_length=1, max_length=1)  # csv: comma, typed: tab, lines: white space
    header: tuple[RawColumn, ...] = ()  # csv without a line of names
    sheet: str | None = None  # excel; the first one by default
    matrix: Window = Window()
    beside: tuple[Below, ...] = ()  # files aligned line by line
    glue: tuple[RawColumn, ...] = ()  # cells that hold lists of texts: one text
    parts: dict[RawColumn, Part] = Field({})  # new raw column: a piece of another
    only: dict[RawColumn, Regex] = Field({})  # records in which every pattern is found; others are not of this block
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
    translate: dict[str, dict[str, str]] = Field({})  # canonical column: raw text: text, before it is read
    numbers: Numbers | None = None  # how all numbers are written; None: with a point, and nothing around it
    scale: dict[str, float] = Field({})  # canonical column: factor from the raw unit to ours
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
        _only(self.scale, self.numeric, "mapped columns of numbers (`scale`)")
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
    def numeric(self) -> list[str]:
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

    attributes: dict[str, RawColumn] = Field({})  # attribute → raw column; a list where the names are the same

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
    language: str | None = None  # of texts that are not Chinese, where no column tells it

    @field_validator("language")
    @classmethod
    def _is_a_language(cls, language: str | None) -> str | None:
        if language not in (None, *LANGUAGES.split()):
            raise ValueError("no code of ISO 639-1, such as en")
        return language

    @model_validator(mode="after")
    def _tells_its_language_once(self) -> Self:
        if self.language and ("text" not in self.columns or "language" in self.columns):
            raise ValueError("`language` tells that of a mapped `text` whose language no column tells")
        return self

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


def _only(given: Iterable[str], allowed: Iterable[str], what: str) -> None:
    fitting = list(allowed)
    if wrong := [value for value in given if value not in fitting]:
        raise ValueError(f"`{'`, `'.join(sorted(wrong))}` not among the {what}: {', '.join(fitting) or 'none'}")
