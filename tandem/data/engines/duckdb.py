"""DuckDB behind Ibis: the default."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from tandem.data.engine import EngineName

MEMORY = "2GB"
"""What tables may hold in memory; the rest goes to the scratch folder."""

BATCH = 131_072
"""Rows that are handed out at once."""

PARQUET = {"compression": "zstd", "compression_level": 1, "parquet_version": "V2", "dictionary_size_limit": 100}
"""How rows are kept meanwhile: differences of neighbours instead of values, dictionaries for few values alone."""

LARGEST = 2**63 - 1
"""Of whole numbers with a sign."""

MOMENT = dt.Timestamp("UTC", 6)


@ibis.udf.scalar.builtin
def try_strptime(text: str, pattern: str) -> dt.timestamp:
    """DuckDB's own: the time without zone, null where the text does not fit the pattern."""


@ibis.udf.scalar.builtin
def make_timestamptz(microseconds: int) -> dt.Timestamp("UTC", 6):  # type: ignore[valid-type]
    """DuckDB's own: the moment so many microseconds after 1970-01-01 UTC."""


@ibis.udf.scalar.builtin
def epoch_us(moment) -> int:  # type: ignore[no-untyped-def,empty-body]
    """DuckDB's own: how many microseconds after 1970-01-01 UTC the moment is; one without zone is in UTC."""


@ibis.udf.scalar.builtin(name="hash")
def hashed(value) -> dt.uint64:  # type: ignore[no-untyped-def]
    """DuckDB's own: 64 bits; what Ibis makes of it goes by a string of bits, which costs more than the hash."""


class DuckDb:
    """One connection; see `tandem.data.engine.Engine`."""

    name: EngineName = "duckdb"

    def __init__(self, database: Backend, timezone: str) -> None:
        self._database, self._timezone = database, timezone
        self._made = 0

    @property
    def version(self) -> str:
        """Of the package that computes."""
        return str(self._database.version)

    def stream(self, reader: pa.RecordBatchReader) -> ir.Table:
        """The rows of `reader`; they can be used once."""
        name = self._name("stream")
        self._database.con.register(name, reader)
        return self._database.table(name)

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """The rows of Parquet files with the same columns."""
        return self._database.read_parquet([str(path) for path in paths], table_name=self._name("files"))

    def store(self, table: ir.Table | pa.Table) -> ir.Table:
        """The table's rows, computed now and kept."""
        # Given a plain Arrow table, Ibis 12 stumbles over dropping a view of its own; given a memtable it does not.
        rows = ibis.memtable(table) if isinstance(table, pa.Table) else table
        return self._database.create_table(self._name("stored"), rows)

    def write(self, table: ir.Table, path: Path) -> None:
        """Write the rows, in no order, as a Parquet file."""
        self._database.to_parquet(table, str(path), **PARQUET)

    def batches(self, table: ir.Table) -> pa.RecordBatchReader:
        """The rows as they are computed, in order where the table has one."""
        # Ibis 12 asks DuckDB 2 for batches by a name that it no longer has.
        return self._database.con.sql(str(self._database.compile(table))).to_arrow_reader(BATCH)

    def iso(self, text: ir.StringValue) -> ir.TimestampValue:
        """The moment that the text writes; null if there is no such moment."""
        if self._timezone == "UTC":  # three times as fast, for DuckDB then asks no calendar
            return self.moment(epoch_us(text.try_cast("timestamp(6)")))
        return text.try_cast(MOMENT)

    def strptime(self, text: ir.StringValue, pattern: str) -> ir.TimestampValue:
        """The moment that the text writes by a strptime `pattern`; null for anything else."""
        return try_strptime(text, pattern).cast(MOMENT)

    def moment(self, microseconds: ir.IntegerValue) -> ir.TimestampValue:
        """The moment so many microseconds after 1970-01-01 UTC."""
        return make_timestamptz(microseconds)

    def hash(self, *values: ir.Value) -> ir.IntegerValue:
        """A whole number that is equal for equal values, missing ones among them; different ones may share it."""
        found = reduce(lambda so_far, value: hashed(so_far ^ hashed(value)), values, ibis.literal(0, "uint64"))
        return (found & ibis.literal(LARGEST, "uint64")).cast("int64")

    def microseconds(self, moment: ir.TimestampValue) -> ir.IntegerValue:
        """How many microseconds after 1970-01-01 UTC the moment is."""
        return epoch_us(moment)

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}_{self._made}"


@contextmanager
def opened(timezone: str, scratch: Path) -> Iterator[DuckDb]:
    """An empty database, closed at the end; what does not fit into memory lies in the folder `scratch`."""
    with connected(timezone, MEMORY, scratch) as database:
        database.con.execute("SET preserve_insertion_order = false")  # what has an order is asked for it
        yield DuckDb(database, timezone)


@contextmanager
def connected(timezone: str, memory: str, spilled: Path) -> Iterator[Backend]:
    """An empty database, closed at the end; a time without zone is local time of `timezone`.

    It has no file: DuckDB would compress what is stored there, and that costs as much as computing it.

    Args:
        timezone: name of the IANA list.
        memory: what it may hold in memory, such as `2GB`.
        spilled: folder for the rest.
    """
    with warnings.catch_warnings():
        # Ibis 12 asks DuckDB 2 for it
        warnings.filterwarnings("ignore", "fetch_(arrow_table|record_batch)", DeprecationWarning)
        backend = ibis.duckdb.connect(memory_limit=memory, temp_directory=str(spilled))
        try:
            backend.con.execute("SET enable_progress_bar = false")
            backend.con.execute("SET TimeZone = ?", [timezone])
            yield backend
        finally:
            backend.disconnect()
