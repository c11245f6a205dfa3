"""Great Expectations on whole rows, for comparison: on a pandas frame, or in SQL where a database holds them.

Run with the folder of `benchmarks.validation`'s tables and `pandas` or a SQLAlchemy URL, e.g.

    python -m benchmarks.validation_alternatives /tmp/tables pandas
    python -m benchmarks.validation_alternatives /tmp/tables sqlite:////tmp/rows.db

A database is loaded first: PostgreSQL from a CSV file, SQLite in chunks of a pandas frame, `duckdb:///` (which needs
the package duckdb-engine) by DuckDB itself. Prints seconds, peak memory and what came of each expectation.
"""

import logging
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

MANY = 10_000


def main(folder: str, engine: str) -> None:
    """Load where needed, judge once, and print what it took."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    events, started = f"{folder}/events.parquet", time.perf_counter()
    if engine != "pandas":
        loaders = {"sqlite": _load_sqlite, "postgresql": _load_postgresql, "duckdb": _load_duckdb}
        loaders[_dialect(engine)](events, engine)
        print(f"loaded in {time.perf_counter() - started:.1f} s")
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    started = time.perf_counter()
    for result in _judge(context, events, engine):
        broken = result.exception_info or {}
        raised = broken.get("raised_exception") or any(
            isinstance(info, dict) and info.get("raised_exception") for info in broken.values()
        )
        found = result.result.get("unexpected_count", result.result.get("observed_value"))
        print(f"  {result.expectation_config.type:40} {result.success!s:6} {found!s:28} raised={raised}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"judged in {time.perf_counter() - started:.1f} s, peak {peak:.2f} GB")


def _judge(context: Any, events: str, engine: str) -> Iterator[Any]:
    import great_expectations as gx

    if engine == "pandas":
        import pandas as pd

        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("events")
        batch, given = asset.add_batch_definition_whole_dataframe("all"), {"dataframe": pd.read_parquet(events)}
    else:
        add = {"sqlite": context.data_sources.add_sqlite, "postgresql": context.data_sources.add_postgres}
        source = add.get(_dialect(engine), context.data_sources.add_sql)("rows", connection_string=engine)
        asset = source.add_table_asset("events", table_name="events")
        batch, given = asset.add_batch_definition_whole_table("all"), None
    suite = context.suites.add(gx.ExpectationSuite("events", list(_expectations())))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="events", data=batch, suite=suite))
    yield from definition.run(batch_parameters=given, result_format="SUMMARY").results


def _expectations() -> Iterator[Any]:
    """What is asked of events by row: columns, missing values, the key, kinds and ranges."""
    import great_expectations.expectations as gxe

    yield gxe.ExpectTableRowCountToBeBetween(min_value=1)
    for column in ("event_id", "product_id", "kind", "time", "quantity"):
        yield gxe.ExpectColumnValuesToNotBeNull(column=column)
    yield gxe.ExpectColumnValuesToBeUnique(column="event_id")
    kinds = ["view", "click", "cart", "favourite", "purchase", "return"]
    yield gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=kinds)
    yield gxe.ExpectColumnValuesToBeBetween(column="quantity", min_value=0, max_value=MANY, strict_min=True)
    yield gxe.ExpectColumnValuesToBeBetween(column="unit_price", min_value=0, max_value=MANY)


def _dialect(engine: str) -> str:
    return engine.split(":")[0].split("+")[0]


def _load_duckdb(events: str, engine: str) -> None:
    with duckdb.connect(engine.removeprefix("duckdb:///")) as database:
        database.execute("CREATE OR REPLACE TABLE events AS SELECT * FROM read_parquet(?)", [events])


def _load_sqlite(events: str, engine: str) -> None:
    import sqlalchemy as sa

    database, place = sa.create_engine(engine), 0
    query = f"SELECT * REPLACE (epoch_us(time) AS time) FROM read_parquet('{events}')"
    with duckdb.connect() as reader:
        for batch in reader.sql(query).to_arrow_reader(200_000):
            frame = batch.to_pandas()
            frame.to_sql("events", database, if_exists="append" if place else "replace", index=False)
            place += len(frame)


def _load_postgresql(events: str, engine: str) -> None:
    names = "event_id text, user_id text, product_id text, kind text, time timestamptz, session_id text, order_id text"
    _psql(engine, f"DROP TABLE IF EXISTS events; CREATE TABLE events ({names}, quantity float8, unit_price float8)")
    csv = Path(events).with_suffix(".csv")
    duckdb.execute(f"COPY (FROM read_parquet('{events}')) TO '{csv}' (HEADER)")
    _psql(engine, f"\\copy events from '{csv}' csv header")
    csv.unlink()


def _psql(engine: str, command: str) -> None:
    url = engine.replace("postgresql+psycopg2", "postgresql")
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", command], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
