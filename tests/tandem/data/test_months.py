"""Months: every row in the file of its month by UTC, the files in order, however the rows come in batches."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem import files
from tandem.data import months, schema
from tandem.errors import TableError

MOMENTS = st.datetimes(datetime(1969, 11, 1), datetime(1970, 4, 1), timezones=st.just(UTC))
INSTANT = timedelta(microseconds=1)


def rows(times: list[datetime], zone: str = "UTC") -> pa.Table:
    """Events at these times, told in a zone."""
    size = len(times)
    texts = {c.name: pa.array(["x"] * size) for c in schema.EVENTS.columns if pa.types.is_string(c.type)}
    numbers = {name: pa.array([1.0] * size) for name in ("quantity", "unit_price")}
    found = {**texts, **numbers, "time": pa.array(times, pa.timestamp("us", tz=zone))}
    return pa.table({name: found[name] for name in schema.EVENTS.names})


@given(times=st.lists(MOMENTS, max_size=12).map(sorted), size=st.integers(1, 5), held=st.integers(1, 12))
def test_the_files_in_order_are_the_rows_in_order(times: list[datetime], size: int, held: int) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(months, "HELD", held):
        batches = rows(times).to_batches(max_chunksize=size)
        written = months.write(batches, Path(folder), schema.EVENTS)
        months.finish(Path(folder), schema.EVENTS)
        assert files.read(Path(folder), schema.EVENTS)["time"].tolist() == times
        assert {path.stem for path in written} == {f"{time:%Y-%m}" for time in times}
        for path in written:
            assert {f"{time:%Y-%m}" for time in pq.read_table(path)["time"].to_pylist()} == {path.stem}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_a_month_ends_by_utc(zone: str, tmp_path: Path) -> None:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    months.write(rows([first - INSTANT, first], zone).to_batches(), tmp_path, schema.EVENTS)
    counts = {path.name: pq.read_metadata(path).num_rows for path in tmp_path.iterdir()}
    assert counts == {"2026-01.parquet": 1, "2026-02.parquet": 1}
    low, high = months.bounds(np.datetime64("2026-02"))
    assert low == first.timestamp() * 1_000_000
    assert high - low == 28 * 86_400 * 1_000_000


@pytest.mark.parametrize("held", [1, 100])
def test_rows_without_a_column_of_the_table_are_refused_however_months_are_written(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "HELD", held)
    times = [datetime(2026, month, day, tzinfo=UTC) for month in (1, 2, 3, 4) for day in (1, 2)]
    with pytest.raises(TableError, match="events"):
        months.write(rows(times).drop("kind").to_batches(max_chunksize=1), tmp_path, schema.EVENTS)


def test_a_table_without_rows_is_one_file_until_there_are_some(tmp_path: Path) -> None:
    months.finish(tmp_path, schema.EVENTS)
    assert files.read(tmp_path, schema.EVENTS).empty
    months.write(rows([datetime(2026, 2, 1, tzinfo=UTC)]).to_batches(), tmp_path, schema.EVENTS)
    months.finish(tmp_path, schema.EVENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["2026-02.parquet"]
