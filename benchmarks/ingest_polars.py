"""The work of `benchmarks.ingest` in Polars.

`python -m benchmarks.ingest_polars RAW FOLDER` runs where params.yaml is. One CSV file of generated events becomes
events, products and refused rows, and their figures. What looks at one row is lazy and runs in Polars' streaming
engine; what looks at several is asked of columns in memory.
"""

import hmac
import json
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml

NAMED = ["user_id", "product_id", "action", "time", "session", "quantity", "price"]
KINDS = {"view": "view", "cart": "cart", "buy": "purchase"}
SAME = ["user_id", "product_id", "kind", "quantity", "unit_price"]
MADE = ["missing_product_id", "missing_time", "unreadable_time", "unreadable_quantity", "unreadable_unit_price"]
MADE += ["missing_kind", "unknown_kind", "missing_quantity", "quantity_not_positive", "price_not_positive"]
MADE += ["quantity_out_of_range", "unit_price_out_of_range"]
RULES = pl.Enum([*MADE, "impossible_value", "bot", "dominant_user", "near_duplicate"])


def main(raw: str, folder: str) -> None:
    """Write the tables into `folder`, and figures.json."""
    params, out = yaml.safe_load(Path("params.yaml").read_text("utf-8")), Path(folder)
    rows = judge(raw).collect(engine="streaming")
    count = rows.height
    rows = without_duplicates(rows)
    duplicates = count - rows.height
    rows = clean(rows, params["cleaning"])
    refused = rows.filter(pl.col("rule").is_not_null()).sort("row")
    refused.write_parquet(out / "refused.parquet", compression="zstd")
    kept = rows.filter(pl.col("rule").is_null()).drop("rule", "record").sort("time", "row")
    del rows
    event_id = pl.concat_str(pl.lit(Path(raw).name + ":"), "row").alias("event_id")
    products = kept.group_by("product_id").agg(price=pl.col("unit_price").median())
    kept.lazy().select(event_id, pl.exclude("row")).sink_parquet(out / "events.parquet", compression="zstd")
    products.sort("product_id").write_parquet(out / "products.parquet", compression="zstd")
    del kept
    figures = {"rows": count, "duplicates": duplicates, **validate(out, params["validate"])}
    (out / "figures.json").write_text(json.dumps(figures), "utf-8")


def judge(raw: str) -> pl.LazyFrame:
    """Values, two hashes of what a row says, and the first rule that refuses it; users as pseudonyms."""
    text = pl.scan_csv(raw, infer_schema=False, row_index_name="row", row_index_offset=1)
    text = text.with_columns(pl.col(NAMED).str.strip_chars())
    said = pl.concat_str(pl.exclude("row").fill_null("\x1e"), separator="\x1f")
    text = text.with_columns(said_1=said.hash(1), said_2=said.hash(2))
    text = text.with_columns(pl.col(NAMED).replace("", None))
    text = text.join(pseudonyms(text), on="user_id", how="left")
    rows = text.with_columns(
        kind=pl.col("action").replace_strict(KINDS, default=None, return_dtype=pl.Enum(list(KINDS.values()))),
        moment=pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False),
        pieces=pl.col("quantity").cast(pl.Float64, strict=False),
        unit_price=pl.col("price").cast(pl.Float64, strict=False),
    )
    rows = rows.with_columns(rule=pl.coalesce(pl.when(c).then(pl.lit(r, RULES)) for r, c in broken().items()))
    as_it_came = pl.struct("action", "time", "quantity", "price")
    return rows.select(
        "row", "said_1", "said_2", "product_id", "kind", "unit_price", "rule",
        user_id="pseudonym", time="moment", session_id="session",
        quantity=pl.when(pl.col("quantity").is_null() & (pl.col("kind") != "purchase")).then(1.0).otherwise("pieces"),
        record=pl.when(pl.col("rule").is_not_null()).then(as_it_came),
    )  # fmt: skip


def pseudonyms(text: pl.LazyFrame) -> pl.LazyFrame:
    """`user_id` and `pseudonym`, one row per user."""
    key = bytes.fromhex(os.environ["TANDEM_PSEUDONYM_KEY"])
    ids = text.select(pl.col("user_id").drop_nulls().unique()).collect(engine="streaming")["user_id"]
    made = [hmac.digest(key, id.encode(), "sha256").hex()[:32] for id in ids]
    return pl.LazyFrame({"user_id": ids, "pseudonym": made})


def broken() -> dict[str, pl.Expr]:
    """Where a row breaks each rule, in the order in which they are asked."""
    sale = pl.col("kind") == "purchase"
    conditions = [
        pl.col("product_id").is_null(),
        pl.col("time").is_null(),
        pl.col("moment").is_null(),
        pl.col("quantity").is_not_null() & pl.col("pieces").is_null(),
        pl.col("price").is_not_null() & pl.col("unit_price").is_null(),
        pl.col("action").is_null(),
        pl.col("kind").is_null(),
        sale & pl.col("pieces").is_null(),
        pl.col("pieces") <= 0,
        sale & (pl.col("unit_price") <= 0),
        pl.col("pieces") < 0,
        pl.col("unit_price") < 0,
    ]
    return dict(zip(MADE, conditions, strict=True))


def without_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """Of rows that say the same only the first."""
    said = ["said_1", "said_2"]
    again = rows.group_by("said_1").len().filter(pl.col("len") > 1).select("said_1")
    few = rows.select("row", *said).join(again, on="said_1", how="semi").sort("row")
    later = few.filter(~pl.struct(said).is_first_distinct())
    return rows.drop(said).join(later.select("row"), on="row", how="anti")


def clean(rows: pl.DataFrame, params: dict[str, Any]) -> pl.DataFrame:
    """Refuse what rules over several rows find, each among those that are left."""
    bounds = params["impossible_value"]
    live = rows.filter(pl.col("rule").is_null()).select("row", *SAME, "time")
    share = live.group_by("kind").agg(
        bot=(pl.col("time").dt.minute() % 15 != 0).mean(), near_duplicate=(pl.col("time").dt.second() != 0).mean()
    )
    fine = {rule: share.filter(pl.col(rule) > 0.5)["kind"].implode() for rule in ("bot", "near_duplicate")}
    beyond = (pl.col("unit_price") > bounds["max_price"]) | (pl.col("quantity") > bounds["max_quantity"])
    beyond |= pl.col("time") < datetime.fromisoformat(bounds["earliest"])
    found = {"impossible_value": live.filter(beyond)["row"]}
    live = live.filter(~beyond.fill_null(False))
    known = pl.col("user_id").is_not_null()
    found["bot"] = bots(live.filter(known & pl.col("kind").is_in(fine["bot"])), params["bot"])
    live = live.filter(~pl.col("row").is_in(found["bot"].implode()))
    counts = live.filter(known).group_by("user_id").len()
    large = counts.filter(pl.col("len") > live.height * params["dominant_user"]["max_share"])
    large = large if counts.height >= params["dominant_user"]["min_users"] else large.clear()
    found["dominant_user"] = live.join(large, on="user_id", how="semi")["row"]
    live = live.join(large, on="user_id", how="anti") if large.height else live
    timed = live.filter(known & pl.col("kind").is_in(fine["near_duplicate"]))
    found["near_duplicate"] = repeated(timed, params["near_duplicate"]["window_s"])
    verdicts = pl.concat(pl.select(row=of, late=pl.lit(rule, RULES)) for rule, of in found.items())
    return rows.join(verdicts, on="row", how="left").with_columns(rule=pl.coalesce("rule", "late")).drop("late")


def bots(live: pl.DataFrame, bounds: dict[str, float]) -> pl.Series:
    """Rows of users with too many actions in an active hour and too many products in an active day."""
    counts = live.group_by("user_id").len().filter(pl.col("len") > bounds["max_actions_per_hour"])
    busy = live.join(counts, on="user_id", how="semi")
    hours = busy.group_by("user_id", pl.col("time").dt.truncate("1h")).agg(n=pl.col("row").n_unique())
    days = busy.group_by("user_id", pl.col("time").dt.truncate("1d")).agg(n=pl.col("product_id").n_unique())
    fast = hours.group_by("user_id").agg(pl.col("n").mean()).filter(pl.col("n") > bounds["max_actions_per_hour"])
    broad = days.group_by("user_id").agg(pl.col("n").mean()).filter(pl.col("n") > bounds["max_products_per_day"])
    return busy.join(fast, on="user_id", how="semi").join(broad, on="user_id", how="semi")["row"]


def repeated(live: pl.DataFrame, windows: dict[str, float]) -> pl.Series:
    """Rows that say what the one before says, within the window of their kind."""
    windows = {kind: seconds for kind, seconds in windows.items() if kind in KINDS.values()}
    asked = live.lazy().filter(pl.col("kind").is_in(list(windows)))
    several = asked.group_by(SAME).len().filter(pl.col("len") > 1)
    again = asked.join(several, on=SAME, how="semi", nulls_equal=True).sort("time", "row")
    window = pl.col("kind").replace_strict({k: timedelta(seconds=s) for k, s in windows.items()}, default=None)
    again = again.filter(pl.col("time").diff().over(SAME) <= window)
    return again.select("row").collect(engine="streaming")["row"]


def validate(out: Path, params: dict[str, Any]) -> dict[str, Any]:
    """What is judged of the tables as they were written."""
    events, products = (pl.scan_parquet(out / f"{name}.parquet") for name in ("events", "products"))
    needed = pl.col("event_id", "product_id", "kind", "time", "quantity")
    price, quantity, most = pl.col("unit_price"), pl.col("quantity"), params["max_quantity"]
    asked = {
        "rows": events.select(
            required=pl.sum_horizontal(needed.null_count()),
            unique_key=pl.len() - pl.col("event_id").n_unique(),
            known_values=(~pl.col("kind").cast(pl.String).is_in(list(KINDS.values()))).sum(),
            price_range=(~price.is_between(0, params["max_unit_price"])).sum(),
            quantity_range=(~quantity.is_between(0, most, closed="right")).sum(),
            future_events=(pl.col("time") >= datetime.fromisoformat(params["as_of"])).sum(),
            freshness=pl.col("time").max(),
        ),
        "products": products.select(
            required=pl.col("product_id").null_count(),
            unique_key=pl.len() - pl.col("product_id").n_unique(),
            price_range=(~pl.col("price").is_between(0, params["max_unit_price"])).sum(),
        ),
        "orphans": events.join(products, on="product_id", how="anti").select(pl.len()),
        "unseen": unseen(events),
    }
    found = dict(zip(asked, pl.collect_all(asked.values(), engine="streaming"), strict=True))
    figures, of_products = (found[name].row(0, named=True) for name in ("rows", "products"))
    for name, count in of_products.items():
        figures[name] += count
    figures["freshness"] = figures["freshness"].isoformat()
    return {**figures, "orphan_products": found["orphans"].item(), "unseen_purchases": found["unseen"].item()}


def unseen(events: pl.LazyFrame) -> pl.LazyFrame:
    """Share of bought pairs of user and product that were not viewed before."""
    pair = ["user_id", "product_id"]
    known = events.filter(pl.col("user_id").is_not_null())
    bought = known.filter(pl.col("kind") == "purchase").group_by(pair).agg(bought=pl.col("time").min())
    viewed = known.filter(pl.col("kind") == "view").select(*pair, "time")
    met = viewed.join(bought, on=pair).filter(pl.col("time") <= pl.col("bought")).select(pair).unique()
    return pl.concat([met.select(n=pl.len()), bought.select(n=pl.len())]).select(
        1 - pl.col("n").first() / pl.col("n").last()
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
