"""The stage `split`: files in, files out, the same every time."""

from pathlib import Path

import pandas as pd
import pytest

from stages import split
from tandem import files
from tandem.data import schema
from tandem.data.splits import Cuts
from tandem.errors import ParamsError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A snapshot with one event at noon on each of the days 2020-01-01 … 10."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("split: {validation_days: 2, test_days: 3}")
    time = pd.date_range("2020-01-01T12:00", periods=10, tz="UTC").as_unit("us")
    events = pd.DataFrame({"event_id": [f"e{day}" for day in range(1, 11)], "time": time})
    events = events.assign(user_id="u", product_id="p", kind="view", quantity=1.0)
    events = events.assign(session_id=None, order_id=None, unit_price=None)
    files.write(events, tmp_path / "snapshot" / "events.parquet", schema.EVENTS)
    return tmp_path


def test_every_event_lies_in_its_window(home: Path) -> None:
    split.main(home / "snapshot", home / "splits")
    parts = {name: files.read(home / "splits" / f"{name}.parquet", schema.EVENTS) for name in _expected()}
    assert {name: part["event_id"].tolist() for name, part in parts.items()} == _expected()
    cuts = [pd.Timestamp(day, tz="UTC") for day in ("2020-01-06", "2020-01-08", "2020-01-11")]
    assert Cuts.read(home / "splits" / "cuts.json") == Cuts(*cuts)


def _expected() -> dict[str, list[str]]:
    return {
        "train": ["e1", "e2", "e3", "e4", "e5"],
        "validation": ["e6", "e7"],
        "test": ["e8", "e9", "e10"],
    }


def test_the_same_snapshot_gives_the_same_bytes(home: Path) -> None:
    for name in ("one", "two"):
        split.main(home / "snapshot", home / name)
    assert files.hash_folder(home / "one") == files.hash_folder(home / "two")


def test_windows_longer_than_the_data_are_refused_before_anything_is_written(home: Path) -> None:
    (home / "params.yaml").write_text("split: {validation_days: 7, test_days: 3}")
    with pytest.raises(ParamsError, match="no events for train: validation would begin 2020-01-01"):
        split.main(home / "snapshot", home / "splits")
    assert not (home / "splits").exists()
