"""Judged rows as a table has them."""

from pathlib import Path

import pyarrow as pa

from tandem.data import output, schema
from tandem.data.engine import open_engine


def test_maps_become_json_with_names_in_order_and_missing_ones_stay_missing(tmp_path: Path) -> None:
    maps = [[("size", 'L"'), ("colour", "红")], None, [], [("a", None)]]
    rows = {"user_id": list("abcd"), "attributes": pa.array(maps, pa.map_(pa.string(), pa.string()))}
    with open_engine("UTC", tmp_path / "scratch") as engine:
        (batch,) = output.batches(engine, engine.store(pa.table(rows)), schema.USERS, ())
    assert batch["attributes"].to_pylist() == ['{"colour":"红","size":"L\\""}', None, "{}", '{"a":null}']
