"""Demo shops made once: a small one for its files, one of default size for what is planted in it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tandem import files
from tandem.demo import DemoSize, generate

SEED = 7


@dataclass(frozen=True)
class Made:
    """A generated shop, read back from its files as text."""

    raw: Path
    truth: Path
    size: DemoSize

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Cells of all event files, with the name of the file beside them."""
        parts = [csv(path).assign(file=path.name) for path in sorted(self.raw.glob("events-*.csv"))]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def dirt(self) -> dict[str, Any]:
        return files.read_json(self.truth / "dirt.json")

    def planted(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.truth / f"{name}.csv")

    @cached_property
    def events(self) -> pd.DataFrame:
        """Rows of known actions and products, once each, with day (a float), department, group and category."""
        rows = self.rows.drop_duplicates(["Date", "CustomerNo", "Article", "Action", "Session", "OrderNo"])
        rows = rows.assign(
            Article=rows["Article"].str.strip().str.upper(),
            CustomerNo=rows["CustomerNo"].str.removesuffix(".0"),
            day=(pd.to_datetime(rows["Date"], errors="coerce") - pd.Timestamp(self.size.begin)) / pd.Timedelta(days=1),
        )
        tree = self.planted("products").set_index("article")[["department", "group", "category"]]
        return rows[rows["day"].notna()].join(tree, on="Article", how="inner").sort_values("day", kind="stable")

    @cached_property
    def purchases(self) -> pd.DataFrame:
        """Sales, guests' too; no fees, corrections or cancellations."""
        sold = self.events["Action"].eq("order") & self.events["OrderNo"].str.fullmatch(r"\d+")
        return self.events[sold]


def csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def make(folder: Path, size: DemoSize, seed: int = SEED) -> Made:
    generate(folder / "raw", folder / "truth", size, seed)
    return Made(folder / "raw", folder / "truth", size)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("small"), DemoSize.small())


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("shop"), DemoSize())
