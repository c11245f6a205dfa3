from pathlib import Path

import pytest

from tandem.data.blocks import Block, Events, Products, Relations, Reviews, Users
from tandem.data.sources import Source
from tandem.params import IngestParams, ValidateParams
from tandem.unseen import trial

ROOT = Path(__file__).parents[3]
PARAMS = IngestParams.read(ROOT / "params.yaml"), ValidateParams.read(ROOT / "params.yaml")
JUDGING = {
    *("files", "format", "columns", "integers", "upper", "may_have", "translate", "numbers", "scale", "time_formats"),
    *("corrections", "rules", "attributes", "kind", "language", "session_gap_minutes", "order_gap_minutes"),
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
LENIENT = {"params": {"validate": {"max_refused_share": 1}}}


def tried(tmp_path, rows: int = 100, shop=SHOP, **files: str) -> trial.Trial:
    raw, scratch = tmp_path / "raw", tmp_path / "scratch"
    raw.mkdir()
    scratch.mkdir()
    for name, content in files.items():
        (raw / f"{name}.csv").write_text(content)
    found = trial.run(Source.model_validate(shop), raw, scratch, PARAMS[0], rows, PARAMS[1])
    assert list(scratch.iterdir()) == []  # raw records do not stay
    return found


def line(n: int, item: str = "p1", when: str = "2026-01-01 10:00") -> str:
    return f"{item},70{n}.0,{when}:{n % 60:02},x\n"


@pytest.mark.parametrize("block", [Events, Products, Reviews, Users, Relations])
def test_every_key_of_a_block_is_for_reading_or_for_judging(block: type[Block]) -> None:
    assert set(block.model_fields) <= {*trial.READING, *JUDGING}


def test_each_row_is_kept_a_duplicate_or_refused_with_its_own_place(tmp_path) -> None:
    rows = [line(0), "too,few\n", line(1, item="FEE-1"), line(2, when="soon"), line(0), line(3)]
    found = tried(tmp_path, shop=SHOP | LENIENT, events=HEADER + "".join(rows))
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
    assert "701.0" not in record
    assert '"701"' not in record  # a pseudonym may hold these digits by chance


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
    source = Source.model_validate({**SHOP, "events": [block]})
    found = trial.run(source, raw, tmp_path, PARAMS[0], 10, PARAMS[1])
    assert (found.stops, sum(a["kept"] for a in found.accounts)) == ([], 2)


def test_a_column_that_no_file_has_stops_with_its_name_and_a_close_one(tmp_path) -> None:
    block = {**SHOP["events"][0], "columns": {**SHOP["events"][0]["columns"], "quantity": "pieecs"}}
    shop = {**SHOP, "events": [block], "products_from_events": {"price": "unit_price"}}
    found = tried(tmp_path, shop=shop, events="item,who,when,pieces\n" + line(1))
    assert len(found.stops) == 1
    assert "has no column `pieecs`" in found.stops[0]
    assert "`pieces` is close to `pieecs`" in found.stops[0]


def test_where_all_events_stop_the_other_tables_are_tried(tmp_path) -> None:
    reviews = {"files": "reviews.csv", "format": "csv", "columns": {"product_id": "item", "time": "when"}}
    products = {"files": "products.csv", "format": "csv", "columns": {"product_id": "item"}}
    shop = {**SHOP, "reviews": [reviews], "products": [products]}
    files = {"events": "item,who,day\n", "reviews": HEADER + line(1), "products": "item\np1\n"}
    found = tried(tmp_path, shop=shop, **files)
    assert {a["table"]: a["kept"] for a in found.accounts} == {"products": 1, "reviews": 1}
    assert len(found.stops) == 1


def test_an_attribute_of_users_that_is_not_allowed_stops_and_all_tables_are_tried(tmp_path) -> None:
    users = {"files": "users.csv", "format": "csv", "columns": {"user_id": "who"}, "attributes": {"shoe_size": "size"}}
    files = {"events": HEADER + line(1), "users": "who,size\n701.0,43\n"}
    shop = {**SHOP, "users": [users]}
    found = tried(tmp_path, shop=shop, **files)
    assert {a["table"]: a["kept"] for a in found.accounts} == {"events": 1, "users": 1}
    assert [why for why in found.stops if "'shoe_size' is not in" in why] == found.stops != []


def test_an_attribute_that_the_source_recommends_is_allowed(tmp_path) -> None:
    users = {"files": "users.csv", "format": "csv", "columns": {"user_id": "who"}, "attributes": {"shoe_size": "size"}}
    shop = {**SHOP, "users": [users], "params": {"privacy": {"user_attributes": ["shoe_size"]}}}
    assert tried(tmp_path, shop=shop, events=HEADER + line(1), users="who,size\n701.0,43\n").stops == []


def test_a_renamed_column_is_known_by_its_values(tmp_path) -> None:
    rows = "".join(map(line, range(40)))
    found = tried(tmp_path, events1=HEADER + rows, events2=HEADER.replace("who", "xq7") + rows)
    assert len(found.stops) == 1  # that it lacks `who` is not said again
    assert "renamed, it seems: `who` to `xq7`" in found.stops[0]
    assert "user_id: xq7" in found.stops[0]


def test_a_proposal_leaves_open_what_it_does_not_know(tmp_path) -> None:
    found = tried(tmp_path, events1=HEADER + line(1), events2=HEADER.replace("who", "colour") + "p1,red,2026-01-01,x\n")
    assert len(found.stops) == 1
    assert "user_id: ???" in found.stops[0]
    assert "pairs" not in found.stops[0]


def test_more_refused_rows_than_a_snapshot_may_have_stop(tmp_path) -> None:
    rows = [line(n, when="soon" if n < 3 else "2026-01-01 10:00") for n in range(10)]
    found = tried(tmp_path, events=HEADER + "".join(rows))
    assert [why.partition(" (")[0] for why in found.stops] == ["refused_share of events: 30% > 10%"]
    assert "the snapshot would be refused" in found.stops[0]


@pytest.mark.parametrize(
    ("as_of", "warned"), [("2025-12-31T00:00:00Z", True), ("2026-02-01T00:00:00Z", False), ("now", False)]
)
def test_events_after_as_of_are_warned_of(tmp_path, caplog, as_of, warned) -> None:
    shop = SHOP | {"params": {"validate": {"as_of": as_of}}}
    tried(tmp_path, shop=shop, events=HEADER + line(1))
    assert ("`validate.as_of` is 2025-12-31" in caplog.text) is warned


def test_what_is_no_data_and_what_pictures_reads_is_not_called_unread(tmp_path) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("photos.zip", "LICENSE", "PROVENANCE.txt", "a.jpg", "forgotten.csv"):
        (tmp_path / "raw" / name).write_bytes(b"")
    (tmp_path / "raw" / "events.csv").write_text(HEADER + line(1))
    source = Source.model_validate({**SHOP, "pictures": [{"files": "photos.zip"}, {"files": "*.jpg"}]})
    assert trial.run(source, tmp_path / "raw", tmp_path, PARAMS[0], 10, PARAMS[1]).unread_files == ["forgotten.csv"]


def test_the_first_file_with_all_columns_is_what_others_are_held_against(tmp_path) -> None:
    found = tried(tmp_path, events1="item,when\np1,2026-01-01\n", events2=HEADER + line(1), events3=HEADER + line(2))
    assert [why.partition(" has another header")[0] for why in found.stops] == ["events1.csv"]
    assert sum(a["kept"] for a in found.accounts) == 2
