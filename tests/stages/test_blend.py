"""The stage `blend`: rankers that were released before, weighed by the validation window."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from models.blend import BlendWithNetwork
from models.rankers import RANKERS
from stages import blend, count, evaluate, features, relate, split, train
from tandem import files, release
from tandem.data import schema
from tandem.errors import ReleaseError
from tandem.features.dataset import Dataset
from tandem.params import BlendParams
from tandem.ranking.logit import Weights

COUNTED = ("weighted_cosine", "weighted_cosine_trend", "basket_ease", "co_count")


@pytest.fixture(scope="module")
def home(trained_on, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small shop with a new product in each group, an association network of two epochs, and the blend of all.

    What counts keeps but one neighbour of each product, so that it does not answer by itself. The new products came in
    the validation window: the release alone knows them as newcomers.
    """
    root = tmp_path_factory.mktemp("blended") / "shop"
    shutil.copytree(trained_on.root, root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["networks"]["association"] |= {"epochs": 2, "dim": 8}
    params["counting"]["neighbours"] = 1
    newcomers = {"cuts": 1, "days": 14, "min_count": 1, "min_lift": 0, "min_cases": 2}
    params["blend"] |= {"slice_cases": 10, "newcomers": params["blend"]["newcomers"] | newcomers}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    data = root / "data"
    _add_new_products(data / "snapshot")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        split.main(data / "snapshot", data / "splits")
        features.main(data / "splits", data / "snapshot", data / "opinions", data / "features")
        for window in ("trial", "final"):
            unknown = np.full((Dataset.read(data / "features" / window).vocabulary.size, 1), np.nan, np.float32)
            files.write_arrays(data / "vectors" / f"{window}.npz", text=unknown, picture=unknown)
        relate.main(
            *(data / name for name in ("snapshot", "splits", "features", "vectors", "relations")), root / "reports"
        )
        inputs = _inputs(data)
        count.main(*inputs[:4], inputs[5], data / "trials/counting", data / "releases/counting")
        made = data / "trials/association", data / "releases/association", root / "curve.csv"
        train.main(Path("association"), *inputs, *made)
        blend.main(*inputs, data / "trials", data / "releases")
    return root


def _add_new_products(snapshot: Path) -> None:
    """From the 54th day on, one in each group, sold with others by chance: nothing is to be learned of it."""
    events = files.read(snapshot / "events.parquet", schema.EVENTS)
    rng, start = np.random.default_rng(5), events["time"].min().normalize()
    pairs = [
        events.head(2).assign(
            event_id=[f"n{group}{day}{n}" for n in range(2)],
            order_id=f"n{group}{day}",
            user_id=f"u{group:02d}",
            product_id=[f"g{group}p9", f"g{rng.integers(4)}p{rng.integers(4)}"],
            time=start + pd.Timedelta(days=day, hours=group),
        )
        for group in range(4)
        for day in range(54, 64)
    ]
    files.write(
        pd.concat([events, *pairs]).sort_values("time", ignore_index=True), snapshot / "events.parquet", schema.EVENTS
    )
    products = files.read(snapshot / "products.parquet", schema.PRODUCTS)
    new = products.iloc[::4].assign(product_id=[f"g{group}p9" for group in range(4)])
    files.write(pd.concat([products, new], ignore_index=True), snapshot / "products.parquet", schema.PRODUCTS)


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
    assert evaluate.recipe(trial) == evaluate.recipe(shipped)
    assert shipped["params"]["association"]["dim"] == 8  # a blend of another network is another recipe


def test_weights_come_from_validation_and_stay_but_for_those_of_new_products(home: Path) -> None:
    trial, shipped = (release.read(home / "data" / of / "blend", RANKERS).ranker for of in ("trials", "releases"))
    assert not trial.weights["warm"].anchor
    for of, stays in (("warm", True), ("cold", False)):
        assert any(trial.weights[of].plain)
        assert (trial.weights[of].plain.tolist() == shipped.weights[of].plain.tolist()) == stays


def test_each_manifest_says_what_its_own_blend_chose(home: Path) -> None:
    told = {}
    for of in ("trials", "releases"):
        weights = release.read(home / "data" / of / "blend", RANKERS).ranker.weights
        warm, cold = weights["warm"], weights["cold"]
        told[of] = release.read_manifest(home / "data" / of / "blend")["choices"]
        assert told[of] == {"warm_l2": warm.l2, "balance": warm.balance, "cold_l2": cold.l2}
    assert told["trials"]["cold_l2"] != told["releases"]["cold_l2"]


def test_where_the_anchor_answers_the_manifest_says_so_and_no_choice_that_nobody_made(root: Path) -> None:
    nothing = np.zeros(2)
    made = BlendWithNetwork([], BlendParams.read(root / "params.yaml"))
    made.weights = {"warm": Weights(nothing, nothing, np.inf, anchor="co_count"), "cold": Weights(nothing, nothing, 10)}
    assert blend._facts(made, {})["choices"] == {"anchor": "co_count", "cold_l2": 10}


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


def test_where_cases_are_few_the_best_that_counts_answers_and_the_blend_takes_its_place(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of known products it tells what that ranker does, of new ones more. It follows that ranker as champion, too."""
    shutil.copytree(home, tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    params, data = yaml.safe_load(Path("params.yaml").read_text()), Path("data")
    params["blend"]["slice_cases"] = 1000
    Path("params.yaml").write_text(yaml.safe_dump(params))
    blend.main(*_inputs(data), data / "trials", data / "releases")
    decision = _decided(data, Path("none"))
    shipped = release.read(data / "releases" / "blend", RANKERS)
    anchor = shipped.manifest["choices"]["anchor"]
    assert any(f"Of the counting rankers, {anchor} is best on validation" in reason for reason in decision["reasons"])
    assert (decision["winner"], decision["promote"]) == ("blend", True)
    assert evaluate.anchor_recipe(shipped.manifest) == evaluate.recipe(
        release.read_manifest(data / "releases" / "counting" / anchor)
    )
    kept = {path.name for path in (shipped.folder / "ranker").iterdir() if path.is_dir()}
    assert kept == {anchor, "cosine_of_like", "near_text", "near_title", "near_picture", "same_category", "same_brand"}
    for champion in (data / "trials" / "blend", data / "trials" / "counting" / anchor):
        shutil.copytree(champion, Path("champions") / champion.name / "related")
        decision = _decided(data, Path("champions") / champion.name)
        assert (decision["winner"], decision["champion"]["name"]) == ("blend", champion.name)
        assert "blend is the champion's recipe on newer data" in decision["reasons"][-1]


def _decided(data: Path, champions: Path) -> dict:
    evaluate.main(data / "trials", data / "releases", champions, data / "splits", data / "features", Path("out"))
    return dict(files.read_json(Path("out/evaluation.json"))["tasks"]["related"]["decision"])


def test_without_the_network_the_stage_says_what_is_missing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    data = home / "data"
    shutil.copytree(data / "trials" / "counting", tmp_path / "counting")
    with pytest.raises(ReleaseError, match="association is not a release"):
        blend.main(*_inputs(data), tmp_path, data / "releases")
