from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tandem.data.sources import Source

LOG = "sku_id,user_id,event_time,action\n" + "".join(
    f"P{n % 9},{n % 5}.0,2026-01-01 10:{n % 60:02}:00,{('view', 'buy')[n % 2]}\n" for n in range(80)
)


def said(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["sources", *arguments])
    assert result.exit_code == status, result.output
    return result.output


@pytest.fixture
def raw(project, tmp_path) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "log.csv").write_text(LOG)
    return folder


def test_every_source_is_listed(project) -> None:
    told = said("list")
    assert all(path.stem in told for path in Path("sources").glob("*.yaml"))


def test_a_draft_can_be_written_checked_and_is_never_overwritten(raw) -> None:
    told = said("describe", str(raw), "--write", "mine")
    assert "wrote sources/mine.yaml" in told
    assert Source.read(Path("sources/mine.yaml")).events[0].columns["product_id"] == "sku_id"
    assert "exists: name another source" in said("describe", str(raw), "--write", "mine", status=1)
    told = said("check", "mine", "--raw", str(raw))
    assert told.splitlines()[1].split() == ["events", "1", "80", "80", "0", "0"]
    assert "user_id: read as a whole number: 80 cells" in told
    assert not Path("data").exists()  # nothing was taken in
    assert list(Path(".tandem").glob("check-*")) == []


def test_what_would_stop_is_told_with_status_1(raw) -> None:
    said("describe", str(raw), "--write", "mine")
    (raw / "log.csv").write_text(LOG.replace("event_time", "moment"))
    told = said("check", "mine", "--raw", str(raw), status=1)
    assert "STOPS: " in told
    assert "has no column `event_time`" in told


def test_a_source_that_is_not_there_is_told(project) -> None:
    assert "sources/nowhere.yaml is missing" in said("check", "nowhere", status=1)


def test_a_draft_is_printed_where_no_name_is_given(raw) -> None:
    assert "product_id: sku_id" in said("describe", str(raw / "*.csv"))
