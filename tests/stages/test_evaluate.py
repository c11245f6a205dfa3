import shutil
from pathlib import Path

import pandas as pd
import pytest

from stages import evaluate
from tandem import files, release
from tandem.errors import EvaluationError, ParamsError
from tandem.ranking.counting import COUNTING


def run(shop, reports: Path, champions: Path) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop.root)
        evaluate.main(shop.trials, shop.releases, champions, shop.splits, shop.features, reports)
    return files.read_json(reports / "evaluation.json")


@pytest.fixture(scope="module")
def reports(counted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    run(counted, folder, folder / "no champion")
    return folder


@pytest.fixture(scope="module")
def report(reports: Path) -> dict:
    return files.read_json(reports / "evaluation.json")


def test_every_ranker_is_measured_in_every_protocol_and_view(report: dict) -> None:
    views = {"recommend": {"all", "new"}, "related": {"together", "beyond_popularity"}}
    for task, by_protocol in ((task, found["protocols"]) for task, found in report["tasks"].items()):
        able = {name for name, kind in COUNTING.items() if task in kind.tasks}
        assert set(by_protocol) == {"validation", "A", "B"}
        for found in by_protocol.values():
            assert set(found) == views[task]
            for view in found.values():
                assert view["catalogue"] == 16
                assert set(view["rankers"]) == (able if view["cases"] else set())


def test_the_planted_groups_are_found(report: dict) -> None:
    rankers = report["tasks"]["recommend"]["protocols"]["B"]["all"]["rankers"]
    assert rankers["ease_trend"]["recall_at_5"]["mean"] > 0.9  # four products of one's own group
    assert rankers["popular"]["recall_at_5"]["mean"] < 0.5
    rankers = report["tasks"]["related"]["protocols"]["B"]["together"]["rankers"]
    assert rankers["weighted_cosine"]["recall_at_5"]["mean"] == 1


def test_a_first_winner_is_promoted_and_can_be_found(report: dict, counted) -> None:
    for task, found in report["tasks"].items():
        decision = found["decision"]
        assert decision["promote"]
        assert decision["champion"] is None
        winner = found["candidates"][decision["winner"]]
        assert winner["content_hash"] == decision["content_hash"]
        assert release.read(Path(winner["folder"]), COUNTING).content_hash == decision["content_hash"]
        assert task in COUNTING[decision["winner"]].tasks


def test_metrics_and_curves_for_dvc(report: dict, reports: Path) -> None:
    flat = files.read_json(reports / "metrics" / "recommend" / "ease.json")
    told = report["tasks"]["recommend"]["protocols"]["B"]["all"]["rankers"]["ease"]
    assert flat == {metric: value["mean"] for metric, value in told.items()}
    curve = pd.read_csv(reports / "plots" / "recall_recommend.csv")
    of_ease = curve[curve["ranker"] == "ease"].set_index("k")["recall"]
    assert of_ease.is_monotonic_increasing
    assert of_ease[5] == pytest.approx(flat["recall_at_5"], abs=1e-6)


def test_the_same_inputs_give_the_same_bytes(counted, reports: Path, tmp_path: Path) -> None:
    run(counted, tmp_path, tmp_path / "no champion")
    assert files.hash_folder(tmp_path) == files.hash_folder(reports)


def test_the_champion_is_measured_on_the_same_cases(counted, report: dict, tmp_path: Path) -> None:
    champions = tmp_path / "champions"
    shutil.copytree(counted.releases / "counting" / "popular", champions / "recommend")
    winner = report["tasks"]["related"]["decision"]["winner"]
    shutil.copytree(counted.releases / "counting" / winner, champions / "related")
    found = run(counted, tmp_path / "reports", champions)
    beaten = found["tasks"]["recommend"]["decision"]
    assert beaten["champion"]["name"] == "popular"
    assert beaten["promote"]
    rankers = found["tasks"]["recommend"]["protocols"]["B"]["all"]["rankers"]
    gap = rankers[beaten["winner"]]["ndcg_at_10"]["mean"] - rankers["popular"]["ndcg_at_10"]["mean"]
    assert beaten["comparisons"][-1]["difference"]["mean"] == pytest.approx(gap)
    same = found["tasks"]["related"]["decision"]
    assert not same["promote"]
    assert "nothing to do" in same["reasons"][-1]


def test_a_champion_with_other_products_is_measured_too_and_one_that_cannot_be_read_is_not(
    counted, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A champion of the trial window stands for one made from older data; one of another layout for an older Tandem."""
    shutil.copytree(counted.trials / "counting" / "personal", tmp_path / "recommend")
    shutil.copytree(counted.trials / "counting" / "popular", tmp_path / "related")
    files.write_json(
        release.read_manifest(tmp_path / "related") | {"layout": 1}, tmp_path / "related" / release.MANIFEST
    )
    with caplog.at_level("WARNING"):
        found = run(counted, tmp_path / "reports", tmp_path)
    assert found["tasks"]["recommend"]["decision"]["champion"]["name"] == "personal"
    related = found["tasks"]["related"]["decision"]
    assert related["champion"]["content_hash"] == release.read_manifest(tmp_path / "related")["content_hash"]
    assert related["promote"]
    assert "popular was made by another version of Tandem and cannot be compared" in related["reasons"][-1]
    assert "champion popular was made by another version of Tandem" in caplog.text


def test_the_same_kind_with_the_same_params_is_one_recipe_whatever_it_learned_from(counted) -> None:
    read = release.read_manifest
    trial, final = (read(folder / "counting" / "ease") for folder in (counted.trials, counted.releases))
    assert trial["content_hash"] != final["content_hash"]
    assert evaluate.recipe(trial) == evaluate.recipe(final)
    assert evaluate.recipe(final) != evaluate.recipe(read(counted.releases / "counting" / "itemknn"))
    assert evaluate.recipe(final) != evaluate.recipe(final | {"params": final["params"] | {"neighbours": 1}})


@pytest.mark.parametrize("metric", ["ndcg_at_7", "accuracy"])
def test_a_deciding_metric_that_is_not_measured_is_refused(root: Path, metric: str) -> None:
    params, promote = (
        evaluate.EvaluateParams.read(root / "params.yaml"),
        evaluate.PromoteParams.read(root / "params.yaml"),
    )
    evaluate.check(params, promote)
    with pytest.raises(ParamsError, match=rf"{metric}.*evaluate.cutoffs.*ndcg_at_10"):
        evaluate.check(params, promote.model_copy(update={"metric": metric}))


@pytest.mark.parametrize("cutoffs", [[], [0], [10, 101]])
def test_cutoffs_are_of_1_to_100(root: Path, cutoffs: list[int]) -> None:
    values = evaluate.EvaluateParams.read(root / "params.yaml").model_dump() | {"cutoffs": cutoffs}
    with pytest.raises(ParamsError, match=r"evaluate\.cutoffs"):
        evaluate.EvaluateParams.parse(values)


def test_rankers_without_their_trial_are_refused(counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(counted.trials, tmp_path / "trials")
    shutil.rmtree(tmp_path / "trials" / "counting" / "ease")
    monkeypatch.chdir(counted.root)
    with pytest.raises(EvaluationError, match="same rankers"):
        evaluate.main(
            tmp_path / "trials", counted.releases, tmp_path, counted.splits, counted.features, tmp_path / "reports"
        )


def test_a_window_in_which_nothing_came_true_is_named(counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(counted.splits, tmp_path / "splits")
    test = files.read(tmp_path / "splits" / "test.parquet", evaluate.schema.EVENTS)
    files.write(test[:0], tmp_path / "splits" / "test.parquet", evaluate.schema.EVENTS)
    monkeypatch.chdir(counted.root)
    with pytest.raises(EvaluationError, match="test_days"):
        evaluate.main(
            counted.trials, counted.releases, tmp_path, tmp_path / "splits", counted.features, tmp_path / "reports"
        )
