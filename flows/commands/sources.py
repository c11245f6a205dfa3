"""`tandem sources`: what sources there are, a draft for unknown files, a trial, downloads. Heavy imports are late."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.errors import SourceError

if TYPE_CHECKING:
    from tandem.unseen.trial import Trial

app = typer.Typer(help="Sources: list them, describe unknown files, try one, download one.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="a file of sources/, without .yaml")]


@app.command("list")
def list_() -> None:
    """List the sources with what they hold, whether their raw files are here, and whether they can be fetched."""
    from flows.ingest import RAW, SOURCES
    from tandem.data.sources import Source

    for path in sorted(SOURCES.glob("*.yaml")):
        try:
            source = Source.read(path)
        except SourceError as error:
            typer.echo(f"{path.stem:18} cannot be used: {' '.join(str(error).split())}")
            continue
        tables = ", ".join(name for name, blocks in source.blocks.items() if blocks)
        notes = [*(["raw files here"] if (RAW / source.name).is_dir() else []), *(["fetch"] if source.fetch else [])]
        typer.echo(" ".join([f"{source.name:18}", tables, *(f"[{note}]" for note in notes)]))
        typer.echo(f"{'':18} {' '.join(source.title.split())}")


@app.command()
def describe(
    path: Annotated[Path, typer.Argument(help="a file, a folder, or a pattern in quotes such as 'shop/*.csv'")],
    write: Annotated[str | None, typer.Option(help="write the draft to sources/NAME.yaml")] = None,
) -> None:
    """Look at files nobody has described and draft a source for them, with the evidence and what is unsure."""
    from flows.ingest import SOURCES
    from tandem.unseen import description

    target = _target(write, SOURCES) if write is not None else None
    draft = description.describe(path, write)
    if target is None:
        typer.echo(draft.text, nl=False)
    else:
        target.write_text(draft.text, encoding="utf-8")
        typer.echo(f"wrote {target}; next: edit it, then `tandem sources check {write} --raw {shlex.quote(str(path))}`")
    typer.echo(f"lines that say UNSURE, for you to decide: {len(draft.unsure)}", err=True)
    if draft.source is None:
        typer.echo("error: this draft cannot be used as it is; its second line says what to complete", err=True)
        raise typer.Exit(1)


def _target(name: str, folder: Path) -> Path:
    """Where a draft of this name goes.

    Raises:
        SourceError: it is no name for a source, or there is one of that name.
    """
    from tandem.data.sources import NAME

    if not re.fullmatch(NAME.strip("^$"), name):
        raise SourceError(
            f"{name!r} is no name for a source: small letters, digits and _, beginning with a letter, such as my_shop"
        )
    target = folder / f"{name}.yaml"
    if target.exists():
        raise SourceError(f"{target} exists: name another source, or remove it first")
    return target


@app.command()
def check(
    name: Name,
    raw: Annotated[Path | None, typer.Option(help="folder with the raw files; default data/raw/NAME")] = None,
    rows: Annotated[int, typer.Option(min=1, help="records to try of each file")] = 2_000,
) -> None:
    """Try a source on the first records of its raw files: what would be kept, repaired and refused. Changes nothing."""
    from flows.ingest import RAW, SOURCES
    from tandem.data.sources import Source
    from tandem.params import IngestParams
    from tandem.settings import Settings
    from tandem.unseen import trial

    home = Settings().home
    home.mkdir(parents=True, exist_ok=True)
    path = SOURCES / f"{name}.yaml"
    found = trial.run(Source.read(path), raw or RAW / name, home, IngestParams.read(), rows)
    for line in [*lines(found), *_undecided(path)]:
        typer.echo(line)
    if found.stops:
        raise typer.Exit(1)


@app.command()
def fetch(name: Name) -> None:
    """Download a source's files from the publisher's address, check them, and take them in."""
    from flows.fetch import fetch

    fetch(name)


def _undecided(path: Path) -> list[str]:
    """The lines of a draft that still wait for a person, each with its number."""
    from tandem.unseen import description

    doubts = description.unsure(path.read_text(encoding="utf-8"))
    if not doubts:
        return []
    told = f"warning: lines of {path} that say UNSURE: {len(doubts)}; decide each, then remove it:"
    return ["", told, *(f"  line {number}: {doubt}" for number, doubt in doubts.items())]


def lines(trial: "Trial") -> list[str]:
    """The trial as text for a terminal."""
    return [
        *_accounts(trial),
        *_refused(trial),
        *_repairs(trial),
        *_unread(trial),
        *[f"STOPS: {why}" for why in trial.stops],
    ]


def _accounts(trial: "Trial") -> list[str]:
    """Rows by table: tried, kept, duplicates, refused."""
    told = [f"{'table':10} {'files':>6} {'rows':>9} {'kept':>9} {'duplicate':>9} {'refused':>9}"]
    for table in dict.fromkeys(account["table"] for account in trial.accounts):
        mine = [account for account in trial.accounts if account["table"] == table]
        sums = [sum(account[key] for account in mine) for key in ("rows", "kept", "duplicates", "refused")]
        files = len({account["file"] for account in mine})
        told.append(f"{table:10} {files:>6} " + " ".join(f"{n:>9}" for n in sums))
    if trial.cut:
        told.append(f"files of which only the first records were read: {trial.cut}")
    span = trial.report.get("span")
    return [*told, *([f"events from {span[0]} to {span[1]}"] if span else [])]


def _refused(trial: "Trial") -> list[str]:
    """Each rule with its count, its share of the table's rows and first examples."""
    told = ["", "refused:"] if trial.examples else []
    for (table, rule), examples in sorted(trial.examples.items()):
        mine = [account for account in trial.accounts if account["table"] == table]
        count, rows = sum(a["rules"].get(rule, 0) for a in mine), sum(a["rows"] for a in mine)
        told.append(f"  {table}: {rule}: {count} ({count / rows:.1%})")
        told += [f"      {e.file} row {e.row}: {e.reason} {_short(e.record)}".rstrip() for e in examples]
    return told


def _repairs(trial: "Trial") -> list[str]:
    told = [f"  {r.table}: {r.column}: {r.what}: {r.cells} cells" for r in trial.repairs]
    return ["", "repaired:", *told] if told else []


def _unread(trial: "Trial") -> list[str]:
    columns = [f"  {where}: {', '.join(names)}" for where, names in trial.unread_columns.items()]
    files = [f"  {', '.join(trial.unread_files[:20])}{' …' if len(trial.unread_files) > 20 else ''}"]
    return [
        *(["", "columns that are not used:", *columns] if columns else []),
        *(["", f"files that are not read ({len(trial.unread_files)}):", *files] if trial.unread_files else []),
    ]


def _short(record: str) -> str:
    return record if len(record) <= 160 else record[:157] + "…"
