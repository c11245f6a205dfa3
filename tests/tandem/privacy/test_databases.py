"""A trace goes from every cell, page and log of a SQLite database, and all else stays."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tandem.privacy import databases
from tandem.privacy.databases import DatabaseInUse
from tandem.privacy.traces import Search

PSEUDONYM = "b0344c61d8db38535ca8afceaf0bf12b"
RAW = "erin@shop.example"
LONG = "x" * 9000  # fills several pages


@pytest.fixture
def search() -> Search:
    return Search([PSEUDONYM], RAW)


@pytest.fixture
def used(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """`prefect.db` as its server keeps it: with a log beside it, and open."""
    with closing(sqlite3.connect(tmp_path / "prefect.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA secure_delete = OFF")
        yield database


def traces(folder: Path, search: Search) -> list[str]:
    return [path.name for path in sorted(folder.iterdir()) if search.in_file(path)]


def test_every_cell_is_redacted_and_nobody_elses_changes(tmp_path: Path, used, search: Search) -> None:
    used.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, message TEXT, payload JSON, blob BLOB, number INTEGER)")
    used.execute("CREATE INDEX by_message ON log (message)")
    used.execute(
        "INSERT INTO log VALUES (1, ?, ?, ?, 7)",
        [f"{LONG} {PSEUDONYM} {LONG}", f'{{"rows": ["{PSEUDONYM}", "{RAW}"]}}', bytes.fromhex(PSEUDONYM)],
    )
    used.execute("INSERT INTO log VALUES (2, 'somebody else', '{}', x'00', NULL)")
    assert databases.redact(tmp_path / "prefect.db", search) == 3
    assert used.execute("SELECT * FROM log").fetchall() == [
        (1, f"{LONG} erased {LONG}", '{"rows": ["erased", "erased"]}', b"erased", 7),
        (2, "somebody else", "{}", b"\0", None),
    ]
    assert used.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert traces(tmp_path, search) == []


def test_what_was_deleted_and_what_only_the_log_holds_goes_too(tmp_path: Path, used, search: Search) -> None:
    used.execute("CREATE TABLE log (message TEXT)")
    used.execute("INSERT INTO log VALUES (?)", [PSEUDONYM])
    used.execute("DELETE FROM log")
    assert traces(tmp_path, search) == ["prefect.db-wal"]
    assert databases.of(tmp_path / "prefect.db-wal") == tmp_path / "prefect.db"
    databases.settle(tmp_path / "prefect.db")
    assert traces(tmp_path, search) == ["prefect.db"]
    assert databases.redact(tmp_path / "prefect.db", search) == 0
    assert traces(tmp_path, search) == []


def test_tables_of_every_kind_are_redacted(tmp_path: Path, used, search: Search) -> None:
    """Values that must be the only one of their kind, keys without row ids, computed columns, odd names."""
    used.create_function("GEN_RANDOM_UUID", 0, lambda: "new")  # known to Prefect's server alone
    used.execute('CREATE TABLE "a ""b"" c" ("select" TEXT DEFAULT (GEN_RANDOM_UUID()) NOT NULL UNIQUE)')
    used.executemany('INSERT INTO "a ""b"" c" VALUES (?)', [[PSEUDONYM], ["erased"], ["other"]])
    used.execute("CREATE TABLE event (resource TEXT PRIMARY KEY) WITHOUT ROWID")
    used.execute("INSERT INTO event VALUES (?)", [f"log.{PSEUDONYM}"])
    used.execute("CREATE TABLE state (data JSON, message TEXT AS (json_extract(data, '$.m')) STORED)")
    used.execute("INSERT INTO state (data) VALUES (?)", [f'{{"m": "{PSEUDONYM}"}}'])
    assert databases.redact(tmp_path / "prefect.db", search) == 3
    assert sorted(used.execute('SELECT * FROM "a ""b"" c"')) == [("erased",), ("other",)]
    assert used.execute("SELECT * FROM event").fetchall() == [("log.erased",)]
    assert used.execute("SELECT message FROM state").fetchall() == [("erased",)]
    assert traces(tmp_path, search) == []


def test_a_database_that_somebody_keeps_is_an_error_that_says_what_to_do(
    tmp_path: Path, used, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "WAIT_S", 0.01)
    used.execute("CREATE TABLE log (message TEXT)")
    used.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        DatabaseInUse, match=r"prefect\.db holds the person.*stop what uses it.*run `tandem erase` again"
    ):
        databases.redact(tmp_path / "prefect.db", search)


def test_other_files_are_no_databases(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("SQLite")
    (tmp_path / "lost.db-wal").write_bytes(b"a log without its database")
    assert databases.of(tmp_path / "notes.txt") is None
    assert databases.of(tmp_path / "lost.db-wal") is None
