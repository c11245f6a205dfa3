"""Why a raw row is refused: the source's own rules, then those that follow from the tables. The first match speaks."""

from collections.abc import Iterable
from typing import NamedTuple

import ibis
import ibis.expr.types as ir

from tandem.data import cells, schema
from tandem.data.blocks import Block
from tandem.data.entries import KindColumn, OwnRule
from tandem.data.schema import Column

SALES = ("purchase", "return")


class Rule(NamedTuple):
    """Refuses the rows where `applies`; `reason` is a sentence that names the value."""

    name: str
    applies: ir.BooleanValue
    reason: ir.StringValue | str


def first_match(raw: ir.StructValue, rules: tuple[OwnRule, ...]) -> ir.StringValue:
    """Name of the first of the source's own rules that matches the raw row, null where none does."""
    return _first((_matches(raw, rule), rule.name) for rule in rules)


def of(rows: ir.Table, block: Block) -> list[Rule]:
    """All rules for the rows of a block, in the order in which they are asked.

    Args:
        rows: `problem`, `matched` (from `first_match`), every column of the table and `text_<column>` where mapped.
        block: how the rows were read.
    """
    unreadable = Rule("unreadable_row", rows.problem.notnull(), rows.problem)
    own = [Rule(rule.name, rows.matched == rule.name, rule.refuse) for rule in block.rules if rule.refuse is not None]
    return [
        unreadable,
        *own,
        *_of_reading(rows, block),
        *_of_kind(rows, block),
        *_of_sale(rows, block),
        *_of_range(rows, block),
    ]


def verdict(rules: list[Rule]) -> tuple[ir.StringValue, ir.StringValue]:
    """Name and reason of the first rule that applies; null where none does."""
    return _first((r.applies, r.name) for r in rules), _first((r.applies, r.reason) for r in rules)


def quote(text: ir.StringValue) -> ir.StringValue:
    """The text for a sentence, at most 60 characters of it."""
    return ibis.literal("`") + text.substr(0, 60) + "`"


def _of_reading(rows: ir.Table, block: Block) -> list[Rule]:
    """A value that must be there is missing, or what is there cannot be read."""
    found = []
    for column in _mapped(block):
        name, text = column.name, rows[f"text_{column.name}"]
        if name in block.required:
            found.append(Rule(f"missing_{name}", text.isnull(), f"{name} is missing"))
        if what := _what(column, block):
            unreadable = text.notnull() & rows[name].isnull()
            found.append(Rule(f"unreadable_{name}", unreadable, ibis.literal(f"{name} ") + quote(text) + f" is {what}"))
    return found


def _of_kind(rows: ir.Table, block: Block) -> list[Rule]:
    """The kind is missing, not used by the source, or not known to it."""
    if not isinstance(block.kind_of, KindColumn):
        return []
    values, text = block.kind_of.values, rows.text_kind
    unused = [value for value, kind in values.items() if kind is None]
    here = ibis.literal("kind ") + quote(text)
    return [
        Rule("missing_kind", rows.kind.isnull() & text.isnull(), "kind is missing"),
        Rule("kind_not_used", rows.kind.isnull() & text.isin(unused), here + " is not used"),
        Rule("unknown_kind", rows.kind.isnull(), here + f" is none of {', '.join(values)}"),
    ]


def _of_sale(rows: ir.Table, block: Block) -> list[Rule]:
    """Numbers that no event can have: pieces are more than none, and those of a sale are told and cost something."""
    if block.table is not schema.EVENTS:
        return []
    sale, found = rows.kind.isin(SALES), []
    if "quantity" in block.columns:
        reason = ibis.literal("quantity ") + quote(rows.text_quantity) + " is not positive"
        found.append(Rule("missing_quantity", rows.quantity.isnull(), "quantity of a sale is missing"))
        found.append(Rule("quantity_not_positive", rows.quantity <= 0, reason))
    if "unit_price" in block.columns:
        reason = ibis.literal("unit_price ") + quote(rows.text_unit_price) + " of a sale is not positive"
        found.append(Rule("price_not_positive", sale & (rows.unit_price <= 0), reason))
    return found


def _of_range(rows: ir.Table, block: Block) -> list[Rule]:
    """A number is outside what the table's schema allows."""
    found = []
    for column in _mapped(block):
        low, high, value = column.minimum, column.maximum, rows[column.name]
        limits = [value < low] if low is not None else []
        limits += [value > high] if high is not None else []
        if limits:
            bounds = f" is below {low:g}" if high is None else f" is not between {low:g} and {high:g}"
            reason = ibis.literal(f"{column.name} ") + quote(rows[f"text_{column.name}"]) + bounds
            found.append(Rule(f"{column.name}_out_of_range", ibis.or_(*limits), reason))
    return found


def _first(cases: Iterable[tuple[ir.BooleanValue, ir.StringValue | str]]) -> ir.StringValue:
    listed = list(cases)
    return ibis.cases(*listed) if listed else ibis.null(str)


def _matches(raw: ir.StructValue, rule: OwnRule) -> ir.BooleanValue:
    def found(name: str, pattern: str) -> ir.BooleanValue:
        return cells.cell(raw, name).fill_null("").re_search(pattern)

    wanted = [found(name, pattern) for name, pattern in rule.where.items()]
    unwanted = [~found(name, pattern) for name, pattern in rule.unless.items()]
    return ibis.and_(*wanted, *unwanted)


def _mapped(block: Block) -> list[Column]:
    return [column for column in block.table.columns if column.name in block.columns]


def _what(column: Column, block: Block) -> str | None:
    if column.type == schema.TIME:
        return "not a time"
    if not cells.dtype(column).is_floating():
        return None
    return "not a number written as `numbers` says" if block.numbers else "not a number"
