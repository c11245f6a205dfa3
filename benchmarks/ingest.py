"""Ingest, clean and validate generated events, beside plain pandas and Polars at the same work, and say what it took.

Run `python -m benchmarks.ingest`; `--help` lists the options. Every contender works in processes of its own, in turn
and in changing order; memory is the largest that any of its processes had. Tandem runs its two stages as the pipeline
does, the others `benchmarks.ingest_pandas` and `benchmarks.ingest_polars`. The kept and the refused rows, the products
and the validation's figures must be the same for all, else the benchmark stops.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import typer
import yaml

ROOT = Path(__file__).resolve().parents[1]
KEY = "6b" * 32
DAY = 30_000
"""Events of a day that is added."""

DAYS = {"a day added": "2025-01-01", "a late day": "2024-06-15"}
"""The first opens a month; what belongs to the second came too late, into the middle of a month."""

READERS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")
CONTENDERS = ("tandem", "polars", "pandas")
SOURCE = """
name: generated
title: Generated events
timezone: UTC
currency: EUR
events:
  - files: "events-*"
    format: {format}
    columns: {{user_id: user_id, product_id: product_id, time: time, session_id: session, quantity: quantity,
      unit_price: price}}
    kind: {{column: action, values: {{view: view, cart: cart, buy: purchase}}}}
products_from_events: {{price: unit_price}}
"""
EVENTS = """
    SELECT * EXCLUDE again REPLACE (CASE WHEN again THEN 'app' ELSE channel END AS channel) FROM (
        SELECT 'U' || hash(i // 7, 'user') % {users} AS user_id,
            CASE WHEN fault BETWEEN 0.02 AND 0.03 THEN ' P' || product || ' ' ELSE 'P' || product END AS product_id,
            CASE WHEN fault BETWEEN 0.005 AND 0.01 THEN 'hover' WHEN kind < 0.8 THEN 'view' WHEN kind < 0.93 THEN 'cart'
                ELSE 'buy' END AS action,
            CASE WHEN fault < 0.0025 THEN '2024-13-45 25:00:00' WHEN fault < 0.005 THEN '1970-01-01 00:00:00'
                ELSE strftime(TIMESTAMP '{start}' + to_seconds(i * {seconds} // {events}), '%Y-%m-%d %H:%M:%S')
                END AS time,
            'S' || i // 7 AS session, quantity::INT AS quantity,
            CASE WHEN fault BETWEEN 0.01 AND 0.012 THEN -price ELSE price END AS price, 'web' AS channel,
            unnest(CASE WHEN copy < 0.01 THEN [false, false] WHEN copy < 0.013 THEN [false, true] ELSE [false] END)
                AS again
        FROM (SELECT i, random() AS fault, random() AS kind, random() AS copy,
            ((hash(i // 7, i % 3) / 2.0**64) ** 2 * 50000)::INT AS product, 1 + 3 * random() AS quantity,
            round(1 + random() * 100, 2) AS price FROM range({events}) t(i)))
    LIMIT {events} - {bots} * 3000"""
BOTS = """
    SELECT 'B' || i // 3000 AS user_id, 'P' || hash(i, 'product') % 50000 AS product_id, 'view' AS action,
        strftime(TIMESTAMP '{start}' + to_seconds(i // 3000 * 864000 + i % 3000 * 2),
        '%Y-%m-%d %H:%M:%S') AS time, 'S' || i // 3000 || 'b' AS session, 1 AS quantity, 9.99 AS price, 'web' AS channel
    FROM range({bots} * 3000) t(i)"""
COPIES = {"csv": "FORMAT csv, HEADER", "jsonl": "FORMAT json", "parquet": "FORMAT parquet, COMPRESSION zstd"}


class Used(NamedTuple):
    """What some processes took."""

    seconds: float
    worked: float  # seconds of the processor
    peak: float  # GB
    lines: list[tuple[float, str]]  # what was logged, and after how many seconds


def both(first: Used, then: Used) -> Used:
    """What two processes took that ran one after the other."""
    return Used(first.seconds + then.seconds, first.worked + then.worked, max(first.peak, then.peak), then.lines)


def main(
    events: int = 10_000_000,
    rounds: int = 3,
    without: str = "",
    day: bool = True,
    readers: bool = True,
    reader_events: int = 1_000_000,
) -> None:
    """Generate, compare, add a day, read other formats, and print.

    Args:
        events: generated, of the year 2024.
        rounds: in each of them every contender works once.
        without: contenders that are left out, with commas between them; Tandem takes part always.
        day: whether a day is added, too.
        readers: whether other formats are read, too.
        reader_events: generated for each of them.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        home = Path(folder) / "csv"
        prepare(home, "csv", events)
        size = (home / "raw/events-2024.csv").stat().st_size
        say(f"{events:,} events, {size / 1e6:.0f} MB of CSV, {os.cpu_count()} cores")
        compare(home, events, rounds, [name for name in CONTENDERS if name not in without.split(",")])
        if day:
            add_days(home, events)
        shutil.rmtree(home)
        for name in READERS if readers else ():
            prepare(home, name, reader_events)
            say(f"{name:9} {told(ingest(home), reader_events)}, load {os.getloadavg()[0]:.1f}")
            shutil.rmtree(home)


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)


def prepare(home: Path, name: str, events: int) -> None:
    """What the two stages read: one raw file, a source, a key and params."""
    (home / "raw").mkdir(parents=True)
    _apart(generate, home / f"raw/events-2024.{name}", events, "2024-01-01", 366)
    (home / "generated.yaml").write_text(SOURCE.format(format=name.removesuffix(".gz")), "utf-8")
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["validate"]["as_of"] = "2025-01-03T00:00:00Z"
    (home / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    _apart(_write_key_id, home / "key_id.txt")


def generate(path: Path, events: int, start: str, days: int) -> None:
    """Write events from `start` on: of some users, with copies, faults and a bot per million; always the same."""
    import duckdb

    users, bots = max(events // 20, 1000), max(events // 1_000_000, events >= 300_000)
    facts = {"events": events, "users": users, "bots": int(bots), "start": start, "seconds": days * 86_400}
    compression = ", COMPRESSION gzip" if path.suffix == ".gz" else ""
    with duckdb.connect(config={"threads": 1, "memory_limit": "4GB"}) as database:
        database.execute("SELECT setseed(0.5)")
        rows = f"(({EVENTS}) UNION ALL ({BOTS}))".format(**facts)
        kind = path.name.removesuffix(".gz").rpartition(".")[2]
        database.execute(f"COPY {rows} TO '{path}' ({COPIES[kind]}{compression})")


def compare(home: Path, events: int, rounds: int, names: list[str]) -> None:
    """All contenders in each round, each round beginning with another."""
    took: dict[str, list[Used]] = {name: [] for name in names}
    expected: dict[str, Any] = {}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            stages = work(home, name)
            found = _apart(outcome, home / name)
            expected = expected or found
            if found != expected:
                sys.exit(f"{name} found {found}, where another found {expected}")
            took[name].append(both(*stages) if len(stages) > 1 else stages[0])
            parts = " + ".join(f"{stage.seconds:.1f}" for stage in stages)
            say(f"  {number + 1} {name:7} {told(took[name][-1], events)}; {parts} s, load {os.getloadavg()[0]:.1f}")
    say(f"all found the same: {expected}")
    for name, of in took.items():
        say(f"{name:7} {summary(of, took['tandem'], events)}")


def work(home: Path, name: str) -> list[Used]:
    """What each process of a contender took; its tables are in the folder of its name."""
    shutil.rmtree(home / name, ignore_errors=True)
    if name == "tandem":
        return [ingest(home), validate(home)]
    (home / name).mkdir()
    return [run(home, f"benchmarks.ingest_{name}", "raw/events-2024.csv", name)]


def summary(took: list[Used], ours: list[Used], events: int) -> str:
    """Medians of the rounds, and the ratio to Tandem, round by round, from the least to the most."""
    seconds, worked = [used.seconds for used in took], statistics.median(used.worked for used in took)
    ratios = [one.seconds / other.seconds for one, other in zip(took, ours, strict=True)]
    of_worked = [one.worked / other.worked for one, other in zip(took, ours, strict=True)]
    middle = statistics.median(seconds)
    return (
        f"{middle:.1f} s ({min(seconds):.1f} to {max(seconds):.1f}), {events / middle:,.0f} events/s, "
        f"processor {worked:.1f} s, peak {max(used.peak for used in took):.2f} GB; of Tandem's seconds "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), of its processor's "
        f"{statistics.median(of_worked):.2f} ({min(of_worked):.2f} to {max(of_worked):.2f})"
    )


def add_days(home: Path, events: int) -> None:
    """Add the files of two days, one after the other, as increments; then rebuild from all files."""
    for name, start in DAYS.items():
        _apart(generate, home / f"raw/events-{start}.csv", DAY, start, 1)
        _say_ingest(home, name, DAY, fresh=False)
    grown = _apart(_hash, home / "tandem")
    _say_ingest(home, "full rebuild", events + len(DAYS) * DAY, fresh=True)
    if _apart(_hash, home / "tandem") != grown:
        sys.exit("the tables with days added are not those of a full rebuild")


def _say_ingest(home: Path, name: str, events: int, fresh: bool) -> None:
    shutil.rmtree(home / "tandem")
    used = ingest(home, fresh)
    say(f"{name:12} {told(used, events)}, load {os.getloadavg()[0]:.1f}: {phases(used)}")


def phases(used: Used) -> str:
    """What the log tells of the time: the lines after reading, after settling, and after events and refused rows."""
    reading, settling, wrote = (_when(used, text) for text in ("read ", "settled ", "refused.parquet"))
    return (
        f"start, hashes and reading {reading:.1f} s, settling {settling - reading:.1f} s, sorting and writing events "
        f"and refused rows {wrote - settling:.1f} s, products and the rest {used.seconds - wrote:.1f} s"
    )


def _when(used: Used, text: str) -> float:
    return next(at for at, line in used.lines if text in line)


def told(used: Used, events: int) -> str:
    """The cost of so many events in words."""
    rate = f"{events / used.seconds:,.0f} events/s"
    return f"{used.seconds:6.1f} s (processor {used.worked:.1f} s), {rate}, peak {used.peak:.2f} GB"


def ingest(home: Path, fresh: bool = True) -> Used:
    """Stage `ingest`, as in the pipeline; with nothing kept of an earlier run if `fresh`."""
    if fresh:
        shutil.rmtree(home / "state", ignore_errors=True)
    return run(home, "stages.ingest", "raw", "generated.yaml", "key_id.txt", "tandem", "tandem.json")


def validate(home: Path) -> Used:
    """Stage `validate`, as in the pipeline, against no snapshot."""
    names = "tandem", "accepted", "as_of.txt", "tandem.json", "snapshot", "docs", "tandem/validation.json"
    return run(home, "stages.validate", *names)


def run(home: Path, module: str, *arguments: str) -> Used:
    """What one process took, its start included."""
    settings = {"PYTHONPATH": str(ROOT), "TANDEM_PSEUDONYM_KEY": KEY, "TANDEM_HOME": "state"}
    command = [sys.executable, "-m", module, *arguments]
    started, lines = time.perf_counter(), []
    process = subprocess.Popen(command, cwd=home, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        lines.append((time.perf_counter() - started, line))
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{module} ended with {status}:\n" + "".join(line for _, line in lines))
    return Used(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, lines)


def outcome(out: Path) -> dict[str, Any]:
    """What became of the rows: counts, one number for each table that any other row or value would change, figures."""
    import duckdb

    events = "event_id, user_id, product_id, kind::VARCHAR, epoch_us(time), session_id, quantity, unit_price"
    kept = out / ("events.parquet/*.parquet" if (out / "events.parquet").is_dir() else "events.parquet")
    queries = {
        "kept": f"SELECT count(*), bit_xor(hash({events})) FROM '{kept}'",
        "products": f"SELECT count(*), bit_xor(hash(product_id, round(price, 6))) FROM '{out}/products.parquet'",
        "refused": f"SELECT count(*), bit_xor(hash(row::BIGINT, rule::VARCHAR)) FROM '{out}/refused.parquet'",
        "rules": f"SELECT rule::VARCHAR, count(*) FROM '{out}/refused.parquet' GROUP BY 1 ORDER BY 1",
    }
    with duckdb.connect(config={"memory_limit": "4GB"}) as database:
        found: dict[str, Any] = {name: database.execute(query).fetchall() for name, query in queries.items()}
    return {**found, **(_of_reports(out) if out.name == "tandem" else json.loads((out / "figures.json").read_text()))}


def _of_reports(out: Path) -> dict[str, Any]:
    """Tandem's figures, as the others tell theirs."""
    total = json.loads((out.parent / "tandem.json").read_text())["totals"]["events"]
    summed = (
        "required",
        "unique_key",
        "known_values",
        "price_range",
        "quantity_range",
        "future_events",
        "orphan_products",
    )
    judged = json.loads((out / "validation.json").read_text())["expectations"]
    figures = {name: total[name] for name in ("rows", "duplicates")}
    figures |= {name: sum(e.get("unexpected", 0) for e in judged if e["name"] == name) for name in summed}
    return figures | {e["name"]: e["observed"] for e in judged if e["name"] in ("freshness", "unseen_purchases")}


def _hash(folder: Path) -> str:
    from tandem import files

    return files.hash_folder(folder)


def _write_key_id(path: Path) -> None:
    from tandem.privacy import pseudonyms

    path.write_text(pseudonyms.key_id(bytes.fromhex(KEY)), "utf-8")


def _apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's value, computed in another process: a child's peak memory begins with that of its parent."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(function, *arguments).result()


if __name__ == "__main__":
    typer.run(main)
