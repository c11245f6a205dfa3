"""DuckDB in memory behind Ibis: tables are expressions until `store` makes one of them real."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend


class Engine:
    """One connection. Ibis fuses steps into one query, repeating what they share: `store` long steps in between."""

    def __init__(self, database: Backend) -> None:
        self._database = database
        self._stored = 0

    def store(self, table: ir.Table | pa.Table, *done: ir.Table) -> ir.Table:
        """The table's rows, computed now and kept; stored tables that are `done` with are let go."""
        self._stored += 1
        # Given a plain Arrow table, Ibis 12 stumbles over dropping a view of its own; given a memtable it does not.
        rows = ibis.memtable(table) if isinstance(table, pa.Table) else table
        stored = self._database.create_table(f"stored_{self._stored}", rows)
        for old in done:
            self._database.con.execute(f"DROP TABLE {old.get_name()}")
        return stored


@contextmanager
def open_engine(timezone: str) -> Iterator[Engine]:
    """An empty database, closed at the end; a time without zone is local time of `timezone`."""
    database = ibis.duckdb.connect()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)  # Ibis 12 asks DuckDB 2 for it
            database.con.execute("SET TimeZone = ?", [timezone])
            yield Engine(database)
    finally:
        database.disconnect()
