"""What changed from one snapshot to another: rows, users, products, and how values are distributed.

A snapshot is a folder of Parquet files of `tandem.data.schema`. DuckDB reads them in place, in bounded memory; what
arrives here are counts by distinct value.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend
from numpy.typing import NDArray

from tandem import files
from tandem.data import schema
from tandem.data.engines import duckdb
from tandem.errors import TableError

TABLES = (schema.EVENTS, schema.PRODUCTS, schema.REVIEWS, schema.USERS, schema.RELATIONS)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = 10
"""Numbers are binned by the deciles of the first snapshot."""

NONE = "(none)"
MEMORY = "2GB"
SHOWN = 12
"""How many values of a mix a table for people shows."""

Tables = Mapping[str, ir.Table]


@dataclass(frozen=True)
class Distribution:
    """Distinct values, ascending, and how often each occurs."""

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """How many values there are, repeats counted."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float | None:
        """The smallest value that at least `share` of all do not exceed; None where there is no value."""
        if not self.total:
            return None
        reached = np.cumsum(self.counts) >= share * self.total - 1e-9
        return float(self.values[int(np.argmax(reached))])


def compare(a: Path, b: Path) -> dict[str, Any]:
    """What changed from the snapshot in folder `a` to the one in `b`, as JSON knows it.

    Returns:
        `rows`: by table, rows in `a` and `b` (null: no such file).
        `ids`: for users and products, how many in `a` and `b`, and how many are gone or new. A user is who has an
            event or a review; a product is a row of products.
        `mix`: for kinds and top categories of events, `psi` and the share of each value in `a` and `b`.
        `numbers`: for prices and events per day and user, `psi`, and for `a` and `b` the count and quantiles.

    Raises:
        TableError: a folder holds no table of a snapshot.
    """
    with _open(a, b) as (before, after):
        mixes = {name: _both(of, before, after) for name, of in MIXES.items()}
        numbers = {name: _both(of, before, after) for name, of in NUMBERS.items()}
        return {
            "rows": {table.name: {"a": _rows(a, table), "b": _rows(b, table)} for table in TABLES},
            "ids": {name: _ids(of(before), of(after)) for name, of in IDS.items()},
            "mix": {name: _mix(*pair) for name, pair in mixes.items()},
            "numbers": {name: _numbers(*pair) for name, pair in numbers.items()},
        }


def psi(a: NDArray[np.int64], b: NDArray[np.int64]) -> float | None:
    """Population stability index of two counts over the same bins.

    psi = Σ (q − p) · ln(q / p), p = (a + ½) / (Σa + ½ · bins), q alike from b: an empty bin stays finite.

    Args:
        a: (bins,) counts before.
        b: (bins,) counts after.

    Returns:
        0 for the same shares; under 0.1 is commonly called stable, over 0.25 shifted. None where a side is empty.

    Source: Siddiqi 2006, Credit Risk Scorecards, with half a case added to each bin.
    """
    if not a.sum() or not b.sum():
        return None
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (a, b))
    return float(((q - p) * np.log(q / p)).sum())


@contextmanager
def _open(a: Path, b: Path) -> Iterator[tuple[Tables, Tables]]:
    """The tables of both folders as expressions over one database that keeps little in memory."""
    with (
        tempfile.TemporaryDirectory(prefix="tandem-") as scratch,
        duckdb.connected("UTC", MEMORY, Path(scratch)) as database,
    ):
        yield _tables(database, a, "a"), _tables(database, b, "b")


def _tables(database: Backend, folder: Path, name: str) -> Tables:
    """Every table, without rows where the folder has no file of it."""
    found = {table.name: folder / f"{table.name}.parquet" for table in TABLES}
    if not any(map(files.of, found.values())):
        raise TableError(f"{folder} is no snapshot: it has none of {', '.join(path.name for path in found.values())}")
    return {
        table.name: database.read_parquet(paths, table_name=f"{name}_{table.name}")
        if (paths := [str(path) for path in files.of(found[table.name])])
        else database.create_table(f"{name}_{table.name}", schema=ibis.schema(table.arrow))
        for table in TABLES
    }


def _rows(folder: Path, table: schema.Table) -> int | None:
    paths = files.of(folder / f"{table.name}.parquet")
    return sum(pq.read_metadata(path).num_rows for path in paths) if paths else None


def _users(tables: Tables) -> ir.Table:
    acting = ibis.union(tables["events"].select(id="user_id"), tables["reviews"].select(id="user_id"))
    return acting.filter(acting.id.notnull()).distinct()


def _products(tables: Tables) -> ir.Table:
    return tables["products"].select(id="product_id").distinct()


def _ids(a: ir.Table, b: ir.Table) -> dict[str, int]:
    """Ids on each side, gone and new; a and b: one column `id`, without repeats."""
    joined = a.select(before="id").outer_join(b.select(after="id"), [("before", "after")])
    counted = joined.aggregate(
        a=joined.before.count(),
        b=joined.after.count(),
        gone=joined.after.isnull().sum(),
        new=joined.before.isnull().sum(),
    )
    return {name: int(value or 0) for name, value in counted.to_pyarrow().to_pylist()[0].items()}


def _kinds(tables: Tables) -> ir.Table:
    return _counted(tables["events"].select(value="kind"))


def _categories(tables: Tables) -> ir.Table:
    """Events by the widest category of their product."""
    by_product = tables["events"].group_by("product_id").agg(events=ibis._.count())
    widest = tables["products"].select("product_id", value=tables["products"].category[0])
    joined = by_product.left_join(widest, "product_id")
    return joined.group_by(value=joined.value.fill_null(NONE)).agg(count=ibis._.events.sum())


def _unit_prices(tables: Tables) -> ir.Table:
    events = tables["events"]
    return _counted(events.filter(events.kind == "purchase").select(value="unit_price"))


def _product_prices(tables: Tables) -> ir.Table:
    return _counted(tables["products"].select(value="price"))


def _events_per_day(tables: Tables) -> ir.Table:
    days = tables["events"].select(day=tables["events"].time.truncate("D"))
    return _counted(days.group_by("day").agg(value=ibis._.count()))


def _events_per_user(tables: Tables) -> ir.Table:
    events = tables["events"]
    return _counted(events.filter(events.user_id.notnull()).group_by("user_id").agg(value=ibis._.count()))


def _counted(table: ir.Table) -> ir.Table:
    """How often each value of column `value` occurs; missing ones are left out."""
    return table.filter(table.value.notnull()).group_by("value").agg(count=ibis._.count())


IDS: Mapping[str, Callable[[Tables], ir.Table]] = {"users": _users, "products": _products}
MIXES: Mapping[str, Callable[[Tables], ir.Table]] = {"kind": _kinds, "category": _categories}
NUMBERS: Mapping[str, Callable[[Tables], ir.Table]] = {
    "unit_price": _unit_prices,
    "product_price": _product_prices,
    "events_per_day": _events_per_day,
    "events_per_user": _events_per_user,
}


def _both(of: Callable[[Tables], ir.Table], a: Tables, b: Tables) -> tuple[Distribution, Distribution]:
    return _read(of(a)), _read(of(b))


def _read(counted: ir.Table) -> Distribution:
    found = counted.to_pyarrow().sort_by("value")
    values = found["value"].to_numpy()
    return Distribution(values, found["count"].to_numpy().astype(np.int64))


def _mix(a: Distribution, b: Distribution) -> dict[str, Any]:
    """PSI over the values that occur, and each value's shares, those that changed most first."""
    counts = [dict(zip(side.values.tolist(), side.counts.tolist(), strict=True)) for side in (a, b)]
    values = sorted(set().union(*counts))
    aligned = [np.array([side.get(value, 0) for value in values], dtype=np.int64) for side in counts]
    shares = [side / max(side.sum(), 1) for side in aligned]
    order = sorted(range(len(values)), key=lambda place: (-abs(shares[1][place] - shares[0][place]), values[place]))
    listed = {values[place]: {"a": float(shares[0][place]), "b": float(shares[1][place])} for place in order}
    return {"psi": psi(aligned[0], aligned[1]), "shares": listed}


def _numbers(a: Distribution, b: Distribution) -> dict[str, Any]:
    """PSI over bins that end at the deciles of `a`, and both sides' counts and quantiles."""
    deciles = [a.quantile(place / BINS) for place in range(1, BINS)]
    edges = np.unique([edge for edge in deciles if edge is not None])
    binned = [np.bincount(np.searchsorted(edges, d.values), d.counts, len(edges) + 1).astype(np.int64) for d in (a, b)]
    return {"psi": psi(binned[0], binned[1]), "a": _summary(a), "b": _summary(b)}


def _summary(of: Distribution) -> dict[str, Any]:
    return {"count": of.total, "quantiles": {f"{share:g}": of.quantile(share) for share in QUANTILES}}


def text(difference: Mapping[str, Any], a: str, b: str) -> str:
    """The difference as tables for a terminal; `a` and `b` are what the two snapshots are called."""
    parts = [
        f"{a} → {b}",
        _aligned([["rows", "a", "b", "change"], *_row_lines(difference["rows"])]),
        _aligned([["", "a", "b", "gone", "new"], *_id_lines(difference["ids"])]),
        *(_aligned(_mix_lines(name, found)) for name, found in difference["mix"].items()),
        _aligned(_number_lines(difference["numbers"])),
        "psi: under 0.1 stable, over 0.25 shifted; with few values chance alone moves it",
    ]
    return "\n\n".join(parts)


def _row_lines(rows: Mapping[str, Mapping[str, int | None]]) -> list[list[str]]:
    return [[name, _whole(of["a"]), _whole(of["b"]), _change(of["a"], of["b"])] for name, of in rows.items()]


def _id_lines(ids: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    return [[name, *(_whole(of[key]) for key in ("a", "b", "gone", "new"))] for name, of in ids.items()]


def _mix_lines(name: str, found: Mapping[str, Any]) -> list[list[str]]:
    shares = list(found["shares"].items())
    lines = [[value, f"{of['a']:.2%}", f"{of['b']:.2%}"] for value, of in shares[:SHOWN]]
    more = [[f"… {len(shares) - SHOWN} more, that changed less", "", ""]] if len(shares) > SHOWN else []
    return [[f"events by {name}, psi {_number(found['psi'])}", "a", "b"], *lines, *more]


def _number_lines(numbers: Mapping[str, Any]) -> list[list[str]]:
    lines = [["quantiles", "psi", "", "values", *(f"{share:.0%}" for share in QUANTILES)]]
    for name, found in numbers.items():
        for side in ("a", "b"):
            of = found[side]
            head = [name, _number(found["psi"])] if side == "a" else ["", ""]
            lines.append([*head, side, _whole(of["count"]), *map(_number, of["quantiles"].values())])
    return lines


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest cell: the first to the left, the others to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    rows = []
    for line in lines:
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        rows.append("  ".join(cells).rstrip())
    return "\n".join(rows)


def _whole(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def _change(a: int | None, b: int | None) -> str:
    return f"{b / a - 1:+.1%}" if a and b is not None else ""
