"""`tandem refused`: what was left out and why, and what a fix would bring back."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tandem.errors import TandemError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(help="Refused rows: list them, and see what a fix would bring back.", no_args_is_help=True)

TABLES = Path("data/canonical")
SHOWN = 20
BY_ROW = {"events": "event_id", "reviews": "review_id"}
"""Tables whose ids name the raw row."""

OfRule = Annotated[str | None, typer.Option("--rule", help="only rows that this rule refused")]
First = Annotated[int, typer.Option("--first", min=0, help="how many rows to print")]
Judge = Callable[[Path, Path, Path, Path, Path], None]
"""Raw folder, source's YAML, key id → folder of tables, report: what `stages.ingest.main` does."""


@dataclass(frozen=True)
class Replayed:
    """What would become of a row that is refused now."""

    table: str
    file: str
    row: int
    was: str  # the rule that refuses it now
    outcome: str  # kept, duplicate, kept or duplicate, no longer read, or the rule that would refuse it

    @property
    def changed(self) -> bool:
        """Whether the fix makes a difference to it."""
        return self.was != self.outcome


@app.command("list")
def list_(rule: OfRule = None, first: First = SHOWN) -> None:
    """Print how many rows each rule refused, and the first of them."""
    refused = _refused(TABLES, rule)
    typer.echo("\n".join(_counted(("table", "rule"), Counter(zip(refused["table"], refused["rule"], strict=True)))))
    for row in refused.head(first).to_dict("records"):
        typer.echo(f"{row['table']} {row['file']} row {row['row']}: {row['rule']}: {row['reason']}  {row['record']}")
    if len(refused) > first:
        typer.echo(f"… and {len(refused) - first} more in {TABLES / 'refused.parquet'}")


@app.command()
def replay(
    rule: OfRule = None,
    source: Annotated[str | None, typer.Option(help="a file of sources/; default: the source in params.yaml")] = None,
    first: First = SHOWN,
    apply: Annotated[bool, typer.Option("--apply", help="run the stage `ingest` for good")] = False,
) -> None:
    """Judge the refused rows anew, by sources/ and params.yaml as they are now; the tables stay as they are."""
    from stages import ingest
    from tandem.params import read_source

    refused = _refused(TABLES, rule)
    replayed = [] if refused.empty else judge_again(refused, source or read_source(), ingest.main)
    head = "table", "refused now by", "then kept, duplicate, or refused by"
    typer.echo("\n".join(_counted(head, Counter((row.table, row.was, row.outcome) for row in replayed))))
    changed = [row for row in replayed if row.changed]
    for row in changed[:first]:
        typer.echo(f"{row.table} {row.file} row {row.row}: {row.was} → {row.outcome}")
    typer.echo(f"{len(changed)} of {len(replayed)} refused rows would change")
    if apply:
        from flows import versions

        versions.repro("ingest")
    elif changed:
        typer.echo("`tandem refused replay --apply` or `dvc repro ingest` does it for good")


def judge_again(refused: "pd.DataFrame", source: str, judge: Judge) -> list[Replayed]:
    """What would become of each refused row if the raw files of `source` were taken in now.

    All files are judged, for a row may be a duplicate of one in any other, into a folder that is gone afterwards.

    Args:
        refused: rows of schema.REFUSED.
        source: name of a file of sources/.
        judge: `stages.ingest.main`.

    Raises:
        TandemError: what is refused now came from another source.
    """
    from flows.ingest import KEY_ID, RAW, SOURCES
    from tandem import files

    _came_from(source, Path("reports/ingest.json"))
    with TemporaryDirectory(prefix="tandem-replay-") as folder:
        tables, report = Path(folder) / "canonical", Path(folder) / "ingest.json"
        judge(RAW / source, SOURCES / f"{source}.yaml", KEY_ID, tables, report)
        return outcomes(refused, tables, files.read_json(report)["files"])


def outcomes(refused: "pd.DataFrame", tables: Path, accounts: Iterable[dict[str, Any]]) -> list[Replayed]:
    """What became of each refused row in newly made canonical `tables`, in the order given.

    A table without the raw row in its key does not tell a kept row from a duplicate, unless all that was not refused
    of the file was the one or the other.

    Args:
        refused: rows of schema.REFUSED, as refused before.
        tables: folder of the new tables.
        accounts: `files` of the new reports/ingest.json.
    """
    again = _refused(tables, None)
    rules = dict(zip(zip(again["table"], again["file"], again["row"], strict=True), again["rule"], strict=True))
    kept = {name: _places(tables / f"{name}.parquet", column, refused) for name, column in BY_ROW.items()}
    of_file = {(account["table"], account["file"]): account for account in accounts}
    found = []
    for table, file, row, was in refused[["table", "file", "row", "rule"]].itertuples(index=False):
        account = of_file.get((table, file))
        if account is None:
            outcome = "no longer read"
        else:
            outcome = rules.get((table, file, row)) or _not_refused(table, f"{file}:{row}", kept, account)
        found.append(Replayed(table, file, int(row), was, outcome))
    return found


def _not_refused(table: str, place: str, kept: dict[str, set[str]], account: dict[str, Any]) -> str:
    if table in kept:
        return "kept" if place in kept[table] else "duplicate"
    if not account["duplicates"]:
        return "kept"
    return "kept or duplicate" if account["kept"] else "duplicate"


def _places(path: Path, column: str, refused: "pd.DataFrame") -> set[str]:
    """Which of the refused rows stand in the table at `path`, as `file:row`."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    wanted = pa.array(refused["file"] + ":" + refused["row"].astype(str), pa.string())
    found = ds.dataset(path).to_table(columns=[column], filter=pc.field(column).isin(wanted))
    return set(found[column].to_pylist())


def _refused(tables: Path, rule: str | None) -> "pd.DataFrame":
    """The refused rows: all, or those of one rule.

    Raises:
        TandemError: there is no such table yet, or the rule refused nothing.
    """
    from tandem import files
    from tandem.data import schema

    path = tables / "refused.parquet"
    if not path.exists():
        raise TandemError(f"{path} is missing: `dvc repro ingest` makes it")
    refused = files.read(path, schema.REFUSED)
    if rule is None:
        return refused
    if rule not in set(refused["rule"]):
        known = ", ".join(sorted(set(refused["rule"]))) or "none at all"
        raise TandemError(f"rule {rule} refused nothing; {path} has rows of {known}")
    return refused[refused["rule"] == rule]


def _came_from(source: str, report: Path) -> None:
    from tandem import files

    if report.exists() and (before := files.read_json(report)["source"]) != source:
        raise TandemError(f"what {report} counts as refused came from source {before}, not {source}")


def _counted(head: Sequence[str], counts: Counter[tuple[str, ...]]) -> list[str]:
    """A line for each key and its count, the largest first, under a line that says what is what."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if not ordered:
        return ["no row is refused"]
    lines = [("rows", *head), *((str(count), *key) for key, count in ordered)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    padded = (f"{line[0]:>{max(9, widths[0])}}  " + _padded(line[1:], widths[1:]) for line in lines)
    return [line.rstrip() for line in padded]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
