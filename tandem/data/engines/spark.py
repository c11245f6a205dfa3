"""Spark behind Ibis, on this machine: where its words mean something else than DuckDB's, it keeps to DuckDB's.

What lies between two steps is a Parquet file in the scratch folder, so that memory stays bounded.
"""

import os
import re
import string
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.pyspark import Backend
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from pyspark.sql import SparkSession
from pyspark.sql.types import TimestampType

from tandem.data.engine import EngineName
from tandem.data.engines import functions, patterns
from tandem.errors import SettingsError

CORES = 2
MEMORY = "2g"
"""What Spark's own process may hold; the rest goes to the scratch folder."""

BATCH = 131_072
"""Rows that are handed out at once."""

OLDEST_JAVA = 17
LOG = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
logger.code.name = org.apache.spark.sql.catalyst.expressions.codegen.CodeGenerator
logger.code.level = off
appender.stderr.name = stderr
appender.stderr.type = Console
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = Spark: %m%n
"""
"""Spark's errors go to standard error, but for code that is too long to be compiled: it is interpreted."""

MOMENT = dt.Timestamp("UTC", 6)


class Compiler(PySparkCompiler):
    """Ibis' words in Spark's SQL, with DuckDB's meaning."""

    __slots__ = ()

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:  # noqa: N802
        """In RE2's language."""
        return self.f.anon.regexp_like(arg, sge.convert(patterns.to_java(_literal(op.pattern))))

    def visit_RegexReplace(self, op: Any, *, arg: Any, pattern: Any, replacement: Any) -> Any:  # noqa: N802
        """In RE2's language."""
        found, put = patterns.to_java(_literal(op.pattern)), patterns.replacement(_literal(op.replacement))
        return self.f.anon.regexp_replace(arg, sge.convert(found), sge.convert(put))

    def visit_Uppercase(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        """Letter by letter: no letter becomes two."""
        return self.f.anon.tandem_upper(arg)

    def visit_IsInf(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        """Beyond the largest number; null where there is none."""
        return self.f.anon.abs(arg) > sge.convert(sys.float_info.max)

    def visit_Strip(self, op: Any, *, arg: Any) -> Any:  # noqa: N802
        """Without ASCII white space at both ends; Spark's takes spaces alone."""
        return self.f.anon.btrim(arg, sge.convert(string.whitespace))

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802
        """Numbers and times are written as DuckDB writes them."""
        if to.is_string() and op.arg.dtype.is_floating():
            return self.f.anon.tandem_number_text(arg)
        if to.is_string() and op.arg.dtype.is_timestamp():
            return self.f.anon.tandem_time_text(arg)
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_TimestampTruncate(self, op: Any, *, arg: Any, unit: Any) -> Any:  # noqa: N802
        """The local hour or day; of an hour that comes twice, the later begins both."""
        local = sg.cast(self.f.anon.date_trunc(unit.singular, arg), to=sge.DataType(this=sge.DType.TIMESTAMPNTZ))
        return self.f.anon.tandem_local(local)

    def visit_TimestampDelta(self, op: Any, *, part: Any, left: Any, right: Any) -> Any:  # noqa: N802
        """Microseconds, which is all that is asked for."""
        if _literal(op.part) != "microsecond":
            raise NotImplementedError(f"time.delta in {_literal(op.part)}: on Spark, microseconds alone are the same")
        return self.f.anon.unix_micros(left) - self.f.anon.unix_micros(right)


def _literal(value: ops.Value) -> str:
    if not isinstance(value, ops.Literal):
        raise NotImplementedError(f"{value} must be a literal to mean the same on Spark")
    return str(value.value)


class Database(Backend):
    """Ibis on a Spark session, with our compiler."""

    compiler = Compiler()

    def to_pyarrow(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **options: Any) -> Any:
        """The rows, few enough for memory; Ibis' own way, through pandas, drops the zone of times."""
        rows = expr.as_table()
        self._run_pre_execute_hooks(rows)
        found = self._session.sql(self.compile(rows, params=params, limit=limit)).toArrow()
        return expr.__pyarrow_result__(found.cast(rows.schema().to_pyarrow()))

    def get_schema(self, table_name: str, *, catalog: str | None = None, database: str | None = None) -> ibis.Schema:
        """The columns' types; Ibis takes Spark's moments for times without zone."""
        found = dict(super().get_schema(table_name, catalog=catalog, database=database))
        types = self._session.table(table_name).schema
        return ibis.schema({n: MOMENT if isinstance(types[n].dataType, TimestampType) else found[n] for n in found})


class Spark:
    """One session; see `tandem.data.engine.Engine`."""

    name: EngineName = "spark"

    def __init__(self, session: SparkSession, database: Database, scratch: Path) -> None:
        self._session, self._database, self._scratch = session, database, scratch
        self._made = 0

    @property
    def version(self) -> str:
        """Of the package that computes."""
        return str(self._database.version)

    def stream(self, reader: pa.RecordBatchReader) -> ir.Table:
        """The rows of `reader`; they are written to the scratch folder first."""
        path = self._path("stream")
        with pq.ParquetWriter(path, reader.schema, compression="zstd", compression_level=1) as out:
            for batch in reader:
                out.write_batch(batch)
        return self.read([path])

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """The rows of Parquet files with the same columns."""
        name = self._name("files")
        self._session.read.parquet(*(str(path) for path in paths)).createOrReplaceTempView(name)
        return self._database.table(name)

    def store(self, table: ir.Table | pa.Table) -> ir.Table:
        """The table's rows, computed now and kept in the scratch folder."""
        if isinstance(table, pa.Table):
            path = self._path("stored")
            pq.write_table(table, path)
        else:
            path = self._written(table)
        return self.read([path])

    def write(self, table: ir.Table, path: Path) -> None:
        """Write the rows, in no order, as a Parquet file."""
        rows = self.batches(table)
        with pq.ParquetWriter(path, rows.schema, compression="zstd", compression_level=1) as out:
            for batch in rows:
                out.write_batch(batch)

    def batches(self, table: ir.Table) -> pa.RecordBatchReader:
        """The rows, in order where the table has one: they are computed first, then read from the scratch folder."""
        parts = [pq.ParquetFile(part) for part in sorted(self._written(table).glob("part-*.parquet"))]
        found = chain.from_iterable(part.iter_batches(BATCH) for part in parts)
        schema = parts[0].schema_arrow.remove_metadata()
        return pa.RecordBatchReader.from_batches(schema, (batch.replace_schema_metadata(None) for batch in found))

    def iso(self, text: ir.StringValue) -> ir.TimestampValue:
        """The moment that the text writes; null if there is no such moment."""
        return functions.iso(text)

    def strptime(self, text: ir.StringValue, pattern: str) -> ir.TimestampValue:
        """The moment that the text writes by a strptime `pattern`; null for anything else.

        Raises:
            SourceError: Spark lacks a part of the pattern.
        """
        return functions.strptime(text, pattern)

    def moment(self, microseconds: ir.IntegerValue) -> ir.TimestampValue:
        """The moment so many microseconds after 1970-01-01 UTC."""
        return functions.timestamp_micros(microseconds)

    def hash(self, *values: ir.Value) -> ir.IntegerValue:
        """A whole number that is equal for equal values, missing ones among them; different ones may share it."""
        hashed = functions.xxhash64
        return reduce(lambda so_far, value: hashed(so_far ^ hashed(value)), values, ibis.literal(0, "int64"))

    def microseconds(self, moment: ir.TimestampValue) -> ir.IntegerValue:
        """How many microseconds after 1970-01-01 UTC the moment is."""
        return functions.unix_micros(moment)

    def _written(self, table: ir.Table) -> Path:
        """A folder with the table's rows, files in the order of the rows."""
        path = self._path("written")
        self._database.to_parquet_dir(table, path)
        return path

    def _path(self, kind: str) -> Path:
        return self._scratch / self._name(kind)

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}_{self._made}"


@contextmanager
def opened(timezone: str, scratch: Path) -> Iterator[Spark]:
    """A session of its own that listens on this machine alone, stopped at the end.

    Raises:
        SettingsError: there is no Java, or it is too old.
    """
    _check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.master(f"local[{CORES}]").appName("tandem")
    for name, value in _settings(scratch).items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        database = Database()
        database.register_options()
        database.do_connect(session)
        session.conf.set("spark.sql.session.timeZone", timezone)
        functions.register(session)
        yield Spark(session, database, scratch)
    finally:
        session.stop()


def _settings(scratch: Path) -> dict[str, str]:
    log = scratch / "log4j2.properties"
    log.write_text(LOG)
    return {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": MEMORY,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={log.resolve().as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str((scratch / "spilled").resolve()),
        "spark.sql.warehouse.dir": str((scratch / "warehouse").resolve()),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.ansi.enabled": "true",  # like DuckDB, an error rather than a null
        "spark.sql.caseSensitive": "true",
        "spark.sql.variable.substitute": "false",  # ${name} in a text is no variable
        "spark.sql.codegen.wholeStage": "false",  # with our long expressions it outgrows what Java compiles
        "spark.sql.shuffle.partitions": str(2 * CORES),
        "spark.sql.files.maxPartitionBytes": str(1 << 26),
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        raise SettingsError(_wanted(f"{java} does not run")) from None
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise SettingsError(_wanted(f"{java} says {said.splitlines()[0] if said else 'nothing'}"))


def _wanted(found: str) -> str:
    return (
        f"TANDEM_ENGINE = spark: needs Java {OLDEST_JAVA} or newer, but {found}. On Debian: apt-get install "
        "openjdk-17-jre-headless; or set TANDEM_ENGINE=duckdb, which needs nothing and gives the same tables"
    )
