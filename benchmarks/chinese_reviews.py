"""Labelled Chinese reviews of ten categories, as they were published."""

import zipfile

import pandas as pd

from tandem.settings import Settings


def read() -> pd.DataFrame:
    """`cat`, `label` (1 is good) and `review`, without rows that lack one, from $TANDEM_DATA_DIR/chinese_reviews."""
    path = Settings().data_dir / "chinese_reviews" / "online_shopping_10_cats.zip"
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv"))
        return pd.read_csv(archive.open(name)).dropna()
