"""What the whole shop took lately, day by day: the source of trends and of the fallback."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem import files
from tandem.features.histories import DAY_US, basket_key, to_us
from tandem.features.vocabulary import Vocabulary

WINDOW_DAYS = 60


@dataclass(frozen=True)
class Demand:
    """Weighted number of baskets that held each product, on each of the last days."""

    daily: NDArray[np.float32]  # (days, products) row 0 is the last day before `as_of_us`
    as_of_us: int

    def last(self, days: int) -> NDArray[np.float32]:
        """(products,) weighted count over the last `days` days.

        Raises:
            ValueError: more days than are kept.
        """
        if not 1 <= days <= len(self.daily):
            raise ValueError(f"days = {days}: demand is kept for 1…{len(self.daily)} days")
        return self.daily[:days].sum(axis=0)

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        files.write_arrays(path, daily=self.daily, as_of_us=np.array(self.as_of_us, np.int64))

    @classmethod
    def read(cls, path: Path) -> "Demand":
        """The demand written by `write`."""
        stored = files.read_arrays(path)
        return cls(stored["daily"], int(stored["as_of_us"]))


def measure(events: pd.DataFrame, vocabulary: Vocabulary, as_of: pd.Timestamp, weight: dict[str, float]) -> Demand:
    """Demand before `as_of`; each (basket, kind, product) counts once, by the weight of its kind."""
    as_of_us = int(to_us(pd.DatetimeIndex([as_of]))[0])
    age = (as_of_us - 1 - to_us(events["time"])) // DAY_US
    table = pd.DataFrame(
        {
            "age": age,
            "product": vocabulary.encode(events["product_id"]),
            "weight": events["kind"].map(weight).fillna(0.0).to_numpy(),
            "kind": events["kind"].to_numpy(),
            "key": basket_key(events).to_numpy(),
        }
    )
    inside = (table["age"] >= 0) & (table["age"] < WINDOW_DAYS) & (table["product"] > 0)
    table = table[inside].drop_duplicates(["key", "kind", "product"])
    daily = np.zeros((WINDOW_DAYS, vocabulary.size), np.float64)
    np.add.at(daily, (table["age"].to_numpy(), table["product"].to_numpy()), table["weight"].to_numpy())
    return Demand(daily.astype(np.float32), as_of_us)
