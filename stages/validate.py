"""Judge the canonical tables; accept them as the snapshot only when every blocking expectation holds.

Reads   data/canonical/{products,events,reviews,users,relations}.parquet   tandem.data.schema
        data/accepted/manifest.json     the snapshot accepted before, if there is one
        data/raw/as_of.txt              when raw files last came in, the `now` of `validate.as_of`
        reports/ingest.json             rows in, kept, duplicate and refused, by file
Writes  data/docs/                      Data Docs: every expectation, what was observed, offending values
        reports/validation.json         the same as data, with the first offending rows
        data/snapshot/*.parquet         the canonical files, byte for byte; only when accepted
        data/snapshot/manifest.json     written last: a snapshot with a manifest is complete
Params  validate                        tandem.params.ValidateParams

Nothing is repaired here. When a blocking expectation fails, report and docs are written, the snapshot is not.
"""

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from stages import expectations, run
from stages.expectations import Claim, Skipped
from tandem import files
from tandem.data import schema
from tandem.errors import SnapshotRefused
from tandem.params import ValidateParams

log = logging.getLogger(__name__)

SHOWN = 5
"""How many offending rows are shown."""

CLOCK = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
RANDOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Verdict:
    """What came of one claim."""

    claim: Claim
    holds: bool
    observed: Any  # the value that was judged, for claims on a whole table or column
    unexpected: int | None  # rows that break the claim, for claims on rows
    rows: int  # of the table
    first: list[dict[str, Any]]  # the first rows that break it


def main(canonical: Path, accepted: Path, now: Path, ingest: Path, snapshot: Path, docs: Path, report: Path) -> None:
    """Write Data Docs and report, then either the snapshot or a refusal.

    Raises:
        SnapshotRefused: a blocking expectation fails; names it, the count and the first offending rows.
    """
    params = ValidateParams.read()
    for folder in (snapshot, docs):
        shutil.rmtree(folder, ignore_errors=True)
    as_of = moment(params, now)
    facts = files.read_json(ingest)
    tables = {t.name: files.read(canonical / f"{t.name}.parquet", t) for t in expectations.TABLES}
    previous = previous_rows(accepted / "manifest.json", facts["source"])
    claims, skipped = expectations.ask(tables, params, as_of, previous)
    verdicts = judge(expectations.judged(tables, facts["files"]), claims, params, docs, as_of)
    summary = summarise(verdicts, skipped, params)
    files.write_json({**summary, "source": facts["source"], "as_of": as_of.isoformat()}, report)
    _tell(verdicts, skipped, params)
    if not summary["accepted"]:
        raise SnapshotRefused(refusal(verdicts, params, f"{report} and {docs / 'index.html'}"))
    accept(tables, canonical, snapshot, {key: facts[key] for key in ("source", "key_id")}, as_of)


def moment(params: ValidateParams, now: Path) -> datetime:
    """`as_of` in UTC; the file `now` tells what `now` means, so that a rerun judges as before.

    Raises:
        FileNotFoundError: `now` is asked for and not told.
    """
    as_of = datetime.fromisoformat(now.read_text("ascii").strip()) if params.as_of == "now" else params.as_of
    return as_of.astimezone(UTC)


def previous_rows(manifest: Path, source: str) -> Mapping[str, int] | str:
    """Rows by table of the snapshot accepted before, or why there is nothing to compare with."""
    if not manifest.exists():
        return "no snapshot was accepted before"
    before = files.read_json(manifest)
    if before["source"] != source:
        return f"the snapshot accepted before is of source {before['source']}"
    return dict(before["rows"])


def judge(
    tables: Mapping[str, pd.DataFrame], claims: list[Claim], params: ValidateParams, docs: Path, as_of: datetime
) -> list[Verdict]:
    """Run the claims with Great Expectations, one suite per table, and build Data Docs in `docs`.

    Returns:
        One verdict per claim, in the order of the claims.

    Raises:
        RuntimeError: an expectation could not be computed; that says nothing about the data.
    """
    context = _context(docs)
    verdicts: dict[int, Verdict] = {}
    for name, frame in tables.items():
        suite = [_expectation(place, c, blocks(c, params)) for place, c in enumerate(claims) if c.table == name]
        for result in _run(context, name, frame, suite, as_of):
            place = result.expectation_config.meta["place"]
            verdicts[place] = _verdict(claims[place], result, frame)
    context.build_data_docs(site_names=["docs"])
    _settle(docs, as_of)
    return [verdicts[place] for place in range(len(claims))]


def _context(docs: Path) -> Any:
    """A project in memory, quiet, whose only site is `docs`."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # its import alone logs hundreds of lines
    import great_expectations as gx
    from great_expectations.data_context.types import base

    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": store}
    config = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"docs": {**site, "show_how_to_buttons": False}},
        progress_bars=base.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _expectation(place: int, claim: Claim, blocking: bool) -> Any:
    """The claim for Great Expectations; `place` finds its result again."""
    import great_expectations.expectations as gxe

    made = getattr(gxe, claim.type)
    severity = "critical" if blocking else "warning"
    description = f"{claim.name}: {claim.sentence}"
    return made(**claim.arguments, description=description, severity=severity, meta={"place": place})


def _run(context: Any, name: str, frame: pd.DataFrame, suite: list[Any], as_of: datetime) -> list[Any]:
    """The results of one suite over one table, in no particular order."""
    import great_expectations as gx

    source = context.data_sources.add_or_update_pandas("canonical")
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    stored = context.suites.add(gx.ExpectationSuite(name, suite))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=stored))
    validation = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": SHOWN},
        run_id=gx.RunIdentifier(run_name="as_of", run_time=as_of),
    )
    return list(validation.results)


def _settle(docs: Path, as_of: datetime) -> None:
    """Take clock times and random ids out of the pages, so that equal judgements give equal bytes."""
    own = f"{as_of:%Y%m%dT%H%M%S.%fZ}"
    for page in docs.rglob("*.html"):
        text = CLOCK.sub(lambda found: own if found[0] == own else "", page.read_text("utf-8"))
        for place, random in enumerate(dict.fromkeys(RANDOM_ID.findall(text))):
            text = text.replace(random, str(place))
        page.write_text(text, "utf-8")


def _verdict(claim: Claim, result: Any, frame: pd.DataFrame) -> Verdict:
    _raise_if_broken(claim, result.exception_info or {})
    found = result.result
    rows = found.get("partial_unexpected_index_list") or []
    shown = frame[[c for c in frame if not str(c).startswith("unknown_")]]
    first = [] if result.success else [_plain_row(shown.iloc[row]) for row in rows[:SHOWN]]
    observed = None if claim.name == "columns" else _plain(found.get("observed_value"))
    return Verdict(claim, bool(result.success), observed, found.get("unexpected_count"), len(frame), first)


def _raise_if_broken(claim: Claim, info: Mapping[str, Any]) -> None:
    """Great Expectations reports a failed computation as `success: False`; tell it from bad data."""
    infos = [info] if "raised_exception" in info else list(info.values())
    for broken in infos:
        if broken["raised_exception"]:
            message, trace = broken["exception_message"], broken["exception_traceback"]
            raise RuntimeError(f"{claim.table}.{claim.name} could not be computed: {message}\n{trace}")


def _plain_row(row: pd.Series) -> dict[str, Any]:
    plain = {str(name): _plain(value) for name, value in row.items()}
    return {name: value for name, value in plain.items() if value is not None}


def _plain(value: Any) -> Any:
    """The value as JSON knows it; None where it is missing."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def blocks(claim: Claim, params: ValidateParams) -> bool:
    """Whether the snapshot is refused when the claim fails; a name not listed blocks."""
    return params.severity.get(claim.name, "blocking") == "blocking"


def summarise(verdicts: list[Verdict], skipped: list[Skipped], params: ValidateParams) -> dict[str, Any]:
    """The report: whether accepted, every expectation with its verdict, what was not asked and why."""
    failed = [v for v in verdicts if not v.holds]
    return {
        "accepted": not any(blocks(v.claim, params) for v in failed),
        "failed": {
            "blocking": sum(blocks(v.claim, params) for v in failed),
            "warning": sum(not blocks(v.claim, params) for v in failed),
        },
        "expectations": [_entry(v, params) for v in verdicts],
        "skipped": [vars(s) for s in skipped],
    }


def _entry(verdict: Verdict, params: ValidateParams) -> dict[str, Any]:
    claim = verdict.claim
    entry = {
        "table": claim.table,
        "name": claim.name,
        "expects": claim.sentence,
        "severity": "blocking" if blocks(claim, params) else "warning",
        "holds": verdict.holds,
        "rows": verdict.rows,
        "unexpected": verdict.unexpected,
        "observed": verdict.observed,
        "first": verdict.first,
    }
    return {key: value for key, value in entry.items() if value is not None and value != []}


def _tell(verdicts: list[Verdict], skipped: list[Skipped], params: ValidateParams) -> None:
    log.info("%d of %d expectations hold", sum(v.holds for v in verdicts), len(verdicts))
    for s in skipped:
        log.info("skipped %s of %s: %s", s.name, s.table, s.reason)
    for v in verdicts:
        if not v.holds and not blocks(v.claim, params):
            log.warning("%s", sentence(v))


def sentence(verdict: Verdict) -> str:
    """A failed claim in one line: its name, how many rows break it or what was observed."""
    claim = verdict.claim
    if verdict.unexpected is None:
        observed = "" if verdict.observed is None else f"; observed {verdict.observed}"
        return f"{claim.name}: {claim.table} breaks `{claim.sentence}`{observed}"
    return f"{claim.name}: {verdict.unexpected} of {verdict.rows} rows of {claim.table} break `{claim.sentence}`"


def refusal(verdicts: list[Verdict], params: ValidateParams, where: str) -> str:
    """Why no snapshot was made: each failed blocking expectation with its first offending rows."""
    lines = [f"snapshot refused; see {where}"]
    for verdict in verdicts:
        if not verdict.holds and blocks(verdict.claim, params):
            lines.append(f"  {sentence(verdict)}")
            lines += [f"    {json.dumps(row, ensure_ascii=False)}" for row in verdict.first]
    return "\n".join(lines)


def accept(
    tables: Mapping[str, pd.DataFrame], canonical: Path, snapshot: Path, facts: dict[str, str], as_of: datetime
) -> None:
    """Copy the judged files to the snapshot and seal them with a manifest."""
    snapshot.mkdir(parents=True)
    for name in tables:
        shutil.copyfile(canonical / f"{name}.parquet", snapshot / f"{name}.parquet")
    time, data_hash = tables[schema.EVENTS.name]["time"], files.hash_folder(snapshot)
    manifest = {
        **facts,
        "data_hash": data_hash,
        "rows": {name: len(table) for name, table in tables.items()},
        "span": [time.min().isoformat(), time.max().isoformat()],
        "as_of": as_of.isoformat(),
    }
    files.write_json(manifest, snapshot / "manifest.json")
    log.info("accepted %s: %s", snapshot, data_hash[:12])


if __name__ == "__main__":
    run(main)
