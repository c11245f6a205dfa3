"""The tables of Tandem: the only place where a column is named.

Parquet files, Great Expectations suites and `docs/data.md` are all made from here.
"""

from dataclasses import dataclass

import pyarrow as pa

KINDS = ("view", "click", "cart", "favourite", "purchase", "return")
"""Kinds of events. The code of a kind is its place here plus one; 0 is padding."""

KIND_CODE = {kind: code for code, kind in enumerate((*KINDS, "review"), start=1)}

ASPECTS = ("delivery", "quality", "price", "service", "packaging")
"""What reviews speak of."""

TIME = pa.timestamp("us", tz="UTC")

ROW = "the n-th record after the header, blank ones not counted"


@dataclass(frozen=True)
class Column:
    """One column: its type, whether it may be missing, and what every value must keep to."""

    name: str
    type: pa.DataType
    about: str
    nullable: bool = False
    values: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Table:
    """A named table with its key and columns, in order."""

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema: names, types and nullability, without metadata."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [c.name for c in self.columns]


def _user_id(nullable: bool) -> Column:
    about = "pseudonym of the user: keyed hash of the shop's own id"
    return Column("user_id", pa.string(), about, nullable=nullable)


PRODUCTS = Table(
    "products",
    "one row per product the shop has sold or shown",
    ("product_id",),
    (
        Column("product_id", pa.string(), "the shop's code, normalised"),
        Column("title", pa.string(), "name shown to customers", nullable=True),
        Column("description", pa.string(), "longer text", nullable=True),
        Column("category", pa.list_(pa.string()), "path from the widest to the narrowest category"),
        Column("brand", pa.string(), "brand or maker", nullable=True),
        Column("price", pa.float64(), "usual price of one piece, in `currency`", nullable=True, minimum=0),
        Column("currency", pa.string(), "ISO 4217 code", nullable=True),
        Column("image", pa.string(), "picture's place: `shard!member`", nullable=True),
        Column("attributes", pa.string(), "further attributes, a JSON object", nullable=True),
        Column("stock", pa.float64(), "pieces in stock at export", nullable=True, minimum=0),
        Column("lead_time_days", pa.float64(), "days to restock", nullable=True, minimum=0),
    ),
)

EVENTS = Table(
    "events",
    "one row per thing a user did with a product, in order of time and raw row; a folder with a file for each month",
    ("event_id",),
    (
        Column("event_id", pa.string(), f"raw file and row it came from: `file:row`, {ROW}"),
        _user_id(nullable=True),
        Column("product_id", pa.string(), "key of products"),
        Column("kind", pa.string(), "what was done", values=KINDS),
        Column("time", TIME, "when, UTC"),
        Column("session_id", pa.string(), "visit it belongs to", nullable=True),
        Column("order_id", pa.string(), "order it belongs to", nullable=True),
        Column("quantity", pa.float64(), "pieces, always positive (a return is a kind)", minimum=0),
        Column("unit_price", pa.float64(), "price of one piece then", nullable=True, minimum=0),
    ),
)

REVIEWS = Table(
    "reviews",
    "what users wrote of products",
    ("review_id",),
    (
        Column("review_id", pa.string(), f"raw file and row it came from: `file:row`, {ROW}"),
        _user_id(nullable=True),
        Column("product_id", pa.string(), "key of products"),
        Column("time", TIME, "when, UTC"),
        Column("rating", pa.float64(), "stars", nullable=True, minimum=1, maximum=5),
        Column("title", pa.string(), "headline", nullable=True),
        Column("text", pa.string(), "body", nullable=True),
        Column("language", pa.string(), "ISO 639-1 code", nullable=True),
    ),
)

USERS = Table(
    "users",
    "segment attributes of users, for slices and fairness only",
    ("user_id",),
    (
        _user_id(nullable=False),
        Column("attributes", pa.string(), "a JSON object of the allowed segment attributes"),
    ),
)

RELATIONS = Table(
    "relations",
    "labelled complements and substitutes where known: truth for evaluation, never a feature",
    ("product_id", "other_id", "kind"),
    (
        Column("product_id", pa.string(), "antecedent"),
        Column("other_id", pa.string(), "consequent"),
        Column("kind", pa.string(), "how they relate", values=("complement", "substitute")),
    ),
)

REFUSED = Table(
    "refused",
    "raw rows that were left out, each with its reason",
    ("table", "file", "row"),
    (
        Column("table", pa.string(), "table it was meant for"),
        Column("file", pa.string(), "raw file, relative to the source's folder"),
        Column("row", pa.int64(), f"row in that file: {ROW}", minimum=1),
        Column("rule", pa.string(), "name of the rule that refused it"),
        Column("reason", pa.string(), "sentence for a person"),
        Column(
            "record",
            pa.string(),
            "its mapped cells as JSON, users as pseudonyms, identifiers masked; withheld if the row is unreadable; "
            "its values, if other rows are the reason",
        ),
    ),
)

OPINIONS = Table(
    "opinions",
    "what each review says, read from its stars and words; made from reviews, no part of a snapshot",
    ("review_id",),
    (
        *(column for column in REVIEWS.columns if column.name in ("review_id", "user_id", "product_id", "time")),
        Column("tone", pa.float32(), "-1 bad … 1 good, calibrated", nullable=True, minimum=-1, maximum=1),
        *(Column(of, pa.float32(), f"1 where it speaks of {of}, else 0", nullable=True) for of in ASPECTS),
    ),
)

TABLES = {t.name: t for t in (PRODUCTS, EVENTS, REVIEWS, USERS, RELATIONS, REFUSED)}


def document() -> str:
    """All tables as Markdown: the text of `docs/data.md`."""
    lines = ["# Tables", "", "Made from `tandem/data/schema.py` by `python -m tandem.data.schema > docs/data.md`."]
    for table in (*TABLES.values(), OPINIONS):
        lines += [
            "",
            f"## {table.name}",
            "",
            f"{table.about[0].upper()}{table.about[1:]}. Key: {', '.join(table.key)}.",
        ]
        lines += ["", "| column | type | may be missing | keeps to | about |", "|---|---|---|---|---|"]
        lines += [f"| {c.name} | {c.type} | {_yes(c.nullable)} | {_bounds(c)} | {c.about} |" for c in table.columns]
    return "\n".join(lines)


def _yes(flag: bool) -> str:
    return "yes" if flag else ""


def _bounds(column: Column) -> str:
    limits = [f"≥ {column.minimum:g}"] if column.minimum is not None else []
    limits += [f"≤ {column.maximum:g}"] if column.maximum is not None else []
    return ", ".join(column.values or limits)


if __name__ == "__main__":
    print(document())
