"""The stage `blend`: rankers that were released before, weighed by the validation window."""

import shutil
from pathlib import Path

import pytest
import yaml

from models.rankers import RANKERS
from stages import blend, evaluate, train
from tandem import files, release
from tandem.errors import ReleaseError

COUNTED = ("weighted_cosine", "weighted_cosine_trend", "basket_ease", "co_count")


@pytest.fixture(scope="module")
def home(counted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with counting rankers and an association network of two epochs, and their blend."""
    root = tmp_path_factory.mktemp("blended") / "shop"
    shutil.copytree(counted.root, root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["networks"]["association"] |= {"epochs": 2, "dim": 8}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    data = root / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        made = data / "trials/association", data / "releases/association", root / "curve.csv"
        train.main(Path("association"), *_inputs(data), *made)
        blend.main(*_inputs(data), data / "trials", data / "releases")
    return root


def _inputs(data: Path) -> tuple[Path, ...]:
    return tuple(data / name for name in ("snapshot", "splits", "opinions", "features", "vectors", "relations"))


def test_a_release_holds_the_released_rankers_and_the_trial_those_of_the_trials(home: Path) -> None:
    for folder in ("trials", "releases"):
        ranker = home / "data" / folder / "blend" / "ranker"
        for theirs in (*(f"counting/{name}" for name in COUNTED), "association"):
            original = home / "data" / folder / theirs / "ranker"
            assert files.hash_folder(ranker / Path(theirs).name) == files.hash_folder(original)
    trial, shipped = (release.read_manifest(home / "data" / of / "blend") for of in ("trials", "releases"))
    assert trial["fit_until"] < shipped["fit_until"]
    assert trial["choices"] == shipped["choices"]
    assert evaluate.recipe(trial) == evaluate.recipe(shipped)
    assert shipped["params"]["association"]["dim"] == 8  # a blend of another network is another recipe


def test_weights_come_from_validation_and_stay(home: Path) -> None:
    trial, shipped = (release.read(home / "data" / of / "blend", RANKERS).ranker for of in ("trials", "releases"))
    for of in ("warm", "cold"):
        assert trial.weights[of].plain.tolist() == shipped.weights[of].plain.tolist()
    assert any(trial.weights["cold"].plain)
    assert trial.anchor == shipped.anchor
    assert trial.weights["warm"].anchored == shipped.weights["warm"].anchored
    assert any(trial.weights["warm"].plain) != trial.weights["warm"].anchored


def test_it_is_evaluated_beside_the_others_slice_by_slice_and_finds_the_planted_groups(home: Path) -> None:
    data = home / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        evaluate.main(
            data / "trials", data / "releases", home / "none", data / "splits", data / "features", home / "out"
        )
    related = files.read_json(home / "out" / "evaluation.json")["tasks"]["related"]["protocols"]["B"]["together"]
    assert related["rankers"]["blend"]["recall_at_5"]["mean"] > 0.9  # three others of the group
    of = {name: part for name, part in related["slices"].items() if name.startswith("of ")}
    assert sum(part["cases"] for part in of.values()) == related["cases"]
    mean = sum(part["cases"] * part["rankers"]["blend"]["ndcg_at_10"]["mean"] for part in of.values())
    assert mean / related["cases"] == pytest.approx(related["rankers"]["blend"]["ndcg_at_10"]["mean"])


def test_without_the_network_the_stage_says_what_is_missing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    data = home / "data"
    shutil.copytree(data / "trials" / "counting", tmp_path / "counting")
    with pytest.raises(ReleaseError, match="association is not a release"):
        blend.main(*_inputs(data), tmp_path, data / "releases")
