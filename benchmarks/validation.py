"""Judge ten million generated events, and say what it took.

Run `python -m benchmarks.validation [events]`. DuckDB writes the canonical tables; `stages.validate` judges them in a
process of its own, as in the pipeline, against no snapshot and against an accepted one. Printed are seconds, those that
the processor worked, and peak memory.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tandem import files
from tandem.data import schema
from tandem.data.schema import Table

ROOT = Path(__file__).resolve().parents[1]
EVENTS = 10_000_000
PRODUCTS = 50_000
EVENTS_OF_A_USER = 25

KINDS = """CASE WHEN r < 0.80 THEN 'view' WHEN r < 0.88 THEN 'cart' WHEN r < 0.93 THEN 'favourite'
    WHEN r < 0.995 THEN 'purchase' ELSE 'return' END"""
ROWS = {
    "events": """SELECT 'day-' || lpad((i // 100000)::VARCHAR, 4, '0') || '.csv:' || (i % 100000 + 1) AS event_id,
        substr(sha256('u' || (random() * random() * {users})::BIGINT), 1, 32) AS user_id,
        'p' || (random() * random() * {products})::BIGINT AS product_id, {kinds} AS kind,
        TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_microseconds(i * (31536000000000 // {events})) AS time,
        's' || (i // 7) AS session_id, CASE WHEN r >= 0.93 THEN 'o' || (i // 3) END AS order_id,
        1.0 + i % 3 AS quantity, round(exp(2 + 2 * random()), 2) AS unit_price
        FROM (SELECT i, random() AS r FROM range({events}) t(i))""",
    "products": """SELECT 'p' || i AS product_id, 'Product ' || i AS title, NULL AS description,
        ['c' || i % 40, 'd' || i % 400] AS category, 'b' || i % 100 AS brand, round(exp(2 + 2 * random()), 2) AS price,
        'EUR' AS currency, NULL AS image, NULL AS attributes, NULL AS stock, NULL AS lead_time_days
        FROM range({products} + 1) t(i)""",
    "reviews": """SELECT 'r' || i AS review_id, NULL AS user_id, 'p' || i % {products} AS product_id,
        TIMESTAMPTZ '2025-06-01 00:00:00+00' AS time, 1.0 + i % 5 AS rating, NULL AS title, 'fine' AS text,
        'en' AS language FROM range({events} // 1000) t(i)""",
}


def main(events: int = EVENTS) -> None:
    """Generate, judge twice, print."""
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        home = Path(folder)
        prepare(home, events)
        print(f"{events:,} events, {(home / 'canonical/events.parquet').stat().st_size / 1e6:.0f} MB of Parquet")
        for against in ("no snapshot", "the accepted snapshot"):
            seconds, worked, peak = validate(home)
            rate = f"{events / seconds:,.0f} events/s"
            print(f"against {against}: {seconds:.1f} s (processor {worked:.1f} s), {rate}, peak {peak:.2f} GB")
            shutil.copytree(home / "snapshot", home / "accepted", dirs_exist_ok=True)


def prepare(home: Path, events: int) -> None:
    """What `stages.validate` reads."""
    facts = {"events": events, "users": events // EVENTS_OF_A_USER, "products": PRODUCTS, "kinds": KINDS}
    with duckdb.connect(config={"memory_limit": "3GB", "temp_directory": str(home / "scratch")}) as database:
        database.execute("SET TimeZone = 'UTC'; SELECT setseed(0.5); SET threads = 1")
        for table in schema.TABLES.values():
            query = ROWS[table.name].format(**facts) if table.name in ROWS else None
            write(database, query, table, home / "canonical" / f"{table.name}.parquet")
    account = {"table": "events", "file": "all", "rows": events, "kept": events, "duplicates": 0, "refused": 0}
    files.write_json({"source": "benchmark", "key_id": "00000000", "files": [account]}, home / "ingest.json")
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["validate"]["as_of"] = "2026-01-01T00:00:00Z"
    (home / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")


def write(database: duckdb.DuckDBPyConnection, query: str | None, table: Table, path: Path) -> None:
    """The rows of `query`, none without one, as Parquet in exactly the table's schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, table.arrow, compression="zstd") as writer:
        for batch in database.sql(query).to_arrow_reader(200_000) if query else ():
            writer.write_table(pa.Table.from_batches([batch]).cast(table.arrow))


def validate(home: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and peak memory in GB of one judgement, in a process of its own."""
    names = "canonical", "accepted", "as_of.txt", "ingest.json", "snapshot", "docs", "validation.json"
    command = [sys.executable, "-m", "stages.validate", *names]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"stages.validate ended with {status}; run it by hand in {home}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
