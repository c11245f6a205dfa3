"""What a file of `sources/` says: where a shop's raw files are and how their columns become ours.

Everything peculiar to a shop stands in its YAML, nothing of it in code. `docs/sources.md` explains each key.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from tandem.data.blocks import Block, Events, Products, Relations, Reviews, Users
from tandem.data.entries import Below, RawColumn, Strict
from tandem.errors import SourceError

NAME = "^[a-z][a-z0-9_]*$"
"""How sources and extracts may be called."""


class Download(Strict):
    """A file at the publisher's official address."""

    url: Annotated[str, Field(pattern="^https?://")]
    to: Below  # below the source's folder
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    unpack: bool = False


class Extract(Strict):
    """Rows of an SQL database, kept as raw Parquet files `<name>-<n>.parquet`."""

    name: str = Field(pattern=NAME)
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

    files: Below
    column: RawColumn
    format: Literal["csv", "typed", "excel", "json", "jsonl", "parquet"] = "csv"


class Pictures(Strict):
    """Product pictures that `tandem ingest` packs into shards: loose files, a zip of them, or addresses."""

    files: Below | None = None
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

    name: str = Field(pattern=NAME)
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
    params: dict[str, dict[str, Any]] = Field({})  # values for params.yaml that suit this source

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
            raise SourceError("\n".join(f"{path}: {problem}" for problem in problems(error))) from None
        if source.name != path.stem:
            raise SourceError(f"{path}: `name` = {source.name!r} must be the file's own name, {path.stem!r}")
        return source


def _known_sources(folder: Path) -> str:
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    return f"{folder} holds {', '.join(names) or 'no source'}"


def problems(error: ValidationError) -> list[str]:
    """What is wrong with a description of a source, a sentence each."""
    lines = []
    for problem in error.errors():
        key, said = ".".join(str(part) for part in problem["loc"]), problem["msg"].removeprefix("Value error, ")
        came = "" if problem["type"] == "missing" or isinstance(problem["input"], dict) else f" = {problem['input']!r}"
        if not key and problem["type"] == "model_type":
            said = "must be keys and values, such as `name: shop`"
        lines.append(f"`{key}`{came}: {said}" if key else said)
    return lines
