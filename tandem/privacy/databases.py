"""SQLite databases: a person's traces replaced in every cell, and taken out of the pages and logs behind them.

A database may be in use meanwhile, such as by Prefect's server: what it wrote last stands in a log beside it (`-wal`)
and reaches the database at a checkpoint; what was deleted stays in free pages until `VACUUM`.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tandem.errors import TandemError
from tandem.privacy.traces import SQLITE, Search

log = logging.getLogger(__name__)

WAIT_S = 30
"""How long another process may keep a database to itself."""

BESIDE = ("-wal", "-shm", "-journal")
"""How files end that SQLite keeps beside a database."""

THEIRS = """typeof("{column}") IN ('text', 'blob') AND holds(CAST("{column}" AS BLOB))"""
REDACT = f"""
UPDATE OR IGNORE "{{table}}" SET "{{column}}" = CASE typeof("{{column}}")
    WHEN 'text' THEN CAST(without(CAST("{{column}}" AS BLOB)) AS TEXT) ELSE without("{{column}}") END
WHERE {THEIRS}
"""
DELETE = f'DELETE FROM "{{table}}" WHERE {THEIRS}'
"""What is left is what a constraint keeps from changing, such as a key that another row was given before: it goes."""


class DatabaseInUse(TandemError, RuntimeError):
    """A database cannot be rewritten now."""


def of(path: Path) -> Path | None:
    """The database that a file is, or that it stands beside; None where it is anything else."""
    names = [path.name, *(path.name.removesuffix(end) for end in BESIDE if path.name.endswith(end))]
    return next((found for name in names if _is_database(found := path.with_name(name))), None)


def settle(path: Path) -> None:
    """Bring what a database's log holds into the database, as far as nobody hinders it."""
    if path.with_name(f"{path.name}-wal").exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=WAIT_S)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def redact(path: Path, search: Search) -> int:
    """Put `erased` where a trace stands, in every table, and leave nothing of it in the file; how many cells it was.

    Raises:
        DatabaseInUse: another process keeps the database to itself, or it is damaged.
    """
    with _opened(path) as database:
        database.create_function("holds", 1, search.in_bytes, deterministic=True)
        database.create_function("without", 1, search.without, deterministic=True)
        database.execute("BEGIN IMMEDIATE")
        changed = sum(database.execute(statement).rowcount for statement in _statements(database))
        database.execute("COMMIT")
        database.execute("VACUUM")
        (busy, _, _) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("its log cannot be emptied")
    log.info("%s: redacted %d cells", path, changed)
    return changed


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as database:
            yield database
    except sqlite3.Error as error:
        raise DatabaseInUse(
            f"{path} holds the person and cannot be rewritten ({error}): stop what uses it, such as Prefect's server "
            "and workers, and run `tandem erase` again with the same id"
        ) from error


def _statements(database: sqlite3.Connection) -> list[str]:
    """Two for each column that is stored in an ordinary table."""
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %'"
    ).fetchall()
    columns = "SELECT name FROM pragma_table_info(?)"  # without generated ones
    return [
        statement.format(table=_quoted(table), column=_quoted(column))
        for (table,) in tables
        for (column,) in database.execute(columns, [table]).fetchall()
        for statement in (REDACT, DELETE)
    ]


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(SQLITE)) == SQLITE
    except OSError:
        return False
