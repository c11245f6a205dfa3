"""From raw rows to judged rows: one value for each column of the table, and the first rule that refuses the row."""

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from tandem.data import cells, rules, schema
from tandem.data.blocks import Block, Events
from tandem.data.engine import Engine
from tandem.data.entries import KindColumn
from tandem.data.schema import Column, Table
from tandem.data.sources import FromEvents

ORIGIN = {
    "place": "int64",  # no two rows of a table have the same
    "file": "string",
    "row": "int64",
    "alike": "int64",  # a hash of what the row says: what differs here says something else
    "corrects": "string",  # equal for rows of which only the last counts; null where all do
    "record": "map<string, string>",  # the mapped cells of a refused row
}
"""Where a row stands, and what it says."""

MET = ("microseconds", "user", "met")
"""An event's time since 1970-01-01 UTC, and hashes of its user and of what the user did with which product.

The hashes narrow down, and decide nothing.
"""

VERDICT = {"rule": "string", "reason": "string"}
CELLS = dt.Map(dt.string, dt.string)
UNSAID = {"event_id", "review_id", "category", "attributes"}
"""Columns that are made here, or of several raw cells, which are said as they came."""

UNLIKE = {"language", "image"}
"""Columns whose values blocks make of the same texts in ways of their own."""

BETWEEN, MISSING = "\x1f", "\x1e"
"""What stands between two texts that are put together, and for a missing one."""


def judge(engine: Engine, rows: ir.Table, block: Block, told: FromEvents | None) -> ir.Table:
    """The rows of one block with their values and the first rule that refuses each.

    Args:
        engine: what reads times.
        rows: what `tandem.data.records` gives.
        block: how they become rows of its table.
        told: what events say of their products; of no meaning for other tables.

    Returns:
        The columns of ORIGIN and VERDICT (`rule` and `reason` are null where no rule applies), every column of the
        table, its attributes as a map; for events also MET, `told_<product column>` and
        `<session or order>_gap_minutes`.
    """
    told = told if isinstance(block, Events) else None
    values = _values(engine, _texts(rows, block, told), block)
    rule, reason = rules.verdict(rules.of(values, block))
    judged = values.mutate(rule=rule, reason=reason)
    record = judged.rule.notnull().ifelse(_record(judged, block, told), ibis.null(CELLS))
    further = [name for name in judged.columns if name.startswith("told_") or name.endswith("_gap_minutes")]
    judged = judged.mutate(record=record)
    if block.table is schema.EVENTS:
        judged, further = _with_met(engine, judged), [*MET, *further]
    return judged.select(*ORIGIN, *VERDICT, *block.table.names, *further)


def nothing(table: Table) -> ir.Table:
    """No rows at all, in the columns of judged rows."""
    columns = ORIGIN | VERDICT | {c.name: column_type(c) for c in table.columns}
    return ibis.memtable([], schema=ibis.schema(columns))


def column_type(column: Column) -> dt.DataType:
    """The column's type among judged rows: attributes are still a map."""
    return CELLS if column.name == "attributes" else cells.dtype(column)


def _texts(rows: ir.Table, block: Block, told: FromEvents | None) -> ir.Table:
    """Every mapped cell as text, `text_<column>`, and all else that is taken from the raw row as it came."""
    raw = rows.raw
    texts = {f"text_{name}": cells.text(raw, block, name) for name in block.columns if name != "user_id"}
    if isinstance(block.kind_of, KindColumn):
        texts["text_kind"] = cells.cell(raw, block.kind_of.column)
    return rows.select(
        place=rows.place,
        file=rows.file,
        row=rows.row,
        problem=rows.problem,
        raw=raw,
        as_came=_as_came(raw, block),
        matched=rules.first_match(raw, block.rules),
        user_id=rows.pseudonym,
        language=rows.language,
        text_user_id=rows.pseudonym,
        category=cells.path(raw, block.columns["category"]) if "category" in block.columns else cells.NO_PATH,
        attributes=_attributes(raw, block),
        **texts,
        **_further(raw, block, told),
    )


def _as_came(raw: ir.StructValue, block: Block) -> ir.StringValue:
    """All cells of which not one value is read, by name; an empty column more or less changes nothing."""
    names = sorted(name for name in raw.names if name not in block.read)
    texts = [(BETWEEN + name + "=" + raw[name].nullif("")).fill_null("") for name in names]
    return ibis.literal("").join(texts) if texts else ibis.literal("")


def _attributes(raw: ir.StructValue, block: Block) -> ir.MapValue:
    found = {name: cells.cell(raw, of) for name, of in block.attribute_columns.items()}
    return _map(found) if found or block.table is schema.USERS else ibis.null(CELLS)


def _further(raw: ir.StructValue, block: Block, told: FromEvents | None) -> dict[str, ir.Value]:
    """What events say beyond their own columns: texts of their product, and how long a pause ends a visit or order."""
    if not isinstance(block, Events):
        return {}
    texts = told.texts.items() if told else ()
    said = {f"told_{name}": cells.cell(raw, of) if of in raw.names else ibis.null(str) for name, of in texts}
    gaps = {"session_gap_minutes": block.session_gap_minutes, "order_gap_minutes": block.order_gap_minutes}
    return {**said, **{name: ibis.literal(gap, "int64") for name, gap in gaps.items()}}


def _recorded(rows: ir.Table, block: Block, told: FromEvents | None) -> list[str]:
    """The raw columns that become values or the user; of a refused row they are kept.

    Others, those that only rules look at too, may hold anything, names and addresses, and are left out.
    """
    mapped = sorted({*block.valued, *(told.texts.values() if told else ())} & set(rows.raw.names))
    return [*([block.user_column] if block.user_column else []), *mapped]


def _record(rows: ir.Table, block: Block, told: FromEvents | None) -> ir.MapValue:
    """The raw cells of `_recorded` by name; where the user's id stood, the pseudonym."""
    names = _recorded(rows, block, told)
    found = [rows.user_id if name == block.user_column else rows.raw[name] for name in names]
    return ibis.map(ibis.array(names or [""]), ibis.array(found or [ibis.null(str)]))


def _map(members: dict[str, ir.StringValue]) -> ir.MapValue:
    """Names and their texts."""
    if not members:
        return ibis.literal({}, CELLS)
    return ibis.map(ibis.array(list(members)), ibis.array(list(members.values())))


def _values(engine: Engine, texts: ir.Table, block: Block) -> ir.Table:
    """The texts with one value for each column of the block's table."""
    done = {"user_id", "category", "attributes", "kind"}
    values = {c.name: _value(engine, texts, c, block) for c in block.table.columns if c.name not in done}
    if block.table is schema.REVIEWS and "language" not in block.columns:
        values["language"] = texts.language
    if block.kind_of is not None:
        values["kind"] = _kind(texts, block)
    known = texts.mutate(**values)
    known = known.mutate(alike=_alike(engine, known, block), corrects=_key(known, block))
    return known.mutate(quantity=_quantity(known, block)) if block.table is schema.EVENTS else known


def says(rows: ir.Table, table: Table) -> ir.StringValue:
    """A digest of what judged rows say, equal where they say the same: of `alike`, and of each value beside it."""
    values = [rows[name] for name in table.names if name not in UNSAID | UNLIKE]
    return _together([value.cast("string") for value in (rows.alike, *values)]).hexdigest("md5")


def _alike(engine: Engine, known: ir.Table, block: Block) -> ir.IntegerValue:
    """A hash of what a row says, however it is written: times and numbers as read, ids normalised, others as they came.

    The same row in two exports that write times or numbers differently is one row; one that cannot be read is like no
    other. Every column of the table has its place, mapped or not, so that two blocks say the same in the same way. What
    `says` cannot compare comes in as a digest, for here alone it tells rows apart.
    """
    columns = [column for column in block.table.columns if column.name not in UNSAID | UNLIKE]
    beside = _beside(known, block, columns)
    digest = (beside == "").ifelse("", beside.hexdigest("md5"))
    hashed = engine.hash(*(_told(known, block, column) for column in columns), digest)
    return known.problem.isnull().ifelse(hashed, engine.hash(known.place))


def _told(known: ir.Table, block: Block, column: Column) -> ir.Value:
    """What the row says in a column, as read."""
    if column.name == "kind":
        return known.kind
    if column.name not in block.columns:
        return ibis.null(str)
    return known[f"text_{column.name}"] if column.type == pa.string() else known[column.name]


def _beside(known: ir.Table, block: Block, columns: list[Column]) -> ir.StringValue:
    """What a row says beside the values of the columns: other cells as they came, and of these what is unreadable."""
    unlike = [name for name in sorted(UNLIKE) if name in block.table.names]
    others = [known[f"text_{name}"] if name in block.columns else ibis.null(str) for name in unlike]
    came = _together([known.as_came, *others]) if others else known.as_came
    written = [column.name for column in columns if column.type != pa.string()]
    unread = {name: known[name].isnull() & known[f"text_{name}"].notnull() for name in written if name in block.columns}
    if not unread:
        return came
    nothing = ibis.null(str)
    texts = [unread[name].ifelse(known[f"text_{name}"], nothing) if name in unread else nothing for name in written]
    return ibis.or_(*unread.values()).ifelse(_together([came, *texts]), came)


def _together(texts: list[ir.StringValue]) -> ir.StringValue:
    """All the texts as one, different for different ones."""
    return ibis.literal(BETWEEN).join([text.fill_null(MISSING) for text in texts])


def _key(known: ir.Table, block: Block) -> ir.StringValue:
    """What rows have in common of which the last corrects the others; where a part of it is missing, nothing."""
    if not block.corrections:
        return ibis.null(str)
    parts = [known[name] for name in sorted(block.corrections)]
    key = _together([part.cast("string") for part in parts])
    return ibis.and_(*(part.notnull() for part in parts)).ifelse(key, ibis.null(str))


def _with_met(engine: Engine, rows: ir.Table) -> ir.Table:
    of_user, of_all = engine.hash(rows.user_id), engine.hash(rows.user_id, rows.product_id, rows.kind)
    user, met = (rows.user_id.notnull().ifelse(found, ibis.null("int64")) for found in (of_user, of_all))
    return rows.mutate(microseconds=engine.microseconds(rows.time), user=user, met=met)


def _value(engine: Engine, texts: ir.Table, column: Column, block: Block) -> ir.Value:
    if column.name not in block.columns:
        return ibis.null(column_type(column))
    return cells.value(engine, texts[f"text_{column.name}"], block, column)


def _kind(texts: ir.Table, block: Block) -> ir.StringValue:
    """The kind that the first matching rule gives, else the one that the block tells."""
    if isinstance(block.kind_of, KindColumn):
        used = [(value, kind) for value, kind in block.kind_of.values.items() if kind is not None]
        told = texts.text_kind.cases(*used) if used else ibis.null(str)
    else:
        told = ibis.literal(block.kind_of)
    given = [(texts.matched == rule.name, rule.kind) for rule in block.rules if rule.kind is not None]
    return ibis.cases(*given, else_=told) if given else told


def _quantity(known: ir.Table, block: Block) -> ir.FloatingValue:
    """Pieces. Returned ones are negative in some shops, here never; an event without word of them, no sale, is one."""
    if "quantity" not in block.columns:
        return ibis.literal(1).cast("float64")  # DuckDB takes 1.0 for a decimal
    silent = ~known.kind.isin(rules.SALES) & known.text_quantity.isnull()
    return ibis.cases((silent, 1.0), (known.kind == "return", known.quantity.abs()), else_=known.quantity)
