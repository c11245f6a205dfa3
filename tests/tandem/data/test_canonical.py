"""What becomes of raw rows: values and refusals by hand, then what holds for every input."""

import csv
import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tandem.data.engines.duckdb import DuckDb
from tandem.data.sources import Source
from tandem.privacy import pseudonyms

from .conftest import HEADER, KEY, PARAMS, SHOP

NAMES = HEADER.strip().split(",")
GOOD = "a1,17850.0,2026-03-01 12:00:00,1,2,9.99,buy,Cup,x"


def zipped(*names: str) -> bytes:
    """A zip of files with these names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return content.getvalue()


PICTURES = zipped("1.png")


def row(**changes: str) -> str:
    """A good row with other cells, by raw column."""
    return ",".join({**dict(zip(NAMES, GOOD.split(","), strict=True)), **changes}.values())


def events_of(canonical, shop, *rows: str) -> pd.DataFrame:
    return canonical(shop, {"events.csv": HEADER + "\n".join(rows)}).tables["events"]


# Values by hand


def test_a_good_row_becomes_an_event(canonical, shop) -> None:
    (event,) = events_of(canonical, shop, GOOD).to_dict("records")
    assert pd.isna(event.pop("session_id"))
    assert event == {
        "event_id": "events.csv:1",
        "user_id": pseudonyms.of(KEY, "17850"),
        "product_id": "A1",
        "kind": "purchase",
        "time": pd.Timestamp("2026-03-01 11:00:00", tz="UTC"),  # Berlin, winter
        "order_id": "1",
        "quantity": 2.0,
        "unit_price": 9.99,
    }


def test_times_become_utc(canonical, shop) -> None:
    shop["events"][0]["time_formats"] = ["%d/%m/%Y", "%d.%m.%Y %H:%M"]
    utc = {
        "2026-07-01 12:00": "2026-07-01T10:00",  # Berlin, summer
        "2026-07-01": "2026-06-30T22:00",
        "2026-7-1T12:00:00.123456": "2026-07-01T10:00:00.123456",
        "2026-07-01T12:00:00Z": "2026-07-01T12:00",
        "2026-07-01 12:00:00+08:00": "2026-07-01T04:00",
        "2026-03-29 02:30:00": "2026-03-29T01:30",  # skipped: read by the clock of before, CET
        "2026-10-25 02:30:00": "2026-10-25T01:30",  # comes twice: the later, CET
        "31.12.2026 00:30": "2026-12-30T23:30",  # one of time_formats
    }
    found = events_of(canonical, shop, *(row(when=written) for written in utc)).set_index("event_id")["time"]
    assert [found[f"events.csv:{i}"] for i in range(1, 9)] == [pd.Timestamp(time, tz="UTC") for time in utc.values()]


def test_a_cancellation_is_a_return_of_positive_quantity(canonical, shop) -> None:
    found = events_of(canonical, shop, row(order="C1", pieces="-3"), row(order="C2", pieces="3"))
    assert found[["kind", "quantity"]].to_numpy().tolist() == [["return", 3.0], ["return", 3.0]]


def test_a_look_without_quantity_is_one_and_may_be_free(canonical, shop) -> None:
    (event,) = events_of(canonical, shop, row(what="look", pieces="", price="0")).to_dict("records")
    assert (event["kind"], event["quantity"], event["unit_price"]) == ("view", 1.0, 0.0)


@pytest.mark.parametrize("blank", ["  ", "\u00a0", "\u3000\ufeff", "\u2009\x0b"])
def test_an_event_may_be_of_nobody(canonical, shop, blank) -> None:
    assert events_of(canonical, shop, row(customer=blank))["user_id"].isna().all()


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u3000", "\ufeff", "\u2009\x0b"])
def test_ids_and_numbers_are_read_without_white_space_of_any_kind(canonical, shop, blank) -> None:
    changes = {name: blank + cell + blank for name, cell in (("item", "a1"), ("customer", "17850.0"), ("price", "2"))}
    (event,) = events_of(canonical, shop, row(**changes)).to_dict("records")
    assert (event["product_id"], event["unit_price"]) == ("A1", 2.0)
    assert event["user_id"] == pseudonyms.of(KEY, "17850")


EUROS = {"decimal": ",", "thousands": ".", "strip": ["€", "EUR"]}


def cell(text: str) -> str:
    """As CSV writes a text that may hold a comma."""
    return f'"{text}"'


def test_numbers_are_read_as_the_source_writes_them(canonical, shop) -> None:
    shop["events"][0] |= {"numbers": EUROS, "scale": {"unit_price": 0.5}}
    rows = row(pieces="1.500", price=cell("€ 1.108,85")), row(pieces=cell("0,5"), price="12 EUR")
    found = events_of(canonical, shop, *rows)
    assert found["quantity"].tolist() == [1500.0, 0.5]
    assert found["unit_price"].tolist() == [pytest.approx(554.425), 6.0]


def test_a_number_written_otherwise_than_the_source_says_is_refused_as_it_came(canonical, shop) -> None:
    shop["events"][0]["numbers"] = EUROS
    found = canonical(shop, {"events.csv": HEADER + row(price="€ 9.99") + "\n" + row(price=cell("€ -5,00"))})
    refused = found.tables["refused"]
    assert refused[["rule", "reason"]].to_numpy().tolist() == [
        ["unreadable_unit_price", "unit_price `€ 9.99` is not a number written as `numbers` says"],
        ["price_not_positive", "unit_price `€ -5,00` of a sale is not positive"],
    ]
    assert [json.loads(record)["price"] for record in refused["record"]] == ["€ 9.99", "€ -5,00"]


REFUSALS = [
    ({"item": "", "name": ""}, "fee", "a fee"),
    ({"order": "T1"}, "test_order", "a test order"),
    ({"item": "POST", "order": "T1"}, "test_order", "a test order"),  # the first that matches speaks
    ({"item": "POST", "order": "C1", "pieces": "-1"}, "fee", "a fee"),
    ({"when": ""}, "missing_time", "time is missing"),
    ({"when": "yesterday"}, "unreadable_time", "time `yesterday` is not a time"),
    ({"when": "2026-13-01"}, "unreadable_time", "time `2026-13-01` is not a time"),
    ({"when": "infinity"}, "unreadable_time", "time `infinity` is not a time"),
    ({"pieces": "two"}, "unreadable_quantity", "quantity `two` is not a number"),
    ({"pieces": "two", "what": "look"}, "unreadable_quantity", "quantity `two` is not a number"),
    ({"pieces": "nan"}, "unreadable_quantity", "quantity `nan` is not a number"),
    ({"pieces": "1e999"}, "unreadable_quantity", "quantity `1e999` is not a number"),
    ({"pieces": ""}, "missing_quantity", "quantity of a sale is missing"),
    ({"pieces": "0"}, "quantity_not_positive", "quantity `0` is not positive"),
    ({"pieces": "-2"}, "quantity_not_positive", "quantity `-2` is not positive"),
    ({"pieces": "0", "order": "C1"}, "quantity_not_positive", "quantity `0` is not positive"),
    ({"price": "1.234.5"}, "unreadable_unit_price", "unit_price `1.234.5` is not a number"),
    ({"price": "0.00"}, "price_not_positive", "unit_price `0.00` of a sale is not positive"),
    ({"price": "0", "order": "C1"}, "price_not_positive", "unit_price `0` of a sale is not positive"),
    ({"price": "-1"}, "price_not_positive", "unit_price `-1` of a sale is not positive"),
    ({"price": "-1", "what": "look"}, "unit_price_out_of_range", "unit_price `-1` is below 0"),
    ({"what": ""}, "missing_kind", "kind is missing"),
    ({"what": "hide"}, "kind_not_used", "kind `hide` is not used"),
    ({"what": "steal"}, "unknown_kind", "kind `steal` is none of look, buy, hide"),
    ({"secret": "x,y"}, "unreadable_row", "10 cells where the header has 9"),
]


def test_the_first_rule_that_applies_refuses_and_names_the_value(refusals) -> None:
    found = refusals(*(row(**changes) for changes, _, _ in REFUSALS))
    assert found == [(rule, reason) for _, rule, reason in REFUSALS]


def test_a_missing_product_is_refused_where_no_own_rule_speaks(refusals) -> None:
    assert refusals(row(item=" "), rules=[]) == [("missing_product_id", "product_id is missing")]


# Duplicates


def test_the_first_of_equal_rows_is_kept_wherever_the_others_are(canonical, shop) -> None:
    raw = {"events-2.csv": HEADER + GOOD, "events-1.csv": HEADER + row(secret="y") + "\n" + GOOD + "\n" + GOOD}
    found = canonical(shop, raw)
    assert found.tables["events"]["event_id"].tolist() == ["events-1.csv:1", "events-1.csv:2"]
    assert [(a["file"], a["kept"], a["duplicates"]) for a in found.report["files"]] == [
        ("events-1.csv", 2, 1),
        ("events-2.csv", 0, 1),
    ]


def test_the_same_row_written_otherwise_is_a_duplicate(canonical, shop) -> None:
    """A day's export, and later the whole one with its own way to write ids, times and numbers."""
    shop["events"][0] |= {"time_formats": ["%m/%d/%Y %H:%M"], "rules": []}
    other = row(item="A1 ", customer="17850", when="3/1/2026 12:00", pieces="2.0", price="9.990")
    report = canonical(shop, {"events-1.csv": HEADER + GOOD, "events-2.csv": HEADER + other}).report
    assert [account["duplicates"] for account in report["files"]] == [0, 1]


def test_the_same_price_written_as_each_block_says_is_a_duplicate(canonical, shop) -> None:
    shop["events"].append(shop["events"][0] | {"files": "shop*.csv", "numbers": EUROS})
    raw = {"events.csv": HEADER + row(price="12.50"), "shop.csv": HEADER + row(price=cell("€ 12,50"))}
    report = canonical(shop, raw).report
    assert [account["duplicates"] for account in report["files"]] == [0, 1]


@pytest.mark.parametrize(
    "changes",
    [{"when": "2026-03-01 12:00:01"}, {"pieces": "3"}, {"customer": "17851"}, {"customer": ""}, {"what": "look"},
     {"name": "Mug"}, {"secret": "y"}, {"order": "2"}, {"item": "a2"}],
)  # fmt: skip
def test_a_row_that_says_anything_else_is_no_duplicate(canonical, shop, changes) -> None:
    assert len(events_of(canonical, shop, GOOD, row(**changes))) == 2


OTHERS = [{"pieces": "3"}, {"customer": "17851"}, {"customer": ""}, {"order": "2"}, {"item": "a2"}, {"price": "1"}]
OTHERS += [{"what": "look"}, {"when": "2026-03-01 12:00:01"}]


def test_rows_with_one_hash_are_no_duplicates_unless_their_values_are_equal(canonical, shop, monkeypatch) -> None:
    monkeypatch.setattr(DuckDb, "hash", lambda _, *values: ibis.literal(7, "int64"))
    found = events_of(canonical, shop, GOOD, *(row(**changes) for changes in OTHERS), GOOD)
    assert len(found) == 1 + len(OTHERS)


def test_rows_with_one_hash_correct_each_other(canonical, shop, monkeypatch) -> None:
    monkeypatch.setattr(DuckDb, "hash", lambda _, *values: ibis.literal(7, "int64"))
    shop["events"][0]["corrections"] = ["user_id", "product_id", "time"]
    report = canonical(shop, {"events.csv": HEADER + "\n".join([GOOD, row(pieces="3"), row(pieces="3")])}).report
    assert report["totals"]["events"]["rules"] == {"corrected": 1}
    assert report["totals"]["events"]["duplicates"] == 1


def test_rows_that_differ_in_cells_alone_that_nobody_maps_are_kept(canonical, shop) -> None:
    """DuckDB's own hash takes these cells for equal, also when they begin one byte later."""
    columns = {"product_id": "item", "user_id": "customer", "time": "when"}
    block = {"files": "events*.csv", "format": "csv", "columns": columns, "kind": "view"}
    names = ["a", *(f"q_{n:03}" for n in range(6))]
    rows = [f"a1,u1,2026-03-01,ssss,{','.join(digits)}\n" for digits in ("000065", "174829")]
    content = f"item,customer,when,{','.join(names)}\n" + "".join(rows)
    report = canonical({**shop, "events": [block], "products_from_events": {}}, {"events.csv": content}).report
    totals = report["totals"]["events"]
    assert (totals["kept"], totals["duplicates"]) == (2, 0)


@pytest.mark.parametrize("when", ["2026-03-01", "no time"])
def test_a_column_that_one_block_maps_and_another_lacks_says_nothing_where_it_is_empty(canonical, shop, when) -> None:
    columns = {"product_id": "item", "user_id": "customer", "time": "when"}
    wide = {"format": "csv", "kind": "view", "columns": {**columns, "unit_price": "price", "quantity": "pieces"}}
    blocks = [{"files": "a*.csv", **wide}, {"files": "b*.csv", **wide, "columns": columns}]
    raw = {
        "a.csv": "item,customer,when,price,pieces\n" + f"a1,u1,{when},,\n",
        "b.csv": "item,customer,when\n" + f"a1,u1,{when}\n",
    }
    report = canonical({**shop, "events": blocks, "products_from_events": {}}, raw).report
    assert [account["duplicates"] for account in report["files"]] == [0, 1]


def test_a_return_and_its_correction_are_two_rows(canonical, shop) -> None:
    found = events_of(canonical, shop, row(order="C1", pieces="-3"), row(order="C1", pieces="3"))
    assert found["quantity"].tolist() == [3.0, 3.0]


def test_equal_refused_rows_are_refused_once(canonical, shop) -> None:
    report = canonical(shop, {"events.csv": HEADER + "\n".join([row(pieces="0")] * 3)}).report
    assert report["totals"]["events"] == {
        "rows": 3, "kept": 0, "duplicates": 2, "refused": 1, "rules": {"quantity_not_positive": 1},
    }  # fmt: skip


def test_rows_that_cannot_be_read_are_never_duplicates(canonical, shop) -> None:
    report = canonical(shop, {"events.csv": HEADER + "a\na\n"}).report
    assert report["totals"]["events"]["refused"] == 2


# Products, users, reviews, relations

CATALOGUE = "id,title,c1,c2,cost,colour,file\n"


def with_products(shop) -> dict:
    columns = {
        "product_id": "id",
        "title": "title",
        "price": "cost",
        "category": {"columns": ["c1", "c2"]},
        "image": {"archive": "p.zip", "column": "file"},
    }
    block = {"files": "p*.csv", "format": "csv", "columns": columns, "upper": ["product_id"], "attributes": ["colour"]}
    return shop | {"products": [block]}


def test_product_files_come_first_and_events_fill_what_they_leave_open(canonical, shop) -> None:
    told = [
        row(price="8"), row(price="10", name="Mug"), row(price="11", name="Mug"), row(price="12", name="Cup"),
        row(item="b7", name="Tee &amp;  Pot"), row(item="b8", name=""),
    ]  # fmt: skip
    raw = {"p.csv": CATALOGUE + "a1,,Home,,,red,1.png\na2,Bowl,,,3,,2.png\n", "p.zip": PICTURES, "events.csv": HEADER}
    raw["events.csv"] += "\n".join(told)
    found = canonical(with_products(shop), raw)
    products = found.tables["products"].set_index("product_id")
    assert products.index.tolist() == ["A1", "A2", "B7", "B8"]
    assert products["title"].fillna("-").tolist() == ["Cup", "Bowl", "Tee & Pot", "-"]  # Cup and Mug tie: by alphabet
    assert products["price"].tolist() == [10.5, 3.0, 9.99, 9.99]  # median of 8, 10, 11, 12
    assert [list(path) for path in products["category"]] == [["Home"], [], [], []]
    assert products["image"].fillna("-").tolist() == ["p.zip!1.png", "-", "-", "-"]
    assert products["attributes"].fillna("-").tolist() == ['{"colour":"red"}', '{"colour":null}', "-", "-"]
    assert set(products["currency"]) == {"EUR"}
    assert found.report["products_from_events"] == 2


def test_a_second_row_for_one_product_is_refused_and_says_which_was_kept(canonical, shop) -> None:
    raw = {"p1.csv": CATALOGUE + "a1,Cup,,,,,\n", "p2.csv": CATALOGUE + "A1,Mug,,,,,\na1,Cup,,,,,\n", "p.zip": PICTURES}
    found = canonical(with_products(shop), raw | {"events.csv": HEADER + GOOD})
    assert found.tables["products"]["title"].tolist() == ["Cup"]
    (refused,) = found.tables["refused"].to_dict("records")
    assert (refused["rule"], refused["file"], refused["row"]) == ("second_row_for_product", "p2.csv", 1)
    assert refused["reason"] == "p1.csv row 1 is kept for the same product"
    assert found.report["totals"]["products"]["duplicates"] == 1


def test_without_products_of_events_an_event_of_an_unknown_product_is_refused(canonical, shop) -> None:
    del shop["products_from_events"]
    raw = {"p.csv": CATALOGUE + "b9,,,,,,\n", "p.zip": PICTURES, "events.csv": HEADER + GOOD}
    (refused,) = canonical(with_products(shop), raw).tables["refused"].to_dict("records")
    assert (refused["rule"], refused["reason"]) == ("unknown_product", "no row of products has `A1`")


def test_texts_for_people_are_tidied(canonical, shop) -> None:
    titles = [("b1", "Tea &amp; Caf&eacute;"), ("b2", "  two\t spaces "), ("b3", "Cafe\u0301"), ("b4", "\ufeff岁")]
    raw = {"events.csv": HEADER + "\n".join(row(item=item, name=name) for item, name in titles)}
    found = canonical(shop, raw).tables["products"]["title"].tolist()
    assert found == ["Tea & Café", "two spaces", "Caf\u00e9", "岁"]


def test_a_category_in_one_column_is_split(canonical, shop) -> None:
    shop = with_products(shop)
    shop["products"][0]["columns"]["category"] = {"column": "c1", "split": " > "}
    raw = {
        "p.csv": CATALOGUE + "a1,,Home > Bath >  > Soap &amp; Oil,,,,\n",
        "p.zip": PICTURES,
        "events.csv": HEADER + GOOD,
    }
    (path,) = canonical(shop, raw).tables["products"]["category"]
    assert list(path) == ["Home", "Bath", "Soap & Oil"]


def test_users_keep_their_listed_attributes_and_nothing_else(canonical, shop) -> None:
    shop["users"] = [{"files": "u.csv", "format": "csv", "columns": {"user_id": "id"}, "attributes": {"age": "years"}}]
    raw = {"u.csv": "id,years,email\n17850,20-29,a@b.example\n,30-39,c@d.example\n17850,40,e@f.example\n"}
    tables = canonical(shop, raw | {"events.csv": HEADER.replace("secret", "email") + GOOD}).tables
    assert tables["users"].to_dict("records") == [
        {"user_id": pseudonyms.of(KEY, "17850"), "attributes": '{"age":"20-29"}'}
    ]
    assert tables["users"]["user_id"][0] == tables["events"]["user_id"][0]
    assert tables["refused"]["rule"].tolist() == ["missing_user_id", "second_row_for_user"]
    assert not tables["refused"]["record"].str.contains("example").any()


def test_reviews_and_relations_are_about_known_products_within_their_range(canonical, shop) -> None:
    columns = {"product_id": "p", "user_id": "u", "time": "t", "rating": "r", "text": "x"}
    shop["reviews"] = [{"files": "r.jsonl", "format": "jsonl", "columns": columns}]
    pairs = {"product_id": "a", "other_id": "b"}
    shop["relations"] = [{"files": "l.csv", "format": "csv", "columns": pairs, "kind": "complement"}]
    reviews = [
        {"p": p, "u": 17850, "t": "2026-03-02", "r": r, "x": "<3 &lt;3"} for p, r in (("A1", 5), ("A1", 6), ("Z", 1))
    ]
    raw = {"r.jsonl": "\n".join(map(json.dumps, reviews)), "l.csv": "a,b\nA1,B1\nB1,A1\nA1,Z\nA1,B1\n"}
    raw["events.csv"] = HEADER + GOOD + "\n" + row(item="b1")
    tables = canonical(shop, raw).tables
    assert tables["reviews"][["review_id", "rating", "text"]].to_numpy().tolist() == [["r.jsonl:1", 5.0, "<3 <3"]]
    assert tables["relations"].to_numpy().tolist() == [["A1", "B1", "complement"], ["B1", "A1", "complement"]]
    assert tables["refused"][["table", "row", "rule", "reason"]].to_numpy().tolist() == [
        ["relations", 3, "unknown_product", "no row of products has `Z`"],
        ["reviews", 2, "rating_out_of_range", "rating `6` is not between 1 and 5"],
        ["reviews", 3, "unknown_product", "no row of products has `Z`"],
    ]


# Sessions


def test_a_pause_longer_than_the_gap_begins_a_session(canonical, shop) -> None:
    shop["events"][0]["session_gap_minutes"] = 30
    times = ["10:00:00", "10:30:00", "11:00:01", "11:00:01"]
    mine = [row(when=f"2026-03-01 {time}", secret=str(i)) for i, time in enumerate(times)]
    others = [row(customer="2", when="2026-03-01 10:10:00"), row(customer="", when="2026-03-01 10:11:00")]
    found = events_of(canonical, shop, *mine, *others).set_index("event_id")["session_id"]
    assert found.fillna("-").to_dict() == {
        "events.csv:1": "events.csv:1",
        "events.csv:2": "events.csv:1",  # 30 minutes are within the gap
        "events.csv:3": "events.csv:3",
        "events.csv:4": "events.csv:3",
        "events.csv:5": "events.csv:5",
        "events.csv:6": "-",
    }


def test_a_session_that_is_told_stays_and_others_are_found(canonical, shop) -> None:
    shop["events"][0] |= {"session_gap_minutes": 30, "columns": shop["events"][0]["columns"] | {"session_id": "secret"}}
    told = [row(when=f"2026-03-01 10:{minute}:00", secret=visit) for minute, visit in ((10, ""), (11, "v7"), (12, ""))]
    assert events_of(canonical, shop, *told)["session_id"].tolist() == ["events.csv:1", "v7", "events.csv:1"]


def test_purchases_without_order_close_in_time_are_one_order(canonical, shop) -> None:
    shop["events"][0]["order_gap_minutes"] = 5
    rows = [
        ("10:00", "buy", ""),
        ("10:01", "look", ""),
        ("10:05", "buy", ""),
        ("10:06", "buy", "o9"),
        ("10:20", "buy", ""),
    ]
    told = [row(when=f"2026-03-01 {time}:00", what=what, order=order) for time, what, order in rows]
    found = events_of(canonical, shop, *told)["order_id"].fillna("-").tolist()
    assert found == ["events.csv:1", "-", "events.csv:1", "o9", "events.csv:5"]


# Order, account, privacy


def test_events_stand_in_order_of_time_then_file_then_row(canonical, shop) -> None:
    late, early = row(when="2026-03-02"), [row(when="2026-03-01", secret=str(i)) for i in range(11)]
    raw = {"events-b.csv": HEADER + "\n".join([late, *early]), "events-a.csv": HEADER + row(when="2026-03-01")}
    found = canonical(shop, raw).tables["events"]["event_id"].tolist()
    assert found == ["events-a.csv:1", *(f"events-b.csv:{i}" for i in range(2, 13)), "events-b.csv:1"]


def test_a_refused_row_keeps_what_the_source_speaks_of_with_the_pseudonym(canonical, shop) -> None:
    (refused,) = canonical(shop, {"events.csv": HEADER + row(pieces="0")}).tables["refused"].to_dict("records")
    assert json.loads(refused.pop("record")) == {
        "item": "a1",
        "customer": pseudonyms.of(KEY, "17850"),
        "when": "2026-03-01 12:00:00",
        "order": "1",
        "pieces": "0",
        "price": "9.99",
        "what": "buy",
        "name": "Cup",
    }
    assert (refused["table"], refused["file"], refused["row"]) == ("events", "events.csv", 1)


def test_a_cell_that_only_rules_look_at_is_not_kept(canonical, shop) -> None:
    shop["events"][0]["rules"] = [{"name": "staff", "where": {"secret": "@"}, "refuse": "bought by staff"}]
    (record,) = canonical(shop, {"events.csv": HEADER + row(secret="a@b.example")}).tables["refused"]["record"]
    assert "secret" not in json.loads(record)


def test_the_report_reads_so(canonical, shop, caplog) -> None:
    raw = {"events.csv": "\n".join([HEADER.strip(), GOOD, GOOD, row(pieces="0"), row(when="2026-03-02")])}
    report = canonical(shop, raw | {"notes.txt": "", "events-empty.csv": HEADER}).report
    assert report.pop("masked") == dict.fromkeys(PARAMS.privacy.masked, 0)
    assert list(report.pop("cleaning")) == list(PARAMS.cleaning.model_dump())
    for account in report["files"]:
        content = (HEADER if account["file"] == "events-empty.csv" else raw["events.csv"]).encode()
        assert account.pop("left_out") == {}
        assert (account.pop("bytes"), account.pop("sha256")) == (len(content), sha256(content).hexdigest())
    account = {"rows": 4, "kept": 2, "duplicates": 1, "refused": 1, "rules": {"quantity_not_positive": 1}}
    empty = {"rows": 0, "kept": 0, "duplicates": 0, "refused": 0, "rules": {}}
    assert report == {
        "source": "shop",
        "key_id": pseudonyms.key_id(KEY),
        "span": ["2026-03-01T11:00:00+00:00", "2026-03-01T23:00:00+00:00"],
        "products_from_events": 1,
        "unmapped_files": ["notes.txt"],
        "pictures": None,
        "totals": {"events": account, "products": empty, "reviews": empty, "users": empty, "relations": empty},
        "files": [
            {"table": "events", "file": "events-empty.csv", **empty},
            {"table": "events", "file": "events.csv", **account},
        ],
    }
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "events: of 4 raw rows 1 are duplicates and 1 are refused: quantity_not_positive 1",
        "source shop does not read notes.txt",
    ]


USERS = st.sampled_from(["", "uid-7f3a", "990017850.0", "990017850"])
CELLS = {
    "item": st.sampled_from(["a1", "A1", " b2", "POST", ""]),
    "customer": USERS,
    "when": st.sampled_from(["2026-03-01", "2026-03-01 10:00:00", "soon", ""]),
    "order": st.sampled_from(["1", "C2", "T3", ""]),
    "pieces": st.sampled_from(["1", "-1", "0", "x", ""]),
    "price": st.sampled_from(["1.5", "0", "-2", "y", ""]),
    "what": st.sampled_from(["buy", "look", "hide", "?", ""]),
    "name": st.sampled_from(["Cup", 'He said "x"', "line\nbreak", ""]),
    "secret": USERS,
}
ROWS = st.lists(st.tuples(st.fixed_dictionaries(CELLS), st.lists(USERS, max_size=1)), max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("any")


@settings(max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking: minutes
@given(raw=st.lists(ROWS, min_size=1, max_size=2))
def test_any_row_is_accounted_for_and_no_user_id_gets_out(raw, folder, make) -> None:
    for old in folder.iterdir():
        old.unlink()
    for place, rows in enumerate(raw):
        with (folder / f"events-{place}.csv").open("w", newline="") as stream:
            stream.write(HEADER)
            csv.writer(stream).writerows([*(cells[name] for name in NAMES), *more] for cells, more in rows)
    work = folder.with_name(f"{folder.name}-work")
    found = make(Source.model_validate(SHOP), folder, KEY, work, PARAMS)
    assert [account["rows"] for account in found.report["files"]] == [len(rows) for rows in raw]
    for account in found.report["files"]:
        assert account["rows"] == account["kept"] + account["duplicates"] + account["refused"]
        assert account["refused"] == sum(account["rules"].values())
    assert found.report["totals"]["events"]["kept"] == len(found.tables["events"])
    assert found.report["totals"]["events"]["refused"] == len(found.tables["refused"])
    written = json.dumps(found.report) + "".join(pd.read_parquet(path).to_csv() for path in work.rglob("*.parquet"))
    assert [line for line in written.splitlines() if "uid-7f3a" in line or "990017850" in line] == []
