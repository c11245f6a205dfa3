"""Split events by time: what is learned from lies before what is chosen on, and that before what is judged on."""

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from tandem import files
from tandem.errors import ParamsError
from tandem.params import SplitParams


@dataclass(frozen=True)
class Cuts:
    """Midnights (UTC) at which windows begin: train < validation ≤ … < test ≤ … < end."""

    validation: pd.Timestamp
    test: pd.Timestamp
    end: pd.Timestamp  # the midnight after the last event

    def write(self, path: Path) -> None:
        """Write the cuts as ISO times."""
        files.write_json({name: time.isoformat() for name, time in asdict(self).items()}, path)

    @classmethod
    def read(cls, path: Path) -> "Cuts":
        """The cuts written by `write`."""
        return cls(**{name: pd.Timestamp(time) for name, time in files.read_json(path).items()})


def cut_points(events: pd.DataFrame, params: SplitParams) -> Cuts:
    """Where the windows begin, counted back in whole UTC days; the day of the last event is day 1 of test.

    Args:
        events: a table of schema.EVENTS with at least one row.

    Raises:
        ParamsError: there are no events.
    """
    if events.empty:
        raise ParamsError("there are no events to split")
    end = events["time"].max().floor("D") + pd.Timedelta(days=1)
    test = end - pd.Timedelta(days=params.test_days)
    return Cuts(test - pd.Timedelta(days=params.validation_days), test, end)


def split_by_time(events: pd.DataFrame, params: SplitParams) -> dict[str, pd.DataFrame]:
    """The events as `train`, `validation` and `test`: every row in exactly one, in its order.

    max(train time) < min(validation time) and max(validation time) < min(test time).

    Args:
        events: a table of schema.EVENTS.

    Raises:
        ParamsError: a window would be empty; says which and where it lies.
    """
    cuts, time = cut_points(events, params), events["time"]
    parts = {
        "train": events[time < cuts.validation],
        "validation": events[(time >= cuts.validation) & (time < cuts.test)],
        "test": events[time >= cuts.test],
    }
    for name, part in parts.items():
        if part.empty:
            raise ParamsError(_empty(name, cuts, time, params))
    return parts


def _empty(name: str, cuts: Cuts, time: pd.Series, params: SplitParams) -> str:
    return (
        f"params.yaml: `split.validation_days` = {params.validation_days} and `split.test_days` = {params.test_days} "
        f"leave no events for {name}: validation would begin {cuts.validation:%Y-%m-%d} and test {cuts.test:%Y-%m-%d}, "
        f"events span {time.min():%Y-%m-%d} to {time.max():%Y-%m-%d}"
    )
