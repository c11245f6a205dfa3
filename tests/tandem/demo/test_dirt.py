"""The demo shop's dirt: exactly as much as the truth says, counted here from the cells alone."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.data.sources import Source
from tandem.demo import DemoSize, dirt, generate

KEY = b"k" * 32
CELLS = ["Date", "CustomerNo", "Article", "Action", "Session", "OrderNo", "Qty", "Price"]
LOOKS_LIKE = {  # rule → column and pattern of the raw cell, in the order in which rules speak
    "not_a_product": ("Article", "SHIPPING|VOUCHER|GIFTWRAP"),
    "missing_product_id": ("Article", ""),
    "unreadable_time": ("Date", "n/a|2026-13-.*"),
    "kind_not_used": ("Action", "compare"),
    "unknown_kind": ("Action", "undefined"),
    "quantity_not_positive": ("Qty", "0"),
    "price_not_positive": ("Price", "0.00|-1.00"),
}


def test_duplicates_are_as_many_as_planted_file_by_file(shop) -> None:
    again = shop.rows.duplicated(CELLS).groupby(shop.rows["file"]).sum()
    assert again.to_dict() == {name: shop.dirt["files"][name]["duplicates"] for name in again.index}
    assert (again > 5).all()


@pytest.mark.parametrize("rule", LOOKS_LIKE)
def test_refusable_rows_are_as_many_as_planted_file_by_file(shop, rule) -> None:
    column, pattern = LOOKS_LIKE[rule]
    rows = shop.rows[~shop.rows.duplicated(CELLS)]
    found = rows[column].map(lambda cell: re.fullmatch(pattern, cell) is not None).groupby(rows["file"]).sum()
    assert found.to_dict() == {name: shop.dirt["files"][name]["refused"].get(rule, 0) for name in found.index}
    assert found.sum() > 0


def test_repairable_ids_are_as_many_as_planted(shop) -> None:
    rows = shop.rows[~shop.rows.duplicated(CELLS)]
    found = {
        "spaces_around_id": int(rows["Article"].str.contains(" ").sum()),
        "lower_case_id": int(rows["Article"].str.contains("td").sum()),
    }
    planted = pd.DataFrame([shop.dirt["files"][name]["repaired"] for name in rows["file"].unique()]).sum()
    assert found == planted.to_dict()


def test_one_month_writes_customer_numbers_as_floats(small) -> None:
    floats = small.rows["CustomerNo"].str.endswith(".0").groupby(small.rows["file"]).mean()
    assert floats["events-2026-05.csv"] == 0
    assert floats["events-2026-06.csv"] > 0.9


@pytest.fixture(scope="module")
def read(small, root, make, tmp_path_factory):
    """The small shop as the reader understands it."""
    return make(Source.read(root / "sources" / "demo.yaml"), small.raw, KEY, tmp_path_factory.mktemp("read"))


def test_the_reader_finds_exactly_what_was_planted(small, read) -> None:
    for account in read.report["files"]:
        planted = small.dirt["files"][account["file"]]
        assert account["rules"] == planted["refused"]
        for count in ("rows", "kept", "duplicates"):
            assert account[count] == planted[count]
    assert {account["file"] for account in read.report["files"]} == set(small.dirt["files"])


def test_the_reader_keeps_guests_and_turns_cancellations_into_returns(small, read) -> None:
    events, files = read.tables["events"], small.dirt["files"]
    marks = pd.DataFrame([counts["marked"] for name, counts in files.items() if name.startswith("events")]).sum()
    assert events["user_id"].isna().sum() == marks["anonymous"] > 0
    assert (events["kind"] == "return").sum() == marks["cancellation"] > 0
    assert events["user_id"].nunique() <= small.size.customers  # 10001.0 and 10001 are one customer


def test_the_reader_restores_titles_and_knows_what_the_sheet_lacks(small, read) -> None:
    products = read.tables["products"].set_index("product_id")
    truth = small.planted("products").set_index("article")
    listed = products[products["title"].notna()]
    assert listed["title"].to_dict() == truth["title"].reindex(listed.index).to_dict()
    assert listed["description"].to_dict() == truth["description"].reindex(listed.index).to_dict()
    assert sorted(set(products.index) - set(listed.index)) == small.dirt["unlisted"]
    assert listed["image"].str.fullmatch(r"pictures\.zip!TD-\d+\.png").all()


def test_no_email_address_gets_past_the_reader(small, read) -> None:
    assert "example.org" in (small.raw / "customers.csv").read_text()
    assert not any("example.org" in table.to_csv() for table in read.tables.values())


def test_future_events_are_planted_only_when_asked_for(small, tmp_path, root, make) -> None:
    generate(tmp_path / "raw", tmp_path / "truth", DemoSize.small(future_events=3), seed=7)
    read = make(Source.read(root / "sources" / "demo.yaml"), tmp_path / "raw", KEY, tmp_path)
    assert (read.tables["events"]["time"] >= "2026-07-01").sum() == 3
    assert (pd.to_datetime(small.rows["Date"], errors="coerce") >= "2026-07-01").sum() == 0


@settings(max_examples=30)
@given(rows=st.integers(1, 400), shares=st.lists(st.floats(0, 0.3), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_each_row_has_at_most_one_flaw_and_each_flaw_its_share(rows, shares, seed) -> None:
    clean = pd.DataFrame({"a": "x", "flaw": ""}, index=range(rows))
    flaws = [dirt.Flaw(f"f{i}", "repaired", share, "a", lambda cells: cells + "!") for i, share in enumerate(shares)]
    spoiled = dirt.spoil(clean, flaws, np.random.default_rng(seed))
    left = rows
    for flaw in flaws:
        wanted = min(left, max(1, round(flaw.share * left)))
        assert (spoiled["flaw"] == flaw.name).sum() == wanted
        left -= wanted
    assert (spoiled["a"] == np.where(spoiled["flaw"] == "", "x", "x!")).all()
    assert (clean["flaw"] == "").all()


def test_a_copy_stands_right_after_its_original() -> None:
    table = pd.DataFrame({"a": list("abcd"), "flaw": ["", "", "known", ""]})
    again = dirt.repeat(table, replace(dirt.DUPLICATE, share=1.0), np.random.default_rng(0))
    assert again["a"].tolist() == list("aabbcdd")
    assert again["flaw"].tolist() == ["", "duplicate", "", "duplicate", "known", "", "duplicate"]
