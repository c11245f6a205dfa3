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


def test_a_file_that_is_broken_is_one_line_of_the_list(project) -> None:
    texts = {"empty": "", "blockless": "name: blockless\ntitle: none\ntimezone: UTC\n", "no_yaml": "name: [\nx: {"}
    for name, text in texts.items():
        Path(f"sources/{name}.yaml").write_text(text)
    told = said("list")
    assert all(path.stem in told for path in Path("sources").glob("*.yaml"))
    broken = [line for line in told.splitlines() if " cannot be used: " in line]
    assert [line.split()[0] for line in broken] == sorted(texts)
    assert broken[0].endswith("cannot be used: sources/blockless.yaml: no table has a block")
    assert "must be keys and values" in broken[1]


@pytest.mark.parametrize("name", ["My Shop", "shop-1", "1shop", "", "../shop"])
def test_a_draft_needs_a_name_that_a_source_may_have(raw, name) -> None:
    before = sorted(Path("sources").iterdir())
    assert f"{name!r} is no name for a source" in said("describe", str(raw), "--write", name, status=1)
    assert sorted(Path("sources").iterdir()) == before


def test_a_draft_that_cannot_be_used_is_written_and_said_to_be_so(raw) -> None:
    (raw / "log.csv").write_text("x,y\n1,2\n3,4\n")
    told = said("describe", str(raw), "--write", "mine", status=1)
    assert "wrote sources/mine.yaml" in told
    assert "error: this draft cannot be used as it is" in told
    assert Path("sources/mine.yaml").read_text().splitlines()[1].startswith("# UNSURE: this draft cannot be used")


def test_what_a_draft_leaves_open_is_listed_until_it_is_removed(raw) -> None:
    said("describe", str(raw), "--write", "mine")
    draft = Path("sources/mine.yaml")
    doubts = [n for n, line in enumerate(draft.read_text().splitlines(), 1) if line.lstrip().startswith("# UNSURE: ")]
    assert doubts
    told = said("check", "mine", "--raw", str(raw)).splitlines()[-len(doubts) - 1 :]
    assert told[0] == (
        f"warning: lines of sources/mine.yaml that say UNSURE: {len(doubts)}; decide each, then remove it:"
    )
    assert [line.split(":")[0] for line in told[1:]] == [f"  line {n}" for n in doubts]
    assert told[1].endswith(": time zone of the shop: no time names one; UTC taken")
    draft.write_text("".join(line for line in draft.read_text().splitlines(True) if "# UNSURE: " not in line))
    assert "UNSURE" not in said("check", "mine", "--raw", str(raw))


def test_what_would_stop_is_told_with_status_1(raw) -> None:
    said("describe", str(raw), "--write", "mine")
    (raw / "log.csv").write_text(LOG.replace("event_time", "moment"))
    told = said("check", "mine", "--raw", str(raw), status=1)
    assert "STOPS: " in told
    assert "`event_time`" in told


def test_a_source_that_is_not_there_is_told(project) -> None:
    assert "sources/nowhere.yaml is missing" in said("check", "nowhere", status=1)


def test_a_draft_is_printed_where_no_name_is_given(raw) -> None:
    assert "product_id: sku_id" in said("describe", str(raw / "*.csv"))
