"""The stage `sentiment`: opinions of all reviews, learned from those before the validation window."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from stages import sentiment
from tandem import files
from tandem.data import schema
from tandem.data.splits import Cuts

pytestmark = pytest.mark.slow

START = pd.Timestamp("2026-01-01T00:00Z")
GOOD = ("wonderful and sturdy", "excellent, I love it", "很好用，质量不错", "非常喜欢")
BAD = ("terrible, it broke", "awful waste of money", "很差，坏了", "太失望了")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """Sixty reviews a day apart, good and bad in turn; from day 50 on stars say the opposite of the words."""
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((root / "params.yaml").read_text())
    learned = params["sentiment"] | {"learning_rate": 0.01, "epochs": 15}  # few reviews
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"sentiment": learned}))
    rows = [
        {
            "review_id": f"r{n:02}", "user_id": f"u{n % 7}", "product_id": "p", "time": START + pd.Timedelta(days=n),
            "rating": 5.0 if (n % 2 == 0) == (n < 50) else 1.0, "text": f"{(BAD if n % 2 else GOOD)[n // 2 % 4]} {n}",
            "language": "en" if n // 2 % 4 < 2 else "zh",
        }
        for n in range(60)
    ]  # fmt: skip
    rows.append({"review_id": "silent", "product_id": "p", "time": START})
    reviews = pd.DataFrame(rows).reindex(columns=schema.REVIEWS.names)
    reviews["time"] = reviews["time"].astype("datetime64[us, UTC]")
    files.write(reviews, tmp_path / "snapshot" / "reviews.parquet", schema.REVIEWS)
    Cuts(*(START + pd.Timedelta(days=days) for days in (50, 55, 60))).write(tmp_path / "splits" / "cuts.json")
    return tmp_path


def _read(home: Path) -> pd.DataFrame:
    sentiment.main(*(home / name for name in ("snapshot", "splits", "sentiment", "opinions.parquet", "report.json")))
    return files.read(home / "opinions.parquet", schema.OPINIONS)


def test_every_review_has_its_opinion_and_silence_none(home: Path) -> None:
    found = _read(home).set_index("review_id")
    early = found.loc[[f"r{n:02}" for n in range(50)], "tone"].to_numpy()
    assert (early[::2] > 0.3).all()
    assert (early[1::2] < -0.3).all()
    assert np.isnan(found.loc["silent", "tone"])
    assert found.loc["silent", list(schema.ASPECTS)].isna().all()
    assert found.loc["r00", "quality"] == 1.0
    assert found.loc["r03", "price"] == 1.0
    assert found.loc["r02", "price"] == 0.0


def test_the_report_says_what_each_head_was_learned_from(home: Path) -> None:
    """Of 50 reviews 26 are English, every other one bad; the silent one names no language."""
    _read(home)
    report = files.read_json(home / "report.json")
    counts = {reading: [told[name] for name in ("reviews", "good", "bad")] for reading, told in report.items()}
    assert counts == {"en": [26, 13, 13], "other": [25, 12, 12]}
    assert all(0 < told["validation_log_loss"] < np.log(2) for told in report.values())


def test_later_reviews_teach_nothing(home: Path) -> None:
    before = _read(home)
    path = home / "snapshot" / "reviews.parquet"
    reviews = files.read(path, schema.REVIEWS)
    reviews.loc[reviews["time"] >= START + pd.Timedelta(days=50), "rating"] = 3.0
    files.write(reviews, path, schema.REVIEWS)
    after = _read(home)
    early = (before["time"] < START + pd.Timedelta(days=50)).to_numpy()
    assert np.array_equal(before["tone"][early], after["tone"][early], equal_nan=True)


def test_a_shop_without_reviews_has_no_opinions(home: Path) -> None:
    path = home / "snapshot" / "reviews.parquet"
    files.write(files.read(path, schema.REVIEWS).iloc[:0], path, schema.REVIEWS)
    assert _read(home).empty
    assert files.read_json(home / "report.json") == {}
