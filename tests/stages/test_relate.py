"""The stage `relate`: partners, and an honest word on what they rest on."""

import hashlib
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import features, relate, split
from tandem import demo, files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.features.bundles import Bundles
from tandem.features.dataset import Dataset
from tandem.features.partners import Partners
from tandem.features.relations import RELATIONS, label
from tandem.params import IngestParams


def test_without_enough_labels_partners_are_what_counts_prove(related) -> None:
    report = files.read_json(related.root / "reports" / "relations.json")
    assert report["learned"] == []
    partners = Partners.read(related.relations / "final" / "partners.npz")
    assert np.isnan(partners.probability).all()
    told = label(Dataset.read(related.features / "final"))
    for place, name in enumerate(RELATIONS[1:], 1):
        kept = partners.relation == place
        believed = told.kind == place
        found = set(zip(partners.a[kept].tolist(), partners.b[kept].tolist(), strict=True))
        assert found == set(zip(told.a[believed].tolist(), told.b[believed].tolist(), strict=True))
        assert report["final"][name]["pairs"] == kept.sum()
    assert report["final"]["complement"]["pairs"] > 0


def test_a_shop_of_pairs_has_no_bundles_and_says_so(related) -> None:
    """Its baskets hold two products each."""
    assert len(Bundles.read(related.relations / "final" / "bundles.npz")) == 0
    report = files.read_json(related.root / "reports" / "bundles.json")
    assert (report["bundles"], report["later"]["observed"]) == ({}, 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The demo shop's partners, made without texts and pictures, and the truth."""
    home = tmp_path_factory.mktemp("related")
    demo.generate(home / "raw", home / "truth", demo.DemoSize(), 7)
    (home / "params.yaml").write_text((root / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    source, key = Source.read(root / "sources" / "demo.yaml"), hashlib.sha256(b"test").digest()
    params = IngestParams.read(root / "params.yaml")
    canonical.make(source, home / "raw", key, home / "snapshot", home / "parts", params)
    files.write(schema.OPINIONS.arrow.empty_table().to_pandas(), home / "opinions.parquet", schema.OPINIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        split.main(home / "snapshot", home / "splits")
        features.main(home / "splits", home / "snapshot", home / "opinions.parquet", home / "features")
        for window in ("trial", "final"):
            unknown = np.full((Dataset.read(home / "features" / window).vocabulary.size, 1), np.nan, np.float32)
            files.write_arrays(home / "vectors" / f"{window}.npz", text=unknown, picture=unknown)
        relate.main(*(home / name for name in ("snapshot", "splits", "features", "vectors", "relations", "reports")))
    return home


@pytest.mark.slow
def test_planted_complements_are_found_with_their_direction(home: Path) -> None:
    known = Dataset.read(home / "features" / "final")
    partners = Partners.read(home / "relations" / "final" / "partners.npz")
    truth = pd.read_csv(home / "truth" / "complements.csv", dtype=str)
    baskets = np.asarray(known.baskets.content.sum(axis=0)).ravel()
    a, b = (known.vocabulary.encode(truth[name]) for name in ("antecedent", "consequent"))
    warm = np.flatnonzero((baskets[a] >= 5) & (baskets[b] >= 5))
    places = {(int(partners.a[at]), int(partners.b[at])): at for at in np.flatnonzero(partners.relation == 1)}
    found = [places[pair] for pair in zip(a[warm].tolist(), b[warm].tolist(), strict=True) if pair in places]
    assert len(found) >= 0.8 * len(warm)
    assert np.mean(partners.first[found] == 1) >= 0.9


@pytest.mark.slow
def test_bundles_are_made_of_planted_complements(home: Path) -> None:
    """Nothing is planted but pairs: of a bundle, each product goes with another or what it goes with calls for both."""
    known = Dataset.read(home / "features" / "final")
    bundles = Bundles.read(home / "relations" / "final" / "bundles.npz")
    truth = pd.read_csv(home / "truth" / "complements.csv", dtype=str)
    planted = {frozenset(pair) for pair in zip(truth["antecedent"], truth["consequent"], strict=True)}
    for place in range(len(bundles)):
        ids = [known.vocabulary.ids[product - 1] for product in bundles.products[place] if product]
        assert sum(frozenset(pair) in planted for pair in combinations(ids, 2)) >= len(ids) - 1
    assert len(bundles) > 0
    assert sum(files.read_json(home / "reports" / "bundles.json")["bundles"].values()) == len(bundles)


@pytest.mark.slow
def test_both_relations_are_learned(home: Path) -> None:
    report = files.read_json(home / "reports" / "relations.json")
    assert report["learned"] == ["complement", "substitute"]
    for part, share in (("met", 0.5), ("never_met", 0.8)):
        assert report["tested"][part]["log_loss"] < share * report["tested"][part]["log_loss_of_shares"]


@pytest.mark.slow
def test_a_shop_without_words_and_categories_learns_of_products_that_were_met(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing tells of a product that nobody met, so that there is none to test on, and the report says so."""
    for window in ("trial", "final"):
        shutil.copytree(home / "features" / window, tmp_path / "features" / window)
        products = tmp_path / "features" / window / "products.npz"
        arrays = dict(files.read_arrays(products))
        files.write_arrays(products, **arrays | {"category": np.zeros_like(arrays["category"])})
    monkeypatch.chdir(home)
    places = tmp_path / "features", home / "vectors", tmp_path / "relations", tmp_path / "reports"
    relate.main(home / "snapshot", home / "splits", *places)
    report = files.read_json(tmp_path / "reports" / "relations.json")
    assert sum(report["tested"]["never_met"]["pairs"].values()) == 0
    assert report["tested"]["met"]["log_loss"] < report["tested"]["met"]["log_loss_of_shares"]
