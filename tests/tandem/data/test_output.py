"""Judged rows as a table has them."""

import json
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tandem.data import output, schema
from tandem.data.engine import open_engine


def test_maps_become_json_with_names_in_order_and_missing_ones_stay_missing(tmp_path: Path) -> None:
    maps = [[("size", 'L"'), ("colour", "红")], None, [], [("a", None)]]
    rows = {"user_id": list("abcd"), "attributes": pa.array(maps, pa.map_(pa.string(), pa.string()))}
    with open_engine("UTC", tmp_path / "scratch") as engine:
        (batch,) = output.batches(engine, engine.store(pa.table(rows)), schema.USERS, ())
    assert batch["attributes"].to_pylist() == ['{"colour":"红","size":"L\\""}', None, "{}", '{"a":null}']


TEXTS = st.text(st.sampled_from('ab "\\\n\x00\x1f\x7f/红\u2028😀'), max_size=4)
MAPS = st.lists(st.none() | st.dictionaries(TEXTS, st.none() | TEXTS, max_size=4), max_size=6)


@given(maps=MAPS, start=st.integers(0, 3))
def test_json_is_what_python_writes_of_any_text_and_of_any_slice(
    maps: list[dict[str, str | None] | None], start: int
) -> None:
    rows = pa.record_batch({"m": pa.array([m and list(m.items()) for m in maps], pa.map_(pa.string(), pa.string()))})
    written = output._with_json(rows.slice(start))["m"].to_pylist()
    compact = {"ensure_ascii": False, "sort_keys": True, "separators": (",", ":")}
    assert written == [None if m is None else json.dumps(m, **compact) for m in maps[start:]]
