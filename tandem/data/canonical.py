"""From raw rows to canonical tables: every row is kept, a duplicate, or refused with a reason; none gets lost.

A row's path: raw text → mapped cells → first rule that applies → kept, duplicate or refused. All of it is Ibis
expressions on DuckDB; Python reads the files and makes the pseudonyms.
"""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from tandem.data import cells, exports, inferred, mapping, privacy, schema
from tandem.data.engine import Engine, open_engine
from tandem.data.schema import Table
from tandem.data.sources import Block, Source
from tandem.errors import TableError

log = logging.getLogger(__name__)

ORDER = {
    "products": ["product_id"],
    "events": ["time", "file", "row"],
    "reviews": ["time", "file", "row"],
    "users": ["user_id"],
    "relations": ["product_id", "other_id", "kind"],
    "refused": ["table", "file", "row"],
}
KEYED = ("products", "users", "relations")
"""Tables whose key comes from the shop: a second row for one key is refused."""


@dataclass(frozen=True)
class Canonical:
    """The canonical tables, and the account of every raw row."""

    tables: dict[str, pd.DataFrame]  # by name of schema.TABLES
    report: dict[str, Any]  # what stands in reports/ingest.json


def make(source: Source, folder: Path, key: bytes) -> Canonical:
    """The canonical tables of the raw files in `folder`; the same files and key give the same tables.

    Raises:
        SourceError: the files are not as the source describes them.
    """
    found = exports.find(source, folder)
    with open_engine(source.timezone) as engine:
        raw = _load(engine, found)
        people = _people(engine, raw, key)
        judged = {name: _judge(engine, parts, people, source) for name, parts in raw.items() if parts}
        settled = _settle(engine, judged, source)
        rows = _tables(settled, source)
        tables = {name: _output(rows.get(name), table) for name, table in schema.TABLES.items()}
        accounts = [account for name in judged for account in _account(name, raw[name], settled[name])]
        derived = _derived(settled) if source.products_from_events else 0
    _compare(tables, accounts, derived)
    facts = {"source": source.name, "key_id": privacy.key_id(key), "products_from_events": derived}
    report = {**facts, "unmapped_files": found.unmapped, **_report(tables["events"], accounts)}
    _tell(report)
    return Canonical(tables, report)


@dataclass(frozen=True)
class _Raw:
    """The raw rows of one block, in the database."""

    block: Block
    rows: ir.Table  # file, row, problem, raw
    count: dict[str, int]  # raw rows by file


def _load(engine: Engine, found: exports.Exports) -> dict[str, list[_Raw]]:
    """Every block's files as one table of text each, by name of the canonical table."""
    return {name: [_load_block(engine, block, files) for block, files in blocks] for name, blocks in found.of.items()}


def _load_block(engine: Engine, block: Block, files: list[exports.Export]) -> _Raw:
    rows = exports.read(files, block)
    counts = dict.fromkeys((export.name for export in files), 0)
    counts |= {found["values"]: found["counts"] for found in rows["file"].value_counts().to_pylist()}
    return _Raw(block, engine.store(rows), counts)


def _people(engine: Engine, raw: dict[str, list[_Raw]], key: bytes) -> ir.Table:
    """Every user id, as the shop writes it, beside its pseudonym: `user`, `pseudonym`."""
    parts = [part for parts in raw.values() for part in parts if part.block.user_column]
    ids = [cells.text(part.rows.raw, part.block, "user_id") for part in parts]
    known = {user for text in ids for user in text.as_table().distinct().to_pyarrow()[0].to_pylist()} - {None}
    users = pd.Series(sorted(known), dtype=object)
    columns = {"user": users, "pseudonym": privacy.pseudonyms(key, users)}
    return engine.store(pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}))


def _judge(engine: Engine, parts: list[_Raw], people: ir.Table, source: Source) -> ir.Table:
    """The rows of one table, judged one by one; what depends on other rows is still open."""
    judged = [mapping.judge(engine, part.rows, part.block, people, source.products_from_events) for part in parts]
    return engine.store(ibis.union(*judged), *judged) if len(judged) > 1 else judged[0]


def _settle(engine: Engine, judged: dict[str, ir.Table], source: Source) -> dict[str, ir.Table]:
    """The judged rows, each now kept, a `duplicate`, or refused by a `rule`."""

    def settle(name: str, known: ir.Table | None) -> ir.Table:
        rows = _mark_duplicates(judged[name])
        rows = rows if known is None else _refuse_unknown(rows, known)
        rows = _refuse_second(rows, schema.TABLES[name]) if name in KEYED else rows
        return engine.store(rows, judged[name])

    products = settle("products", None) if "products" in judged else engine.store(mapping.nothing(schema.PRODUCTS))
    listed = _kept(products).select("product_id")
    events = settle("events", None if source.products_from_events else listed)
    known = engine.store(listed.union(_kept(events).select("product_id"), distinct=True))
    others = {"reviews": known, "users": None, "relations": known}
    rest = {name: settle(name, against) for name, against in others.items() if name in judged}
    return {"products": products, "events": events, **rest}


def _mark_duplicates(rows: ir.Table) -> ir.Table:
    """Of rows that say the same, wherever in the source's files, all but the first are duplicates."""
    place = ibis.row_number().over(group_by="identity", order_by=["file", "row"])
    return rows.mutate(duplicate=place > 0).drop("identity")


def _refuse_unknown(rows: ir.Table, known: ir.Table) -> ir.Table:
    """Refuse what is about a product that no row of products has."""
    names = [name for name in ("product_id", "other_id") if name in rows.columns]
    unknown = {name: rows[name].notin(known.product_id) for name in names}
    reasons = [(unknown[name], "no row of products has `" + rows[name] + "`") for name in names]
    return _refuse(rows, ibis.or_(*unknown.values()), "unknown_product", ibis.cases(*reasons))


def _refuse_second(rows: ir.Table, table: Table) -> ir.Table:
    """Refuse a second, different row for one key; the first in order of file and row is kept."""
    rows = rows.mutate(live=_lives(rows))
    same = ibis.window(group_by=["live", *table.key], order_by=["file", "row"])
    noun = table.name.removesuffix("s")
    first = rows.file.first().over(same) + " row " + rows.row.first().over(same).cast("string")
    rows = rows.mutate(place=ibis.row_number().over(same), reason_if_second=first + f" is kept for the same {noun}")
    return _refuse(rows, rows.place > 0, f"second_row_for_{noun}", rows.reason_if_second).drop(
        "live", "place", "reason_if_second"
    )


def _refuse(rows: ir.Table, applies: ir.BooleanValue, rule: str, reason: ir.StringValue) -> ir.Table:
    applies = _lives(rows) & applies
    return rows.mutate(rule=applies.ifelse(rule, rows.rule), reason=applies.ifelse(reason, rows.reason))


def _lives(rows: ir.Table) -> ir.BooleanValue:
    return ~rows.duplicate & rows.rule.isnull()


def _kept(rows: ir.Table) -> ir.Table:
    return rows.filter(_lives(rows))


def _refused(rows: ir.Table) -> ir.Table:
    return rows.filter(~rows.duplicate & rows.rule.notnull())


def _tables(settled: dict[str, ir.Table], source: Source) -> dict[str, ir.Table]:
    """The canonical tables, rows in no order yet."""
    refused = [
        _refused(rows).select("file", "row", "rule", "reason", "record", table=ibis.literal(name))
        for name, rows in settled.items()
    ]
    kept = {name: _kept(rows) for name, rows in settled.items()}
    infers = any(block.session_gap_minutes for block in source.events)
    return {
        **kept,
        "products": _catalogue(kept, source),
        "events": inferred.with_sessions(kept["events"]) if infers else kept["events"],
        "refused": ibis.union(*refused),
    }


def _catalogue(kept: dict[str, ir.Table], source: Source) -> ir.Table:
    """Every product: of the files, and where the source says so, of the events."""
    products = kept["products"].select(schema.PRODUCTS.names)
    if source.products_from_events:
        products = inferred.with_products_of_events(products, kept["events"], source.products_from_events)
    return products.mutate(
        category=products.category.fill_null(ibis.literal([], "array<string>")),
        currency=products.currency.fill_null(ibis.literal(source.currency, "string")),
    )


def _output(rows: ir.Table | None, table: Table) -> pd.DataFrame:
    """The rows in order, in exactly the table's columns."""
    if rows is None:
        return table.arrow.empty_table().to_pandas()
    return rows.order_by(ORDER[table.name]).select(table.names).to_pyarrow().to_pandas()


def _account(name: str, parts: list[_Raw], rows: ir.Table) -> list[dict[str, Any]]:
    """What became of the raw rows of one table, file by file.

    Raises:
        TableError: the counts do not add up, which is a fault of this module and never of the data.
    """
    kept = _count(_kept(rows), "file")
    duplicates = _count(rows.filter(rows.duplicate), "file")
    refused = _count(_refused(rows), "file", "rule")
    accounts = []
    for file, count in sorted((file, count) for part in parts for file, count in part.count.items()):
        why = {rule: n for (of, rule), n in sorted(refused.items()) if of == file}
        account = {"rows": count, "kept": kept.get((file,), 0), "duplicates": duplicates.get((file,), 0)}
        account["refused"] = sum(why.values())
        if account["rows"] != account["kept"] + account["duplicates"] + account["refused"]:
            raise TableError(f"{name}: the rows of {file} do not add up: {account}")
        accounts.append({"table": name, "file": file, **account, "rules": why})
    return accounts


def _count(rows: ir.Table, *by: str) -> dict[tuple[str, ...], int]:
    """Number of rows in each group."""
    counted = rows.group_by(by).agg(rows_in_group=rows.count()).to_pyarrow().to_pylist()
    return {tuple(group[name] for name in by): group["rows_in_group"] for group in counted}


def _derived(settled: dict[str, ir.Table]) -> int:
    """Number of products that only events know."""
    listed, events = _kept(settled["products"]), _kept(settled["events"])
    seen = events.select("product_id").distinct().to_pyarrow()[0].to_pylist()
    return len(set(seen) - set(listed.product_id.to_pyarrow().to_pylist()))


def _compare(tables: dict[str, pd.DataFrame], accounts: list[dict[str, Any]], derived: int) -> None:
    """Raise unless every table holds exactly the rows of its account.

    Raises:
        TableError: it does not, which is a fault of this module and never of the data.
    """
    for name, frame in tables.items():
        of = [a["refused"] if name == "refused" else a["kept"] for a in accounts if name in ("refused", a["table"])]
        expected = sum(of) + (derived if name == "products" else 0)
        if len(frame) != expected:
            raise TableError(f"{name} has {len(frame)} rows where the account says {expected}")


def _report(events: pd.DataFrame, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """Span of the events and the account, by table and by file; no clock and no path, so that it is the same again."""
    times = events["time"]
    return {
        "span": [times.iloc[0].isoformat(), times.iloc[-1].isoformat()] if len(times) else None,
        "totals": {name: _total([a for a in accounts if a["table"] == name]) for name in ORDER if name != "refused"},
        "files": accounts,
    }


def _total(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """The sum of some files' accounts."""
    rules: Counter[str] = Counter()
    for account in accounts:
        rules.update(account["rules"])
    counts = {name: sum(a[name] for a in accounts) for name in ("rows", "kept", "duplicates", "refused")}
    return {**counts, "rules": dict(sorted(rules.items()))}


def _tell(report: dict[str, Any]) -> None:
    """Warn of everything that was left out, and how much of it."""
    for name, total in report["totals"].items():
        if total["rows"] > total["kept"]:
            why = ", ".join(f"{rule} {count}" for rule, count in total["rules"].items()) or "none"
            log.warning(
                "%s: of %d raw rows %d are duplicates and %d are refused: %s",
                *(name, total["rows"], total["duplicates"], total["refused"], why),
            )
    if unmapped := report["unmapped_files"]:
        log.warning("source %s does not read %s", report["source"], ", ".join(unmapped))
