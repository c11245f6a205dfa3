import datetime
import decimal
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.data import exports
from tandem.errors import SourceError

UTC, DAY = datetime.UTC, "2026-01-02"
MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 120_000)


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([17850, -1, None], pa.int32(), ["17850", "-1", None]),
        ([17850.0, 2.5, 1e15, 0.1, -3.0], pa.float64(), ["17850", "2.5", "1000000000000000", "0.1", "-3"]),
        ([float("nan"), float("inf"), 1e308], pa.float64(), ["nan", "inf", "1e+308"]),
        ([0.1, 7.0], pa.float32(), ["0.1", "7"]),
        ([True, False], pa.bool_(), ["true", "false"]),
        ([decimal.Decimal("1.50")], pa.decimal128(5, 2), ["1.50"]),
        (["007", "", None, "=1+1"], pa.string(), ["007", "", None, "=1+1"]),
        (["a", "b", "a"], pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"]),
        ([datetime.date(2026, 1, 2)], pa.date32(), ["2026-01-02"]),
        ([datetime.time(3, 4)], pa.time64("us"), ["03:04:00"]),
        ([MOMENT, datetime.datetime(2026, 1, 2)], pa.timestamp("us"), ["2026-01-02 03:04:05.12", f"{DAY} 00:00:00"]),
        ([MOMENT.replace(tzinfo=UTC)], pa.timestamp("ms", "Europe/Berlin"), ["2026-01-02 03:04:05.12Z"]),
        ([[1, 2], [], None], pa.list_(pa.int64()), ["[1, 2]", "[]", None]),
        ([{"a": "岁", "b": [MOMENT]}], pa.struct({"a": pa.string(), "b": pa.list_(pa.timestamp("s"))}),
         ['{"a": "岁", "b": ["2026-01-02 03:04:05"]}']),
        ([[("k", 1)]], pa.map_(pa.string(), pa.int64()), ['[["k", 1]]']),
        ([None, None], pa.null(), [None, None]),
    ],
)  # fmt: skip
def test_every_type_becomes_the_text_a_person_sees(tmp_path, ask, values, kind, texts) -> None:
    pq.write_table(pa.table({"id": pa.array(values, kind)}), tmp_path / "p.parquet", store_schema=True)
    assert [row["id"] for row in ask("p.parquet", format="parquet")] == texts


def test_bytes_are_left_out_unless_the_block_names_them(tmp_path, ask) -> None:
    table = pa.table({"id": ["1"], "picture": [b"\xff\xd8"], "deep": [{"bytes": b"\xff"}]})
    pq.write_table(table, tmp_path / "p.parquet")
    assert ask("p.parquet", format="parquet") == [{"id": "1"}]
    with pytest.raises(SourceError, match=r"column `picture` \(binary\) cannot be read as text"):
        ask("p.parquet", format="parquet", columns={"product_id": "id", "image": "picture"})
    pq.write_table(pa.table({"id": [b"abc"]}), tmp_path / "p.parquet")
    assert ask("p.parquet", format="parquet") == [{"id": "abc"}]


def test_row_groups_are_read_one_after_another_also_from_gzip(tmp_path, block, ask) -> None:
    table = pa.table({"id": range(150_000)})
    pq.write_table(table, tmp_path / "p.parquet", row_group_size=100_000)
    batches = list(exports.batches(exports.Export("p.parquet", tmp_path / "p.parquet"), block(format="parquet")))
    assert max(batch.cells.num_rows for batch in batches) <= 65_536
    assert [int(id) for batch in batches for id in batch.cells["id"].to_pylist()] == list(range(150_000))
    packed = gzip.compress((tmp_path / "p.parquet").read_bytes())
    assert len(ask("p.gz", packed, format="parquet")) == 150_000


@pytest.mark.parametrize("harm", [lambda c: c[:-100], lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"PAR1"])
def test_a_broken_file_is_one_sentence(tmp_path, ask, harm) -> None:
    pq.write_table(pa.table({"id": range(1000)}), tmp_path / "p.parquet")
    with pytest.raises(SourceError, match=r"p\.parquet cannot be read: "):
        ask("p.parquet", harm((tmp_path / "p.parquet").read_bytes()), format="parquet")


def test_pages_that_were_changed_are_found_or_read_as_text(tmp_path, ask) -> None:
    pq.write_table(pa.table({"id": [f"{n}" for n in range(5000)]}), tmp_path / "p.parquet", compression="zstd")
    content = bytearray((tmp_path / "p.parquet").read_bytes())
    content[200:260] = b"\xee" * 60
    with pytest.raises(SourceError, match=r"p\.parquet cannot be read: "):
        ask("p.parquet", bytes(content), format="parquet")


def test_two_columns_of_one_name_are_refused(tmp_path, ask) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["id", "ID"]), tmp_path / "p.parquet")
    with pytest.raises(SourceError, match="have the same name but for capitals"):
        ask("p.parquet", format="parquet")
