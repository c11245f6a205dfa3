"""What stages.validate compares with is kept before new files change it, and only then."""

from pathlib import Path

import pytest

from flows.ingest import keep_accepted
from tandem import files


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files.write_json({"source": "shop", "rows": {"events": 3}}, Path("data/snapshot/manifest.json"))
    files.write_json({"kinds": {"view": 3}}, Path("data/snapshot/profile.json"))
    files.write_json({"source": "shop"}, Path("data/docs/runs/0004/run.json"))
    files.write_json({"source": "shop"}, Path("data/accepted/runs/0003/run.json"))
    return Path("data/accepted")


def test_manifest_profile_and_pages_are_kept_before_new_files(judged: Path) -> None:
    keep_accepted("shop", new=True)
    kept = {path.relative_to(judged).as_posix() for path in judged.rglob("*") if path.is_file()}
    assert kept == {"manifest.json", "profile.json", "runs/0004/run.json"}


def test_without_new_files_nothing_changes(judged: Path) -> None:
    keep_accepted("shop", new=False)
    assert [path.relative_to(judged).as_posix() for path in judged.rglob("*.json")] == ["runs/0003/run.json"]


def test_a_refused_judgement_is_kept_beside_the_snapshot_accepted_before_it(judged: Path) -> None:
    keep_accepted("shop", new=True)
    for path in Path("data/snapshot").iterdir():
        path.unlink()
    files.write_json({"source": "shop"}, Path("data/docs/runs/0005/run.json"))
    keep_accepted("shop", new=True)
    assert files.read_json(judged / "manifest.json")["rows"] == {"events": 3}
    assert (judged / "profile.json").exists()
    assert (judged / "runs" / "0005" / "run.json").exists()


def test_what_is_of_another_source_is_dropped(judged: Path) -> None:
    keep_accepted("shop", new=True)
    keep_accepted("elsewhere", new=False)
    assert not (judged / "manifest.json").exists()
    assert not (judged / "profile.json").exists()
