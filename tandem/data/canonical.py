"""From raw rows to canonical tables: every row is kept, a duplicate, or refused with a reason; none gets lost.

A row's path: raw text → mapped cells → first rule that applies → kept, duplicate or refused. What a row says by itself
is judged once and kept (`tandem.data.parts`); what depends on other rows is settled (`tandem.data.settling`), and what
new rows do not touch is kept, too (`tandem.data.increments`).
"""

import logging
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem import files
from tandem.data import categories, choices, cleaning, exports, inferred, output, pictures, schema, settling
from tandem.data.engine import Engine, EngineName, open_engine
from tandem.data.entries import Picture
from tandem.data.increments import Increment
from tandem.data.parts import KEPT, SCRATCH, Part, Parts, RawFile, identities
from tandem.data.records import Keep, before
from tandem.data.settling import Settled
from tandem.data.sources import Source
from tandem.errors import SourceError, TableError
from tandem.params import CleaningParams, IngestParams
from tandem.privacy import attributes, pseudonyms

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Read:
    """The judged rows of one table's raw files."""

    rows: ir.Table
    parts: list[Part]

    @property
    def files(self) -> list[RawFile]:
        """The raw files."""
        return [file for part in self.parts for file in part.files]

    @property
    def repaired(self) -> Counter[str]:
        """Cells by what was done to them."""
        return sum((Counter(part.repaired) for part in self.parts), Counter())


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
        tables: folder for `<table>.parquet`, one for each of schema.TABLES; that of events holds a file for each month.
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
        attributes.allowed(block.attributes, params.privacy.user_attributes)
    found = exports.find(source, raw)
    with identities(found.paths) as identity, open_engine(source.timezone, parts / SCRATCH, engine_name) as engine:
        read = _read(engine, source, found, Parts(engine, parts, source, raw, key, params, keep, identity))
        events = [part.path for part in read["events"].parts] if "events" in read else []
        increment = Increment(engine, parts / KEPT, events, source, params)
        judged = {name: of.rows for name, of in read.items()}
        settled = settling.settle(engine, judged, source, params.cleaning, increment.before)
        log.debug("settled %s", ", ".join(settled))
        finished = increment.finish(settled)
        months = engine.read(files.of(finished["events"]))
        rows, repaired, pictured = _tables(engine, settled, months, source, raw, params.cleaning)
        counts = _write(engine, rows, finished, tables)
        accounts = [account for name in read for account in _account(name, read[name].files, settled[name])]
    derived = counts["products"] - sum(a["kept"] for a in accounts if a["table"] == "products")
    _compare(counts, accounts, derived)
    report = {
        "source": source.name,
        "key_id": pseudonyms.key_id(key),
        "products_from_events": derived,
        "unmapped_files": found.unmapped,
        "span": _span(files.of(finished["events"])),
        "pictures": pictured,
        **_report(accounts),
    }
    report |= _cleaned(report["totals"], read, repaired, params)
    _tell(report)
    return report


def _cleaned(
    totals: dict[str, dict[str, Any]], read: dict[str, _Read], repaired: dict[str, dict[str, Any]], params: IngestParams
) -> dict[str, Any]:
    """What the cleaning rules refused and repaired, and how many identifiers were masked."""
    refused = sum((Counter(total["rules"]) for total in totals.values()), Counter())
    cells = sum((table.repaired for table in read.values()), Counter())
    return {
        "cleaning": cleaning.report(params.cleaning, refused, repaired | _of_cells(cells)),
        "masked": {kind: cells[kind] for kind in params.privacy.masked},
    }


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
        made = [part for block, listed in blocks for part in parts.of(block, listed)]
        if made:
            _check_told(source, name, made)
            _check_places(name, made)
            read[name] = _Read(engine.read([part.path for part in made]), made)
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


def _check_places(table: str, parts: list[Part]) -> None:
    """Raise where a part has not the rows that were read, or two rows one place.

    Raises:
        TableError: a fault of this program or of the disk, or that of 2^62 places two files begin close together.
    """
    for part in parts:
        if (held := pq.read_metadata(part.path).num_rows) != (told := sum(file.rows for file in part.files)):
            raise TableError(f"{part.path} has {held} rows where {told} were read; remove it and run again")
    files_of = [file for part in parts for file in part.files]
    begun = sorted(((before(file.name), file) for file in files_of), key=lambda one: one[0])
    for (first, file), (second, other) in pairwise(begun):
        if first + file.rows >= second:
            raise TableError(f"{table}: rename {file.name} or {other.name}; by their names their rows get one place")


def _tables(
    engine: Engine, settled: dict[str, Settled], events: ir.Table, source: Source, raw: Path, params: CleaningParams
) -> tuple[dict[str, ir.Table], dict[str, dict[str, Any]], dict[str, int] | None]:
    """The tables but events and refused, rows in no order yet; what was repaired, by rule; and how many pictures."""
    rows = {name: of.kept() for name, of in settled.items()}
    products, repaired = _catalogue(engine, rows, events, source, params)
    rows["products"], pictured = _with_pictures(engine, products, source, raw)
    return rows, repaired, pictured


def _catalogue(
    engine: Engine, kept: dict[str, ir.Table], events: ir.Table, source: Source, params: CleaningParams
) -> tuple[ir.Table, dict[str, dict[str, Any]]]:
    """Every product: of the files, and where the source says so, of the events; else those that reviews are about.

    `kept` are judged rows, with all that was told; `events` are the table's.
    """
    repaired: dict[str, dict[str, Any]] = {}
    products = kept["products"].select(schema.PRODUCTS.names)
    if told := source.products_from_events:
        texts = {name: engine.store(ranked) for name, ranked in inferred.told_texts(kept["events"], told).items()}
        products = inferred.with_products_of_events(products, events, told, texts)
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


def _write(engine: Engine, rows: dict[str, ir.Table], finished: dict[str, Path], tables: Path) -> dict[str, int]:
    """Write every table, those that are `finished` as they are, and count the rows."""
    counts = {}
    for name, table in schema.TABLES.items():
        to = tables / f"{name}.parquet"
        if name in finished:
            counts[name] = files.copy(finished[name], to)
        else:
            found = output.batches(engine, rows[name], table, ()) if name in rows else iter(())
            counts[name] = files.write_batches(found, to, table)
    log.info("wrote %s: %s", tables, ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    return counts


def _account(name: str, read: list[RawFile], settled: Settled) -> list[dict[str, Any]]:
    """What became of the raw rows of one table, file by file."""
    of_file: dict[str, list[dict[str, Any]]] = {}
    for group in settled.counts().to_pyarrow().to_pylist():
        of_file.setdefault(group["file"], []).append(group)
    accounts = []
    for file in sorted(read, key=lambda file: file.name):
        here = of_file.get(file.name, [])
        why = {g["rule"]: g["n"] for g in sorted(here, key=lambda g: g["rule"] or "") if not g["duplicate"]}
        lost = {"duplicates": sum(g["n"] for g in here if g["duplicate"]), "refused": sum(why.values())}
        account = {**vars(file), "kept": file.rows - sum(lost.values()), **lost}
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


def _span(events: list[Path]) -> list[str] | None:
    """Times of the first and last event, which are in order."""
    times = [pq.read_table(path, columns=["time"])["time"] for path in (events[0], events[-1])]
    return [times[0][0].as_py().isoformat(), times[1][-1].as_py().isoformat()] if len(times[0]) else None


def _report(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    """The account by table and by file; no clock and no path, so that it is the same again."""
    return {
        "totals": {
            name: _total([a for a in accounts if a["table"] == name]) for name in schema.TABLES if name != "refused"
        },
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
