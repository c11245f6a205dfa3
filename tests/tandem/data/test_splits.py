"""Splits by global time: nothing lost, nothing later among the earlier."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data.splits import Cuts, cut_points, split_by_time
from tandem.errors import ParamsError
from tandem.params import SplitParams


def _params(validation_days: int, test_days: int) -> SplitParams:
    return SplitParams(validation_days=validation_days, test_days=test_days)


def _events(times: list[str] | pd.DatetimeIndex) -> pd.DataFrame:
    time = pd.DatetimeIndex(pd.to_datetime(times, utc=True, format="ISO8601")).as_unit("us")
    return pd.DataFrame({"event_id": [f"e{i}" for i in range(len(time))], "time": time})


def test_the_published_windows_of_online_retail() -> None:
    """Its last event is 2011-12-09T12:50; the protocol tests from 11-09 and validates from 11-01."""
    cuts = cut_points(_events(["2010-12-01T08:26:00", "2011-12-09T12:50:00"]), _params(8, 31))
    assert cuts == Cuts(*(pd.Timestamp(day, tz="UTC") for day in ("2011-11-01", "2011-11-09", "2011-12-10")))


def test_an_event_at_midnight_belongs_to_the_day_it_begins() -> None:
    times = ["2020-01-01T12:00", "2020-01-07T23:59:59.999999", "2020-01-08T00:00", "2020-01-09T23:59:59.999999",
             "2020-01-10T00:00"]  # fmt: skip
    parts = split_by_time(_events(times), _params(2, 1))
    assert {name: part["event_id"].tolist() for name, part in parts.items()} == {
        "train": ["e0", "e1"],
        "validation": ["e2", "e3"],
        "test": ["e4"],
    }


def test_a_last_event_at_midnight_is_a_day_of_its_own() -> None:
    cuts = cut_points(_events(["2020-01-10T00:00"]), _params(1, 1))
    assert cuts.test == pd.Timestamp("2020-01-10", tz="UTC")
    assert cuts.end == pd.Timestamp("2020-01-11", tz="UTC")


@given(
    days=st.lists(st.integers(0, 400 * 86_400), min_size=1, max_size=60),
    validation_days=st.integers(1, 60),
    test_days=st.integers(1, 60),
)
def test_windows_follow_each_other_and_lose_nothing(days: list[int], validation_days: int, test_days: int) -> None:
    events = _events(pd.Timestamp("2019-06-01", tz="UTC") + pd.to_timedelta(np.array(days), unit="s"))
    params = _params(validation_days, test_days)
    try:
        parts = split_by_time(events, params)
    except ParamsError:
        cuts, time = cut_points(events, params), events["time"]
        assert not ((time >= cuts.validation) & (time < cuts.test)).any() or not (time < cuts.validation).any()
        return
    assert list(parts) == ["train", "validation", "test"]
    assert parts["train"]["time"].max() < parts["validation"]["time"].min()
    assert parts["validation"]["time"].max() < parts["test"]["time"].min()
    assert sorted(pd.concat(parts.values())["event_id"]) == sorted(events["event_id"])
    assert all(part.index.is_monotonic_increasing for part in parts.values())


@pytest.mark.parametrize(
    ("times", "empty"),
    [(["2020-01-01", "2020-01-10"], "validation"), (["2020-01-09", "2020-01-10"], "train")],
)
def test_an_empty_window_is_refused_with_its_name(times: list[str], empty: str) -> None:
    with pytest.raises(ParamsError, match=rf"`split.test_days` = 1 .*no events for {empty}"):
        split_by_time(_events(times), _params(2, 1))


def test_no_events_cannot_be_split() -> None:
    with pytest.raises(ParamsError, match="no events"):
        split_by_time(_events([]), _params(1, 1))


def test_cuts_come_back_from_their_file(tmp_path) -> None:
    cuts = cut_points(_events(["2020-01-10T17:00"]), _params(3, 4))
    cuts.write(tmp_path / "cuts.json")
    assert Cuts.read(tmp_path / "cuts.json") == cuts
