"""`tandem data`: versions of accepted snapshots. Heavy tools are imported when they are used."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Versions of accepted snapshots: list, show, compare, restore, let go.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="a version's id or its beginning, `current`, or a snapshot's folder")]
Json = Annotated[bool, typer.Option("--json", help="print JSON instead of a table")]
LISTED = 10


@app.command()
def versions(as_json: Json = False) -> None:
    """List the versions, the oldest first, and what was made from each."""
    from flows import snapshots
    from tandem.settings import Settings

    known = snapshots.listed()
    users = snapshots.in_use(Settings())
    if as_json:
        _print_json([{"id": v.id, "recorded": v.recorded.isoformat(), **v.manifest} for v in known])
        return
    if not known:
        typer.echo("no versions yet: `tandem retrain` records each snapshot it accepts")
        return
    head = [
        "version",
        "recorded (UTC)",
        "source",
        "events",
        "products",
        "from",
        "until",
        "checks held",
        "MB",
        "used by",
    ]
    lines = [[*_of(v), ", ".join(sorted(users.get(v.manifest["data_hash"], ())))] for v in known]
    typer.echo(_table([head, *lines]))


@app.command()
def record() -> None:
    """Keep the snapshot that `dvc repro` accepted last as a version; `tandem retrain` does it by itself."""
    from flows import snapshots

    typer.echo(snapshots.record().id)


@app.command()
def show(version: Name = "current", as_json: Json = False) -> None:
    """Print a snapshot's manifest: where it came from, how much it is, how it was judged."""
    from flows import snapshots

    manifest = snapshots.manifest_of(version)
    if as_json:
        _print_json(manifest)
    else:
        typer.echo("\n".join(_readable(manifest)))


@app.command()
def diff(a: Name, b: Name = "current", as_json: Json = False) -> None:
    """Compare two snapshots: rows, users and products gone and new, distributions."""
    from flows import snapshots
    from tandem.data import difference
    from tandem.settings import Settings

    before, after = (snapshots.folder_of(name, Settings()) for name in (a, b))
    found = difference.compare(before, after)
    if as_json:
        _print_json({"a": a, "b": b, **found})
    else:
        typer.echo(difference.text(found, a, b))


@app.command()
def restore(
    version: Annotated[str, typer.Argument(help="a version's id or its beginning")],
    to: Annotated[Path | None, typer.Option(help="a new folder; default: the version's own in data/versions")] = None,
) -> None:
    """Bring a version's files back, exactly, from DVC's cache or remote, and print their folder."""
    from flows import snapshots
    from tandem.settings import Settings

    typer.echo(snapshots.restore(snapshots.find(version), Settings(), to))


@app.command()
def gc(
    keep: Annotated[int, typer.Option(min=0, help="how many of the newest versions stay in any case")],
    remote: Annotated[bool, typer.Option("--remote", help="free the DVC remote as well")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do it; without, only say what would be freed")] = False,
) -> None:
    """Let old versions go. What the workspace, the releases, a champion or the service was made from stays."""
    from flows import snapshots
    from tandem.settings import Settings

    planned = snapshots.plan(keep, Settings(), in_remote=remote)
    for version, reason in planned.keep:
        typer.echo(f"keep    {version.id}  {reason}")
    for version in planned.drop:
        typer.echo(f"remove  {version.id}  recorded {version.recorded:%Y-%m-%d %H:%M}")
    where = {"cache": planned.objects.cache, **({"remote": planned.objects.remote} if remote else {})}
    freed = [
        f"{sum(sizes.values()) / 1e6:,.1f} MB in the {name} (files: {len(sizes)})" for name, sizes in where.items()
    ]
    if not planned.drop:
        typer.echo("nothing to remove")
    elif yes:
        snapshots.collect(planned)
        typer.echo(f"freed {' and '.join(freed)}")
    else:
        typer.echo(f"would free {' and '.join(freed)}; nothing was removed: add --yes to do it")


def _of(version: Any) -> list[str]:
    """A version as cells of a line."""
    manifest, rows = version.manifest, version.manifest["rows"]
    span = [str(moment)[:10] for moment in manifest.get("span") or ["–", "–"]]
    counts = [f"{rows.get(name, 0):,}" for name in ("events", "products")]
    recorded, suite = f"{version.recorded:%Y-%m-%d %H:%M}", manifest["suite"]
    held = f"{suite['held']} of {suite['asked']}"
    return [version.id, recorded, manifest["source"], *counts, *span, held, f"{version.size_bytes / 1e6:,.1f}"]


def _readable(manifest: Mapping[str, Any]) -> list[str]:
    """The manifest as lines: plain entries first, then nested ones, long lists shortened."""
    plain = {key: value for key, value in manifest.items() if not isinstance(value, (Mapping, list))}
    width = max(map(len, plain), default=0)
    lines = [f"{key.ljust(width)}  {value}" for key, value in plain.items()]
    for key, value in manifest.items():
        if key not in plain:
            lines += ["", key, *_members(value)]
    return lines


def _members(value: Mapping[str, Any] | Sequence[Any]) -> list[str]:
    """A mapping as lines, a list of mappings as a table, a plain list as lines; LISTED members at most."""
    named = list(value.items()) if isinstance(value, Mapping) else list(value)
    shown = named[:LISTED]
    if shown and isinstance(shown[0], Mapping):
        cells = [[_short(member[key]) for key in shown[0]] for member in shown]
        lines = _table([list(shown[0]), *cells]).splitlines()
    else:
        lines = [f"{entry[0]}  {_short(entry[1])}" if isinstance(entry, tuple) else _short(entry) for entry in shown]
    more = [f"… {len(named) - LISTED:,} more; --json shows all"] if len(named) > LISTED else []
    return [f"  {line}" for line in [*lines, *more]]


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "none"
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value):
        return value[:12]
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
