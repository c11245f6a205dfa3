"""Validation: a bad shop gets no snapshot and hears why; a good one gets exactly what it gave."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from stages import expectations, measures, profiles, validate
from stages.expectations import Claim, Skipped
from stages.measures import Known
from stages.profiles import Before, Profile
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
    "must_have_rows": ["products", "events"],
    "max_unseen_purchases": 0.5,
    "max_reviewers_without_purchase": 0.5,
    "max_behaviour_psi": 0.25,
    "max_category_psi": 0.25,
    "max_price_ks": 0.2,
    "max_activity_ks": 0.3,
    "docs_runs": 3,
    "severity": {},
}
AS_OF = datetime(2020, 2, 1, tzinfo=UTC)
ACCOUNT = {"file": "a.csv", "sha256": "ab" * 32, "bytes": 99, "rows": 10, "kept": 6, "duplicates": 2, "refused": 2}


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
        for name, rows in {"refused": [], **tables}.items():
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


def test_users_stand_in_report_and_docs_and_not_in_the_message(shop: Shop) -> None:
    """A message is kept where no erasure looks first: in logs, and in Prefect's database."""
    person, session, order = "b0344c61d8db38535ca8afceaf0bf12b", "session of erin", "order of erin"
    tables = _tables()
    tables["events"][1] |= {"user_id": person, "session_id": session, "order_id": order, "quantity": 99}
    tables["reviews"] = [{**tables["reviews"][0], "user_id": person, "text": "it is me, Erin", "rating": 9}]
    tables["users"] *= 2
    shop.write(tables)
    with pytest.raises(SnapshotRefused) as refused:
        shop.validate()
    message = str(refused.value)
    where = f"{shop.home / 'validation.json'} and {shop.home / 'docs' / 'index.html'}, which show whole rows"
    assert message.startswith(f"snapshot refused; see {where}")
    assert '{"event_id": "e1", "product_id": "p1", "kind": "view", ' in message
    assert '{"review_id": "r0", "product_id": "p1", ' in message
    assert "unique_key: 2 of 2 rows of users" in message
    assert not [word for word in ('"user_id"', person, "erin", "Erin") if word in message]
    page = (shop.home / "docs" / "runs" / "0001" / "index.html").read_text("utf-8")
    for shown in (person, session, order, "it is me, Erin"):
        assert shown in page
        assert shown in (shop.home / "validation.json").read_text("utf-8")


def test_volume_is_compared_with_the_snapshot_accepted_before(bad: tuple[Shop, str]) -> None:
    """1000 events were accepted, half of them must come again; 21 came."""
    volume = {e["table"]: e for e in bad[0].report()["expectations"] if e["name"] == "volume"}
    assert volume["events"]["observed"] == 21
    assert volume["events"]["expects"] == "has 500 to 2000 rows; 1000 were accepted before"
    assert volume["products"]["holds"]
    assert {s["table"] for s in bad[0].report()["skipped"] if s["name"] == "volume"} == {"users", "relations"}


def test_a_refused_shop_has_docs_and_report_but_no_snapshot(bad: tuple[Shop, str]) -> None:
    shop, _ = bad
    assert not (shop.home / "snapshot").exists()
    run = shop.home / "docs" / "runs" / "0001"
    page = next((run / "validations" / "events").rglob("*.html")).read_text("utf-8")
    for seen in ("orphan_products: product_id is in products", "future_events: time is before validate.as_of"):
        assert seen in page
    assert "nowhere" in (run / "index.html").read_text("utf-8")


def test_a_good_shop_becomes_the_snapshot_byte_for_byte(shop: Shop) -> None:
    shop.write(_tables())
    report = shop.validate()
    assert report["accepted"]
    assert all(e["holds"] for e in report["expectations"])
    reasons = {s["name"]: s["reason"] for s in report["skipped"]}
    assert reasons.pop("reviewers_without_purchase") == "there are no purchases"
    assert reasons.pop("unseen_purchases") == "there are no purchases by known users"
    assert set(reasons.values()) == {"no snapshot was accepted before"}
    names = {p.name for p in (shop.home / "snapshot").iterdir()}
    assert names == {f"{t}.parquet" for t in _tables()} | {"manifest.json", "profile.json"}
    for table in _tables():
        copied, given = (shop.home / folder / f"{table}.parquet" for folder in ("snapshot", "canonical"))
        assert files.hash_file(copied) == files.hash_file(given)
    manifest = files.read_json(shop.home / "snapshot" / "manifest.json")
    ignored = frozenset({"refused.parquet"})
    assert manifest.pop("data_hash") == files.hash_folder(shop.home / "canonical", ignored)
    assert manifest.pop("suite") == {
        "asked": len(report["expectations"]),
        "held": len(report["expectations"]),
        "warnings": [],
        "skipped": sorted({s["name"] for s in report["skipped"]}),
    }
    assert manifest == {
        "files": [
            {"name": "a.csv", "table": "events", "sha256": "ab" * 32, "bytes": 99, "rows": 10, "kept": 6}
            | {"duplicates": 2, "refused": 2}
        ],
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
    assert told.startswith(
        "freshness: events breaks `the last event is at most 2 days (validate.max_days_since_last_event) before "
        "validate.as_of, which is 2020-02-01T12:00:00Z in params.yaml; so it is not before 2020-01-30T12:00:00Z`"
    )
    assert told.endswith("observed 2020-01-30T10:00:00+00:00")


def test_the_refusal_of_an_event_to_come_names_the_key_to_change(shop: Shop) -> None:
    shop.write(_tables(), {"as_of": "2020-01-30T00:00:00Z", "severity": {"freshness": "off"}})
    named = "`time is before validate.as_of, which is 2020-01-30T00:00:00Z in params.yaml`"
    with pytest.raises(SnapshotRefused, match=f"future_events: 1 of 6 rows of events break {named}"):
        shop.validate()
    (shop.home / "as_of.txt").write_text("2020-01-30T00:00:00+00:00\n")
    shop.write(_tables(), {"as_of": "now", "severity": {"freshness": "off"}})
    with pytest.raises(SnapshotRefused, match=r"validate\.as_of, which is now: 2020-01-30T00:00:00Z, when raw files"):
        shop.validate()


def test_of_raw_rows_the_docs_show_the_largest_share_refused_and_the_most_lost(shop: Shop) -> None:
    """Of ten rows of events two are refused; of 40 of users seven, in another file, and none got lost."""
    users = {"table": "users", "file": "u.csv", "rows": 40, "kept": 33, "duplicates": 0, "refused": 7}
    shop.write(_tables())
    facts = files.read_json(shop.home / "ingest.json")
    files.write_json({**facts, "files": [*facts["files"], users]}, shop.home / "ingest.json")
    found = {e["name"]: e["observed"] for e in shop.validate()["expectations"] if e["table"].startswith("raw_")}
    assert found == {"exact_accounting": 0, "refused_share": 0.2}
    page = (shop.home / "docs" / "runs" / "0001" / "index.html").read_text("utf-8")
    assert "<td>2</td><td>0</td><td>0.2</td>" in page


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
    assert "error: snapshot refused; see validation.json and docs/index.html, which show whole rows\n" in done.stderr
    assert "  orphan_products: 1 of 6 rows of events break `product_id is in products`\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert "great_expectations" not in done.stderr


def _measured(claims: list[Claim], values: list[Any]) -> validate.Measured:
    profile = Profile({}, None, {}, {}, {}, {}, {})
    return validate.Measured(profile, claims, values, [[] for _ in claims], {"events": 1}, [], [])


def test_a_broken_engine_is_an_error_and_not_bad_data(tmp_path: Path) -> None:
    """A text has no place between two numbers: Great Expectations itself says only that the claim does not hold."""
    claim = Claim("events", "required", "x", "x is never missing", Known(0))
    with pytest.raises(RuntimeError, match=r"events.required could not be computed: "):
        validate.judge(_measured([claim], ["a"]), ValidateParams.parse(PARAMS), tmp_path / "docs", AS_OF)


def test_a_file_cut_short_is_an_error_and_not_bad_data(shop: Shop) -> None:
    shop.write(_tables())
    path = shop.home / "canonical" / "events.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"the tables in .*canonical could not be measured: "):
        shop.validate()
    assert not (shop.home / "snapshot").exists()


@contextmanager
def _open(home: Path, tables: dict[str, list[dict[str, Any]]]) -> Iterator[measures.Tables]:
    """Tables of these rows, as they are measured; files that need not keep what the schema asks."""
    for name, rows in {"refused": [], **tables}.items():
        table = schema.TABLES[name]
        home.mkdir(exist_ok=True)
        columns = {c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns}
        pq.write_table(pa.Table.from_arrays(list(columns.values()), schema=table.arrow), home / f"{name}.parquet")
    with measures.open_tables(home, []) as opened:
        yield opened


def _ask(tables: measures.Tables, params: dict[str, Any], before: Before | str) -> tuple[list[Claim], list[Skipped]]:
    return expectations.ask(tables, profiles.take(tables), ValidateParams.parse({**PARAMS, **params}), AS_OF, before)


def test_every_claim_bears_a_name_that_params_may_hold_and_every_name_is_used(tmp_path: Path) -> None:
    tables = _tables()
    tables["events"] += [_event(0, event_id="bought", kind="purchase", unit_price=5)]
    with _open(tmp_path / "tables", tables) as opened:
        profile = profiles.take(opened)
        claims, skipped = _ask(opened, {}, Before({"events": 6}, profile))
    assert {c.name for c in claims} == set(expectations.NAMES)
    assert {s.name for s in skipped} == {"volume"}
    required = {(c.table, c.of) for c in claims if c.name == "required"}
    assert required == {(t.name, c.name) for t in measures.SNAPSHOT for c in t.columns if not c.nullable}
    assert len({(c.table, c.column) for c in claims}) == len(claims)


def test_an_unknown_name_of_severity_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with (
        _open(tmp_path / "tables", _tables()) as tables,
        pytest.raises(ParamsError, match=r"`validate.severity.freshnes`.* Known names: columns, .*freshness"),
    ):
        _ask(tables, {"severity": {"freshnes": "warning"}}, "none")


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
        ({"source": "tea", "rows": {"events": 3}}, Before({"events": 3}, None)),
    ],
)
def test_only_a_snapshot_of_the_same_source_is_compared_with(tmp_path: Path, manifest: Any, found: Any) -> None:
    if manifest:
        files.write_json(manifest, tmp_path / "manifest.json")
    assert profiles.before(tmp_path / "manifest.json", "tea") == found


def test_a_table_that_was_empty_before_has_no_volume_to_keep() -> None:
    profile = Profile({"events": 5, "users": 0}, None, {}, {}, {}, {}, {})
    before = Before({"events": 5, "users": 0}, None)
    asked = {a.table: type(a) for a in expectations.of_volume(profile, before, ValidateParams.parse(PARAMS))}
    assert asked == {"users": Skipped, "events": Claim}


def test_an_expectation_that_is_off_is_not_asked_and_says_so(shop: Shop) -> None:
    tables = _tables()
    tables["events"][0]["product_id"] = "nowhere"
    shop.write(tables, {"severity": {"orphan_products": False}})  # how YAML 1.1 reads a bare `off`
    report = shop.validate()
    assert report["accepted"]
    assert "orphan_products" not in {e["name"] for e in report["expectations"]}
    off = [s for s in report["skipped"] if s["name"] == "orphan_products"]
    assert [s["table"] for s in off] == ["events", "reviews", "relations", "relations"]
    assert {s["reason"] for s in off} == {"switched off in params.yaml"}


@pytest.mark.parametrize("kept", ["products", "reviews"])
def test_a_source_without_events_is_accepted_where_params_say_what_it_must_have(shop: Shop, kept: str) -> None:
    tables = {name: rows if name in ("products", kept) else [] for name, rows in _tables().items()}
    shop.write(tables, {"must_have_rows": ["products", kept]})
    assert shop.validate()["accepted"]
    assert files.read_json(shop.home / "snapshot" / "manifest.json")["span"] is None


def test_numbers_without_end_break_their_range(shop: Shop) -> None:
    tables = _tables()
    tables["events"][2]["unit_price"] = float("inf")
    tables["products"][0]["stock"] = float("inf")
    shop.write(tables)
    with pytest.raises(SnapshotRefused, match="price_range: 1 of 6 rows of events") as refused:
        shop.validate()
    assert '"unit_price": "inf"' in str(refused.value)
    assert "value_range: 1 of 2 rows of products break `stock is ≥ 0`" in str(refused.value)


def test_what_is_no_number_breaks_its_range_and_what_is_missing_does_not(tmp_path: Path) -> None:
    tables = _tables()
    tables["events"][1]["unit_price"] = float("nan")
    with _open(tmp_path / "tables", tables) as opened:
        claims, _ = _ask(opened, {}, "none")
        (prices,) = [c for c in claims if (c.table, c.name) == ("events", "price_range")]
        assert measures.measure(opened, [("events", prices.measure)]) == [1]
        assert measures.first_rows(opened, "events", prices.measure)[0]["unit_price"] == "nan"


def _bought(user: str, product: str, kind: str, day: int) -> dict[str, Any]:
    time = pd.Timestamp(f"2020-01-{day}T10:00:00Z")
    return _event(0, event_id=f"{user}{product}{kind}{day}", user_id=user, product_id=product, kind=kind, time=time)


def test_purchases_without_a_view_before_are_counted_by_user_and_product(tmp_path: Path) -> None:
    """Of four bought pairs u-p1 was viewed before; u-p2 only afterwards, v-p1 by another, v-p2 only put in a cart."""
    rows = [("u", "p1", "view", 1), ("u", "p1", "purchase", 2), ("u", "p1", "purchase", 3), ("u", "p2", "purchase", 2)]
    rows += [("u", "p2", "click", 3), ("v", "p1", "purchase", 5), ("v", "p2", "cart", 4), ("v", "p2", "purchase", 5)]
    tables = {**_tables(), "events": [_bought(u, p, kind, 10 + day) for u, p, kind, day in rows]}
    tables["events"] += [{**_bought("w", "p1", "purchase", 20), "user_id": None}]
    with _open(tmp_path / "tables", tables) as opened:
        assert expectations.unseen_purchases(opened) == 0.75


def test_where_nobody_views_purchases_cannot_be_without_views(tmp_path: Path) -> None:
    tables = {**_tables(), "events": [_bought("u", "p1", "purchase", 12)]}
    with _open(tmp_path / "tables", tables) as opened:
        _, skipped = _ask(opened, {}, "none")
    assert Skipped("events", "unseen_purchases", "there are no views or clicks") in skipped


def test_reviewers_who_never_bought_are_counted_once(tmp_path: Path) -> None:
    review = _tables()["reviews"][0]
    tables = {**_tables(), "events": [_bought("u", "p1", "purchase", 12), _bought("v", "p1", "view", 12)]}
    tables["reviews"] = [{**review, "review_id": f"r{n}", "user_id": u} for n, u in enumerate(["u", "v", "v", None])]
    with _open(tmp_path / "tables", tables) as opened:
        assert expectations.reviewers_without_purchase(opened) == 0.5


def test_another_mix_than_was_accepted_before_is_a_failure_with_its_distance(shop: Shop) -> None:
    """Six views were accepted; six purchases come, at ten times the price, by one user each."""
    tables = _tables()
    shop.write({**tables, "events": [_event(n, unit_price=5) for n in range(6)]})
    shop.validate()
    (shop.home / "snapshot").rename(shop.home / "accepted")
    events = [_event(n, unit_price=50, kind="purchase", user_id=f"u{n}") for n in range(6)]
    shop.write(
        {**tables, "events": events}, {"severity": {"behaviour_mix": "warning", "reviewers_without_purchase": "off"}}
    )
    with pytest.raises(SnapshotRefused) as refused:
        shop.validate()
    found = {(e["table"], e["name"]): e for e in shop.report()["expectations"]}
    assert found["events", "price_distribution"]["observed"] == 1
    assert found["events", "user_activity"]["observed"] == 1
    assert found["products", "price_distribution"]["observed"] == 0
    assert found["events", "behaviour_mix"]["severity"] == "warning"
    assert not found["events", "behaviour_mix"]["holds"]
    assert found["events", "category_mix"]["holds"]
    assert "price_distribution: events breaks `the KS distance of unit_price of events is at most 0.2" in str(
        refused.value
    )


def test_refused_raw_rows_stand_in_the_docs_by_rule_and_nothing_in_them_is_markup(shop: Shop) -> None:
    row = {"table": "events", "file": "a.csv", "rule": "no_time", "reason": "empty", "record": '{"user": "<b>x</b>"}'}
    rows = [{**row, "row": n + 1} for n in range(7)] + [{**row, "row": 9, "rule": "bad_price"}]
    shop.write({**_tables(), "refused": rows})
    shop.validate()
    page = (shop.home / "docs" / "runs" / "0001" / "refused.html").read_text("utf-8")
    assert "<td>no_time</td><td>7</td>" in page
    assert "<h2>bad_price, events: 1 rows, the first of them</h2>" in page
    assert page.count("<td>a.csv</td>") == measures.SHOWN + 1
    assert "<b>x</b>" not in page


def test_docs_need_neither_network_nor_scripts(shop: Shop) -> None:
    shop.write(_tables())
    shop.validate()
    pages = list((shop.home / "docs").rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.findall(r"<script|<img|<link|@import", text), page
        assert not re.findall(r"newsletter|Show more info|Validation Filter|Table of Contents", text), page
        for link in re.findall(r'href="([^"#:]+)"', text):
            assert (page.parent / link).exists(), (page, link)


def test_earlier_judgements_stay_in_the_docs_up_to_a_number(shop: Shop) -> None:
    """Five judgements, the third refused; `docs_runs` is 3."""
    for number in range(5):
        shop.write({**_tables(), **({"events": []} if number == 2 else {})})
        with suppress(SnapshotRefused):
            shop.validate()
        shutil.rmtree(shop.home / "accepted", ignore_errors=True)
        shutil.copytree(shop.home / "docs" / "runs", shop.home / "accepted" / "runs")
    index = (shop.home / "docs" / "index.html").read_text("utf-8")
    assert re.findall(r'<a href="runs/(\d+)/index.html">', index) == ["0005", "0004", "0003"]
    assert re.findall(r"<td>(accepted|refused)</td>", index) == ["accepted", "accepted", "refused"]
    assert "Judging the same files again" in index
    assert "not_empty of events" in (shop.home / "docs" / "runs" / "0003" / "index.html").read_text("utf-8")


def test_judgements_of_another_source_are_not_shown(shop: Shop) -> None:
    files.write_json({"source": "coffee"}, shop.home / "accepted" / "runs" / "0007" / "run.json")
    shop.write(_tables())
    shop.validate()
    assert [path.name for path in (shop.home / "docs" / "runs").iterdir()] == ["0001"]
