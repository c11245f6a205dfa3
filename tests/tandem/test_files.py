"""Files: equal content gives equal bytes, and nothing half-written is ever found."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tandem import files
from tandem.data import schema
from tandem.errors import TableError


def _relations(*rows: tuple[str | None, str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=schema.RELATIONS.names)


def test_a_table_comes_back_with_its_columns_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "relations.parquet"
    files.write(_relations(("a", "b", "complement"))[["kind", "other_id", "product_id"]], path, schema.RELATIONS)
    again = files.read(path, schema.RELATIONS)
    assert again.columns.tolist() == schema.RELATIONS.names
    assert again.iloc[0].tolist() == ["a", "b", "complement"]
    assert [p.name for p in path.parent.iterdir()] == ["relations.parquet"]


def test_an_index_does_not_change_the_bytes(tmp_path: Path) -> None:
    frame = _relations(("a", "b", "complement"), ("b", "a", "complement"))
    files.write(frame, tmp_path / "one", schema.RELATIONS)
    files.write(frame.set_index(pd.Index([7, 8])), tmp_path / "two", schema.RELATIONS)
    assert files.hash_file(tmp_path / "one") == files.hash_file(tmp_path / "two")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_times_keep_their_microseconds_and_become_utc(zone: str, tmp_path: Path) -> None:
    time = pd.to_datetime(["2020-01-01T00:00:00.123456Z"], utc=True).as_unit("us")
    row = {c.name: ["x"] for c in schema.EVENTS.columns if pa.types.is_string(c.type)}
    frame = pd.DataFrame({**row, "time": time.tz_convert(zone), "quantity": 1.0, "unit_price": None})
    files.write(frame, tmp_path / "e", schema.EVENTS)
    again = files.read(tmp_path / "e", schema.EVENTS)["time"]
    assert again.tolist() == time.tolist()
    assert str(again.dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    "frame",
    [
        _relations(("a", "b", "complement")).drop(columns="kind"),
        _relations(("a", "b", "complement")).assign(more=1),
        _relations(("a", "b", "complement")).assign(kind=1),
        _relations((None, "b", "complement")),
    ],
    ids=["a column is missing", "a column too many", "a wrong type", "a missing value"],
)
def test_a_frame_that_does_not_fit_is_refused_and_nothing_is_written(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="relations"):
        files.write(frame, tmp_path / "r", schema.RELATIONS)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_one_table_its_files_in_order_of_names(tmp_path: Path) -> None:
    for name in "bac":
        files.write(_relations((name, "x", "complement")), tmp_path / "r" / f"{name}.parquet", schema.RELATIONS)
    assert files.read(tmp_path / "r", schema.RELATIONS)["product_id"].tolist() == ["a", "b", "c"]
    pq.write_table(pa.table({"product_id": ["a"]}), tmp_path / "r" / "b.parquet")
    with pytest.raises(TableError, match=r"b\.parquet is not a relations table"):
        files.read(tmp_path / "r", schema.RELATIONS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="the stage that writes relations has not run"):
        files.read(tmp_path / "empty", schema.RELATIONS)


def test_a_copy_of_a_table_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    one, two, to = _relations(("a", "b", "complement")), _relations(("c", "d", "complement")), tmp_path / "to"
    files.write(one, tmp_path / "file", schema.RELATIONS)
    files.write(one, tmp_path / "folder" / "1.parquet", schema.RELATIONS)
    files.write(two, tmp_path / "folder" / "2.parquet", schema.RELATIONS)
    assert files.copy(tmp_path / "file", to) == 1
    assert files.copy(tmp_path / "folder", to) == 2
    assert files.hash_folder(to) == files.hash_folder(tmp_path / "folder")
    (tmp_path / "folder" / "1.parquet").unlink()
    assert files.copy(tmp_path / "folder", to) == 1
    assert [path.name for path in to.iterdir()] == ["2.parquet"]


def test_the_bytes_do_not_tell_how_the_rows_came_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So long and different texts that neither a page nor a dictionary holds those of a row group."""
    monkeypatch.setattr(files, "ROW_GROUP", 30_000)
    texts = pa.array([f"{number:0100}" for number in range(50_000)])
    columns = {c.name: pa.array(range(50_000)) if c.name == "row" else texts for c in schema.REFUSED.columns}
    rows, hashes = pa.table(columns), set()
    for first in (1, 777, 30_000, 50_000):
        batches = [*rows.slice(0, first).to_batches(), *rows.slice(first).to_batches(max_chunksize=9_000)]
        files.write_batches(batches, tmp_path / "r", schema.REFUSED)
        hashes.add(files.hash_file(tmp_path / "r"))
    assert len(hashes) == 1


def test_a_file_of_another_table_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"product_id": ["a"]}), tmp_path / "r")
    with pytest.raises(TableError, match=r"not a relations table: found \['product_id'\]"):
        files.read(tmp_path / "r", schema.RELATIONS)
    with pytest.raises(FileNotFoundError, match="the stage that writes relations has not run"):
        files.read(tmp_path / "none", schema.RELATIONS)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    files.write_json({"a": 1}, tmp_path / "a.json")
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json({"a": float("nan")}, tmp_path / "a.json")
    assert files.read_json(tmp_path / "a.json") == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_json_is_sorted_indented_and_readable(tmp_path: Path) -> None:
    files.write_json({"b": "茶", "a": [1]}, tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "a": [\n    1\n  ],\n  "b": "茶"\n}\n'
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == files.read_json(tmp_path / "a.json")


@given(array=st_numpy.arrays(st.sampled_from(["int64", "float32", "U5"]), st_numpy.array_shapes(min_side=0)))
def test_arrays_come_back_and_give_equal_bytes(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    files.write_arrays(folder / "one.npz", some=array)
    again = files.read_arrays(folder / "one.npz")["some"]
    assert again.dtype == array.dtype
    assert np.array_equal(again, array, equal_nan=array.dtype == "float32")
    files.write_arrays(folder / "two.npz", some=again)
    assert files.hash_file(folder / "one.npz") == files.hash_file(folder / "two.npz")


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    with (tmp_path / "o.npz").open("wb") as out:
        np.savez(out, some=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        files.read_arrays(tmp_path / "o.npz")


def test_a_folder_s_hash_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    first = files.hash_folder(tmp_path)
    (tmp_path / "y").write_text("2")
    assert files.hash_folder(tmp_path) != first
    assert files.hash_folder(tmp_path, ignore=frozenset({"y"})) == first
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "z")
    assert files.hash_folder(tmp_path, ignore=frozenset({"y"})) != first


def test_a_file_s_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("abc")
    assert files.hash_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_damaged_npz_is_a_value_error_that_names_it(tmp_path: Path) -> None:
    files.write_arrays(tmp_path / "a.npz", some=np.arange(100))
    whole = (tmp_path / "a.npz").read_bytes()
    for damaged in (whole[:-30], b"", whole[:60] + b"\xff" * 40 + whole[100:]):
        (tmp_path / "a.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.npz holds no arrays that can be read"):
            files.read_arrays(tmp_path / "a.npz")
