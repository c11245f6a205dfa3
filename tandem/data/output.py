"""Judged rows as a table has them: in order, in its columns, with ids, maps as JSON, and refused rows masked."""

import json
from collections.abc import Iterator
from itertools import pairwise

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from tandem.data import schema
from tandem.data.engine import Engine
from tandem.data.schema import Table
from tandem.params import Identifier
from tandem.privacy import masking

ORDER = {
    "products": ["product_id"],
    "events": ["time", "file", "row"],
    "reviews": ["time", "file", "row"],
    "users": ["user_id"],
    "relations": ["product_id", "other_id", "kind"],
    "refused": ["table", "file", "row"],
}
MADE = ("event_id", "review_id")
"""Ids that are made of a row's file and number, once the rows are in order."""


def columns(table: Table) -> list[str]:
    """What a row must have to become one of the table's."""
    named = [name for name in table.names if name not in MADE]
    return named if len(named) == len(table.names) else [*named, "file", "row"]


def batches(engine: Engine, rows: ir.Table, table: Table, masked: tuple[Identifier, ...]) -> Iterator[pa.RecordBatch]:
    """The rows in order, in exactly the table's columns; in refused ones the identifiers `masked` are."""
    ordered = rows.select(columns(table)).order_by(ORDER[table.name])
    if ids := [name for name in table.names if name in MADE]:
        ordered = ordered.mutate(**{name: ordered.file + ":" + ordered.row.cast("string") for name in ids})
    written = (_with_json(batch) for batch in engine.batches(ordered.select(table.names)))
    return (_masked(batch, masked) for batch in written) if table is schema.REFUSED and masked else written


def origin(rows: ir.Table, name: str) -> ir.Table:
    """The rows of a table with the `file` and `row` that their id `name` was made of, instead of it."""
    file = rows[name].re_replace(r":[0-9]+$", "")
    return rows.mutate(file=file, row=rows[name].substr(file.length() + 1).cast("int64")).drop(name)


def _masked(batch: pa.RecordBatch, kinds: tuple[Identifier, ...]) -> pa.RecordBatch:
    """Refused rows without direct identifiers: any cell may hold what does not belong there."""
    for name in ("reason", "record"):
        texts, _ = masking.mask(batch.column(name), kinds)
        batch = batch.set_column(batch.schema.get_field_index(name), name, texts)
    return batch


def _with_json(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its maps as JSON objects, names in alphabetical order."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_map(field.type):
            batch = batch.set_column(place, field.name, _json(batch.column(place)))
    return batch


def _json(maps: pa.MapArray) -> pa.Array:
    """Each map as a JSON object; missing ones stay missing."""
    encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
    names, cells, ends = maps.keys.to_pylist(), maps.items.to_pylist(), maps.offsets.to_pylist()
    texts = [encode(dict(zip(names[a:b], cells[a:b], strict=True))) for a, b in pairwise(ends)]
    return pc.if_else(maps.is_valid(), pa.array(texts, pa.string()), None)
