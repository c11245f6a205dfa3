"""From raw rows to canonical tables: every row is kept, a duplicate, or refused with a reason; none gets lost.

A row's path: raw text → mapped cells → first rule that applies → kept, duplicate or refused. What a row says by itself
is judged once and kept (`tandem.data.parts`); what depends on other rows is settled here, over all of them.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tandem import files
from tandem.data import categories, choices, cleaning, exports, inferred, mapping, pictures, privacy, schema
from tandem.data.engine import Engine, EngineName, open_engine
from tandem.data.parts import SCRATCH, Part, Parts, RawFile
from tandem.data.records import Keep
from tandem.data.schema import Table
from tandem.data.sources import Picture, Source
from tandem.errors import SourceError, TableError
from tandem.params import CleaningParams, Identifier, IngestParams

log = logging.getLogger(__name__)

ORDER = {
    "products": ["product_id"],
    "events": ["time", "file", "row"],
    "reviews": ["time", "file", "row"],
    "users": ["user_id"],
    "relations": ["product_id", "other_id", "kind"],
    "refused": ["table", "file", "row"],
}
PRICED = ("products", "reviews")
"""Tables other than events whose prices or times may be impossible."""

KEYED = ("products", "users", "relations")
"""Tables whose key comes from the shop: a second row for one key is refused."""


@dataclass(frozen=True)
class _Read:
    """The judged rows of one table's raw files."""

    rows: ir.Table
    files: list[RawFile]
    repaired: Counter[str]  # cells by what was done to them


def make(
    source: Source,
    raw: Path,
    key: bytes,
    tables: Path,
    parts: Path,
    params: IngestParams,
    keep: Keep | None = None,
    engine_name: EngineName = "duckdb",
) -> dict[str, Any]:
    """Write the canonical tables of the raw files in `raw`; the same files, key and params give the same bytes.

    Args:
        source: how the raw files are read.
        raw: their folder.
        key: makes the users' pseudonyms.
        tables: folder for `<table>.parquet`, one for each of schema.TABLES.
        parts: folder in which judged rows are kept for the next run, and scratch files meanwhile.
        params: what is cleaned, masked and let through.
        keep: is told of the id and pseudonym of each user that is read, if given.
        engine_name: what runs the tables' expressions; all give the same bytes.

    Returns:
        The account of every raw row: reports/ingest.json.

    Raises:
        SourceError: the files are not as the source describes them.
        SettingsError: the engine needs what is not installed.
    """
    for block in source.users:
        privacy.allowed(block.attributes, params.privacy)
    found = exports.find(source, raw)
    with open_engine(source.timezone, parts / SCRATCH, engine_name) as engine:
        read = _read(engine, source, found, Parts(parts, source, raw, key, params, keep))
        settled = _settle(engine, {name: table.rows for name, table in read.items()}, source, params.cleaning)
        rows, repaired = _tables(engine, settled, source, params.cleaning)
        rows["products"], pictured = _with_pictures(engine, rows["products"], source, raw)
        counts = {
            name: files.write_batches(_output(engine, rows.get(name), table, params), tables / f"{name}.parquet", table)
            for name, table in schema.TABLES.items()
        }
        accounts = [account for name in read for account in _account(name, read[name].files, settled[name])]
        span = _span(settled.get("events"))
    derived = counts["products"] - sum(a["kept"] for a in accounts if a["table"] == "products")
    _compare(counts, accounts, derived)
    report = {
        "source": source.name,
        "key_id": privacy.key_id(key),
        "products_from_events": derived,
        "unmapped_files": found.unmapped,
        "span": span,
        **_report(accounts),
    }
    refused = sum((Counter(total["rules"]) for total in report["totals"].values()), Counter())
    cells = sum((table.repaired for table in read.values()), Counter())
    report["cleaning"] = cleaning.report(params.cleaning, refused, repaired | _of_cells(cells))
    report["masked"] = {kind: cells[kind] for kind in params.privacy.masked}
    report["pictures"] = pictured
    _tell(report)
    return report


def _of_cells(repaired: Counter[str]) -> dict[str, dict[str, int]]:
    """What was done to cells while they were read, by rule."""
    return {
        "text": {"changed": repaired["changed"], "cut": repaired["cut"]},
        "language": {"told": repaired["language"]},
    }


def _read(engine: Engine, source: Source, found: exports.Exports, parts: Parts) -> dict[str, _Read]:
    """The judged rows of every table that the source has files for."""
    read = {}
    for name, blocks in found.of.items():
        made = [part for block, listed in blocks for part in parts.of(engine, block, listed)]
        if made:
            _check_told(source, name, made)
            rows = engine.read([part.path for part in made])
            repaired = sum((Counter(part.repaired) for part in made), Counter())
            read[name] = _Read(rows, [file for part in made for file in part.files], repaired)
    parts.keep(block for blocks in found.of.values() for block, _ in blocks)
    return read


def _check_told(source: Source, table: str, parts: list[Part]) -> None:
    """Raise where events should tell of their products in a column that none of their files has."""
    told = source.products_from_events if table == "events" else None
    columns = {column for part in parts for column in part.columns}
    if told and (lacking := sorted(set(told.texts.values()) - columns)):
        raise SourceError(
            f"source {source.name}: `products_from_events` names `{'`, `'.join(lacking)}`; no file of the events has "
            "such a column"
        )


def _settle(engine: Engine, judged: dict[str, ir.Table], source: Source, params: CleaningParams) -> dict[str, ir.Table]:
    """The judged rows, each now kept, a `duplicate`, or refused by a `rule`."""

    def settle(name: str, known: ir.Table | None) -> ir.Table:
        rows = _mark_duplicates(engine, judged[name])
        if any(block.corrections for block in source.blocks[name]):
            rows = engine.store(_correct(rows))
        rows = cleaning.impossible_values(rows, params) if name in PRICED else rows
        rows = rows if known is None else _refuse_unknown(rows, known)
        return engine.store(_refuse_second(rows, schema.TABLES[name])) if name in KEYED else rows

    none = mapping.nothing(schema.PRODUCTS).mutate(duplicate=False)
    products = settle("products", None) if "products" in judged else none
    listed = _kept(products).select("product_id")
    settled = {"products": products}
    if "events" in judged:
        events = settle("events", None if source.products_from_events else listed)
        settled["events"] = cleaning.clean(events, params, engine.store)
        listed = listed.union(_kept(settled["events"]).select("product_id"), distinct=True)
    known = engine.store(listed) if source.knows_products else None
    others = {"reviews": known, "users": None, "relations": known}
    return settled | {name: settle(name, against) for name, against in others.items() if name in judged}


def _mark_duplicates(engine: Engine, rows: ir.Table) -> ir.Table:
    """Of rows that say the same, wherever in the source's files, all but the first are duplicates.

    A block may refuse what another takes: a row that is kept is no duplicate of one that is refused.
    """
    same = rows.group_by("says").having(rows.count() > 1).agg(rows_in_group=rows.count())
    again = rows.semi_join(same, "says").select("file", "row", "says", "rule", "corrects")
    place = ibis.row_number().over(group_by=["says", "rule"], order_by=["file", "row"])
    later = engine.store(again.mutate(place=place).filter(lambda t: (t.place > 0) & t.corrects.isnull()))
    if not later.count().to_pyarrow().as_py():
        return rows.mutate(duplicate=False)
    marked = rows.left_join(later.select("file", "row", later=True), ["file", "row"], rname="{name}_later")
    return marked.mutate(duplicate=marked.later.fill_null(False)).drop("later", "file_later", "row_later")


def _correct(rows: ir.Table) -> ir.Table:
    """Of rows that correct each other the last counts; others are refused, or duplicates if they say the same."""
    open_ = rows.corrects.notnull() & _lives(rows)
    last_first = ibis.window(group_by=["open", "corrects"], order_by=[ibis.desc("file"), ibis.desc("row")])
    rows = rows.mutate(open=open_)
    rows = rows.mutate(
        place=ibis.row_number().over(last_first),
        last=rows.file.first().over(last_first) + " row " + rows.row.first().over(last_first).cast("string"),
        same=rows.says.first().over(last_first) == rows.says,
    )
    earlier = rows.open & (rows.place > 0)
    rows = rows.mutate(duplicate=rows.duplicate | (earlier & rows.same))
    return _refuse(rows, earlier, "corrected", rows.last + " corrects it").drop("open", "place", "last", "same")


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


def _tables(
    engine: Engine, settled: dict[str, ir.Table], source: Source, params: CleaningParams
) -> tuple[dict[str, ir.Table], dict[str, dict[str, Any]]]:
    """The canonical tables, rows in no order yet, attributes and records still maps; and what was repaired, by rule."""
    kept = {name: _kept(rows) for name, rows in settled.items()}
    refused = [_as_refused(rows, schema.TABLES[name]) for name, rows in settled.items()]
    if any(block.session_gap_minutes for block in source.events):
        kept["events"] = inferred.with_sessions(kept["events"])
    if any(block.order_gap_minutes for block in source.events):
        kept["events"] = inferred.with_orders(kept["events"])
    products, repaired = _catalogue(engine, kept, source, params)
    return {**kept, "products": products, "refused": ibis.union(*refused)}, repaired


def _as_refused(rows: ir.Table, table: Table) -> ir.Table:
    """Refused rows with their mapped cells; those refused for what other rows say, with their values."""
    found = rows.filter(~rows.duplicate & rows.rule.notnull())
    texts = [c.name for c in table.columns if c.name not in ("attributes", "category")]
    values = ibis.map(ibis.array(texts), ibis.array([found[name].cast("string") for name in texts]))
    return found.select(
        "file", "row", "rule", "reason", table=ibis.literal(table.name), record=found.record.coalesce(values)
    )


def _catalogue(
    engine: Engine, kept: dict[str, ir.Table], source: Source, params: CleaningParams
) -> tuple[ir.Table, dict[str, dict[str, Any]]]:
    """Every product: of the files, and where the source says so, of the events; else those that reviews are about."""
    repaired: dict[str, dict[str, Any]] = {}
    products = kept["products"].select(schema.PRODUCTS.names)
    if told := source.products_from_events:
        texts = {name: engine.store(ranked) for name, ranked in inferred.told_texts(kept["events"], told).items()}
        products = inferred.with_products_of_events(products, kept["events"], told, texts)
        choice = params.product_choice
        repaired["product_choice"] = choices.record(texts, choice.examples) if choice.enabled else {}
    if not source.knows_products:
        products = inferred.with_products_of_reviews(products, kept["reviews"])
    products = engine.store(
        products.mutate(
            category=products.category.fill_null(ibis.literal([], "array<string>")),
            currency=products.currency.fill_null(ibis.literal(source.currency, "string")),
        )
    )
    if params.category.enabled:
        products, counts = categories.unify(products, engine.store)
        repaired["category"] = {**counts}
    return products, repaired


def _with_pictures(
    engine: Engine, products: ir.Table, source: Source, raw: Path
) -> tuple[ir.Table, dict[str, int] | None]:
    """The products with the places of their pictures, and how many name one and how many of these are not there."""
    cells = [block.columns.get("image") for block in source.products]
    archives = {cell.archive for cell in cells if isinstance(cell, Picture)}
    if not archives:
        return products, None
    places = engine.store(pa.concat_tables(_places(raw, archive) for archive in archives))
    found = products.left_join(places, products.image == places.name)
    counted = found.agg(named=found.image.count(), present=found.place.count()).to_pyarrow().to_pylist()[0]
    counts = {"named": counted["named"], "absent": counted["named"] - counted["present"]}
    return found.mutate(image=found.place).select(products.columns), counts


def _places(raw: Path, archive: str | None) -> pa.Table:
    """The pictures of an archive, or those that were packed, by the name that `cells.value` gives them."""
    index = pictures.index(raw, archive)
    names = pc.binary_join_element_wise(archive, index["name"], "!") if archive else index["name"]
    return index.set_column(0, "name", names)


def _output(engine: Engine, rows: ir.Table | None, table: Table, params: IngestParams) -> Iterator[pa.RecordBatch]:
    """The rows in order, in exactly the table's columns."""
    if rows is None:
        return iter(())
    ids = [name for name in table.names if name in ("event_id", "review_id")]  # made after the rows are in order
    sorted_ = rows.select(*(n for n in table.names if n not in ids), *(["file", "row"] if ids else [])).order_by(
        ORDER[table.name]
    )
    made = sorted_.mutate(**{name: sorted_.file + ":" + sorted_.row.cast("string") for name in ids})
    written = (_with_json(batch) for batch in engine.batches(made.select(table.names)))
    masked = params.privacy.masked
    return (_masked(batch, masked) for batch in written) if table is schema.REFUSED and masked else written


def _masked(batch: pa.RecordBatch, kinds: tuple[Identifier, ...]) -> pa.RecordBatch:
    """Refused rows without direct identifiers: any cell may hold what does not belong there."""
    for name in ("reason", "record"):
        texts, _ = privacy.mask(batch.column(name), kinds)
        batch = batch.set_column(batch.schema.get_field_index(name), name, texts)
    return batch


def _with_json(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its maps as JSON objects, names in alphabetical order."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_map(field.type):
            texts = [None if cells is None else _json(dict(cells)) for cells in batch.column(place).to_pylist()]
            batch = batch.set_column(place, field.name, pa.array(texts, pa.string()))
    return batch


def _json(cells: dict[str, str | None]) -> str:
    return json.dumps(cells, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _account(name: str, read: list[RawFile], rows: ir.Table) -> list[dict[str, Any]]:
    """What became of the raw rows of one table, file by file.

    Raises:
        TableError: the counts do not add up, which is a fault of this module and never of the data.
    """
    counted = rows.group_by("file", "duplicate", "rule").agg(n=rows.count()).to_pyarrow().to_pylist()
    of_file: dict[str, list[dict[str, Any]]] = {}
    for group in counted:
        of_file.setdefault(group["file"], []).append(group)
    accounts = []
    for file in sorted(read, key=lambda file: file.name):
        here = of_file.get(file.name, [])
        why = {
            g["rule"]: g["n"] for g in sorted(here, key=lambda g: g["rule"] or "") if not g["duplicate"] and g["rule"]
        }
        account = {
            **vars(file),
            "kept": sum(g["n"] for g in here if not g["duplicate"] and not g["rule"]),
            "duplicates": sum(g["n"] for g in here if g["duplicate"]),
            "refused": sum(why.values()),
        }
        if account["rows"] != account["kept"] + account["duplicates"] + account["refused"]:
            raise TableError(f"{name}: the rows of {file.name} do not add up: {account}")
        accounts.append({"table": name, "file": account.pop("name"), **account, "rules": why})
    return accounts


def _compare(counts: dict[str, int], accounts: list[dict[str, Any]], derived: int) -> None:
    """Raise unless every table holds exactly the rows of its account.

    Raises:
        TableError: it does not, which is a fault of this module and never of the data.
    """
    for name, count in counts.items():
        of = [a["refused"] if name == "refused" else a["kept"] for a in accounts if name in ("refused", a["table"])]
        expected = sum(of) + (derived if name == "products" else 0)
        if count != expected or derived < 0:
            raise TableError(f"{name} has {count} rows where the account says {expected}")


def _span(events: ir.Table | None) -> list[str] | None:
    """Times of the first and last event."""
    if events is None:
        return None
    kept = _kept(events)
    found = kept.agg(first=kept.time.min(), last=kept.time.max()).to_pyarrow().to_pylist()[0]
    times = [found["first"], found["last"]]
    return [pd.Timestamp(time).tz_convert("UTC").isoformat() for time in times] if times[0] else None


def _report(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """The account by table and by file; no clock and no path, so that it is the same again."""
    return {
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
