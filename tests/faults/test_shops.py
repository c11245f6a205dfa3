"""Faults that only all rows together show, in texts for people, between two runs, and in the source itself."""

import html
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tandem import files
from tandem.data import exports
from tandem.data.sources import Source
from tandem.errors import SourceError

from . import shop
from .refusals import each
from .shop import EVENTS, PRODUCTS, REVIEWS, Result, table

START = datetime(2026, 3, 1, 8, 1, 7)


def times(count: int, seconds: int) -> list[str]:
    """So many moments after `START`, a pause between each two."""
    return [(START + timedelta(seconds=place * seconds)).isoformat(" ") for place in range(count)]


def rules(result: Result, file: str) -> dict[str, int]:
    """Refused rows of a file by rule, none of its rows being lost."""
    account = result.account(file)
    assert account["rows"] == account["kept"] + account["duplicates"] + account["refused"]
    assert shop.leaks(result.written("canonical") + result.written("parts") + result.log) == []
    return account["rules"]


# Users


def test_a_user_with_a_third_of_the_events_is_refused(tmp_path) -> None:
    people = [{"customer": f"uid-{n % 100}", "when": time} for n, time in enumerate(times(350, 7000))]
    crowd = [{"customer": "uid-one", "when": time} for time in times(150, 9001)]
    found = shop.make(tmp_path, {"events/a.csv": table("", *people, *crowd)})
    assert rules(found, "events/a.csv") == {"dominant_user": 150}
    reason = {row["reason"] for row in found.rows("refused")}
    assert reason == {"user with 150 of all 500 events, 30 percent; at most 25 percent are believed"}


def test_one_large_customer_of_few_is_none(tmp_path) -> None:
    people = [{"customer": f"uid-{n % 20}", "when": time} for n, time in enumerate(times(70, 7000))]
    found = shop.make(tmp_path, {"events/a.csv": table("", *people, *[{"customer": "uid-one"}] * 30)})
    assert rules(found, "events/a.csv") == {}


def test_a_bot_is_refused_and_a_person_beside_it_stays(tmp_path) -> None:
    looks = [{"what": "look", "item": f"p{n}", "when": time} for n, time in enumerate(times(1500, 2))]
    person = [{"customer": "uid-person", "what": "look", "when": time} for time in times(20, 61)]
    products = "id,title,path,price\n" + "".join(f"p{n},,,\n" for n in range(1500))
    found = shop.make(tmp_path, {"events/a.csv": table("", *looks, *person), "products/more.csv": products})
    assert rules(found, "events/a.csv") == {"bot": 1500}


def test_near_duplicates_are_refused_but_the_first(tmp_path) -> None:
    moments = ["12:00:01.0", "12:00:01.3", "12:00:01.6", "12:00:02.2"]
    looks = [{"what": "look", "order": "", "when": f"2026-03-01 {moment}", "note": moment} for moment in moments]
    found = shop.make(tmp_path, {"events/a.csv": table("", *looks)})
    assert rules(found, "events/a.csv") == {"near_duplicate": 2}  # 0.6 s after the one before is no repetition


# Rows that other rows contradict


def test_an_order_with_a_correction_counts_once(tmp_path) -> None:
    contents = {f"events/{day}.csv": table(day, {"pieces": pieces}) for day, pieces in (("1", "5"), ("2", "3"))}
    found = shop.make(tmp_path, contents, {"corrections": ["order_id", "product_id"]})
    assert rules(found, "events/1.csv") == {"corrected": 1}
    assert [row["quantity"] for row in found.rows("events")] == [3.0]


def test_a_product_listed_twice_is_refused_the_second_time(tmp_path) -> None:
    again = "id,title,path,price\na1,Mug,,\na1,Cup,Home > Kitchen,9.99\nc3,Pot,,-1\nd4,Pan,,9 EUR\n"
    found = shop.make(tmp_path, {"events/a.csv": table("", {}), "products/more.csv": again})
    assert rules(found, "products/more.csv") == {
        "second_row_for_product": 1, "price_out_of_range": 1, "unreadable_price": 1,
    }  # fmt: skip
    assert found.account("products/more.csv")["duplicates"] == 1
    assert [row["title"] for row in found.rows("products")] == ["Cup", "Bowl"]


# Texts for people

TITLES = {
    "<script>alert(1)</script>Cup": "Cup",
    '<img src=x onerror="alert(1)">Cup': "Cup",
    "&lt;script&gt;alert(1)&lt;/script&gt;Cup": "Cup",
    "\u202eCup\u202c": "Cup",
    "C\u200bu\u200bp": "Cup",
    "Cup\x07\x1b[31m": "Cup[31m",
    '=HYPERLINK("http://x.example")': '=HYPERLINK("http://x.example")',
    "@SUM(1+1)*cmd": "@SUM(1+1)*cmd",
    "'; DROP TABLE products; --": "'; DROP TABLE products; --",
    "<": "<",
    "\u200b \ufeff": None,
}
PATHS = {">": [], " > > ": [], ">>Home>": ["Home"], "": [], "<b>Home</b>>Bath": ["Home", "Bath"]}


def test_titles_and_categories_are_made_plain(tmp_path) -> None:
    lines = [[f"t{n}", title, "Home", ""] for n, title in enumerate(TITLES)]
    lines += [[f"u{n}", "Cup", path, ""] for n, path in enumerate(PATHS)]
    quoted = "".join(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in line) + "\n" for line in lines)
    found = shop.make(tmp_path, {"events/a.csv": table("", {}), "products/b.csv": "id,title,path,price\n" + quoted})
    assert rules(found, "products/b.csv") == {}
    products = {row["product_id"]: row for row in found.rows("products")}
    titles = [products[f"t{n}"]["title"] for n in range(len(TITLES))]
    assert [title if isinstance(title, str) else None for title in titles] == list(TITLES.values())
    assert [list(products[f"u{n}"]["category"]) for n in range(len(PATHS))] == list(PATHS.values())


def test_a_review_loses_what_tells_who_somebody_is(tmp_path) -> None:
    review = {"item": "a1", "customer": "uid-1", "when": "2026-03-01", "stars": 5}
    texts = [
        "write to mallory@mail.example",
        "call +49 170 1234567",
        "4111 1111 1111 1111",
        "手机13812345678",
        "<b>good</b>",
    ]
    said = [review | {"text": text, "when": f"2026-03-0{n}"} for n, text in enumerate(texts, 1)]
    broken = [{"item": "zz"}, {"stars": "mallory@mail.example"}, {"stars": 9}, {"stars": "5 stars"}, {"when": "soon"}]
    said += [{**review, "text": " and ".join(texts), **change} for change in broken]
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in said)
    found = shop.make(
        tmp_path, {"events/a.csv": table("", {}), "reviews/a.jsonl": content}, more={"reviews": [REVIEWS]}
    )
    assert rules(found, "reviews/a.jsonl") == {
        "rating_out_of_range": 1, "unknown_product": 1, "unreadable_rating": 2, "unreadable_time": 1,
    }  # fmt: skip
    assert [row["text"] for row in found.rows("reviews")] == [
        "write to [email]", "call [phone]", "[card]", "手机[phone]", "good",
    ]  # fmt: skip
    assert shop.leaks(found.written("canonical") + found.log, shop.PERSONAL) == []


# Files between runs


def test_a_file_that_changes_is_read_anew(tmp_path) -> None:
    shop.make(tmp_path, {"events/a.csv": table("", {}), "events/b.csv": table("b", {})})
    changed = {"events/a.csv": table("", {"price": "x"}, {}), "events/b.csv": table("b", {})}
    found, anew = shop.make(tmp_path, changed), shop.make(tmp_path / "anew", changed)
    assert rules(found, "events/a.csv") == {"unreadable_unit_price": 1}
    assert found.report == anew.report
    assert files.hash_folder(found.work / "canonical") == files.hash_folder(anew.work / "canonical")


def test_a_file_that_goes_after_it_was_read_takes_its_rows_along(tmp_path) -> None:
    shop.make(tmp_path, {"events/a.csv": table("", {}), "events/b.csv": table("b", {})})
    (tmp_path / "raw" / "events" / "b.csv").unlink()
    found = shop.make(tmp_path, {"events/a.csv": table("", {})})
    assert [row["event_id"] for row in found.rows("events")] == ["events/a.csv:1"]


def test_a_run_after_one_that_was_stopped_is_sound(tmp_path) -> None:
    with pytest.raises(SourceError, match="cannot be read as CSV"):
        shop.make(tmp_path, {"events/a.csv": table("", {}) + 'a1,"'})
    found = shop.make(tmp_path, {"events/a.csv": table("", {})})
    assert rules(found, "events/a.csv") == {}
    assert not [path for path in found.work.rglob("*") if path.suffix == ".partial"]


@contextmanager
def _nobody() -> Iterator[None]:
    """Without the rights of root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _first_header(source: Source, raw: Path) -> list[str]:
    [(block, listed)] = exports.find(source, raw).of["events"]
    return exports.header(listed[0], block)


@pytest.mark.parametrize("closed", ["events/a.csv", "events"])
def test_what_may_not_be_read_is_named(closed) -> None:
    described = shop.source({"csv"}, {}, {})
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        shop.put(raw, {"products/all.csv": shop.CATALOGUE, "events/a.csv": table("", {})})
        Path(folder).chmod(0o755)
        (raw / closed).chmod(0)
        with _nobody(), pytest.raises(SourceError) as caught:
            _first_header(described, raw)
        (raw / closed).chmod(0o755)
    assert str(raw) in str(caught.value)
    assert "ermission denied" in str(caught.value) or "no file that matches" in str(caught.value)


# The source's own YAML


def yaml_of(**changes: Any) -> dict[str, Any]:
    """The shop as a YAML file says it, with changes to its block of events."""
    block = {**EVENTS, "files": "*.csv", "format": "csv", **changes}
    return {"name": "shop", "title": "a shop", "timezone": "UTC", "events": [block], "products": [PRODUCTS]}


SOURCES = [
    (yaml_of(colums={}), "`events.0.colums`"),
    (yaml_of(columns={"product_id": "item"}), "`time` not among"),
    (yaml_of(columns={**EVENTS["columns"], "titel": "x"}), "`titel` not among the columns of events"),
    (
        yaml_of(columns={**EVENTS["columns"], "session_id": "customer"}),
        "`customer` holds user ids and cannot be mapped",
    ),
    (yaml_of(rules=[{"name": "r", "where": {"item": "(?=x)"}, "refuse": "x"}]), "not an RE2 pattern"),
    (yaml_of(files="/etc/*.csv"), "must be a pattern below the source's folder"),
    (yaml_of(files="../*.csv"), "must be a pattern below the source's folder"),
    (yaml_of(encoding="klingon"), "Python knows no such encoding"),
    (yaml_of(kind="steal"), "`steal` not among the kinds of events"),
    (yaml_of() | {"timezone": "Mars/Olympus"}, "not a time zone of the IANA list"),
    (yaml_of() | {"products_from_events": {"title": "customer"}}, "`customer` holds user ids"),
]


@pytest.mark.parametrize(("said", "why"), SOURCES, ids=[why for _, why in SOURCES])
def test_a_source_that_does_not_fit_is_one_sentence(said, why, tmp_path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        Source.read(path)
    assert why in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"name: [", b"\xff\xfe", b"", b"- 1", b"!!python/object/apply:os.system [ls]"])
def test_yaml_that_is_none_is_one_sentence(content, tmp_path) -> None:
    (tmp_path / "shop.yaml").write_bytes(content)
    with pytest.raises(SourceError, match=r"shop\.yaml"):
        Source.read(tmp_path / "shop.yaml")


# What is made of it behind the first stage


@pytest.mark.slow
def test_the_future_is_stopped_and_pages_show_texts_as_texts(tmp_path, monkeypatch, root) -> None:
    from stages import validate
    from tandem.errors import SnapshotRefused

    script, formula = "<script>alert(1)</script>", "=cmd|' /C calc'!A0"
    wrong = [*each("when", "2099-01-01"), *each("item", script, formula)]
    made = shop.make(tmp_path, {"events/a.csv": table("", {}, *wrong)})
    assert rules(made, "events/a.csv") == {"unknown_product": 2}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((root / "params.yaml").read_text("utf-8"), encoding="utf-8")
    (tmp_path / "as_of.txt").write_text("2026-07-01T00:00:00Z")
    files.write_json(made.report, tmp_path / "ingest.json")
    docs = tmp_path / "docs"
    with pytest.raises(SnapshotRefused, match="future_events"):
        validate.main(
            made.work / "canonical", tmp_path / "accepted", tmp_path / "as_of.txt", tmp_path / "ingest.json",
            tmp_path / "snapshot", docs, tmp_path / "validation.json",
        )  # fmt: skip
    assert not (tmp_path / "snapshot").exists()
    pages = "\n".join(path.read_text("utf-8") for path in docs.rglob("*.html"))
    assert html.escape(script) in pages
    assert script not in pages
    assert shop.leaks(pages) == []
