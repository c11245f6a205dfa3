from pathlib import Path

import pytest

from tandem.data.blocks import Block, Events, Products, Relations, Reviews, Users
from tandem.data.sources import Source
from tandem.params import IngestParams
from tandem.unseen import trial

ROOT = Path(__file__).parents[3]
JUDGING = {
    *("files", "format", "columns", "integers", "upper", "may_have", "translate", "scale", "time_formats"),
    *("corrections", "rules", "attributes", "kind", "session_gap_minutes", "order_gap_minutes"),
}

SHOP = {
    "name": "shop",
    "title": "a shop",
    "timezone": "UTC",
    "events": [
        {
            "files": "events*.csv",
            "format": "csv",
            "columns": {"product_id": "item", "user_id": "who", "time": "when"},
            "integers": ["user_id"],
            "upper": ["product_id"],
            "kind": "view",
            "rules": [{"name": "fee", "where": {"item": "^FEE"}, "refuse": "a fee"}],
        }
    ],
    "products_from_events": {},
}
HEADER = "item,who,when,note\n"


def tried(tmp_path, rows: int = 100, shop=SHOP, **files: str) -> trial.Trial:
    raw, scratch = tmp_path / "raw", tmp_path / "scratch"
    raw.mkdir()
    scratch.mkdir()
    for name, content in files.items():
        (raw / f"{name}.csv").write_text(content)
    found = trial.run(Source.model_validate(shop), raw, scratch, IngestParams.read(ROOT / "params.yaml"), rows)
    assert list(scratch.iterdir()) == []  # raw records do not stay
    return found


def line(n: int, item: str = "p1", when: str = "2026-01-01 10:00") -> str:
    return f"{item},70{n}.0,{when}:{n % 60:02},x\n"


@pytest.mark.parametrize("block", [Events, Products, Reviews, Users, Relations])
def test_every_key_of_a_block_is_for_reading_or_for_judging(block: type[Block]) -> None:
    assert set(block.model_fields) <= {*trial.READING, *JUDGING}


def test_each_row_is_kept_a_duplicate_or_refused_with_its_own_place(tmp_path) -> None:
    rows = [line(0), "too,few\n", line(1, item="FEE-1"), line(2, when="soon"), line(0), line(3)]
    found = tried(tmp_path, events=HEADER + "".join(rows))
    sums = {key: sum(a[key] for a in found.accounts) for key in ("rows", "kept", "duplicates", "refused")}
    assert sums == {"rows": 6, "kept": 2, "duplicates": 1, "refused": 3}
    where = {rule: (examples[0].file, examples[0].row) for (_, rule), examples in found.examples.items()}
    assert where == {
        "unreadable_row": ("events.csv", 2),
        "fee": ("events.csv", 3),
        "unreadable_time": ("events.csv", 4),
    }
    assert found.stops == []


def test_users_are_pseudonyms(tmp_path) -> None:
    found = tried(tmp_path, events=HEADER + line(1, item="FEE-1"))
    record = found.examples["events", "fee"][0].record
    assert "FEE-1" in record
    assert "701" not in record


def test_repairs_are_counted(tmp_path) -> None:
    found = tried(tmp_path, events=HEADER + line(1) + line(2, item="P2") + line(3, item=" P3"))
    told = {(r.column, r.what): r.cells for r in found.repairs}
    assert told == {
        ("who", "read as a whole number"): 3,
        ("item", "put in capitals"): 1,
        ("item", "blank space around it taken off"): 1,
    }


def test_only_the_first_records_are_read(tmp_path) -> None:
    found = tried(tmp_path, rows=10, events=HEADER + "".join(map(line, range(30))), events2=HEADER + line(1, "p9"))
    assert {a["file"]: a["rows"] for a in found.accounts} == {"events.csv": 10, "events2.csv": 1}
    assert found.cut == 1


def test_files_and_columns_that_nobody_reads_are_named(tmp_path) -> None:
    found = tried(tmp_path, events=HEADER + line(1), other="a,b\n1,2\n")
    assert found.unread_files == ["other.csv"]
    assert found.unread_columns == {"events: events*.csv": ["note"]}


def test_a_changed_header_stops_with_a_proposal_and_the_rest_is_tried(tmp_path) -> None:
    changed = HEADER.replace("who", "customer_id") + line(2)
    found = tried(tmp_path, events1=HEADER + line(1), events2=changed)
    assert "renamed, it seems: `who` to `customer_id`" not in found.stops[0]  # `who` is no common name
    assert "gone: `who`, read as user_id" in found.stops[0]
    assert sum(a["rows"] for a in found.accounts) == 1


def test_records_of_json_may_lack_what_others_have(tmp_path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.jsonl").write_text('{"item": "a", "who": "u", "when": "2026-01-01", "more": "1"}\n')
    (raw / "b.jsonl").write_text('{"item": "b", "who": "u", "when": "2026-01-02"}\n')
    block = {**SHOP["events"][0], "files": "*.jsonl", "format": "jsonl"}
    found = trial.run(
        Source.model_validate({**SHOP, "events": [block]}), raw, tmp_path, IngestParams.read(ROOT / "params.yaml"), 10
    )
    assert (found.stops, sum(a["kept"] for a in found.accounts)) == ([], 2)
