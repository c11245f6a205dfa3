"""What a snapshot must keep, as plain claims: made from the schema, and from what is true of any shop.

`stages.validate` hands them to Great Expectations; of that this module knows only names and arguments.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from tandem.data import schema
from tandem.data.schema import Column, Table
from tandem.errors import ParamsError
from tandem.params import ValidateParams

NAMES = (
    "columns",
    "required",
    "unique_key",
    "known_values",
    "value_range",
    "price_range",
    "quantity_range",
    "not_empty",
    "future_events",
    "freshness",
    "orphan_products",
    "volume",
    "exact_accounting",
    "refused_share",
)
"""Every name that `validate.severity` may hold."""

TABLES = (schema.PRODUCTS, schema.EVENTS, schema.REVIEWS, schema.USERS, schema.RELATIONS)
"""The tables of a snapshot."""

REFERENCES = {"events": ("product_id",), "reviews": ("product_id",), "relations": ("product_id", "other_id")}
"""Columns that hold a key of products, by table."""

RAW_FILES, RAW_TABLES = "raw_files", "raw_tables"
"""Two more tables to judge: the account of each raw file, and of all raw files of each table."""


@dataclass(frozen=True)
class Claim:
    """One expectation of one table."""

    table: str
    name: str  # one of NAMES
    sentence: str  # what holds, for people
    type: str  # class in `great_expectations.expectations`
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Skipped:
    """An expectation that could not be asked, and why."""

    table: str
    name: str
    reason: str


def ask(
    tables: Mapping[str, pd.DataFrame], params: ValidateParams, as_of: datetime, previous: Mapping[str, int] | str
) -> tuple[list[Claim], list[Skipped]]:
    """All that is to be judged, and what cannot be.

    Args:
        previous: rows by table of the snapshot accepted before, or a sentence why there are none.

    Raises:
        ParamsError: `validate.severity` names an expectation that does not exist.
    """
    if strange := sorted(set(params.severity) - set(NAMES)):
        known = ", ".join(NAMES)
        raise ParamsError(f"params.yaml: `validate.severity.{strange[0]}` is no expectation. Known names: {known}.")
    asked: list[Claim | Skipped] = [claim for table in TABLES for claim in of_schema(table, params)]
    asked += [*of_presence(), *of_references(), *of_time(as_of, params), *of_accounting(params)]
    asked += of_volume(previous, params)
    if tables["events"].empty:
        asked = [Skipped(a.table, a.name, "there are no events") if a.name == "freshness" else a for a in asked]
    return [a for a in asked if isinstance(a, Claim)], [a for a in asked if isinstance(a, Skipped)]


def judged(tables: Mapping[str, pd.DataFrame], accounts: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """What the claims are about: the tables with their unknown references, and the account of the raw rows.

    Args:
        tables: the canonical tables by name.
        accounts: `files` of reports/ingest.json: table, file, rows, kept, duplicates, refused of each raw file.

    Returns:
        Beside each column of REFERENCES stands `unknown_<column>`: the id where products lacks it, else missing.
        RAW_FILES has `accounted` beside `rows`, RAW_TABLES the `refused_share`.
    """
    known = tables["products"]["product_id"]
    found = dict(tables)
    for name, columns in REFERENCES.items():
        table = tables[name]
        found[name] = table.assign(**{f"unknown_{c}": table[c].where(~table[c].isin(known)) for c in columns})
    counts = ["rows", "kept", "duplicates", "refused"]
    of_files = pd.DataFrame(accounts, columns=["table", "file", *counts])
    of_tables = of_files.groupby("table", as_index=False)[counts].sum()
    share = of_tables["refused"] / of_tables["rows"].clip(lower=1)
    found[RAW_FILES] = of_files.assign(accounted=of_files[counts[1:]].sum(axis=1))
    found[RAW_TABLES] = of_tables.assign(refused_share=share)
    return found


def of_schema(table: Table, params: ValidateParams) -> Iterator[Claim]:
    """Columns, missing values, key, value sets and ranges, as `tandem.data.schema` says."""
    names = ", ".join(table.names)
    columns = {"column_set": table.names, "exact_match": False}
    yield Claim(table.name, "columns", f"has the columns {names}", "ExpectTableColumnsToMatchSet", columns)
    yield _unique(table)
    for column in table.columns:
        name, one = column.name, {"column": column.name}
        if not column.nullable:
            yield Claim(table.name, "required", f"{name} is never missing", "ExpectColumnValuesToNotBeNull", one)
        if column.values:
            values = {**one, "value_set": list(column.values)}
            sentence = f"{name} is one of {', '.join(column.values)}"
            yield Claim(table.name, "known_values", sentence, "ExpectColumnValuesToBeInSet", values)
        if column.minimum is not None or column.maximum is not None:
            yield _range(table, column, params)


def of_time(as_of: datetime, params: ValidateParams) -> Iterator[Claim]:
    """Nothing comes from the future, and the last event is recent."""
    before = {"column": "time", "max_value": as_of, "strict_max": True}
    for table in ("events", "reviews"):
        sentence = f"time is before as_of {as_of:%Y-%m-%dT%H:%M:%SZ}"
        yield Claim(table, "future_events", sentence, "ExpectColumnValuesToBeBetween", before)
    days = params.max_days_since_last_event
    since = as_of - timedelta(days=days)
    sentence = f"the last event is at most {days:g} days before as_of, not before {since:%Y-%m-%dT%H:%M:%SZ}"
    recent = {"column": "time", "min_value": since}
    yield Claim("events", "freshness", sentence, "ExpectColumnMaxToBeBetween", recent)


def of_references() -> Iterator[Claim]:
    """Every product that is spoken of is in products."""
    for table, columns in REFERENCES.items():
        for column in columns:
            unknown = {"column": f"unknown_{column}"}
            yield Claim(table, "orphan_products", f"{column} is in products", "ExpectColumnValuesToBeNull", unknown)


def of_presence() -> Iterator[Claim]:
    """A shop has products and events."""
    for table in ("products", "events"):
        yield Claim(table, "not_empty", "has rows", "ExpectTableRowCountToBeBetween", {"min_value": 1})


def of_accounting(params: ValidateParams) -> Iterator[Claim]:
    """No raw row is lost, and few are refused."""
    equal = {"column_A": "rows", "column_B": "accounted"}
    sentence = "rows = kept + duplicates + refused"
    yield Claim(RAW_FILES, "exact_accounting", sentence, "ExpectColumnPairValuesToBeEqual", equal)
    share = {"column": "refused_share", "max_value": params.max_refused_share}
    sentence = f"at most {params.max_refused_share:.4g} of a table's raw rows are refused"
    yield Claim(RAW_TABLES, "refused_share", sentence, "ExpectColumnValuesToBeBetween", share)


def of_volume(previous: Mapping[str, int] | str, params: ValidateParams) -> Iterator[Claim | Skipped]:
    """Row counts in proportion to those of the snapshot accepted before."""
    low, high = params.volume_ratio
    if isinstance(previous, str):
        yield Skipped("all", "volume", previous)
        return
    for table in TABLES:
        rows = previous.get(table.name, 0)
        if not rows:
            yield Skipped(table.name, "volume", "the snapshot accepted before had no such rows")
            continue
        bounds = {"min_value": round(low * rows), "max_value": round(high * rows)}
        sentence = "has {min_value} to {max_value} rows".format(**bounds) + f"; {rows} were accepted before"
        yield Claim(table.name, "volume", sentence, "ExpectTableRowCountToBeBetween", bounds)


def _unique(table: Table) -> Claim:
    sentence = f"{', '.join(table.key)} is unique"
    if len(table.key) == 1:
        one = {"column": table.key[0]}
        return Claim(table.name, "unique_key", sentence, "ExpectColumnValuesToBeUnique", one)
    many = {"column_list": list(table.key)}
    return Claim(table.name, "unique_key", sentence, "ExpectCompoundColumnsToBeUnique", many)


def _range(table: Table, column: Column, params: ValidateParams) -> Claim:
    bounds = {"column": column.name, "min_value": column.minimum, "max_value": column.maximum}
    name = "value_range"
    if column.name in ("price", "unit_price"):
        name, bounds["max_value"] = "price_range", params.max_unit_price
    if column.name == "quantity":
        name, bounds["max_value"], bounds["strict_min"] = "quantity_range", params.max_quantity, True
    least = ">" if bounds.get("strict_min") else "≥"
    limits = [f"{least} {bounds['min_value']:g}"] if bounds["min_value"] is not None else []
    limits += [f"≤ {bounds['max_value']:g}"] if bounds["max_value"] is not None else []
    sentence = f"{column.name} is {' and '.join(limits)}"
    return Claim(table.name, name, sentence, "ExpectColumnValuesToBeBetween", bounds)
