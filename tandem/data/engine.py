"""DuckDB in memory behind Ibis: tables are expressions until `store` makes one of them real."""

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

    def store(self, table: ir.Table | pa.Table) -> ir.Table:
        """The table's rows, computed now and kept until the connection closes."""
        self._stored += 1
        # Ibis 12 cannot drop the view that it makes of a plain Arrow table; of a memtable it can.
        rows = ibis.memtable(table) if isinstance(table, pa.Table) else table
        return self._database.create_table(f"stored_{self._stored}", rows)


@contextmanager
def open_engine(timezone: str) -> Iterator[Engine]:
    """An empty database, closed at the end; a time without zone is local time of `timezone`."""
    database = ibis.duckdb.connect()
    try:
        database.con.execute("SET TimeZone = ?", [timezone])
        yield Engine(database)
    finally:
        database.disconnect()
