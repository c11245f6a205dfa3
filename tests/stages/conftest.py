"""A small shop carried through the first stages, for the stages that learn and judge."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from stages import features, split
from tandem import files
from tandem.data import schema
from tandem.features.dataset import Dataset


@dataclass(frozen=True)
class Shop:
    """Folders as dvc.yaml names them, below one root that holds params.yaml."""

    root: Path

    def __getattr__(self, name: str) -> Path:
        return self.root / "data" / name


@pytest.fixture(scope="session")
def trained_on(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Shop:
    """Snapshot, splits and features of 24 users who every few days buy two of the four products of their group."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    _params(root / "params.yaml", shop.root / "params.yaml")
    rng = np.random.default_rng(11)
    start = pd.Timestamp("2026-01-01", tz="UTC")
    rows = [
        {
            "event_id": f"e{user:02d}-{day:02d}-{product}", "user_id": f"u{user:02d}", "kind": "purchase",
            "product_id": f"g{user % 4}p{product}", "order_id": f"o{user:02d}-{day:02d}", "quantity": 1.0,
            "time": start + pd.Timedelta(days=day, minutes=user),
        }
        for day in range(0, 90, 3)
        for user in range(24)
        if rng.random() < 0.8
        for product in rng.choice(4, size=2, replace=False)
    ]  # fmt: skip
    files.write(_frame(rows, schema.EVENTS), shop.snapshot / "events.parquet", schema.EVENTS)
    products = [{"product_id": f"g{g}p{p}", "category": [f"g{g}"]} for g in range(4) for p in range(4)]
    files.write(_frame(products, schema.PRODUCTS), shop.snapshot / "products.parquet", schema.PRODUCTS)
    manifest = {"data_hash": "d" * 64, "source": "small", "key_id": "0123abcd"}
    files.write_json(manifest, shop.snapshot / "manifest.json")
    files.write(_frame([], schema.OPINIONS), shop.opinions, schema.OPINIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop.root)
        split.main(shop.snapshot, shop.splits)
        features.main(shop.splits, shop.snapshot, shop.opinions, shop.features)
    return shop


@pytest.fixture(scope="session")
def related(trained_on: Shop) -> Shop:
    """The same with partners: no labels suffice to learn from, so that counts speak."""
    from stages import relate

    shop = trained_on
    for window in ("trial", "final"):
        unknown = np.full((Dataset.read(shop.features / window).vocabulary.size, 1), np.nan, np.float32)
        files.write_arrays(shop.vectors / f"{window}.npz", text=unknown, picture=unknown)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop.root)
        relate.main(shop.snapshot, shop.splits, shop.features, shop.vectors, shop.relations, shop.root / "reports")
    return shop


@pytest.fixture(scope="session")
def counted(related: Shop) -> Shop:
    """The same with every counting ranker fitted."""
    from stages import count

    shop = related
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop.root)
        trials, releases = shop.trials / "counting", shop.releases / "counting"
        count.main(shop.snapshot, shop.splits, shop.opinions, shop.features, shop.relations, trials, releases)
    return shop


def _params(theirs: Path, ours: Path) -> None:
    values = yaml.safe_load(theirs.read_text(encoding="utf-8"))
    values["evaluate"] |= {"related_min_count": 1, "bootstrap": 200}
    values["promote"]["min_cases"] = 5
    values["split"] = {"validation_days": 14, "test_days": 21}
    ours.write_text(yaml.safe_dump(values), encoding="utf-8")


def _frame(rows: list[dict], table: schema.Table) -> pd.DataFrame:
    return pa.table({c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns}).to_pandas()
