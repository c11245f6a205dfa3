"""From raw rows to judged rows: one value for each column of the table, and the first rule that refuses the row."""

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from tandem.data import cells, rules, schema
from tandem.data.engine import Engine
from tandem.data.schema import Column, Table
from tandem.data.sources import Block, Events, FromEvents, KindColumn

ORIGIN = {"file": "string", "row": "int64", "identity": "string", "record": "string"}
VERDICT = {"rule": "string", "reason": "string"}


def judge(engine: Engine, rows: ir.Table, block: Block, people: ir.Table, told: FromEvents | None = None) -> ir.Table:
    """The rows of one block with their values and the first rule that refuses each.

    Args:
        engine: stores what lies between.
        rows: stored `file`, `row`, `problem` and `raw`, as `tandem.data.exports.read` has them; let go afterwards.
        block: how they become rows of its table.
        people: `user`, an id as the shop writes it, and its `pseudonym`; no user id gets past here.
        told: what events say of their products; of no meaning for other tables.

    Returns:
        `file`, `row`, `identity` (equal for rows that say the same), `record` (JSON for `refused`), `rule` and
        `reason` (null where no rule applies), every column of the table; for events also `told_<product column>` and
        `session_gap_minutes`.
    """
    told = told if isinstance(block, Events) else None
    texts = engine.store(_texts(rows, block, people, told), rows)
    values = engine.store(_values(texts, block), texts)
    rule, reason = rules.verdict(rules.of(values, block))
    further = [name for name in values.columns if name.startswith("told_") or name == "session_gap_minutes"]
    columns = [*ORIGIN, *VERDICT, *block.table.names, *further]
    return engine.store(values.mutate(rule=rule, reason=reason).select(columns), values)


def nothing(table: Table) -> ir.Table:
    """No rows at all, in the columns of judged rows that are no duplicates."""
    columns = ORIGIN | {"duplicate": "boolean"} | VERDICT | {c.name: cells.dtype(c) for c in table.columns}
    return ibis.memtable([], schema=ibis.schema(columns))


def _texts(rows: ir.Table, block: Block, people: ir.Table, told: FromEvents | None) -> ir.Table:
    """Every mapped cell as text, `text_<column>`, and all else that is taken from the raw row as it came."""
    rows = _with_pseudonyms(rows, block, people)
    raw, place = rows.raw, rows.file + ":" + rows.row.cast("string")
    texts = {f"text_{name}": cells.text(raw, block, name) for name in block.columns}
    if isinstance(block.kind_of, KindColumn):
        texts["text_kind"] = cells.cell(raw, block.kind_of.column)
    return rows.select(
        file=rows.file,
        row=rows.row,
        problem=rows.problem,
        place=place,
        as_came=_json({name: raw[name] for name in raw.names if name not in block.read}),
        record=_record(rows, block, told),
        matched=rules.first_match(raw, block.rules),
        user_id=rows.pseudonym,
        category=cells.path(raw, block.columns["category"]) if "category" in block.columns else cells.NO_PATH,
        attributes=_attributes(raw, block),
        **texts,
        **_further(raw, block, told),
    )


def _with_pseudonyms(rows: ir.Table, block: Block, people: ir.Table) -> ir.Table:
    if block.user_column is None:
        return rows.mutate(pseudonym=ibis.null(str))
    return rows.left_join(people, cells.text(rows.raw, block, "user_id") == people.user).drop("user")


def _attributes(raw: ir.StructValue, block: Block) -> ir.StringValue:
    found = {name: cells.cell(raw, of) for name, of in block.attribute_columns.items()}
    return _json(found) if found or block.table is schema.USERS else ibis.null(str)


def _further(raw: ir.StructValue, block: Block, told: FromEvents | None) -> dict[str, ir.Value]:
    """What events say beyond their own columns: texts of their product, and how long a pause ends a session."""
    if not isinstance(block, Events):
        return {}
    texts = told.texts.items() if told else ()
    said = {f"told_{name}": cells.cell(raw, of) if of in raw.names else ibis.null(str) for name, of in texts}
    return {**said, "session_gap_minutes": ibis.literal(block.session_gap_minutes, "int64")}


def _record(rows: ir.Table, block: Block, told: FromEvents | None) -> ir.StringValue:
    """The raw cells that become values; where the user's id stood, the pseudonym.

    Others, those that only rules look at too, may hold anything, names and addresses, and are left out.
    """
    mapped = {*block.mapped, *(told.texts.values() if told else ())} & set(rows.raw.names)
    return _json({name: rows.pseudonym if name == block.user_column else rows.raw[name] for name in mapped})


def _json(members: dict[str, ir.Value]) -> ir.StringValue:
    """A JSON object as text, its names in alphabetical order."""
    if not members:
        return ibis.literal("{}")
    return ibis.struct({name: members[name] for name in sorted(members)}).cast("json").cast("string")


def _values(texts: ir.Table, block: Block) -> ir.Table:
    """The texts with one value for each column of the block's table."""
    made = {"event_id": texts.place, "review_id": texts.place}
    done = {"user_id", "category", "attributes", "kind"}
    values = {c.name: made.get(c.name, _value(texts, block, c)) for c in block.table.columns if c.name not in done}
    if block.kind_of is not None:
        values["kind"] = _kind(texts, block)
    identity = texts.problem.isnull().ifelse(_identity(texts, values, block), texts.place)
    if block.table is schema.EVENTS:
        values["quantity"] = _quantity(texts, values, block)
    return texts.mutate(**values, identity=identity)


def _identity(texts: ir.Table, values: dict[str, ir.Value], block: Block) -> ir.StringValue:
    """What a row says, however it is written: times and numbers as read, ids normalised, all other cells as they came.

    The same row in two exports that write times or numbers differently is one row.
    """
    said = {c: texts[f"text_{c}"] for c in block.columns if c != "category"} | {"as_came": texts.as_came}
    if "user_id" in said:
        said["user_id"] = texts.user_id
    read = {c.name for c in block.table.columns if c.name in said and c.type != pa.string()}
    return _json(said | {c: values[c].cast("string").fill_null(said[c]) for c in read})


def _value(texts: ir.Table, block: Block, column: Column) -> ir.Value:
    if column.name not in block.columns:
        return ibis.null(cells.dtype(column))
    return cells.value(texts[f"text_{column.name}"], block, column)


def _kind(texts: ir.Table, block: Block) -> ir.StringValue:
    """The kind that the first matching rule gives, else the one that the block tells."""
    if isinstance(block.kind_of, KindColumn):
        used = [(value, kind) for value, kind in block.kind_of.values.items() if kind is not None]
        told = texts.text_kind.cases(*used) if used else ibis.null(str)
    else:
        told = ibis.literal(block.kind_of)
    given = [(texts.matched == rule.name, rule.kind) for rule in block.rules if rule.kind is not None]
    return ibis.cases(*given, else_=told) if given else told


def _quantity(texts: ir.Table, values: dict[str, ir.Value], block: Block) -> ir.FloatingValue:
    """Pieces. Returned ones are negative in some shops, here never; an event without word of them, no sale, is one."""
    if "quantity" not in block.columns:
        return ibis.literal(1.0)
    kind, told = values["kind"], values["quantity"]
    silent = ~kind.isin(rules.SALES) & texts.text_quantity.isnull()
    return ibis.cases((silent, 1.0), (kind == "return", told.abs()), else_=told)
