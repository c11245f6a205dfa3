"""A file is read once: new files are read alone, and the tables are those of a full rebuild, byte for byte."""

import copy
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tandem.data import canonical as module
from tandem.data import exports
from tandem.data import parts as parts_module
from tandem.data.engines.duckdb import DuckDb
from tandem.data.parts import identities
from tandem.data.records import ROWS
from tandem.data.sources import Source
from tandem.errors import SourceError

from .conftest import HEADER, KEY, PARAMS, SHOP

DAYS = {
    "events-1.csv": ["a1,u1,2026-03-01 10:00,1,1,2.5,buy,Cup,x", "a2,u2,2026-03-01 11:00,2,1,3,buy,Pot,x"],
    "events-2.csv": ["a1,u1,2026-03-01 10:00,1,1,2.5,buy,Cup,x", "a1,u3,2026-03-02 10:00,3,1,2.7,buy,Mug,y"],
    "events-3.csv": ["a3,u2,2026-02-27 09:00,4,0,2.5,buy,Late,x", "a3,u2,2026-02-27 09:00,5,2,1,look,Late,x"],
}


@pytest.fixture
def shop() -> Source:
    shop = copy.deepcopy(SHOP)
    shop["events"][0]["session_gap_minutes"] = 30
    return Source.model_validate(shop)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    return tmp_path


def arrive(work: Path, *names: str) -> None:
    for name in names:
        (work / "raw" / name).write_text(HEADER + "\n".join(DAYS[name]) + "\n")


def make(shop: Source, work: Path, out: str = "out", parts: str = "parts", key: bytes = KEY) -> dict[str, bytes]:
    module.make(shop, work / "raw", key, work / out, work / parts, PARAMS)
    return {path.name: path.read_bytes() for path in sorted((work / out).rglob("*.parquet")) if path.is_file()}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose rows are read from now on."""
    found: list[str] = []
    batches = exports.batches
    monkeypatch.setattr(exports, "batches", lambda e, *how: (found.append(e.name), batches(e, *how))[1])
    return found


def test_a_day_that_comes_later_is_read_alone_and_the_tables_are_those_of_a_rebuild(shop, work, reads) -> None:
    arrive(work, "events-1.csv")
    make(shop, work)
    for name in ("events-3.csv", "events-2.csv"):  # late ones and duplicates of earlier rows among them
        arrive(work, name)
        reads.clear()
        grown = make(shop, work)
        assert reads == [name]
        assert grown == make(shop, work, out="anew", parts=f"parts-{name}")


def test_raw_files_are_hashed_meanwhile_and_one_that_cannot_be_read_is_told_when_it_is_asked_for(tmp_path) -> None:
    here, absent = tmp_path / "here.csv", tmp_path / "absent.csv"
    here.write_bytes(b"abc")
    with identities([absent, here]) as identity:
        digest, size = identity(here)
        assert (digest[:16], size) == ("ba7816bf8f01cfea", 3)  # FIPS 180-2, appendix B.1
        with pytest.raises(SourceError, match=r"absent\.csv cannot be read"):
            identity(absent)


def test_a_file_that_changes_while_it_is_read_stops_and_is_read_again(shop, work, monkeypatch) -> None:
    """Its digest would be of one content, its rows of another."""
    arrive(work, "events-1.csv", "events-2.csv")
    judge = parts_module.mapping.judge

    def meanwhile(*given):
        (work / "raw" / "events-2.csv").write_text(HEADER + DAYS["events-1.csv"][0] + "\n")
        return judge(*given)

    with monkeypatch.context() as patch:
        patch.setattr(parts_module.mapping, "judge", meanwhile)
        with pytest.raises(SourceError, match=r"^events-2\.csv: changed while being read"):
            make(shop, work)
    assert make(shop, work) == make(shop, work, out="anew", parts="others")


def test_a_fault_far_down_in_a_file_is_told_like_one_at_its_top(shop, work) -> None:
    row = DAYS["events-1.csv"][0]
    for good in (1, ROWS + 1):
        text = HEADER + f"{row}\n" * good + row.replace("Cup", '"Cu"p') + "\n"
        (work / "raw/events-1.csv").write_text(text)
        with pytest.raises(SourceError, match=f"in the row that begins in line {good + 2}\n"):
            make(shop, work)


def test_nothing_new_reads_nothing(shop, work, reads) -> None:
    arrive(work, *DAYS)
    before = make(shop, work)
    reads.clear()
    assert make(shop, work) == before
    assert reads == []


def test_what_decides_how_a_row_is_judged_makes_it_read_again(shop, work, reads) -> None:
    arrive(work, *DAYS)
    make(shop, work)
    other_zone = shop.model_copy(update={"timezone": "UTC"})
    for source, key in ((other_zone, KEY), (shop, bytes(reversed(KEY)))):
        reads.clear()
        make(source, work, key=key)
        assert sorted(reads) == sorted(DAYS)
    assert len(list((work / "parts").glob("events-*"))) == 1, "parts made with another key or zone are gone"


def test_another_version_of_the_engine_reads_again(shop, work, reads, monkeypatch) -> None:
    arrive(work, *DAYS)
    make(shop, work)
    reads.clear()
    monkeypatch.setattr(DuckDb, "version", "another")
    make(shop, work)
    assert sorted(reads) == sorted(DAYS)


def test_a_file_with_other_content_is_read_again_with_those_that_came_with_it(shop, work, reads) -> None:
    arrive(work, "events-1.csv")
    make(shop, work)
    arrive(work, "events-2.csv", "events-3.csv")
    make(shop, work)
    (work / "raw/events-3.csv").write_text(HEADER + DAYS["events-1.csv"][1] + "\n")
    reads.clear()
    changed = make(shop, work)
    assert reads == ["events-2.csv", "events-3.csv"]
    assert changed == make(shop, work, out="anew", parts="other")


def test_no_user_id_is_in_a_part(shop, work) -> None:
    arrive(work, *DAYS)
    make(shop, work)
    text = str([pq.read_table(path).to_pylist() for path in (work / "parts").rglob("*.parquet")])
    assert "Cup" in text
    assert not any(user in text for user in ("u1", "u2", "u3"))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER.replace("secret", "note"), "renamed|gone"),
        (HEADER.replace(",secret", ""), "gone: `secret`"),
        (HEADER.strip() + ",more\n", "new: `more`"),
        (HEADER.replace("price", "amount"), "`price`, read as unit_price|renamed, it seems: `price`"),
        (HEADER.replace(",what", ""), "gone: `what`, read as kind"),
    ],
)
def test_another_header_stops_with_the_difference(shop, work, header, told) -> None:
    arrive(work, "events-1.csv")
    make(shop, work)
    cells = ["a1", "u1", "2026-03-09 10:00", "9", "1", "2.5", "buy", "Cup", "x", "y"][: len(header.split(","))]
    (work / "raw/events-9.csv").write_text(header + ",".join(cells) + "\n")
    with pytest.raises(SourceError, match=rf"events-9\.csv[\s\S]*{told}"):
        make(shop, work)
    with pytest.raises(SourceError, match=r"another header"):
        make(shop, work, parts="anew")


def test_of_a_stop_it_is_said_how_the_file_gets_out_again(shop, work) -> None:
    arrive(work, "events-1.csv")
    (work / "raw/events-2.csv").write_text(HEADER + '"a1,u1\n')
    with pytest.raises(SourceError, match=r"events-2\.csv.*\nIf the file should not have come in: docs/intake\.md"):
        make(shop, work)


def test_the_first_file_with_all_columns_is_what_others_are_compared_with(shop, work) -> None:
    """Not one that cannot be read anyway, though its name comes first."""
    (work / "raw/events-0.csv").write_text(HEADER.replace("price", "amount"))
    arrive(work, "events-1.csv")
    with pytest.raises(SourceError, match=r"events-0\.csv has another header"):
        make(shop, work)


def test_a_key_that_no_file_of_json_had_before_is_told(work, caplog: pytest.LogCaptureFixture) -> None:
    block = {"files": "*.jsonl", "format": "jsonl", "kind": "purchase"}
    block["columns"] = {"product_id": "p", "user_id": "u", "time": "t"}
    shop = Source.model_validate(SHOP | {"events": [block], "products_from_events": {}})
    (work / "raw/a.jsonl").write_text('{"p": "a", "u": "u1", "t": "2026-01-01", "note": "x"}\n')
    make(shop, work)
    assert "keys" not in caplog.text
    (work / "raw/b.jsonl").write_text('{"p": "a", "u": "u1", "t": "2026-01-02", "colour": "red"}\n')
    make(shop, work)
    (told,) = [record for record in caplog.records if record.levelname == "WARNING" and "keys" in record.message]
    assert told.message.endswith("b.jsonl has keys that no file before it had: colour")


def test_a_column_that_only_some_files_have_is_let_pass_when_the_source_says_so(work) -> None:
    shop = copy.deepcopy(SHOP)
    shop["events"][0]["may_have"] = ["more"]
    arrive(work, "events-1.csv")
    (work / "raw/events-9.csv").write_text(HEADER.strip() + ",more\na1,u1,2026-03-09 10:00,9,1,2.5,buy,Cup,x,y\n")
    assert make(Source.model_validate(shop), work)


def test_a_later_row_corrects_an_earlier_one(work) -> None:
    shop = copy.deepcopy(SHOP)
    shop["events"][0]["corrections"] = ["order_id", "product_id"]
    first = "a1,u1,2026-03-01 10:00,1,1,2.5,buy,Cup,x"
    (work / "raw/events-1.csv").write_text(HEADER + first + "\na2,u1,2026-03-01 10:00,1,1,2.5,buy,Pot,x\n")
    (work / "raw/events-2.csv").write_text(HEADER + first.replace(",1,2.5", ",4,2.5") + "\n" + first + "\n")
    (work / "raw/events-3.csv").write_text(HEADER + first.replace(",1,2.5", ",7,2.5") + "\n")
    report = module.make(Source.model_validate(shop), work / "raw", KEY, work / "out", work / "parts", PARAMS)
    told = {a["file"]: (a["kept"], a["duplicates"], a["rules"]) for a in report["files"]}
    assert told == {
        "events-1.csv": (1, 0, {"corrected": 1}),
        "events-2.csv": (0, 0, {"corrected": 2}),
        "events-3.csv": (1, 0, {}),
    }


def test_records_that_a_shape_leaves_out_are_counted(work) -> None:
    shop = copy.deepcopy(SHOP)
    shop["events"][0]["only"] = {"item": "^a1$"}
    arrive(work, "events-1.csv", "events-2.csv")
    report = module.make(Source.model_validate(shop), work / "raw", KEY, work / "out", work / "parts", PARAMS)
    assert [(a["rows"], a["left_out"]) for a in report["files"]] == [(1, {"only": 1}), (2, {"only": 0})]


def test_an_increment_is_a_rebuild_whatever_the_order_of_columns(work) -> None:
    shop = copy.deepcopy(SHOP)
    shop["events"][0]["may_have"] = ["more"]
    source, row = Source.model_validate(shop), DAYS["events-1.csv"][0]
    arrive(work, "events-1.csv")
    make(source, work)
    swapped = HEADER.strip().replace("name,secret", "secret,name,more")
    (work / "raw/events-2.csv").write_text(f"{swapped}\n{row.replace('Cup,x', 'x,Cup,')}\n")
    grown = make(source, work)
    assert grown == make(source, work, out="anew", parts="other")
    assert pq.read_table(work / "out/events.parquet").num_rows == 2, "the same row in other order is a duplicate"


def test_a_mapped_column_that_no_file_has_is_missing_when_it_may_be(work) -> None:
    shop = copy.deepcopy(SHOP)
    shop["events"][0] |= {"may_have": ["visit"]}
    shop["events"][0]["columns"]["session_id"] = "visit"
    arrive(work, "events-1.csv")
    make(Source.model_validate(shop), work)
    assert pq.read_table(work / "out/events.parquet")["session_id"].null_count == 2


def test_rows_without_the_key_correct_nothing(work) -> None:
    shop = copy.deepcopy(SHOP)
    shop["events"][0]["corrections"] = ["order_id"]
    rows = [f"a{n},u1,2026-03-01 10:00,,1,2.5,buy,Cup,x" for n in range(3)]
    (work / "raw/events-1.csv").write_text(HEADER + "\n".join(rows) + "\n")
    make(Source.model_validate(shop), work)
    assert pq.read_table(work / "out/events.parquet").num_rows == 3


def test_two_blocks_that_read_a_cell_differently_say_different_things(work) -> None:
    block = {"format": "csv", "kind": "purchase", "columns": {"product_id": "p", "user_id": "u", "time": "t"}}
    first = block | {"files": "a.csv", "columns": block["columns"] | {"order_id": "o"}}
    second = block | {"files": "b.csv", "columns": block["columns"] | {"session_id": "s"}}
    refusing = {"name": "later", "where": {"p": "^x"}, "refuse": "not here"}
    shop = SHOP | {"events": [first | {"rules": [refusing]}, second], "products_from_events": {}}
    (work / "raw/a.csv").write_text("p,u,t,o\na,u1,2026-01-01,5\nx,u1,2026-01-01,\n")
    (work / "raw/b.csv").write_text("p,u,t,s\na,u1,2026-01-01,5\nx,u1,2026-01-01,\n")
    report = module.make(Source.model_validate(shop), work / "raw", KEY, work / "out", work / "parts", PARAMS)
    told = {a["file"]: (a["kept"], a["duplicates"], a["refused"]) for a in report["files"]}
    assert told == {"a.csv": (1, 0, 1), "b.csv": (2, 0, 0)}


def test_users_need_no_attributes(work) -> None:
    shop = SHOP | {"users": [{"files": "users.csv", "format": "csv", "columns": {"user_id": "id"}}]}
    arrive(work, "events-1.csv")
    (work / "raw/users.csv").write_text("id\nu1\nu2\n")
    make(Source.model_validate(shop), work)
    assert pq.read_table(work / "out/users.parquet")["attributes"].to_pylist() == ["{}", "{}"]


def test_a_column_that_should_tell_of_products_and_is_nowhere_stops(work) -> None:
    shop = SHOP | {"products_from_events": {"title": "nmae"}}
    arrive(work, "events-1.csv")
    with pytest.raises(SourceError, match=r"`products_from_events` names `nmae`"):
        make(Source.model_validate(shop), work)
