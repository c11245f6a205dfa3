"""The stage `train`: a trial and a release of one network, with the facts that make them traceable."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from models.rankers import RANKERS
from stages import features, train
from tandem import files, release
from tandem.data import schema
from tandem.data.splits import Cuts
from tandem.errors import ParamsError
from tandem.features.bundles import Bundles
from tandem.features.dataset import Dataset
from tandem.features.partners import Partners

START = pd.Timestamp("2026-01-01T00:00Z")
CUTS = {"train": (0, 8), "validation": (8, 10), "test": (10, 12)}
PARAMS = {
    "features": {"target_kinds": ["purchase"], "kind_weight": {"purchase": 1.0}},
}


def _events() -> pd.DataFrame:
    """Twenty users go round a circle of six products, two neighbours a day."""
    rows = [
        (f"u{user:02}", f"p{(user + day + step) % 6}", START + pd.Timedelta(days=day, hours=1), f"o{user}-{day}")
        for day in range(12)
        for user in range(20)
        for step in range(2)
    ]
    events = pd.DataFrame(rows, columns=["user_id", "product_id", "time", "order_id"])
    events["time"] = events["time"].astype("datetime64[us, UTC]")
    events["event_id"] = [f"e{n}" for n in range(len(events))]
    return events.assign(kind="purchase", session_id=None, quantity=1.0, unit_price=None)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """A folder with everything that `train` reads; the project's params, with one epoch or two."""
    monkeypatch.chdir(tmp_path)
    whole = yaml.safe_load((root / "params.yaml").read_text()) | PARAMS
    for network in whole["networks"].values():
        network.update(epochs=2, dim=8)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(whole))
    events = _events()
    files.write(events, tmp_path / "snapshot" / "events.parquet", schema.EVENTS)
    products = pd.DataFrame(
        {"product_id": [f"p{n}" for n in range(6)], "title": [f"thing number {n}" for n in range(6)]}
    )
    products = products.reindex(columns=schema.PRODUCTS.names)
    products["category"] = [[] for _ in range(6)]
    files.write(products, tmp_path / "snapshot" / "products.parquet", schema.PRODUCTS)
    manifest = {"data_hash": "d" * 64, "source": "circle", "key_id": "0" * 8}
    files.write_json(manifest, tmp_path / "snapshot" / "manifest.json")
    for part, (first, end) in CUTS.items():
        day = (events["time"] - START).dt.days
        files.write(events[(day >= first) & (day < end)], tmp_path / "splits" / f"{part}.parquet", schema.EVENTS)
    Cuts(*(START + pd.Timedelta(days=days) for days in (8, 10, 12))).write(tmp_path / "splits" / "cuts.json")
    opinions = tmp_path / "opinions.parquet"
    files.write(schema.OPINIONS.arrow.empty_table().to_pandas(), opinions, schema.OPINIONS)
    features.main(tmp_path / "splits", tmp_path / "snapshot", opinions, tmp_path / "features")
    for window in ("trial", "final"):
        text, picture = np.eye(7, 3, dtype=np.float32), np.full((7, 1), np.nan, np.float32)
        files.write_arrays(tmp_path / "vectors" / f"{window}.npz", text=text, picture=picture)
    Partners.none().write(tmp_path / "relations" / "final" / "partners.npz")
    Bundles.none().write(tmp_path / "relations" / "final" / "bundles.npz")
    return tmp_path


def _train(home: Path, name: str) -> None:
    folders = "snapshot", "splits", "opinions.parquet", "features", "vectors", "relations"
    inputs = (home / folder for folder in folders)
    train.main(Path(name), *inputs, home / "trials" / name, home / "releases" / name, home / "curves" / f"{name}.csv")


@pytest.mark.parametrize("name", ["transformer", "lstm", "association"])
def test_trial_release_and_curve_are_written(home: Path, name: str) -> None:
    _train(home, name)
    trial, shipped = (release.read(home / folder / name, RANKERS) for folder in ("trials", "releases"))
    assert (trial.manifest["window"], shipped.manifest["window"]) == ("trial", "final")
    assert trial.manifest["fit_until"] == "2026-01-09T00:00:00+00:00"
    assert shipped.manifest["fit_until"] == "2026-01-11T00:00:00+00:00"
    assert shipped.manifest["data_hash"] == "d" * 64
    assert shipped.manifest["seed"] == 7
    curve = pd.read_csv(home / "curves" / f"{name}.csv")
    assert curve.columns.tolist() == ["epoch", "loss", "ndcg_at_10"]
    assert curve["epoch"].tolist() == list(range(1, len(curve) + 1))
    assert shipped.manifest["choices"]["epochs"] == 1 + int(np.argmax(curve["ndcg_at_10"]))


def test_a_trial_knows_its_window_and_a_release_all_there_is(home: Path) -> None:
    _train(home, "association")
    trial, shipped = (release.read(home / folder / "association", RANKERS) for folder in ("trials", "releases"))
    assert len(trial.histories.product) == 20 * 8 * 2
    assert len(shipped.histories.product) == 20 * 12 * 2
    assert shipped.ranker.scores(shipped.histories, shipped.demand).shape == (20, 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["association", *(pytest.param(name, marks=pytest.mark.full) for name in ("transformer", "lstm"))]
)
def test_training_again_gives_the_same_release(home: Path, name: str) -> None:
    _train(home, name)
    first = files.hash_folder(home / "releases" / name / "ranker")
    _train(home, name)
    assert files.hash_folder(home / "releases" / name / "ranker") == first


def test_the_test_window_is_not_learned_from(home: Path) -> None:
    _train(home, "association")
    ranker = files.hash_folder(home / "releases" / "association" / "ranker")
    later = home / "splits" / "test.parquet"
    files.write(files.read(later, schema.EVENTS).iloc[:3], later, schema.EVENTS)
    _train(home, "association")
    assert files.hash_folder(home / "releases" / "association" / "ranker") == ranker


def test_text_reaches_the_network(home: Path) -> None:
    """Other vectors make another network."""
    _train(home, "association")
    ranker = files.hash_folder(home / "releases" / "association" / "ranker")
    size = Dataset.read(home / "features" / "final").vocabulary.size
    vectors = files.read_arrays(home / "vectors" / "final.npz")
    files.write_arrays(home / "vectors" / "final.npz", **vectors | {"text": np.eye(size, 2, dtype=np.float32)})
    _train(home, "association")
    assert files.hash_folder(home / "releases" / "association" / "ranker") != ranker


def test_an_unknown_network_is_named_with_those_known(home: Path) -> None:
    with pytest.raises(ParamsError, match=r"`networks\.mlp`: no such network\. Known: transformer, lstm, association"):
        _train(home, "mlp")
