"""What runs the tables' expressions, in bounded memory: DuckDB inside this process, or Spark; rows come out equal.

Table code is written once, in Ibis. Where the two differ in what Ibis' words mean, DuckDB's meaning is ours, and
`tandem.data.engines.spark` makes Spark keep to it.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

import ibis
import ibis.expr.types as ir
import pyarrow as pa

EngineName = Literal["duckdb", "spark"]


class Engine(Protocol):
    """One connection: tables are expressions until they are stored or written."""

    name: EngineName

    @property
    def version(self) -> str:
        """Of the package that computes; another one's hashes may differ."""

    def stream(self, reader: pa.RecordBatchReader) -> ir.Table:
        """The rows of `reader`; they can be used once."""

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """The rows of Parquet files with the same columns."""

    def store(self, table: ir.Table | pa.Table) -> ir.Table:
        """The table's rows, computed now and kept."""

    def write(self, table: ir.Table, path: Path) -> None:
        """Write the rows, in no order, as a Parquet file."""

    def batches(self, table: ir.Table) -> pa.RecordBatchReader:
        """The rows as they are computed, in order where the table has one."""

    def iso(self, text: ir.StringValue) -> ir.TimestampValue:
        """The moment that a text of the form `tandem.data.cells.ISO_8601` writes; null if there is no such moment."""

    def strptime(self, text: ir.StringValue, pattern: str) -> ir.TimestampValue:
        """The moment that the text writes by a strptime `pattern`; null for anything else."""

    def moment(self, microseconds: ir.IntegerValue) -> ir.TimestampValue:
        """The moment so many microseconds after 1970-01-01 UTC."""

    def hash(self, *values: ir.Value) -> ir.IntegerValue:
        """A whole number that is equal for equal values, missing ones among them; different ones may share it."""

    def microseconds(self, moment: ir.TimestampValue) -> ir.IntegerValue:
        """How many microseconds after 1970-01-01 UTC the moment is."""


@contextmanager
def open_engine(timezone: str, scratch: Path, name: EngineName = "duckdb") -> Iterator[Engine]:
    """An empty database, gone at the end; a time without zone is local time of `timezone`.

    A local time that the clocks skip counts as if they had not been changed yet; of one that comes twice, the later is
    meant.

    Args:
        timezone: name of the IANA list.
        scratch: folder of its own for what does not fit into memory meanwhile; emptied before and removed after.
        name: which engine.

    Raises:
        SettingsError: the engine needs what is not installed.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with _unfused():
            if name == "spark":
                from tandem.data.engines.spark import opened as spark

                with spark(timezone, scratch) as on_spark:
                    yield on_spark
            else:
                from tandem.data.engines.duckdb import opened as duckdb

                with duckdb(timezone, scratch) as on_duckdb:
                    yield on_duckdb
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _unfused() -> Iterator[None]:
    """Keep each step of an expression a query of its own: fused, steps repeat what they share."""
    before, ibis.options.sql.fuse_selects = ibis.options.sql.fuse_selects, False
    try:
        yield
    finally:
        ibis.options.sql.fuse_selects = before
