"""What depends on other rows: duplicates, corrections, unknown products, second rows for one key, the cleaning rules.

A judged row is refused by a rule of its own, or by other rows, or kept. Those that other rows rule out are mostly few:
they are kept beside the judged rows, which stay in their files. Of events they are kept for the next run, too: when
rows came in and none went, only what new rows can touch is asked again, by the same functions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from tandem.data import cleaning, mapping, schema
from tandem.data.cleaning import Facts
from tandem.data.engine import Engine
from tandem.data.schema import Table
from tandem.data.sources import Source
from tandem.params import CleaningParams

PRICED = ("products", "reviews")
"""Tables other than events whose prices or times may be impossible."""

KEYED = ("products", "users", "relations")
"""Tables whose key comes from the shop: a second row for one key is refused."""

OUT = {
    "place": "int64",
    "file": "string",
    "duplicate": "bool",
    "rule": "string",
    "reason": "string",
    "step": "string",  # name of the step that ruled the row out
}

CLEANING = "cleaning"
"""The last step, of several rules."""


@dataclass(frozen=True)
class Before:
    """What an earlier run settled of events, where all rows that it knew are still there."""

    old: ir.Table  # judged rows that it knew
    new: ir.Table  # and those that came in since
    out: ir.Table  # in the columns of OUT
    facts: Facts


@dataclass(frozen=True)
class Settled:
    """The judged rows of one table, and which of them others rule out."""

    rows: ir.Table
    out: ir.Table  # in the columns of OUT
    facts: Facts | None = None  # of events
    changed: ir.Table | None = None  # after an earlier run: rows `new` or settled otherwise, by `place` and `owner`

    def kept(self) -> ir.Table:
        """The rows of the canonical table."""
        return kept(self.rows, self.out)

    def refused(self, table: Table) -> ir.Table:
        """The refused rows as a shop's owner sees them; those refused for other rows' sake with their values."""
        return refused(self.rows, self.out, table)

    def counts(self) -> ir.Table:
        """How many rows of each `file` are a `duplicate` or refused by a `rule`: `n`."""
        own = _by_themselves(self.rows, self.out).select("file", "rule", duplicate=ibis.literal(False))
        found = own.union(self.out.select("file", "rule", "duplicate"))
        return found.group_by("file", "duplicate", "rule").agg(n=found.count())


def kept(rows: ir.Table, out: ir.Table) -> ir.Table:
    """The judged rows that neither they themselves nor others rule out."""
    return rows.filter(rows.rule.isnull()).anti_join(out, "place")


def refused(rows: ir.Table, out: ir.Table, table: Table) -> ir.Table:
    """Those of the judged rows that are refused, by themselves or by others, in the columns of schema.REFUSED."""
    own = _by_themselves(rows, out)
    others = rows.drop("rule", "reason").join(out.filter(~out.duplicate).drop("file"), "place")
    names = [c.name for c in table.columns if c.name not in ("attributes", "category")]
    values = ibis.map(ibis.array(names), ibis.array([others[name].cast("string") for name in names]))
    of_table = ibis.literal(table.name)
    columns = ["file", "row", "rule", "reason"]
    return own.select(*columns, table=of_table, record=own.record).union(
        others.select(*columns, table=of_table, record=values)
    )


def _by_themselves(rows: ir.Table, out: ir.Table) -> ir.Table:
    return rows.filter(rows.rule.notnull()).anti_join(out, "place")


def settle(
    engine: Engine,
    judged: dict[str, ir.Table],
    source: Source,
    params: CleaningParams,
    before: Before | None = None,
) -> dict[str, Settled]:
    """What becomes of the judged rows of each table; of products there are none where no file has any.

    Args:
        engine: what computes it.
        judged: the rows by table.
        source: whose they are.
        params: the cleaning rules.
        before: what an earlier run made of the events; it changes what this costs, and nothing else.
    """
    settled = {"products": Settled(engine.store(mapping.nothing(schema.PRODUCTS)), _together(engine, []))}
    if "products" in judged:
        settled["products"] = _settle(engine, "products", judged["products"], source, params, None)
    listed = settled["products"].kept().select("product_id")
    if "events" in judged:
        known = None if source.products_from_events else listed
        settled["events"] = _settle(engine, "events", judged["events"], source, params, known, before)
    others = [name for name in ("reviews", "users", "relations") if name in judged]
    known = None
    if source.knows_products and set(others) - {"users"}:
        met = [settled["events"].kept().select("product_id")] if "events" in settled else []
        known = engine.store(ibis.union(listed, *met, distinct=True) if met else listed)
    for name in others:
        settled[name] = _settle(engine, name, judged[name], source, params, None if name == "users" else known)
    return settled


def _settle(
    engine: Engine,
    name: str,
    rows: ir.Table,
    source: Source,
    params: CleaningParams,
    known: ir.Table | None,
    before: Before | None = None,
) -> Settled:
    """One table; `known` are the products that there are, None where every product may be."""
    steps = _Steps(engine, rows, before)
    steps.take("duplicate", lambda rows: _duplicates(rows, engine, schema.TABLES[name]), by="alike")
    if any(block.corrections for block in source.blocks[name]):
        steps.take("corrected", lambda rows: _corrected(steps.live(rows), schema.TABLES[name]), by="corrects")
    if name in PRICED and params.impossible_value.enabled:
        bounds = params.impossible_value
        steps.take("impossible", lambda rows: _refused(cleaning.impossible_values(steps.live(rows), bounds)))
    if known is not None:
        steps.take("unknown", lambda rows: _refused(_unknown(steps.live(rows), known)))
    if name in KEYED:
        steps.take("second", lambda rows: _refused(_second(steps.live(rows), schema.TABLES[name])))
    facts = _clean(steps, params) if name == "events" else None
    return Settled(rows, _together(engine, steps.out), facts, steps.changed)


class _Steps:
    """Steps that rule rows out, each some of those that the steps before left.

    After an earlier run a step is asked again of rows that share a key with a row that is new, or that an earlier step
    settles otherwise now; of all others its verdicts stay.
    """

    def __init__(self, engine: Engine, rows: ir.Table, before: Before | None) -> None:
        self.engine, self.rows, self.before = engine, rows, before
        self.out: list[ir.Table] = []
        self.changed = engine.store(_slim(before.new, new=True)) if before else None

    def live(self, rows: ir.Table) -> ir.Table:
        """Those of the rows that nothing has ruled out yet."""
        left = rows.filter(rows.rule.isnull())
        for found in self.out:
            left = left.anti_join(found, "place")
        return left

    def take(self, step: str, find: Callable[[ir.Table], ir.Table], by: str | None = None) -> None:
        """Rule out what `find` finds, in the columns of OUT without `step`, among the rows that it is asked of."""
        again = self.touched(by)
        self.add(step, find(self.asked(again)), again)

    def touched(self, by: str | None) -> ir.Table | None:
        """The places of known rows that share the key `by` with a row that changed; None where all rows are asked."""
        if self.before is None or by is None:
            return None
        assert self.changed is not None
        return self.engine.store(owned(self.before.old).semi_join(self.changed, by).select("place"))

    def asked(self, again: ir.Table | None) -> ir.Table:
        """All new rows and the known ones at the places `again`; or all rows."""
        if self.before is None or again is None:
            return self.rows
        return self.before.new.union(self.before.old.semi_join(again, "place"))

    def add(self, step: str, found: ir.Table, again: ir.Table | None = None) -> None:
        """Rule out what the step found, and what it found before at other places than `again`."""
        found = self.engine.store(found.mutate(step=ibis.literal(step)).select(*OUT))
        if self.before:
            was = self.before.out.filter(self.before.out.step == step)
            if again is not None:
                found = self.engine.store(found.union(was.anti_join(again, "place")))
            self._note(was, found)
        if cleaning.some(found):
            self.out.append(found)

    def _note(self, was: ir.Table, now: ir.Table) -> None:
        """Add the rows of which only one of the two knows, or each for another reason, to those that changed."""
        assert self.changed is not None
        was, now = (found.mutate(why=found.rule.fill_null("") + found.reason.fill_null("")) for found in (was, now))
        gone, come = was.anti_join(now, ["place", "why"]), now.anti_join(was, ["place", "why"])
        others = self.engine.store(gone.union(come).anti_join(self.changed, "place").select("place").distinct())
        if cleaning.some(others):
            found = _slim(self.rows.semi_join(others, "place"), new=False)
            self.changed = self.engine.store(self.changed.union(found))


def owned(events: ir.Table) -> ir.Table:
    """The events with an `owner`, equal for those of one user; one without user has its own."""
    return events.mutate(owner=events.user.coalesce(events.place))


def _slim(events: ir.Table, new: bool) -> ir.Table:
    """Of events that changed their keys, and what `cleaning.kinds` counts."""
    slim = owned(events).select("place", "rule", "alike", "corrects", "owner", "kind", "microseconds")
    return slim.mutate(new=ibis.literal(new))


def _clean(steps: _Steps, params: CleaningParams) -> Facts:
    """Take the last step; what comes back are the facts that it rests on."""
    if steps.before:
        again = steps.touched("owner")
        theirs = steps.engine.store(steps.live(steps.asked(again)).select(*cleaning.ASKED))
        slim = cleaning.slim(theirs, params, steps.engine.store, _moved(steps, steps.before))
        if cleaning.apart(steps.before.facts, slim.facts, params):
            steps.add(CLEANING, _union(map(_refused, cleaning.clean(slim, params))), again)
            return slim.facts
    slim = cleaning.slim(steps.live(steps.rows), params, steps.engine.store)
    steps.add(CLEANING, _union(map(_refused, cleaning.clean(slim, params))))
    return slim.facts


def _moved(steps: _Steps, before: Before) -> Facts:
    """The facts of all events, after an earlier run: those of then, and what changed since."""
    assert steps.changed is not None
    known = steps.changed.filter(~steps.changed.new)
    was = kept(known, before.out.filter(before.out.step != CLEANING))
    return before.facts.moved(cleaning.kinds(was), cleaning.kinds(steps.live(steps.changed)))


def _union(found: Iterable[ir.Table]) -> ir.Table:
    tables = list(found)
    return ibis.union(*tables) if tables else ibis.memtable([], schema=ibis.schema(OUT))


def _together(engine: Engine, out: list[ir.Table]) -> ir.Table:
    return out[0] if len(out) == 1 else engine.store(_union(out))


def _refused(found: ir.Table) -> ir.Table:
    """What a rule found, in the columns of OUT without `step`."""
    return found.select("place", "file", "rule", "reason", duplicate=ibis.literal(False))


def _duplicates(rows: ir.Table, engine: Engine, table: Table) -> ir.Table:
    """Of rows that say the same, wherever in the source's files, all but the first are duplicates.

    A block may refuse what another takes: a row that is kept is no duplicate of one that is refused. Of rows that
    correct each other `_corrected` decides.
    """
    same = rows.group_by("alike").having(rows.count() > 1).agg(rows_alike=rows.count())
    alike = rows.semi_join(engine.store(same), "alike")
    again = engine.store(alike.select("place", "file", "row", "rule", "corrects", says=mapping.says(alike, table)))
    nth = ibis.row_number().over(group_by=["says", "rule"], order_by=["file", "row"])
    later = again.mutate(nth=nth).filter(lambda t: (t.nth > 0) & t.corrects.isnull())
    nothing = ibis.null(str)
    return later.select("place", "file", duplicate=ibis.literal(True), rule=nothing, reason=nothing)


def _corrected(live: ir.Table, table: Table) -> ir.Table:
    """Of rows that correct each other the last counts; others are refused, or duplicates if they say the same."""
    rows = _several(live.filter(live.corrects.notnull()), ["corrects"])
    rows = rows.mutate(says=mapping.says(rows, table))
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
