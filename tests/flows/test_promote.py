"""Which release becomes champion, and what the registry holds afterwards. The registry is a real one, in SQLite."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from flows import promote, retrain
from flows.registry import Registry, RegistryError, Version
from tandem import files, release
from tandem.evaluation.comparison import Candidate, Rule, Unreadable, decide
from tandem.ranking.popularity import Popular

pytestmark = pytest.mark.slow  # the real tools start

BEST, OLD, OTHER = "best", "old", "other"


def decision(*, promote: bool, champion: str | None) -> dict:
    return {"content_hash": BEST, "promote": promote, "champion": champion and {"content_hash": champion}}


def version(content_hash: str, source: str = "shop") -> Version:
    return Version("related", 3, "popular", content_hash, source)


@pytest.mark.parametrize(
    ("decided", "current", "expected"),
    [
        (decision(promote=True, champion=None), None, BEST),  # the first champion
        (decision(promote=True, champion=OLD), version(OLD), BEST),  # better than the champion
        (decision(promote=False, champion=OLD), version(OLD), OLD),  # not better
        (decision(promote=True, champion=OLD), version(BEST), BEST),  # run again after promotion
        (decision(promote=True, champion=None), version(OTHER), None),  # a champion nobody compared with
        (decision(promote=False, champion=OLD), version(OTHER), None),
        (decision(promote=False, champion=OLD), None, OLD),  # another, empty registry
        (decision(promote=True, champion=None), version(OTHER, "elsewhere"), BEST),  # champion of another shop
    ],
)
def test_champion_is_the_best_of_those_compared(decided: dict, current: Version | None, expected: str | None) -> None:
    best, note = promote.best_of(decided, current, "shop")
    assert best == expected
    assert any("tandem retrain" in sentence for sentence in note) == (expected is None)


def test_a_champion_that_this_version_of_tandem_cannot_read_gives_way() -> None:
    winner = Candidate("popular", "counting", BEST, "recipe", 0.3, np.full(60, 0.3))
    rule = Rule("ndcg_at_10", 50, 0.95, resamples=100, seed=7)
    decided = asdict(decide([winner], Unreadable("popular", OLD), rule))
    assert promote.best_of(decided, version(OLD), "shop") == (BEST, [])
    assert promote.best_of(decided, version(OTHER), "shop")[0] is None


def test_metrics_keep_task_protocol_view_and_interval(write_report, repository: Path) -> None:
    write_report("h")
    measured = promote.metrics_of("popular", files.read_json(Path("reports/evaluation.json")))
    assert measured["related/B/all/ndcg_at_10"] == 0.25
    assert measured["related/B/all/ndcg_at_10/low"] == 0.2
    assert len(measured) == 2 * 4


def test_the_life_of_two_releases(
    registry: Registry, make_release, write_report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First champion, run again, a worse rival, a better one, a champion from elsewhere: one registry throughout."""
    first = make_release(Path("data/releases/counting/popular"), "a", "b")
    Path("reports/curves").mkdir(parents=True)
    Path("reports/curves/popular.csv").write_text("epoch,loss,ndcg_at_10\n1,0.5,\n2,0.25,0.125\n")
    Path("dvc.lock").write_text("schema: '2.0'\n")
    write_report(first)
    promote.main()
    told = Path("reports/registry.json").read_bytes()

    client = MlflowClient(registry.uri, registry.uri)
    champion = registry.named("recommend", "champion")
    assert champion == registry.named("recommend", "candidate") == registry.find("recommend", first)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.uri)
    (tmp_path / "got").mkdir()
    got = download_artifacts("models:/tandem-recommend@champion", dst_path=str(tmp_path / "got"))
    found = release.read(Path(got), {"popular": Popular}, verify=True)
    assert found.vocabulary.ids == ("a", "b")

    (run,) = client.search_runs([client.get_experiment_by_name("tandem").experiment_id])
    assert run.data.params["params.trend.days"] == "14"
    assert run.data.metrics["recommend/B/all/ndcg_at_10"] == 0.25
    assert [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, "curve/loss")] == [
        (1, 0.5),
        (2, 0.25),
    ]
    assert [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, "curve/ndcg_at_10")] == [(2, 0.125)]
    assert {"content_hash", "data_hash", "source"} <= set(run.data.tags)
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"dvc.lock", "release"}

    promote.main()  # again: the same words, no second run, no second version
    assert Path("reports/registry.json").read_bytes() == told
    assert len(client.search_model_versions("name = 'tandem-recommend'")) == 1

    second = make_release(Path("data/releases/counting/popular"), "a", "b", "c")
    write_report(second, promote=False, champion=first)
    promote.main()
    assert registry.named("related", "champion").content_hash == first
    assert registry.named("related", "candidate").content_hash == second
    write_report(second, promote=True, champion=first)
    promote.main()
    assert registry.named("related", "champion").content_hash == second

    third = make_release(Path("data/releases/counting/popular"), "a")
    write_report(third, promote=True, champion=first)  # but the champion is the second by now
    promote.main()
    assert registry.named("related", "champion").content_hash == second
    assert "tandem retrain" in files.read_json(promote.OUTCOME)["tasks"]["related"]["notes"][-1]


def test_a_run_that_was_killed_is_made_anew(registry: Registry, make_release, write_report) -> None:
    made = make_release(Path("data/releases/counting/popular"), "a", "b")
    write_report(made)
    client = MlflowClient(registry.uri, registry.uri)
    experiment = client.create_experiment("tandem", artifact_location=Path("artifacts").resolve().as_uri())
    torn = client.create_run(experiment, tags={"content_hash": made})
    promote.main()
    states = {run.info.run_id: run.info.status for run in client.search_runs([experiment])}
    assert states.pop(torn.info.run_id) == "KILLED"
    assert list(states.values()) == ["FINISHED"]


def test_a_winner_that_is_not_there_is_refused(registry: Registry, make_release, write_report) -> None:
    make_release(Path("data/releases/counting/popular"), "a")
    write_report("0" * 64)
    with pytest.raises(RegistryError, match="popular, the winner of recommend, is not in"):
        promote.main()


def test_champions_are_fetched_as_rivals(registry: Registry, make_release, write_report) -> None:
    Path("params.yaml").write_text("source: shop\n")
    releases, rival = Path("data/releases/counting/popular"), Path("data/champion/related/manifest.json")
    first = make_release(releases, "a", "b")
    write_report(first)
    promote.main()
    retrain.fetch_champions.fn()
    assert files.read_json(rival)["content_hash"] == first
    second = make_release(releases, "a", "b", "c")
    write_report(second, champion=first)
    promote.main()
    retrain.fetch_champions.fn()
    assert files.read_json(rival)["content_hash"] == second
    Path("params.yaml").write_text("source: elsewhere\n")
    retrain.fetch_champions.fn()
    assert not rival.exists()
