"""The stage `embed`: vectors of texts and pictures, aligned with each window's vocabulary, learned from the trial's."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from models.text import encoder
from models.text.ngrams import Ngrams
from stages import embed
from tandem import files
from tandem.data import pictures, schema
from tandem.demo import DemoSize, catalogue, writing
from tandem.demo import pictures as painted
from tandem.features import dataset
from tandem.params import FeaturesParams

pytestmark = pytest.mark.slow

TITLES = {"a": "tea mug", "b": "tea cup", "c": "phone case", "d": "茶杯", "e": None, "z": "never sold"}
PICTURED = 40


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """The trial window met a, b and c, and pictured products; the final one d and e too.

    z is on the sheet alone, and e not yet on that of the trial window.
    """
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["picture"] |= {"epochs": 1, "widths": [8, 8], "dim": 8, "side": 32}
    params["embed"] |= {"ngrams_dim": 6}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    shop = catalogue.make(DemoSize(), np.random.default_rng(1)).products.iloc[:PICTURED]
    (tmp_path / "raw").mkdir()
    writing.write_zip(painted.paint(shop, np.random.default_rng(2)), tmp_path / "raw" / "pictures.zip")
    places = pictures.index(tmp_path / "raw", "pictures.zip").to_pandas().set_index("name")["place"]
    products = pd.DataFrame(
        {"product_id": list(TITLES), "title": list(TITLES.values()), "category": [[]] * len(TITLES)}
    )
    drawn = pd.DataFrame(
        {"product_id": [f"p{n:02}" for n in range(PICTURED)], "category": [[str(of)] for of in shop.leaf]}
    )
    drawn["image"] = places[shop.picture].tolist()
    drawn.loc[3, "image"] = "pictures.zip!gone.png"
    drawn["attributes"] = [json.dumps({"colour": str(colour)}) for colour in shop.colour]
    table = pd.concat([products, drawn]).reindex(columns=schema.PRODUCTS.names)
    files.write(table, tmp_path / "snapshot" / "products.parquet", schema.PRODUCTS)
    everybody = list(drawn["product_id"])
    for window, ids in {"trial": "abc", "final": "abcde"}.items():
        sheet = table if window == "final" else table[table["product_id"] != "e"]
        _sold([*ids, *everybody], sheet).write(tmp_path / "features" / window)
    return tmp_path


def _sold(ids: list[str], table: pd.DataFrame) -> dataset.Dataset:
    """Each product sold once, alone."""
    time = pd.date_range("2026-01-01", periods=len(ids), freq="h", tz="UTC").as_unit("us")
    events = pd.DataFrame({"event_id": ids, "user_id": "u", "product_id": ids, "kind": "purchase", "time": time})
    events = events.assign(order_id=ids, session_id=None, quantity=1.0, unit_price=None)
    params = FeaturesParams(target_kinds=("purchase",), kind_weight={"purchase": 1.0}, new_products=True)
    return dataset.build(events, table, pd.Timestamp("2026-02-01", tz="UTC"), params)


def _embed(home: Path) -> dict[str, dict[str, np.ndarray]]:
    folders = (home / name for name in ("raw", "snapshot", "features", "vectors", "encoders", "embedding.json"))
    embed.main(*folders)
    return {window: files.read_arrays(home / "vectors" / f"{window}.npz") for window in ("trial", "final")}


def test_rows_are_products_by_index_and_nan_where_nothing_is_known(home: Path) -> None:
    """Ids in order: a to e, p00…, z; e and p00… have no title, a to e and z no picture, p03 one that is not there."""
    found = _embed(home)
    trial, final = found["trial"], found["final"]
    assert trial["text"].shape == (1 + 5 + PICTURED, 384 + 6)
    assert np.isfinite(final["text"]).all(axis=1).tolist() == [False, *[True] * 4, *[False] * (1 + PICTURED), True]
    assert np.linalg.norm(final["text"][1:5], axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    seen = np.isfinite(final["picture"]).all(axis=1)
    assert seen[:6].tolist() == [False] * 6
    assert np.flatnonzero(~seen[6:]).tolist() == [3, PICTURED]
    report = files.read_json(home / "embedding.json")
    assert list(report["refused_pictures"]) == ["p03"]
    assert "gone.png" in report["refused_pictures"]["p03"]
    assert report["tuning"]["kept"] is False
    likeness = trial["text"] @ trial["text"].T
    assert likeness[1, 2] > likeness[1, 3]
    words = encoder.load().encode(["tea mug"])[0]
    part = trial["text"][1, :384]
    assert part / np.linalg.norm(part) == pytest.approx(words, abs=1e-5)


def test_a_product_means_the_same_in_both_windows_and_again(home: Path) -> None:
    found = _embed(home)
    for name in ("text", "picture"):
        trial, final = found["trial"][name], found["final"][name]
        assert np.allclose(trial, np.delete(final, 5, axis=0), equal_nan=True, atol=1e-6), "all but e"
    once = files.hash_folder(home / "vectors"), files.hash_folder(home / "encoders")
    _embed(home)
    assert (files.hash_folder(home / "vectors"), files.hash_folder(home / "encoders")) == once


def test_products_that_nobody_met_before_the_validation_window_teach_nothing(home: Path) -> None:
    """茶杯 of d, met later, shares no character with what a, b and c are called; z has words of its own."""
    _embed(home)
    shared = Ngrams.load(home / "encoders" / "ngrams.npz")
    assert not shared.encode(["茶杯"]).any()
    assert shared.encode(["tea cup"]).any()
