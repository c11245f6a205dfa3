"""Judged rows as a table has them: in order, in its columns, with ids, maps as JSON, and refused rows masked."""

import json
from collections.abc import Iterator

import ibis.expr.types as ir
import numpy as np
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

ENCODE = json.JSONEncoder(ensure_ascii=False).encode
ESCAPED = r'["\\\x00-\x1f]'
"""What stands in a text of JSON otherwise than as it is."""


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
    ends = maps.offsets.to_numpy()
    first, last = ends[0], ends[-1]
    names, cells = (of[first:last].cast(pa.string()) for of in (maps.keys, maps.items))  # of no names, without a type
    names = names.dictionary_encode()
    met = names.dictionary.to_pylist()
    place = np.argsort(np.argsort(np.array(met, object)))[names.indices.to_numpy()]
    order = np.lexsort((place, np.repeat(np.arange(len(maps)), np.diff(ends))))
    keys = pa.array([f"{ENCODE(name)}:" for name in met], pa.string()).take(names.indices)
    members = pc.binary_join_element_wise(keys, _quoted(cells), "").take(pa.array(order))
    objects = pc.binary_join(pa.ListArray.from_arrays(ends - first, members), ",")
    return pc.if_else(maps.is_valid(), pc.binary_join_element_wise("{", objects, "}", ""), None)


def _quoted(cells: pa.Array) -> pa.Array:
    """Each text as JSON writes it, a missing one as null; only what has something to escape is looked at one by one."""
    odd = pc.match_substring_regex(cells, ESCAPED).fill_null(False)
    plain = pc.binary_join_element_wise('"', cells, '"', "").fill_null("null")
    return pc.replace_with_mask(plain, odd, pa.array(map(ENCODE, cells.filter(odd).to_pylist()), pa.string()))
