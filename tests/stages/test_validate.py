"""Validation: a bad shop gets no snapshot and hears why; a good one gets exactly what it gave."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import expectations, validate
from stages.expectations import Claim, Skipped
from tandem import files
from tandem.data import schema
from tandem.errors import ParamsError, SnapshotRefused
from tandem.params import ValidateParams

pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # by Great Expectations' import

PARAMS = {
    "as_of": "2020-02-01T00:00:00Z",
    "max_days_since_last_event": 2,
    "max_refused_share": 0.25,
    "volume_ratio": [0.5, 2.0],
    "max_unit_price": 100,
    "max_quantity": 10,
    "severity": {},
}
ACCOUNT = {"file": "a.csv", "rows": 10, "kept": 6, "duplicates": 2, "refused": 2}


def _typed(table: schema.Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pa.table({c.name: pa.array([r.get(c.name) for r in rows], c.type) for c in table.columns}).to_pandas()


def _event(number: int, **more: Any) -> dict[str, Any]:
    time = pd.Timestamp(f"2020-01-{25 + number}T10:00:00Z")
    plain = {"event_id": f"e{number}", "user_id": "u", "product_id": "p1", "kind": "view", "time": time, "quantity": 1}
    return {**plain, **more}


def _tables() -> dict[str, list[dict[str, Any]]]:
    """A shop without fault: six events on 2020-01-25 … 30."""
    review = {"review_id": "r0", "product_id": "p1", "time": pd.Timestamp("2020-01-30", tz="UTC"), "rating": 5}
    return {
        "products": [{"product_id": p, "category": ["tea"], "price": 5} for p in ("p1", "p2")],
        "events": [_event(n) for n in range(6)],
        "reviews": [review],
        "users": [{"user_id": "u", "attributes": "{}"}],
        "relations": [{"product_id": "p1", "other_id": "p2", "kind": "complement"}],
    }


@dataclass
class Shop:
    """A folder in which the stage can run."""

    home: Path

    def write(
        self,
        tables: dict[str, list[dict[str, Any]]],
        params: dict[str, Any] | None = None,
        account: dict[str, Any] | None = None,
        accepted: dict[str, Any] | None = None,
    ) -> None:
        for name, rows in tables.items():
            table = schema.TABLES[name]
            files.write(_typed(table, rows), self.home / "canonical" / f"{name}.parquet", table)
        accounts = [{"table": "events", **(account or ACCOUNT)}]
        files.write_json({"source": "tea", "key_id": "0011aabb", "files": accounts}, self.home / "ingest.json")
        (self.home / "params.yaml").write_text(yaml.safe_dump({"validate": {**PARAMS, **(params or {})}}))
        if accepted:
            files.write_json(accepted, self.home / "accepted" / "manifest.json")

    def validate(self) -> dict[str, Any]:
        """Run the stage and return its report."""
        names = "canonical", "accepted", "as_of.txt", "ingest.json", "snapshot", "docs", "validation.json"
        validate.main(*(self.home / name for name in names))
        return self.report()

    def report(self) -> dict[str, Any]:
        return files.read_json(self.home / "validation.json")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, str]:
    """A shop with every fault at once, and what the refusal says."""
    tables = _tables()
    tables["events"] += [
        _event(0, event_id="future", time=pd.Timestamp("2020-02-01", tz="UTC")),
        _event(0, event_id="twice"),
        _event(0, event_id="twice"),
        _event(0, event_id="orphan", product_id="nowhere"),
        _event(0, event_id="nothing", quantity=0),
        _event(0, event_id="much", quantity=10.5),
        _event(0, event_id="dear", unit_price=100.5),
        _event(0, event_id="strange", kind="steal"),
    ] + [_event(0, event_id=f"negative{n}", unit_price=-1) for n in range(7)]
    tables["products"] += [{"product_id": "p3", "category": [], "price": -1, "stock": -2}]
    tables["reviews"] += [{**tables["reviews"][0], "review_id": "r1", "rating": 6, "product_id": "nowhere"}]
    tables["relations"] *= 2
    tables["relations"] += [{"product_id": "p1", "other_id": "nowhere", "kind": "substitute"}]
    shop = Shop(tmp_path_factory.mktemp("bad"))
    account = {**ACCOUNT, "kept": 5, "refused": 3}
    rows = {"products": 3, "events": 1000, "reviews": 1, "users": 0}
    shop.write(tables, {}, {**account, "rows": 11}, {"source": "tea", "rows": rows})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop.home)
        with pytest.raises(SnapshotRefused) as refused:
            shop.validate()
    return shop, str(refused.value)


FAULTS = [
    ("events", "future_events", 1, "event_id", ["future"]),
    ("events", "unique_key", 2, "event_id", ["twice", "twice"]),
    ("events", "orphan_products", 1, "event_id", ["orphan"]),
    ("events", "quantity_range", 2, "event_id", ["nothing", "much"]),
    ("events", "price_range", 8, "event_id", ["dear", "negative0", "negative1", "negative2", "negative3"]),
    ("events", "known_values", 1, "event_id", ["strange"]),
    ("products", "price_range", 1, "product_id", ["p3"]),
    ("products", "value_range", 1, "product_id", ["p3"]),
    ("reviews", "value_range", 1, "review_id", ["r1"]),
    ("reviews", "orphan_products", 1, "review_id", ["r1"]),
    ("relations", "unique_key", 2, "other_id", ["p2", "p2"]),
    ("relations", "orphan_products", 1, "other_id", ["nowhere"]),
    ("raw_files", "exact_accounting", 1, "file", ["a.csv"]),
    ("raw_tables", "refused_share", 1, "table", ["events"]),
]


@pytest.mark.parametrize(("table", "name", "count", "key", "first"), FAULTS, ids=lambda value: str(value))
def test_a_fault_is_found_counted_and_shown(
    bad: tuple[Shop, str], table: str, name: str, count: int, key: str, first: list[str]
) -> None:
    shop, message = bad
    found = [e for e in shop.report()["expectations"] if (e["table"], e["name"]) == (table, name) and not e["holds"]]
    assert len(found) == 1
    assert found[0]["unexpected"] == count
    assert [row[key] for row in found[0]["first"]] == first
    assert found[0]["severity"] == "blocking"
    assert f"{name}: {count} of {found[0]['rows']} rows of {table} break `{found[0]['expects']}`" in message


def test_only_the_planted_faults_are_found(bad: tuple[Shop, str]) -> None:
    failed = {(e["table"], e["name"]) for e in bad[0].report()["expectations"] if not e["holds"]}
    assert failed == {fault[:2] for fault in FAULTS} | {("events", "volume")}
    assert bad[0].report()["failed"] == {"blocking": len(FAULTS) + 1, "warning": 0}


def test_the_refusal_shows_at_most_five_rows_and_where_to_look(bad: tuple[Shop, str]) -> None:
    shop, message = bad
    assert message.startswith(f"snapshot refused; see {shop.home / 'validation.json'} and {shop.home / 'docs'}")
    assert '"event_id": "negative3"' in message
    assert '"event_id": "negative4"' not in message
    assert "unknown_" not in message


def test_volume_is_compared_with_the_snapshot_accepted_before(bad: tuple[Shop, str]) -> None:
    """1000 events were accepted, half of them must come again; 21 came."""
    volume = {e["table"]: e for e in bad[0].report()["expectations"] if e["name"] == "volume"}
    assert volume["events"]["observed"] == 21
    assert volume["events"]["expects"] == "has 500 to 2000 rows; 1000 were accepted before"
    assert volume["products"]["holds"]
    assert {s["table"] for s in bad[0].report()["skipped"]} == {"users", "relations"}


def test_a_refused_shop_has_docs_and_report_but_no_snapshot(bad: tuple[Shop, str]) -> None:
    shop, _ = bad
    assert not (shop.home / "snapshot").exists()
    page = next((shop.home / "docs" / "validations" / "events").rglob("*.html")).read_text("utf-8")
    for seen in ("orphan_products: product_id is in products", "nowhere", "future_events: time is before as_of"):
        assert seen in page


def test_a_good_shop_becomes_the_snapshot_byte_for_byte(shop: Shop) -> None:
    shop.write(_tables())
    report = shop.validate()
    assert report["accepted"]
    assert all(e["holds"] for e in report["expectations"])
    assert report["skipped"] == [{"table": "all", "name": "volume", "reason": "no snapshot was accepted before"}]
    names = {p.name for p in (shop.home / "snapshot").iterdir()}
    assert names == {f"{t}.parquet" for t in _tables()} | {"manifest.json"}
    for table in _tables():
        copied, given = (shop.home / folder / f"{table}.parquet" for folder in ("snapshot", "canonical"))
        assert files.hash_file(copied) == files.hash_file(given)
    manifest = files.read_json(shop.home / "snapshot" / "manifest.json")
    assert manifest.pop("data_hash") == files.hash_folder(shop.home / "canonical")
    assert manifest == {
        "source": "tea",
        "key_id": "0011aabb",
        "rows": {"products": 2, "events": 6, "reviews": 1, "users": 1, "relations": 1},
        "span": ["2020-01-25T10:00:00+00:00", "2020-01-30T10:00:00+00:00"],
        "as_of": "2020-02-01T00:00:00+00:00",
    }


def test_the_same_shop_gives_the_same_bytes_docs_included(shop: Shop) -> None:
    shop.write(_tables())
    hashes = []
    for _ in range(2):
        shop.validate()
        hashes.append([files.hash_folder(shop.home / name) for name in ("snapshot", "docs")])
        hashes[-1].append(files.hash_file(shop.home / "validation.json"))
    assert hashes[0] == hashes[1]


def test_a_failed_warning_is_told_and_lets_the_snapshot_through(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """The last event came on 01-30 at ten; at noon on 02-01 that is more than two days ago."""
    shop.write(_tables(), {"as_of": "2020-02-01T12:00:00Z", "severity": {"freshness": "warning"}})
    report = shop.validate()
    assert report["failed"] == {"blocking": 0, "warning": 1}
    assert (shop.home / "snapshot" / "manifest.json").exists()
    told = next(record.message for record in caplog.records if record.levelname == "WARNING")
    assert told.startswith("freshness: events breaks `the last event is at most 2 days before as_of")
    assert told.endswith("observed 2020-01-30T10:00:00+00:00")


def test_a_refusal_takes_the_old_snapshot_away(shop: Shop) -> None:
    shop.write(_tables())
    shop.validate()
    shop.write({**_tables(), "events": []})
    with pytest.raises(SnapshotRefused, match="not_empty: events breaks `has rows`; observed 0"):
        shop.validate()
    assert not (shop.home / "snapshot").exists()
    assert {"table": "events", "name": "freshness", "reason": "there are no events"} in shop.report()["skipped"]


def test_from_the_command_line_a_refusal_is_a_message_and_a_failure(shop: Shop, root: Path) -> None:
    tables = _tables()
    tables["events"][0]["product_id"] = "nowhere"
    shop.write(tables)
    names = ["canonical", "accepted", "as_of.txt", "ingest.json", "snapshot", "docs", "validation.json"]
    command = [sys.executable, "-m", "stages.validate", *names]
    done = subprocess.run(command, cwd=shop.home, env={"PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "error: snapshot refused; see validation.json and docs/index.html\n" in done.stderr
    assert "  orphan_products: 1 of 6 rows of events break `product_id is in products`\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert "great_expectations" not in done.stderr


def _judge(tmp_path: Path, claims: list[Claim], frame: pd.DataFrame) -> list[validate.Verdict]:
    params = ValidateParams.parse(PARAMS)
    return validate.judge({"events": frame}, claims, params, tmp_path / "docs", datetime(2020, 2, 1, tzinfo=UTC))


def test_a_broken_engine_is_an_error_and_not_bad_data(tmp_path: Path) -> None:
    claim = Claim("events", "required", "x is never missing", "ExpectColumnValuesToNotBeNull", {"column": "x"})
    with pytest.raises(RuntimeError, match=r"events.required could not be computed: .*\"x\""):
        _judge(tmp_path, [claim], _typed(schema.EVENTS, [_event(0)]))


def test_missing_values_and_columns_are_found(tmp_path: Path) -> None:
    """The reader refuses such files before; the suite does not rely on it."""
    claims = list(expectations.of_schema(schema.EVENTS, ValidateParams.parse(PARAMS)))
    claims = [c for c in claims if c.name == "columns" or "event_id" in c.arguments.values()]
    frame = _typed(schema.EVENTS, [_event(0), _event(1, event_id=None)]).drop(columns="order_id")
    failed = {v.claim.name: v for v in _judge(tmp_path, claims, frame) if not v.holds}
    assert set(failed) == {"columns", "required"}
    assert failed["required"].unexpected == 1
    assert failed["required"].first[0]["time"] == "2020-01-26T10:00:00+00:00"


def test_every_claim_bears_a_name_that_params_may_hold_and_every_name_is_used() -> None:
    params = ValidateParams.parse(PARAMS)
    tables = {name: _typed(schema.TABLES[name], rows) for name, rows in _tables().items()}
    claims, skipped = expectations.ask(tables, params, datetime(2020, 2, 1, tzinfo=UTC), {"events": 6})
    assert {c.name for c in claims} == set(expectations.NAMES)
    assert {s.name for s in skipped} == {"volume"}
    required = {(c.table, c.arguments["column"]) for c in claims if c.name == "required"}
    assert required == {(t.name, c.name) for t in expectations.TABLES for c in t.columns if not c.nullable}


def test_an_unknown_name_of_severity_is_refused_with_the_known_ones() -> None:
    params = ValidateParams.parse({**PARAMS, "severity": {"freshnes": "warning"}})
    tables = {name: _typed(schema.TABLES[name], rows) for name, rows in _tables().items()}
    with pytest.raises(ParamsError, match=r"`validate.severity.freshnes`.* Known names: columns, .*freshness"):
        expectations.ask(tables, params, datetime(2020, 2, 1, tzinfo=UTC), "none")


@given(
    products=st.sets(st.sampled_from("abcde")),
    asked=st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=12),
)
@settings(max_examples=25, deadline=None)
def test_unknown_references_are_exactly_those_that_products_lacks(products: set[str], asked: list[tuple]) -> None:
    tables = {name: _typed(schema.TABLES[name], []) for name in _tables()}
    tables["products"] = _typed(schema.PRODUCTS, [{"product_id": p, "category": []} for p in sorted(products)])
    rows = [{"product_id": a, "other_id": b, "kind": "complement"} for a, b in asked]
    tables["relations"] = _typed(schema.RELATIONS, rows)
    found = expectations.judged(tables, [])["relations"]
    for place, column in enumerate(("unknown_product_id", "unknown_other_id")):
        expected = [pair[place] for pair in asked if pair[place] not in products]
        assert found[column].dropna().tolist() == expected


def test_as_of_is_a_moment_in_utc(tmp_path: Path) -> None:
    params = ValidateParams.parse({**PARAMS, "as_of": "2020-01-01T08:00:00+08:00"})
    assert validate.moment(params, tmp_path / "not needed") == datetime(2020, 1, 1, tzinfo=UTC)


def test_as_of_without_zone_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"`validate\.as_of\.datetime.*timezone"):
        ValidateParams.parse({**PARAMS, "as_of": "2020-01-01T00:00:00"})


def test_now_is_when_raw_files_last_came_in(tmp_path: Path) -> None:
    (tmp_path / "as_of.txt").write_text("2020-01-01T02:30:00+00:00\n")
    now = validate.moment(ValidateParams.parse({**PARAMS, "as_of": "now"}), tmp_path / "as_of.txt")
    assert now == datetime(2020, 1, 1, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        (None, "no snapshot was accepted before"),
        ({"source": "coffee", "rows": {"events": 3}}, "the snapshot accepted before is of source coffee"),
        ({"source": "tea", "rows": {"events": 3}}, {"events": 3}),
    ],
)
def test_only_a_snapshot_of_the_same_source_is_compared_with(tmp_path: Path, manifest: Any, found: Any) -> None:
    if manifest:
        files.write_json(manifest, tmp_path / "manifest.json")
    assert validate.previous_rows(tmp_path / "manifest.json", "tea") == found


def test_a_table_that_was_empty_before_has_no_volume_to_keep() -> None:
    params = ValidateParams.parse(PARAMS)
    asked: Callable = lambda rows: {a.table: type(a) for a in expectations.of_volume(rows, params)}  # noqa: E731
    assert asked({"events": 5, "users": 0})["users"] is Skipped
    assert asked({"events": 5, "users": 0})["events"] is Claim
