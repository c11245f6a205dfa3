"""The stage `embed`: vectors aligned with each window's vocabulary, learned from the trial window."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import embed
from tandem import files
from tandem.data import schema
from tandem.features.vocabulary import Vocabulary

TITLES = {"a": "tea mug", "b": "tea cup", "c": "phone case", "d": "茶杯", "e": None, "z": "never sold"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trial window knows a, b and c; the final one d and e too; z is in no window."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("embed: {dim: 3, ngram: [2, 3], max_terms: 100, seed: 7}")
    products = pd.DataFrame({"product_id": list(TITLES), "title": list(TITLES.values())})
    products["category"] = [[] for _ in TITLES]
    products = products.reindex(columns=schema.PRODUCTS.names)
    files.write(products, tmp_path / "snapshot" / "products.parquet", schema.PRODUCTS)
    for window, ids in {"trial": "abc", "final": "abcde"}.items():
        Vocabulary.of(ids).write(tmp_path / "features" / window / "vocabulary.json")
    return tmp_path


def _embed(home: Path, titles: dict[str, str | None] | None = None) -> tuple[np.ndarray, np.ndarray]:
    if titles:
        path = home / "snapshot" / "products.parquet"
        products = files.read(path, schema.PRODUCTS)
        known = products["product_id"].map(titles).astype(object)
        files.write(products.assign(title=known.where(known.notna(), None)), path, schema.PRODUCTS)
    embed.main(home / "snapshot", home / "features", home / "vectors")
    trial, final = (files.read_arrays(home / "vectors" / f"{window}.npz")["text"] for window in ("trial", "final"))
    return trial, final


def test_rows_are_products_by_index(home: Path) -> None:
    """Row 0 is zero; d is written in characters that nobody learned, e has no title."""
    trial, final = _embed(home)
    assert trial.shape == (4, 3)
    assert final.shape == (6, 3)
    assert trial.dtype == np.float32
    assert np.linalg.norm(final, axis=1) == pytest.approx([0, 1, 1, 1, 0, 0], abs=1e-6)
    likeness = final @ final.T
    assert likeness[1, 2] > likeness[1, 3]


def test_only_products_of_the_trial_window_teach(home: Path) -> None:
    """A product means the same in both windows, whatever later ones are called."""
    trial, final = _embed(home)
    assert np.array_equal(trial, final[:4])
    renamed, _ = _embed(home, {**TITLES, "d": "tea tea tea", "e": "mug", "z": "phone"})
    assert renamed.tobytes() == trial.tobytes()


def test_the_same_products_give_the_same_bytes(home: Path) -> None:
    _embed(home)
    once = files.hash_folder(home / "vectors")
    _embed(home)
    assert files.hash_folder(home / "vectors") == once
