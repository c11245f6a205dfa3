"""`tandem refused`: what is printed, and what a fix would bring back, through the real stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from flows.commands import refused
from flows.commands.refused import Replayed
from stages import ingest
from tandem import files
from tandem.data import schema
from tandem.errors import TandemError
from tandem.privacy import pseudonyms
from tandem.settings import Settings

SHOP = {
    "name": "shop",
    "title": "a shop for tests",
    "timezone": "UTC",
    "events": [
        {
            "files": "*.csv",
            "format": "csv",
            "columns": {"product_id": "item", "user_id": "user", "time": "when"},
            "kind": {"column": "what", "values": {"look": "view", "buy": "purchase"}},
            "rules": [{"name": "fee", "where": {"item": "^F"}, "refuse": "a fee"}],
        }
    ],
    "products_from_events": {},
}
EVENTS = """item,user,when,what,note
a,1,2026-03-01 12:00:00,look,
a,1,2026-03-01 12:00:00,glance,
a,1,2026-03-01 12:00:00,glance,
F,1,2026-03-01 12:00:00,buy,
b,1,yesterday,look,
"""


def refuse(*rows: tuple[str, str, int, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["table", "file", "row", "rule"])
    return frame.assign(reason=frame["rule"] + " it is", record="{}")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Callable[..., None]:
    """A taken-in shop in the current folder; call it to write its YAML anew, with changes to its events."""
    monkeypatch.chdir(tmp_path)

    def write(**changes: Any) -> None:
        described = {**SHOP, "events": [{**SHOP["events"][0], **changes}]}
        Path("sources").mkdir(exist_ok=True)
        Path("sources/shop.yaml").write_text(yaml.safe_dump(described))

    write()
    Path("params.yaml").write_text((root / "params.yaml").read_text().replace("source: demo", "source: shop"))
    Path("data/raw/shop").mkdir(parents=True)
    Path("data/raw/shop/day.csv").write_text(EVENTS)
    Path("data/raw/key_id.txt").write_text(pseudonyms.key_id(pseudonyms.ensure_key(Settings())) + "\n")
    raw, described, key_id = (Path(place) for place in ("data/raw/shop", "sources/shop.yaml", "data/raw/key_id.txt"))
    ingest.main(raw, described, key_id, refused.TABLES, Path("reports/ingest.json"))
    return write


def tandem(*arguments: str) -> Result:
    return CliRunner().invoke(refused.app, arguments)


def test_the_list_counts_rules_and_shows_the_first_rows(shop) -> None:
    said = tandem("list", "--first", "1").output.splitlines()
    assert [line.split() for line in said[:4]] == [
        ["rows", "table", "rule"],
        ["1", "events", "fee"],
        ["1", "events", "unknown_kind"],
        ["1", "events", "unreadable_time"],
    ]
    assert said[4].startswith("events day.csv row 2: unknown_kind: kind `glance` is none of buy, look")
    assert said[5] == "… and 2 more in data/canonical/refused.parquet"


def test_one_rule_can_be_asked_for_by_name(shop) -> None:
    assert tandem("list", "--rule", "fee").output.splitlines()[2].startswith("events day.csv row 4: fee: a fee")
    with pytest.raises(TandemError, match=r"fees refused nothing; .* has rows of fee, unknown_kind, unread"):
        refused._refused(refused.TABLES, "fees")


def test_a_replay_says_what_a_fix_would_change_and_leaves_the_tables(shop) -> None:
    """`glance` is a view now: row 2 says what row 1 does in other words; a fee is now refused by another rule."""
    before = files.hash_folder(refused.TABLES)
    shop(
        kind={"column": "what", "values": {"look": "view", "glance": "view"}},
        rules=[],
    )
    found = refused.judge_again(files.read(refused.TABLES / "refused.parquet", schema.REFUSED), "shop", ingest.main)
    assert found == [
        Replayed("events", "day.csv", 2, "unknown_kind", "kept"),
        Replayed("events", "day.csv", 4, "fee", "unknown_kind"),
        Replayed("events", "day.csv", 5, "unreadable_time", "unreadable_time"),
    ]
    said = tandem("replay", "--rule", "unknown_kind").output
    assert said.splitlines()[:2] == [
        "     rows  table   refused now by  then kept, duplicate, or refused by",
        "        1  events  unknown_kind    kept",
    ]
    assert "events day.csv row 2: unknown_kind → kept" in said
    assert "1 of 1 refused rows would change" in said
    assert "dvc repro ingest" in said
    assert files.hash_folder(refused.TABLES) == before


def test_without_a_fix_nothing_would_change(shop) -> None:
    assert tandem("replay").output.splitlines()[-1] == "0 of 3 refused rows would change"


def test_where_no_row_is_refused_there_is_nothing_to_replay(shop) -> None:
    files.write(refuse().astype({"row": int}), refused.TABLES / "refused.parquet", schema.REFUSED)
    assert tandem("replay").output.splitlines() == ["no row is refused", "0 of 0 refused rows would change"]


def test_rows_of_another_source_are_not_replayed(shop) -> None:
    rows = files.read(refused.TABLES / "refused.parquet", schema.REFUSED)
    with pytest.raises(TandemError, match="came from source shop, not demo"):
        refused.judge_again(rows, "demo", ingest.main)


def test_where_nothing_was_taken_in_the_list_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TandemError, match=r"refused\.parquet is missing: `dvc repro ingest` makes it"):
        refused._refused(refused.TABLES, None)


def test_tables_keyed_by_the_shop_tell_kept_from_duplicate_by_their_account(tmp_path) -> None:
    """No row of users names its raw row: only the counts of its file can say."""
    old = refuse(*(("users", f"{name}.csv", 1, "missing_user_id") for name in ("kept", "copies", "both", "gone")))
    for table in (schema.EVENTS, schema.REVIEWS):
        files.write(table.arrow.empty_table().to_pandas(), tmp_path / f"{table.name}.parquet", table)
    files.write(refuse().astype({"row": int}), tmp_path / "refused.parquet", schema.REFUSED)
    counts = {"kept": (1, 0), "copies": (0, 1), "both": (1, 1)}
    accounts = [
        {"table": "users", "file": f"{name}.csv", "kept": kept, "duplicates": duplicates}
        for name, (kept, duplicates) in counts.items()
    ]
    outcomes = [row.outcome for row in refused.outcomes(old, tmp_path, accounts)]
    assert outcomes == ["kept", "duplicate", "kept or duplicate", "no longer read"]
