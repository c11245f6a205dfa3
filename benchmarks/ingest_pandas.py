"""The work of `benchmarks.ingest` in plain pandas.

`python -m benchmarks.ingest_pandas RAW FOLDER` runs where params.yaml is. One CSV file of generated events becomes
events, products and refused rows, all in memory, and their figures.
"""

import hmac
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import yaml

NAMED = ["user_id", "product_id", "action", "time", "session", "quantity", "price"]
KINDS = {"view": "view", "cart": "cart", "buy": "purchase"}
SAME = ["user_id", "product_id", "kind", "quantity", "unit_price"]
RULES = ["missing_product_id", "missing_time", "unreadable_time", "unreadable_quantity", "unreadable_unit_price"]
RULES += ["missing_kind", "unknown_kind", "missing_quantity", "quantity_not_positive", "price_not_positive"]
RULES += ["quantity_out_of_range", "unit_price_out_of_range", "impossible_value", "bot", "dominant_user"]
RULES += ["near_duplicate"]


def main(raw: str, folder: str) -> None:
    """Write the tables into `folder`, and figures.json."""
    params, out = yaml.safe_load(Path("params.yaml").read_text("utf-8")), Path(folder)
    rows = read(raw)
    count = len(rows)
    rows = judge(rows)
    clean(rows, params["cleaning"])
    duplicates = int(rows["duplicate"].sum())
    rows = rows[~rows["duplicate"]].drop(columns="duplicate")
    refused = rows[rows["rule"].notna()].sort_values("row", ignore_index=True)
    refused.to_parquet(out / "refused.parquet", compression="zstd", index=False)
    kept = rows[rows["rule"].isna()].drop(columns=["rule", *TEXTS]).sort_values(["time", "row"], ignore_index=True)
    del rows
    kept.insert(0, "event_id", Path(raw).name + ":" + kept.pop("row").astype("string[pyarrow]"))
    products = kept.groupby("product_id")["unit_price"].median().rename("price").reset_index()
    kept.to_parquet(out / "events.parquet", compression="zstd", index=False)
    products.to_parquet(out / "products.parquet", compression="zstd", index=False)
    del kept
    figures = {"rows": count, "duplicates": duplicates, **validate(out, params["validate"])}
    (out / "figures.json").write_text(json.dumps(figures), "utf-8")


TEXTS = [f"text_{name}" for name in ("action", "time", "quantity", "price")]
"""Cells as they came, for refused rows."""


def read(raw: str) -> pd.DataFrame:
    """Every cell as text, named ones trimmed, users as pseudonyms; `row` from 1."""
    header = pd.read_csv(raw, nrows=0).columns
    options = pa.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()))
    text = pd.StringDtype("pyarrow", na_value=np.nan)
    found = pa.csv.read_csv(raw, convert_options=options).to_pandas(
        types_mapper=lambda _: text, split_blocks=True, self_destruct=True
    )
    for name in NAMED:
        found[name] = found[name].str.strip()
    key = bytes.fromhex(os.environ["TANDEM_PSEUDONYM_KEY"])
    ids = found["user_id"].unique()
    made = {id: hmac.digest(key, id.encode(), "sha256").hex()[:32] for id in ids if id}
    codes, known = pd.factorize(found["user_id"])
    found["user_id"] = pd.Series([made.get(id) for id in known], dtype=text).take(codes).array
    found["row"] = np.arange(1, len(found) + 1)
    return found


def judge(found: pd.DataFrame) -> pd.DataFrame:
    """Values, whether a row says what an earlier one says, and the first rule that refuses it."""
    duplicate = found.drop(columns="row").duplicated().to_numpy()
    text, no = {name: found[name] for name in NAMED}, {name: found[name] == "" for name in NAMED}
    time = pd.to_datetime(text["time"], format="%Y-%m-%d %H:%M:%S", errors="coerce", utc=True).dt.as_unit("us")
    quantity, price = (pd.to_numeric(text[name], errors="coerce").astype("float64") for name in ("quantity", "price"))
    kind = text["action"].map(KINDS).astype(pd.CategoricalDtype(list(KINDS.values())))
    sale = kind == "purchase"
    broken = [no["product_id"], no["time"], time.isna(), quantity.isna() & ~no["quantity"]]
    broken += [price.isna() & ~no["price"], no["action"], kind.isna(), sale & quantity.isna(), quantity <= 0]
    broken += [sale & (price <= 0), quantity < 0, price < 0]
    codes = np.full(len(found), -1)
    for code in reversed(range(len(broken))):
        codes[broken[code].to_numpy()] = code
    values = {"row": found["row"], "user_id": found["user_id"], "product_id": found["product_id"], "kind": kind}
    values |= {"time": time, "session_id": found["session"].mask(no["session"])}
    values |= {"quantity": quantity.mask(no["quantity"] & ~sale, 1.0), "unit_price": price}
    values |= {f"text_{name}": text[name] for name in ("action", "time", "quantity", "price")}
    return pd.DataFrame({**values, "rule": pd.Categorical.from_codes(codes, pd.Index(RULES)), "duplicate": duplicate})


def clean(rows: pd.DataFrame, params: dict[str, Any]) -> None:
    """Refuse, in place, what rules over several rows find, each among those that are left."""
    bounds, enough = params["impossible_value"], 0.5
    live = rows[~rows["duplicate"] & rows["rule"].isna()]
    minutes, seconds = (live["time"].dt.minute % 15 != 0), (live["time"].dt.second != 0)
    fine = {
        "bot": minutes.groupby(live["kind"], observed=True).mean() > enough,
        "near_duplicate": seconds.groupby(live["kind"], observed=True).mean() > enough,
    }
    beyond = (live["unit_price"] > bounds["max_price"]) | (live["quantity"] > bounds["max_quantity"])
    beyond |= live["time"] < pd.Timestamp(bounds["earliest"])
    live = refuse(rows, live, live.index[beyond], "impossible_value")
    timed = live[live["kind"].map(fine["bot"]).astype(bool) & live["user_id"].notna()]
    live = refuse(rows, live, bots(timed, params["bot"]), "bot")
    counts = live["user_id"].value_counts()
    large = counts.index[counts > len(live) * params["dominant_user"]["max_share"]]
    large = large if len(counts) >= params["dominant_user"]["min_users"] else large[:0]
    if len(large):
        live = refuse(rows, live, live.index[live["user_id"].isin(large)], "dominant_user")
    timed = live[live["kind"].map(fine["near_duplicate"]).astype(bool) & live["user_id"].notna()]
    refuse(rows, live, repeated(timed, params["near_duplicate"]["window_s"]), "near_duplicate")


def refuse(rows: pd.DataFrame, live: pd.DataFrame, found: pd.Index, rule: str) -> pd.DataFrame:
    """The live rows that are left."""
    if not len(found):
        return live
    rows.loc[found, "rule"] = rule
    return live.drop(index=found)


def bots(live: pd.DataFrame, bounds: dict[str, float]) -> pd.Index:
    """Rows of users with too many actions in an active hour and too many products in an active day."""
    counts = live["user_id"].value_counts()
    busy = live[live["user_id"].isin(counts.index[counts > bounds["max_actions_per_hour"]])]
    hours = busy.groupby(["user_id", busy["time"].dt.floor("h")])["row"].nunique().groupby("user_id").mean()
    days = busy.groupby(["user_id", busy["time"].dt.floor("D")])["product_id"].nunique().groupby("user_id").mean()
    caught = hours.index[(hours > bounds["max_actions_per_hour"]) & (days > bounds["max_products_per_day"])]
    return busy.index[busy["user_id"].isin(caught)]


def repeated(live: pd.DataFrame, windows: dict[str, float]) -> pd.Index:
    """Rows that say what the one before says, within the window of their kind."""
    asked = live[live["kind"].isin(windows)]
    again = asked[asked.duplicated(SAME, keep=False)].sort_values(["time", "row"])
    pause = again.groupby(SAME, dropna=False, observed=True)["time"].diff()
    return again.index[pause <= pd.to_timedelta(again["kind"].map(windows).astype(float), unit="s")]


def validate(out: Path, params: dict[str, Any]) -> dict[str, Any]:
    """What is judged of the tables as they were written."""
    events, products = (pd.read_parquet(out / f"{name}.parquet") for name in ("events", "products"))
    needed = ["event_id", "product_id", "kind", "time", "quantity"]
    as_of = pd.Timestamp(params["as_of"])
    return {
        "required": int(events[needed].isna().sum().sum() + products["product_id"].isna().sum()),
        "unique_key": int(events["event_id"].duplicated(keep=False).sum() + products["product_id"].duplicated().sum()),
        "known_values": int((~events["kind"].isin(KINDS.values())).sum()),
        "price_range": outside(events["unit_price"], params) + outside(products["price"], params),
        "quantity_range": int((~events["quantity"].between(0, params["max_quantity"], inclusive="right")).sum()),
        "future_events": int((events["time"] >= as_of).sum()),
        "orphan_products": int((~events["product_id"].isin(products["product_id"])).sum()),
        "freshness": events["time"].max().isoformat(),
        "unseen_purchases": unseen(events),
    }


def outside(prices: pd.Series, params: dict[str, Any]) -> int:
    """How many are told and impossible."""
    return int((~prices.dropna().between(0, params["max_unit_price"])).sum())


def unseen(events: pd.DataFrame) -> float:
    """Share of bought pairs of user and product that were not viewed before."""
    pair = ["user_id", "product_id"]
    known = events.loc[events["user_id"].notna(), [*pair, "kind", "time"]]
    bought = known[known["kind"] == "purchase"].groupby(pair)["time"].min().rename("bought").reset_index()
    met = known.loc[known["kind"] == "view", [*pair, "time"]].merge(bought, on=pair)
    return 1 - len(met.loc[met["time"] <= met["bought"], pair].drop_duplicates()) / len(bought)


if __name__ == "__main__":
    main(*sys.argv[1:])
