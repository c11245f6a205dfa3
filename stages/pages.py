"""Data Docs that are read without network and without scripts, with those of earlier judgements beside them.

    index.html              every judgement that is kept, the latest first
    runs/NNNN/index.html    one judgement: each expectation, what was observed, the first offending rows
    runs/NNNN/refused.html  refused raw rows by table and rule, with the first of each
    runs/NNNN/…             the pages of Great Expectations, one suite and one result per table
    runs/NNNN/run.json      what index.html shows of it

Equal judgements after equal histories give equal bytes.
"""

import html
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tandem import files

RUNS = "runs"

CLOCK = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
RANDOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
REMOTE = re.compile(r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>", re.DOTALL)
"""What a page of Great Expectations loads from elsewhere, the scripts that need it, and the advertisement below."""

IDLE = re.compile(r'<div class="sticky">|<div id="[^"]*-parent"\s*>\s*<p[^>]*>\s*<a data-toggle="collapse"')
"""Where a part begins that is of no use without scripts: filter and table of contents; what a click would unfold."""

DIV = re.compile(r"<(/?)div\b[^>]*>")

HISTORY = (
    "One judgement, accepted or refused, for each time that new raw files came in: the last one of these files. "
    "Judging the same files again, with another params.yaml or source, replaces it."
)

STYLE = """<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1b1b1b; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #c8c8c8; padding: .3rem .6rem; text-align: left; vertical-align: top; }
.no { background: #fbe3e1; } .warn { background: #fdf1d2; }
.fa-check-circle::before { content: "✓ holds"; } .fa-times::before { content: "✗ fails"; }
.fa-exclamation-triangle::before { content: "! fails"; }
</style>"""


def begin(docs: Path, history: Path, source: str, most: int) -> Path:
    """Put earlier judgements of `source` into `docs` and make an empty folder for a new one.

    Args:
        history: `runs/` of earlier docs; it may be missing.
        most: judgements that are kept, the new one included; the oldest give way.

    Returns:
        The new one's folder, numbered on.
    """
    found = sorted(path for path in history.glob("[0-9]*") if files.read_json(path / "run.json")["source"] == source)
    for path in found[len(found) - most + 1 :] if most <= len(found) else found:
        shutil.copytree(path, docs / RUNS / path.name)
    page = docs / RUNS / f"{int(found[-1].name) + 1 if found else 1:04d}"
    page.mkdir(parents=True)
    return page


def finish(page: Path, report: Mapping[str, Any], refused: Iterable[Mapping[str, Any]]) -> None:
    """Settle the pages of Great Expectations in `page`, write ours beside them and the index above.

    Args:
        report: what stands in reports/validation.json.
        refused: rows by table and rule: `table`, `rule`, `count`, `first` rows.
    """
    shutil.rmtree(page / "static", ignore_errors=True)
    settle(page, datetime.fromisoformat(report["as_of"]))
    held = sum(e["holds"] for e in report["expectations"])
    facts = {name: report[name] for name in ("source", "as_of", "accepted", "failed")}
    files.write_json({**facts, "held": held, "asked": len(report["expectations"])}, page / "run.json")
    (page / "refused.html").write_text(_refused(refused), "utf-8")
    (page / "index.html").write_text(_run(page, report), "utf-8")
    (page.parents[1] / "index.html").write_text(_index(page.parent), "utf-8")


def settle(page: Path, as_of: datetime) -> None:
    """Take clock times, random ids and all that needs network or scripts out of Great Expectations' pages."""
    own = f"{as_of:%Y%m%dT%H%M%S.%fZ}"
    for path in sorted(page.rglob("*.html")):
        text = _without_idle(REMOTE.sub("", path.read_text("utf-8"))).replace("</head>", f"{STYLE}</head>", 1)
        text = text.replace("Observed Value", "Observed value, or number of rows that break it")
        text = CLOCK.sub(lambda found: own if found[0] == own else "", text)
        for place, random in enumerate(dict.fromkeys(RANDOM_ID.findall(text))):
            text = text.replace(random, str(place))
        path.write_text(text, "utf-8")


def _without_idle(text: str) -> str:
    """The page without each `div` that begins as IDLE says, and all in it."""
    while found := IDLE.search(text):
        depth, end = 0, len(text)
        for tag in DIV.finditer(text, found.start()):
            depth += -1 if tag[1] else 1
            if depth == 0:
                end = tag.end()
                break
        text = text[: found.start()] + text[end:]
    return text


def _index(runs: Path) -> str:
    """All judgements, the latest first."""
    rows = []
    for folder in sorted(runs.iterdir(), reverse=True):
        of = files.read_json(folder / "run.json")
        link = f'<a href="{RUNS}/{folder.name}/index.html">{folder.name}</a>'
        refused = f'<a href="{RUNS}/{folder.name}/refused.html">refused rows</a>'
        fails = f"{of['failed']['blocking']} blocking, {of['failed']['warning']} warning"
        outcome = "accepted" if of["accepted"] else "refused"
        cells = [
            link,
            *map(_escape, (of["source"], of["as_of"], outcome, f"{of['held']} of {of['asked']}", fails)),
            refused,
        ]
        rows.append((_mood(of["accepted"], of["failed"]["warning"]), cells))
    head = ("judgement", "source", "as of", "snapshot", "expectations held", "failed", "rows left out")
    return _page("Data Docs", f"<p>{HISTORY}</p>{_table(head, rows)}")


def _run(page: Path, report: Mapping[str, Any]) -> str:
    """One judgement: failed expectations with their first rows, all expectations, what was skipped."""
    links = {
        path.parts[len(page.parts) + 1]: path.relative_to(page) for path in sorted(page.glob("validations/**/*.html"))
    }
    pages = ", ".join(f'<a href="{path.as_posix()}">{_escape(table)}</a>' for table, path in sorted(links.items()))
    failed = [e for e in report["expectations"] if not e["holds"]]
    body = f"<p>{_escape(_outcome(report))}</p><p>By table, as Great Expectations shows it: {pages}.</p>"
    body += '<p><a href="../../index.html">all judgements</a> · <a href="refused.html">refused raw rows</a></p>'
    body += "<h2>What does not hold</h2>" + ("".join(map(_failure, failed)) or "<p>Nothing.</p>")
    head = ("table", "expectation", "expects", "severity", "holds", "rows", "breaking it", "observed")
    keys = ("table", "name", "expects", "severity", "holds", "rows", "unexpected", "observed")
    rows = [
        (_mood(e["holds"] or e["severity"] == "warning", not e["holds"]), _cells(e, keys))
        for e in report["expectations"]
    ]
    body += "<h2>All expectations</h2>" + _table(head, rows)
    skipped = [("", _cells(s, ("table", "name", "reason"))) for s in report["skipped"]]
    body += "<h2>Not asked</h2>" + (_table(("table", "expectation", "why"), skipped) if skipped else "<p>Nothing.</p>")
    return _page(f"Judgement {page.name} of {report['source']}", body)


def _outcome(report: Mapping[str, Any]) -> str:
    outcome = "accepted" if report["accepted"] else "refused: no snapshot was made"
    return f"As of {report['as_of']}: {outcome}. Failed: {report['failed']['blocking']} blocking, " + (
        f"{report['failed']['warning']} warning."
    )


def _failure(entry: Mapping[str, Any]) -> str:
    """A failed expectation with its first offending rows."""
    said = entry["expects"] + (f"; observed {entry['observed']}" if "observed" in entry else "")
    counted = f", {entry['unexpected']} of {entry['rows']} rows" if "unexpected" in entry else ""
    title = f"<h3>{_escape(entry['name'])} of {_escape(entry['table'])} ({entry['severity']}{counted})</h3>"
    return f"{title}<p>{_escape(said)}</p>{_records(entry.get('first', []))}"


def _refused(refused: Iterable[Mapping[str, Any]]) -> str:
    """Refused raw rows, a section for each table and rule."""
    found = list(refused)
    rows = [("", _cells(group, ("table", "rule", "count"))) for group in found]
    body = '<p><a href="index.html">the judgement</a> · all of them stand in data/canonical/refused.parquet</p>'
    body += _table(("table", "rule", "rows"), rows) if rows else "<p>No raw row was refused.</p>"
    for group in found:
        body += (
            f"<h2>{_escape(group['rule'])}, {_escape(group['table'])}: {group['count']} rows, the first of them</h2>"
        )
        body += _records(group["first"])
    return _page("Refused raw rows", body)


def _records(rows: list[dict[str, Any]]) -> str:
    """Rows of any table as a table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _table(names, [("", _cells(row, names)) for row in rows]) if rows else ""


def _cells(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [_escape(row.get(name, "")) for name in names]


def _escape(value: Any) -> str:
    return html.escape({True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value))


def _mood(good: bool, warned: Any) -> str:
    return "no" if not good else "warn" if warned else ""


def _table(head: Iterable[str], rows: Iterable[tuple[str, list[str]]]) -> str:
    """Rows of escaped cells, each row with its class."""
    top = "".join(f"<th>{name}</th>" for name in map(_escape, head))
    body = "".join(f'<tr class="{mood}">' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>\n" for mood, cells in rows)
    return f"<table><tr>{top}</tr>\n{body}</table>\n"


def _page(title: str, body: str) -> str:
    name = _escape(title)
    return f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>{STYLE}</head>\n' + (
        f"<body><h1>{name}</h1>\n{body}</body></html>\n"
    )
