"""A run ends with what is served, why, and what to do next."""

from pathlib import Path

import pytest

from flows import summary
from flows.promote import OUTCOME, REPORTS
from tandem import files
from tandem.settings import Settings

OLD = {"name": "ease", "version": 1, "content_hash": "old"}
NEW = {"name": "blend", "version": 2, "content_hash": "new"}


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The summary of a run whose champion of `related` is the one given, and where these were served."""
    monkeypatch.chdir(tmp_path)

    def end(champion: dict | None, *served: dict, notes: tuple[str, ...] = ()) -> list[str]:
        reasons = ["blend is best on validation.", "blend is the winner.", "blend is promoted."]
        files.write_json({"tasks": {"related": {"decision": {"reasons": reasons}}}}, REPORTS / "evaluation.json")
        files.write_json({"tasks": {"related": {"champion": champion, "notes": list(notes)}}}, OUTCOME)
        entries = [{"tag": "t", "time": "2026-01-01T00:00:00", "releases": {"related": release}} for release in served]
        files.write_json(entries, Settings().home / "deployed.json")
        return summary.lines(Settings())

    return end


def test_a_champion_that_is_served_is_said_to_be_with_its_reasons(ended) -> None:
    assert ended(NEW, OLD, NEW, notes=("Sources are not compared.",)) == [
        "related: blend (version 2) is champion and served",
        "  why: blend is the winner. blend is promoted. Sources are not compared.",
        "reports: `tandem report` prints reports/evaluation.json; the data's checks are in data/docs/index.html",
        "next: `tandem serve` (or `make serve`)",
    ]


@pytest.mark.parametrize(("served", "told"), [((OLD,), "ease (version 1)"), ((), "nothing")])
def test_a_champion_that_waits_for_its_deployment_is_told_beside_what_is_served(ended, served, told) -> None:
    said = ended(NEW, *served)
    assert said[0] == "related: blend (version 2) is champion, not served yet"
    assert said[2] == f"  served: {told}"
    assert said[-1] == "next: `tandem deploy`, then `tandem serve`"
