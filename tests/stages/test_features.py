"""The stage `features`: what is known before each window, and nothing of the window itself."""

from pathlib import Path

import pandas as pd
import pytest

from stages import features, split
from tandem import files
from tandem.data import schema
from tandem.data.sources import Source
from tandem.data.splits import Cuts
from tandem.features.dataset import Dataset

PARAMS = "features: {target_kinds: [purchase], kind_weight: {purchase: 1.0}, review_prior: 1}"
DAYS = {"train": {"a": 1, "b": 2, "c": 3}, "validation": {"d": 6, "e": 7}, "test": {"z": 9}}


def _write_events(path: Path, days: dict[str, int]) -> None:
    time = pd.to_datetime([f"2020-01-{day:02}" for day in days.values()], utc=True).as_unit("us")
    events = pd.DataFrame({"product_id": list(days), "time": time, "event_id": list(days), "order_id": list(days)})
    events = events.assign(user_id="u", kind="purchase", quantity=1.0, session_id=None, unit_price=None)
    files.write(events, path, schema.EVENTS)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One user bought a, b, c before validation, d and e within it, z in the test window."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    for part, days in DAYS.items():
        _write_events(tmp_path / "splits" / f"{part}.parquet", days)
    cuts = [pd.Timestamp(day, tz="UTC") for day in ("2020-01-06", "2020-01-09", "2020-01-10")]
    Cuts(*cuts).write(tmp_path / "splits" / "cuts.json")
    products = pd.DataFrame({"product_id": list("abcdez")})
    products["category"] = [[] for _ in "abcdez"]
    products = products.reindex(columns=schema.PRODUCTS.names)
    files.write(products, tmp_path / "snapshot" / "products.parquet", schema.PRODUCTS)
    _write_opinions(tmp_path / "opinions.parquet", {"a": (4, 0.5), "c": (7, -1.0), "b": (9, 1.0)})
    return tmp_path


def _write_opinions(path: Path, told: dict[str, tuple[int, float]]) -> None:
    """Day and tone of a review of each product by the one user."""
    rows = pd.DataFrame({"review_id": list(told), "product_id": list(told), "user_id": "u"})
    rows["time"] = pd.to_datetime([f"2020-01-{day:02}T12:00Z" for day, _ in told.values()]).as_unit("us")
    rows["tone"] = [tone for _, tone in told.values()]
    files.write(rows.assign(**dict.fromkeys(schema.ASPECTS, 0.0)), path, schema.OPINIONS)


def _build(home: Path) -> None:
    features.main(home / "splits", home / "snapshot", home / "opinions.parquet", home / "features")


def test_each_window_knows_what_came_before_it(home: Path) -> None:
    _build(home)
    trial, final = (Dataset.read(home / "features" / window) for window in ("trial", "final"))
    assert trial.vocabulary.ids == ("a", "b", "c")
    assert final.vocabulary.ids == ("a", "b", "c", "d", "e")
    assert trial.histories.product.tolist() == [1, 2, 3, 1]
    assert final.histories.product.tolist() == [1, 2, 3, 1, 4, 5, 3]
    day_us = 86_400_000_000
    assert final.as_of_us - trial.as_of_us == 3 * day_us
    assert trial.demand.last(5).tolist() == [0, 1, 1, 1]


def test_reviews_stand_in_histories_and_tell_of_products_until_each_window(home: Path) -> None:
    """Of a on the 4th (+.5), of c on the 7th (-1); that of b on the 9th is in the test window."""
    _build(home)
    trial, final = (Dataset.read(home / "features" / window) for window in ("trial", "final"))
    review = schema.KIND_CODE["review"]
    assert final.histories.opinion[final.histories.kind == review, 0].tolist() == [0.5, -1.0]
    assert not final.histories.opinion[final.histories.kind != review].any()
    assert trial.products.known("sentiment").tolist() == [False, True, False, False]
    assert final.products.known("sentiment").tolist() == [False, True, False, True, False, False]
    assert final.products.sentiment[1, 0] > final.products.sentiment[3, 0]
    assert final.kind_weight[review] == 0


def test_the_test_window_is_not_read(home: Path) -> None:
    _build(home)
    before = files.hash_folder(home / "features")
    (home / "splits" / "test.parquet").unlink()
    _build(home)
    assert files.hash_folder(home / "features") == before


SHOP = {
    "name": "shop",
    "title": "a shop whose events tell what products cost",
    "timezone": "UTC",
    "events": [
        {
            "files": "*.csv",
            "format": "csv",
            "kind": "purchase",
            "columns": {c: c for c in ("product_id", "user_id", "time", "order_id", "quantity", "unit_price")},
        }
    ],
    "products_from_events": {"price": "unit_price"},
}


def test_a_price_paid_in_the_test_window_changes_nothing(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(f"{PARAMS}\nsplit: {{validation_days: 2, test_days: 2}}")
    (tmp_path / "raw").mkdir()

    def built(price_in_test: int) -> tuple[list[float], str]:
        """Products a, b, c for 1, 2, 3, one a day, until on the last day c has another price, nine times."""
        rows = [(product, day, price) for price, product in enumerate("abc", 1) for day in range(1, 8)]
        rows += [("c", 8, price_in_test)] * 9
        lines = [f"{product},u,2020-01-{day:02},{order},1,{price}" for order, (product, day, price) in enumerate(rows)]
        header = "product_id,user_id,time,order_id,quantity,unit_price"
        (tmp_path / "raw" / "events.csv").write_text("\n".join([header, *lines]))
        tables = make(Source.model_validate(SHOP), tmp_path / "raw", bytes(32), tmp_path).tables
        for name in ("events", "products"):
            files.write(tables[name], tmp_path / "snapshot" / f"{name}.parquet", schema.TABLES[name])
        _write_opinions(tmp_path / "opinions.parquet", {})
        split.main(tmp_path / "snapshot", tmp_path / "splits")
        _build(tmp_path)
        return tables["products"]["price"].tolist(), files.hash_folder(tmp_path / "features")

    (sheet, before), (other_sheet, after) = built(3), built(9)
    assert (sheet, other_sheet) == ([1, 2, 3], [1, 2, 9])
    assert before == after
