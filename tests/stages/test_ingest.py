"""Raw files to Parquet, on a golden case and on the real datasets."""

import json
import sys

import pandas as pd
import pytest
import yaml

import stages
from stages import ingest
from tandem import files
from tandem.data import schema
from tandem.errors import SettingsError
from tandem.privacy import pseudonyms

KEY = "5a" * 32
KEY_ID = pseudonyms.key_id(bytes.fromhex(KEY))

RAW = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,85123a,WHITE  HEART,1,2011-07-01 08:28:00,2.95,,United Kingdom
C536379,85123A,WHITE HEART,-1,2010-12-01 09:41:00,2.55,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom
536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France
"""


@pytest.fixture
def run(tmp_path, root, monkeypatch):
    """Run the stage on a raw folder; the folder with what it wrote."""
    monkeypatch.setenv("TANDEM_PSEUDONYM_KEY", KEY)
    (tmp_path / "key_id.txt").write_text(KEY_ID + "\n")

    def stage(raw, source="online_retail", out="out"):
        out = tmp_path / out
        recommended = yaml.safe_load((root / "sources" / f"{source}.yaml").read_text())["params"]
        params = yaml.safe_load((root / "params.yaml").read_text())
        params["privacy"] |= recommended.get("privacy", {})
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        monkeypatch.chdir(tmp_path)
        ingest.main(raw, root / "sources" / f"{source}.yaml", tmp_path / "key_id.txt", out, out / "ingest.json")
        return out

    return stage


@pytest.fixture
def shop(tmp_path):
    """A raw folder with nine rows of Online Retail."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "all.csv").write_text(RAW)
    return tmp_path / "raw"


def test_nine_rows_of_online_retail_become_these_tables(run, shop) -> None:
    out = run(shop)
    customer = pseudonyms.of(bytes.fromhex(KEY), "17850")
    events = files.read(out / "events.parquet", schema.EVENTS)
    assert events.drop(columns="session_id").to_csv(index=False).splitlines() == [
        "event_id,user_id,product_id,kind,time,order_id,quantity,unit_price",
        f"all.csv:1,{customer},85123A,purchase,2010-12-01 08:26:00+00:00,536365,6.0,2.55",
        f"all.csv:4,{customer},85123A,return,2010-12-01 09:41:00+00:00,C536379,1.0,2.55",
        "all.csv:3,,85123A,purchase,2011-07-01 07:28:00+00:00,536366,1.0,2.95",  # summer time
    ]
    products = files.read(out / "products.parquet", schema.PRODUCTS)
    assert products[["product_id", "title", "price"]].to_numpy().tolist() == [["85123A", "WHITE HEART", 2.55]]
    refused = files.read(out / "refused.parquet", schema.REFUSED)
    assert refused[["row", "rule"]].to_numpy().tolist() == [
        [5, "not_a_product"],
        [6, "adjustment"],
        [7, "price_not_positive"],
        [8, "quantity_not_positive"],
        [9, "not_a_product"],
    ]
    report = files.read_json(out / "ingest.json")
    assert {key: report["totals"]["events"][key] for key in ("rows", "kept", "duplicates", "refused")} == {
        "rows": 9, "kept": 3, "duplicates": 1, "refused": 5,
    }  # fmt: skip


def test_the_single_file_with_american_times_reads_the_same(run, shop) -> None:
    events = files.read(run(shop) / "events.parquet", schema.EVENTS)
    american = RAW.replace("2010-12-01 08:26:00", "12/1/2010 8:26").replace("2011-07-01 08:28:00", "7/1/2011 8:28")
    (shop / "all.csv").write_text(american)
    again = files.read(run(shop, out="again") / "events.parquet", schema.EVENTS)
    pd.testing.assert_frame_equal(events, again)


def test_the_same_export_in_both_forms_counts_once(run, shop) -> None:
    once = files.read(run(shop) / "events.parquet", schema.EVENTS)
    american = RAW.replace("2010-12-01 08:26:00", "12/1/2010 8:26").replace("2011-07-01 08:28:00", "7/1/2011 8:28")
    american = american.replace("2010-12-01 09:41:00", "12/1/2010 9:41").replace("17850.0", "17850")
    (shop / "later.csv").write_text(american)
    twice = files.read(run(shop, out="twice") / "events.parquet", schema.EVENTS)
    pd.testing.assert_frame_equal(once, twice)


def test_a_second_run_writes_the_same_bytes(run, shop) -> None:
    first, second = run(shop, out="first"), run(shop, out="second")
    assert sorted(path.name for path in first.iterdir()) == sorted(
        [*(f"{t}.parquet" for t in schema.TABLES), "ingest.json"]
    )
    assert files.hash_folder(first) == files.hash_folder(second)


def test_no_raw_user_id_is_in_any_file(run, shop) -> None:
    out = run(shop)
    written = (out / "ingest.json").read_text()
    written += "".join(pd.read_parquet(path).to_csv() for path in out.glob("*.parquet"))
    assert not any(user in written for user in ("17850", "14527", "12583"))


def test_another_key_than_the_registered_one_is_refused(run, shop, monkeypatch) -> None:
    monkeypatch.setenv("TANDEM_PSEUDONYM_KEY", "00" * 32)
    with pytest.raises(SettingsError, match=f"registered with pseudonym key {KEY_ID}, the key at hand is"):
        run(shop)


def test_data_that_was_never_registered_is_refused(run, shop, tmp_path) -> None:
    (tmp_path / "key_id.txt").unlink()
    with pytest.raises(SettingsError, match=r"key_id\.txt is missing"):
        run(shop)


def test_a_missing_raw_folder_is_one_sentence_and_not_a_trace(root, tmp_path, monkeypatch, shop, run) -> None:
    arguments = [
        tmp_path / "nowhere",
        root / "sources" / "online_retail.yaml",
        tmp_path / "key_id.txt",
        tmp_path,
        "r.json",
    ]
    monkeypatch.setattr(sys, "argv", ["ingest", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        stages.run(ingest.main)
    assert str(stopped.value).startswith(f"error: {tmp_path / 'nowhere'} is not a folder")


@pytest.mark.real_data("online_retail")
def test_online_retail_comes_out_as_published(run, real_data) -> None:
    out = run(real_data / "by-day")
    report = files.read_json(out / "ingest.json")
    total = report["totals"]["events"]
    assert (total["rows"], total["duplicates"], len(report["files"])) == (541_909, 5_268, 305)
    assert total["rows"] == total["kept"] + total["duplicates"] + total["refused"]
    raw = pd.concat(pd.read_csv(path, dtype=str) for path in sorted((real_data / "by-day").glob("*.csv")))
    raw = raw.drop_duplicates()
    quantity, price = raw["Quantity"].astype(float), raw["UnitPrice"].astype(float)
    product, returned = raw["StockCode"].str.match(r"\d{5}"), raw["InvoiceNo"].str.startswith("C")
    kept = raw[product & ~raw["InvoiceNo"].str.startswith("A") & (price > 0) & (returned | (quantity > 0))]
    events = files.read(out / "events.parquet", schema.EVENTS)
    assert len(events) == len(kept)
    assert (events["kind"] == "return").sum() == kept["InvoiceNo"].str.startswith("C").sum()
    assert events["quantity"].sum() == kept["Quantity"].astype(float).abs().sum()
    assert events["user_id"].nunique() == kept["CustomerID"].nunique()
    assert events["user_id"].isna().sum() == kept["CustomerID"].isna().sum()
    # The catalogue of protocol A: products sold to known customers before November.
    fit = events[(events["time"] < "2011-11-01") & (events["kind"] == "purchase") & events["user_id"].notna()]
    assert fit["product_id"].nunique() == 3_607


@pytest.mark.real_data("jdata")
def test_jdata_comes_out_as_published(run, real_data) -> None:
    out = run(real_data, "jdata")
    report = files.read_json(out / "ingest.json")
    events = report["totals"]["events"]
    assert (events["rows"], events["duplicates"], events["rules"]) == (89_997, 23_870, {"kind_not_used": 583})
    assert "JData_Comment.csv" in report["unmapped_files"]
    table = files.read(out / "events.parquet", schema.EVENTS)
    assert table["kind"].value_counts().to_dict() == {
        "click": 46_373, "view": 17_223, "cart": 1_539, "favourite": 210, "purchase": 199,
    }  # fmt: skip
    assert table["time"].iloc[0] == pd.Timestamp("2016-01-31 15:59:02", tz="UTC")  # 23:59:02 in Shanghai
    assert table["session_id"].notna().all()
    products = files.read(out / "products.parquet", schema.PRODUCTS).set_index("product_id")
    assert len(products) == report["totals"]["products"]["kept"] + report["products_from_events"]
    assert set(table["product_id"]) <= set(products.index)
    assert list(products.loc["138778", "category"]) == ["8"]
    users = files.read(out / "users.parquet", schema.USERS)
    ages = {json.loads(attributes)["age"] for attributes in users["attributes"]}
    assert ages - {None} == {"-1", "16-25岁", "26-35岁", "36-45岁", "46-55岁", "56岁以上"}


def test_the_report_names_no_path(run, shop) -> None:
    assert str(shop.parent) not in (run(shop) / "ingest.json").read_text()
