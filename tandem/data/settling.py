"""What depends on other rows: duplicates, corrections, unknown products, second rows for one key, the cleaning rules.

A judged row is refused by a rule of its own, or by other rows, or kept. Those that other rows rule out are mostly few:
they are kept beside the judged rows, which stay in their files.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from tandem.data import cleaning, mapping, schema
from tandem.data.engine import Engine
from tandem.data.schema import Table
from tandem.data.sources import Source
from tandem.params import CleaningParams

PRICED = ("products", "reviews")
"""Tables other than events whose prices or times may be impossible."""

KEYED = ("products", "users", "relations")
"""Tables whose key comes from the shop: a second row for one key is refused."""

OUT = {"place": "int64", "file": "string", "duplicate": "bool", "rule": "string", "reason": "string"}


@dataclass(frozen=True)
class Settled:
    """The judged rows of one table, and which of them others rule out."""

    rows: ir.Table
    out: ir.Table  # in the columns of OUT

    def kept(self) -> ir.Table:
        """The rows of the canonical table."""
        return self.rows.filter(self.rows.rule.isnull()).anti_join(self.out, "place")

    def refused(self, table: Table) -> ir.Table:
        """The refused rows as a shop's owner sees them; those refused for other rows' sake with their values."""
        own = self._by_themselves()
        others = self.rows.drop("rule", "reason").join(self.out.filter(~self.out.duplicate).drop("file"), "place")
        names = [c.name for c in table.columns if c.name not in ("attributes", "category")]
        values = ibis.map(ibis.array(names), ibis.array([others[name].cast("string") for name in names]))
        of_table = ibis.literal(table.name)
        columns = ["file", "row", "rule", "reason"]
        return own.select(*columns, table=of_table, record=own.record).union(
            others.select(*columns, table=of_table, record=values)
        )

    def counts(self) -> ir.Table:
        """How many rows of each `file` are a `duplicate` or refused by a `rule`: `n`."""
        own = self._by_themselves().select("file", "rule", duplicate=ibis.literal(False))
        found = own.union(self.out.select("file", "rule", "duplicate"))
        return found.group_by("file", "duplicate", "rule").agg(n=found.count())

    def _by_themselves(self) -> ir.Table:
        return self.rows.filter(self.rows.rule.notnull()).anti_join(self.out, "place")


def settle(engine: Engine, judged: dict[str, ir.Table], source: Source, params: CleaningParams) -> dict[str, Settled]:
    """What becomes of the judged rows of each table; of products there are none where no file has any."""
    settled = {"products": Settled(engine.store(mapping.nothing(schema.PRODUCTS)), _together(engine, []))}
    if "products" in judged:
        settled["products"] = _settle(engine, "products", judged["products"], source, params, None)
    listed = settled["products"].kept().select("product_id")
    if "events" in judged:
        known = None if source.products_from_events else listed
        settled["events"] = _settle(engine, "events", judged["events"], source, params, known)
    others = [name for name in ("reviews", "users", "relations") if name in judged]
    known = None
    if source.knows_products and set(others) - {"users"}:
        met = [settled["events"].kept().select("product_id")] if "events" in settled else []
        known = engine.store(ibis.union(listed, *met, distinct=True) if met else listed)
    for name in others:
        settled[name] = _settle(engine, name, judged[name], source, params, None if name == "users" else known)
    return settled


def _settle(
    engine: Engine, name: str, rows: ir.Table, source: Source, params: CleaningParams, known: ir.Table | None
) -> Settled:
    """One table; `known` are the products that there are, None where every product may be."""
    out: list[ir.Table] = []

    def live() -> ir.Table:
        left = rows.filter(rows.rule.isnull())
        for found in out:
            left = left.anti_join(found, "place")
        return left

    def rule_out(found: ir.Table) -> None:
        stored = engine.store(found)
        if cleaning.some(stored):
            out.append(stored)

    rule_out(_duplicates(rows, engine))
    if any(block.corrections for block in source.blocks[name]):
        rule_out(_corrected(live()))
    if name in PRICED and params.impossible_value.enabled:
        rule_out(_refused(cleaning.impossible_values(live(), params.impossible_value)))
    if known is not None:
        rule_out(_refused(_unknown(live(), known)))
    if name in KEYED:
        rule_out(_refused(_second(live(), schema.TABLES[name])))
    if name == "events":
        out += [_refused(found) for found in cleaning.clean(live(), params, engine.store)]
    return Settled(rows, _together(engine, out))


def _together(engine: Engine, out: list[ir.Table]) -> ir.Table:
    if len(out) == 1:
        return out[0]
    return engine.store(ibis.union(*out) if out else ibis.memtable([], schema=ibis.schema(OUT)))


def _refused(found: ir.Table) -> ir.Table:
    """What a rule found, in the columns of OUT."""
    return found.select("place", "file", "rule", "reason", duplicate=ibis.literal(False)).select(*OUT)


def _duplicates(rows: ir.Table, engine: Engine) -> ir.Table:
    """Of rows that say the same, wherever in the source's files, all but the first are duplicates.

    A block may refuse what another takes: a row that is kept is no duplicate of one that is refused. Of rows that
    correct each other `_corrected` decides.
    """
    same = rows.group_by("alike").having(rows.count() > 1).agg(rows_alike=rows.count())
    again = engine.store(
        rows.semi_join(engine.store(same), "alike").select("place", "file", "row", "says", "rule", "corrects")
    )
    nth = ibis.row_number().over(group_by=["says", "rule"], order_by=["file", "row"])
    later = again.mutate(nth=nth).filter(lambda t: (t.nth > 0) & t.corrects.isnull())
    nothing = ibis.null(str)
    return later.select("place", "file", duplicate=ibis.literal(True), rule=nothing, reason=nothing)


def _corrected(live: ir.Table) -> ir.Table:
    """Of rows that correct each other the last counts; others are refused, or duplicates if they say the same."""
    rows = _several(live.filter(live.corrects.notnull()), ["corrects"])
    last_first = ibis.window(group_by="corrects", order_by=[ibis.desc("file"), ibis.desc("row")])
    rows = rows.mutate(
        nth=ibis.row_number().over(last_first),
        last=rows.file.first().over(last_first) + " row " + rows.row.first().over(last_first).cast("string"),
        same=rows.says.first().over(last_first) == rows.says,
    )
    earlier = rows.filter(rows.nth > 0)
    rule, reason = earlier.same.ifelse(ibis.null(str), "corrected"), earlier.last + " corrects it"
    reason = earlier.same.ifelse(ibis.null(str), reason)
    return earlier.select("place", "file", duplicate=earlier.same, rule=rule, reason=reason)


def _unknown(live: ir.Table, known: ir.Table) -> ir.Table:
    """Refuse what is about a product that no row of products has."""
    names = [name for name in ("product_id", "other_id") if name in live.columns]
    unknown = {name: live[name].notin(known.product_id) for name in names}
    reasons = [(unknown[name], "no row of products has `" + live[name] + "`") for name in names]
    judged = live.mutate(rule=ibis.literal("unknown_product"), reason=ibis.cases(*reasons))
    return judged.filter(ibis.or_(*unknown.values()))


def _second(live: ir.Table, table: Table) -> ir.Table:
    """Refuse a second, different row for one key; the first in order of file and row is kept."""
    rows = _several(live, table.key)
    same = ibis.window(group_by=list(table.key), order_by=["file", "row"])
    noun = table.name.removesuffix("s")
    first = rows.file.first().over(same) + " row " + rows.row.first().over(same).cast("string")
    rows = rows.mutate(nth=ibis.row_number().over(same), reason=first + f" is kept for the same {noun}")
    return rows.filter(rows.nth > 0).mutate(rule=ibis.literal(f"second_row_for_{noun}"))


def _several(rows: ir.Table, key: Iterable[str]) -> ir.Table:
    """The rows whose key another one has, too."""
    counted = rows.group_by(list(key)).agg(rows_of_key=ibis._.count())
    return rows.semi_join(counted.filter(counted.rows_of_key > 1), list(key))
