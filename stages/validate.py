"""Judge the canonical tables; accept them as the snapshot only when every blocking expectation holds.

Reads   data/canonical/{products,events,reviews,users,relations,refused}.parquet    tandem.data.schema
        data/accepted/manifest.json, profile.json   the snapshot accepted before, if there is one
        data/accepted/runs/             Data Docs of earlier judgements
        data/raw/as_of.txt              when raw files last came in, the `now` of `validate.as_of`
        reports/ingest.json             rows in, kept, duplicate and refused, by file
Writes  data/docs/                      Data Docs: every expectation, what was observed, offending and refused rows
        reports/validation.json         the same as data, with the first offending rows
        data/snapshot/**/*.parquet      the canonical files, byte for byte; only when accepted
        data/snapshot/profile.json      counts that the next judgement compares with
        data/snapshot/manifest.json     written last: a snapshot with a manifest is complete
Params  validate                        tandem.params.ValidateParams

Nothing is repaired here. When a blocking expectation fails, report and docs are written, the snapshot is not.
No table is read into memory: `stages.measures` computes one number per claim, and Great Expectations judges these.
"""

import gc
import importlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pandas as pd

from stages import expectations, leave, measures, pages, profiles, run
from stages.expectations import Claim, Skipped
from stages.profiles import Profile
from tandem import files
from tandem.data import schema
from tandem.errors import SnapshotRefused
from tandem.params import ValidateParams

log = logging.getLogger(__name__)

TOLD = ("event_id", "review_id", "product_id", "kind", "time", "quantity", "unit_price", "rating", "language")
"""What a message shows of a row of a table with users: nothing that leads to one. Messages are kept in logs and in
Prefect's database; report and Data Docs show whole rows, and leave with the person."""


@dataclass(frozen=True)
class Verdict:
    """What came of one claim."""

    claim: Claim
    holds: bool
    observed: Any  # the value that was judged, for claims on a whole table or column; else one to show, if there is one
    unexpected: int | None  # rows that break the claim, for claims on rows
    rows: int  # of the table
    first: list[dict[str, Any]]  # the first rows that break it


@dataclass(frozen=True)
class Measured:
    """What is known of the tables before anything is judged."""

    profile: Profile
    claims: list[Claim]
    values: list[Any]  # by claim
    first: list[list[dict[str, Any]]]  # by claim, the first rows that break it
    rows: Mapping[str, int]  # by table
    skipped: list[Skipped]
    refused: list[dict[str, Any]]  # rows by table and rule


def main(canonical: Path, accepted: Path, now: Path, ingest: Path, snapshot: Path, docs: Path, report: Path) -> None:
    """Write Data Docs and report, then either the snapshot or a refusal.

    Raises:
        SnapshotRefused: a blocking expectation fails; names it, the count and the first offending rows, not users.
        RuntimeError: an expectation could not be computed; that says nothing about the data.
    """
    params = ValidateParams.read()
    Thread(target=_import, name="import").start()
    for folder in (snapshot, docs):
        shutil.rmtree(folder, ignore_errors=True)
    as_of = moment(params, now)
    facts = files.read_json(ingest)
    before = profiles.before(accepted / "manifest.json", facts["source"])
    measured = compute(canonical, facts["files"], params, as_of, before)
    page = pages.begin(docs, accepted / pages.RUNS, facts["source"], params.docs_runs)
    verdicts = judge(measured, params, page, as_of)
    summary = summarise(verdicts, measured.skipped, params)
    written = {**summary, "source": facts["source"], "as_of": as_of.isoformat()}
    files.write_json(written, report)
    pages.finish(page, written, measured.refused)
    _tell(verdicts, measured.skipped, params)
    if not summary["accepted"]:
        raise SnapshotRefused(refusal(verdicts, params, f"{report} and {docs / 'index.html'}"))
    accept(canonical, snapshot, measured.profile, manifest(facts, summary, measured.profile, as_of))


def _import() -> None:
    """Import Great Expectations, which takes seconds, while the tables are measured."""
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # its import alone logs hundreds of lines
    importlib.import_module("great_expectations.expectations")


def moment(params: ValidateParams, now: Path) -> datetime:
    """`as_of` in UTC; the file `now` tells what `now` means, so that a rerun judges as before.

    Raises:
        FileNotFoundError: `now` is asked for and not told.
    """
    as_of = datetime.fromisoformat(now.read_text("ascii").strip()) if params.as_of == "now" else params.as_of
    return as_of.astimezone(UTC)


def compute(
    canonical: Path,
    accounts: Sequence[Mapping[str, Any]],
    params: ValidateParams,
    as_of: datetime,
    before: profiles.Before | str,
) -> Measured:
    """Everything that is asked of the tables, as numbers and few rows.

    Raises:
        RuntimeError: DuckDB could not compute it; that says nothing about the data.
    """
    try:
        with measures.open_tables(canonical, accounts) as tables:
            profile = profiles.take(tables)
            asked, skipped = expectations.ask(tables, profile, params, as_of, before)
            values = measures.measure(tables, [(claim.table, claim.measure) for claim in asked])
            return _measured(tables, profile, asked, values, skipped)
    except duckdb.Error as error:
        raise RuntimeError(f"the tables in {canonical} could not be measured: {error}") from error


def _measured(
    tables: measures.Tables, profile: Profile, asked: list[Claim], values: list[Any], skipped: list[Skipped]
) -> Measured:
    """Claims that have a value, and the first rows that break each; those without are skipped."""
    judged = [(claim, value) for claim, value in zip(asked, values, strict=True) if value is not None]
    absent = [claim for claim, value in zip(asked, values, strict=True) if value is None]
    first = [measures.first_rows(tables, c.table, c.measure) if c.counts_rows and n else [] for c, n in judged]
    skipped = [*skipped, *(Skipped(c.table, c.name, c.absent) for c in absent)]
    rows = {name: measures.whole(tables[name].count()) for name in {claim.table for claim, _ in judged}}
    claims, found = [claim for claim, _ in judged], [value for _, value in judged]
    return Measured(profile, claims, found, first, rows, skipped, measures.refused(tables))


def judge(measured: Measured, params: ValidateParams, docs: Path, as_of: datetime) -> list[Verdict]:
    """Run the claims with Great Expectations, one suite per table, and build Data Docs in `docs`.

    Returns:
        One verdict per claim, in the order of the claims.

    Raises:
        RuntimeError: an expectation could not be computed; that says nothing about the data.
    """
    context, verdicts, claims = _context(docs), {}, measured.claims
    for name in dict.fromkeys(claim.table for claim in claims):
        places = [place for place, claim in enumerate(claims) if claim.table == name]
        frame = pd.DataFrame({claims[place].column: [measured.values[place]] for place in places})
        suite = [_expectation(place, claims[place], blocks(claims[place], params)) for place in places]
        for result in _run(context, name, frame, suite, as_of):
            place = result.expectation_config.meta["place"]
            verdicts[place] = _verdict(place, measured, result)
    context.build_data_docs(site_names=["docs"])
    return [verdicts[place] for place in range(len(claims))]


def _context(docs: Path) -> Any:
    """A project in memory, quiet, whose only site is `docs`."""
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
    """The claim for Great Expectations, about the one measured value; `place` finds its result again."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.metadata_types import FailureSeverity

    return gxe.ExpectColumnMaxToBeBetween(
        column=claim.column,
        min_value=claim.at_least,
        max_value=claim.at_most,
        description=f"{claim.name}: {claim.sentence}",
        severity=FailureSeverity.CRITICAL if blocking else FailureSeverity.WARNING,
        meta={"place": place},
    )


def _run(context: Any, name: str, frame: pd.DataFrame, suite: list[Any], as_of: datetime) -> list[Any]:
    """The results of one suite over one table, in no particular order."""
    import great_expectations as gx

    source = context.data_sources.add_or_update_pandas("canonical")
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    stored = context.suites.add(gx.ExpectationSuite(name, suite))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=stored))
    validation = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={"result_format": "SUMMARY"},
        run_id=gx.RunIdentifier(run_name="as_of", run_time=as_of),
    )
    return list(validation.results)


def _verdict(place: int, measured: Measured, result: Any) -> Verdict:
    claim, value = measured.claims[place], measured.values[place]
    _raise_if_broken(claim, result.exception_info or {})
    rows, first = measured.rows[claim.table], measured.first[place]
    observed = claim.shown if claim.counts_rows or claim.name == "columns" else measures.plain(value)
    return Verdict(claim, bool(result.success), observed, value if claim.counts_rows else None, rows, first)


def _raise_if_broken(claim: Claim, info: Mapping[str, Any]) -> None:
    """Great Expectations reports a failed computation as `success: False`; tell it from bad data."""
    infos = [info] if "raised_exception" in info else list(info.values())
    for broken in infos:
        if broken["raised_exception"]:
            message, trace = broken["exception_message"], broken["exception_traceback"]
            raise RuntimeError(f"{claim.table}.{claim.name} could not be computed: {message}\n{trace}")


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
    for reason in dict.fromkeys(s.reason for s in skipped):
        log.info(
            "skipped, as %s: %s", reason, ", ".join(f"{s.name} of {s.table}" for s in skipped if s.reason == reason)
        )
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
    """Why no snapshot was made: each failed blocking expectation with its first offending rows, without users."""
    lines = [f"snapshot refused; see {where}, which show whole rows"]
    for verdict in verdicts:
        if not verdict.holds and blocks(verdict.claim, params):
            lines.append(f"  {sentence(verdict)}")
            rows = [told for row in verdict.first if (told := _told(verdict.claim.table, row))]
            lines += [f"    {json.dumps(row, ensure_ascii=False)}" for row in rows]
    return "\n".join(lines)


def _told(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a row that a message may show."""
    has_users = table in schema.TABLES and "user_id" in schema.TABLES[table].names
    return {name: value for name, value in row.items() if name in TOLD or not has_users}


def manifest(facts: Mapping[str, Any], summary: Mapping[str, Any], profile: Profile, as_of: datetime) -> dict[str, Any]:
    """What is known of an accepted snapshot, without the hash of its files."""
    return {
        "source": facts["source"],
        "key_id": facts["key_id"],
        "rows": profile.rows,
        "span": profile.span,
        "as_of": as_of.isoformat(),
        "files": [_file(account) for account in facts["files"]],
        "suite": {
            "asked": len(summary["expectations"]),
            "held": sum(e["holds"] for e in summary["expectations"]),
            "warnings": sorted({e["name"] for e in summary["expectations"] if not e["holds"]}),
            "skipped": sorted({s["name"] for s in summary["skipped"]}),
        },
    }


def _file(account: Mapping[str, Any]) -> dict[str, Any]:
    """One raw file of the manifest."""
    named = ("table", "sha256", "bytes", *measures.COUNTS)
    return {"name": account["file"], **{name: account.get(name) for name in named}}


def accept(canonical: Path, snapshot: Path, profile: Profile, facts: Mapping[str, Any]) -> None:
    """Copy the judged files to the snapshot and seal them with a manifest; the kernel copies, no file is in memory."""
    snapshot.mkdir(parents=True)
    for name in (f"{table.name}.parquet" for table in measures.SNAPSHOT):
        files.copy(canonical / name, snapshot / name)
    data_hash = files.hash_folder(snapshot)
    files.write_json(profile.json(), snapshot / "profile.json")
    files.write_json({**facts, "data_hash": data_hash}, snapshot / "manifest.json")
    log.info("accepted %s: version %s", snapshot, data_hash[:12])


if __name__ == "__main__":
    gc.disable()  # half a million objects come with Great Expectations and stay: looking for garbage takes a second
    run(main)
    leave()
