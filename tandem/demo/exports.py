"""The shop's own exports as tables of cells: what happened, in the shop's words, with the flaws of real files."""

import html

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.demo import dirt
from tandem.demo.behaviour import DAY_S
from tandem.demo.catalogue import Catalogue
from tandem.demo.customers import Customers
from tandem.demo.size import DemoSize

ZONE = "Europe/Berlin"  # of the events' times, which are written without a zone
ACTIONS = {"view": "view", "favourite": "wish", "cart": "basket", "purchase": "order"}
EVENT_COLUMNS = ["Date", "CustomerNo", "Article", "Action", "Session", "OrderNo", "Qty", "Price"]

GUESTS = 0.05  # of visits: without a customer number
CANCELLED = 0.03  # of orders: taken back within ten days, as an order `C…` with negative quantities
FEES = (("SHIPPING", 0.2, "4.95"), ("VOUCHER", 0.03, "-5.00"), ("GIFTWRAP", 0.02, "2.50"))  # share of orders
CORRECTIONS = 0.01  # of orders: as many corrections of stock stand among the orders
OVERLAP = 5  # rows that each month's file repeats from the end of the month before
FLOAT_FILE = 1  # the second month's file went through a tool that wrote customer numbers as 10001.0
UNLISTED = 0.01  # of products: sold, but missing in the sheet
UNBRANDED = 0.02  # of products: the sheet's brand is empty
STOCK_DAYS = (2, 45)  # of the last four weeks' sales

EVENT_MARKS: dict[str, dirt.Mark] = {
    "anonymous": lambda rows: rows["CustomerNo"] == "",
    "cancellation": lambda rows: rows["OrderNo"].str.startswith("C"),
    "future": lambda rows: rows["flaw"] == "future",
    "user_id_as_float": lambda rows: rows["CustomerNo"].str.endswith(".0"),
}
SHEET_MARKS: dict[str, dirt.Mark] = {
    "html_entity": lambda rows: rows["Title"].str.contains("&amp;"),
    "no_brand": lambda rows: rows["Brand"] == "",
}


def event_files(
    events: pd.DataFrame, shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Cells of each month's file by its name, with the columns `flaw` and `time_s` beside them."""
    rows = _event_cells(events, shop, crowd, rng)
    extra = (_cancellations(rows, size, rng), _fees(rows, rng), _corrections(rows, rng), _future(rows, size, rng))
    rows = pd.concat([rows, *extra], ignore_index=True).sort_values("time_s", kind="stable", ignore_index=True)
    when = pd.Timestamp(size.begin) + pd.to_timedelta(rows["time_s"], unit="s")
    rows["Date"] = when.dt.strftime("%Y-%m-%d %H:%M:%S")
    month = "events-" + rows["Date"].str[:7] + ".csv"
    rows = dirt.spoil(rows, dirt.EVENT_FLAWS, rng)
    files = {str(name): part.reset_index(drop=True) for name, part in rows.groupby(month.to_numpy())}
    affected = list(files)[FLOAT_FILE]
    files[affected] = _as_floats(files[affected])
    repeated = {name: dirt.repeat(part, dirt.DUPLICATE, rng) for name, part in files.items()}
    return _overlap(repeated)


def review_rows(
    reviews: pd.DataFrame, shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator
) -> pd.DataFrame:
    """Reviews as the shop's records, times in UTC."""
    local = pd.Timestamp(size.begin) + pd.to_timedelta(reviews["time_s"], unit="s")
    utc = local.dt.tz_localize(ZONE).dt.tz_convert("UTC")
    rows = pd.DataFrame(
        {
            "id": [f"R{number}" for number in range(1, len(reviews) + 1)],
            "customer": crowd.people["customer"].to_numpy()[reviews["user"]].astype(str),
            "article": shop.products["article"].to_numpy()[reviews["product"]],
            "created": utc.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "stars": reviews["stars"],
            "headline": reviews["headline"],
            "text": reviews["text"],
            "lang": reviews["language"],
            "flaw": "",
        }
    )
    return dirt.repeat(dirt.spoil(rows, dirt.REVIEW_FLAWS, rng), dirt.DUPLICATE, rng)


def customer_rows(crowd: Customers, rng: np.random.Generator) -> pd.DataFrame:
    """Customers with their segments, and with an e-mail address that nobody downstream may see."""
    people = crowd.people
    number = people["customer"].astype(str)
    rows = pd.DataFrame(
        {
            "CustomerNo": number,
            "Email": "customer" + number + "@example.org",
            "AgeBand": people["age_band"],
            "Region": people["region"],
            "flaw": "",
        }
    )
    rows = dirt.repeat(dirt.spoil(rows, dirt.CUSTOMER_FLAWS, rng), dirt.SECOND_CUSTOMER, rng)
    return dirt.repeat(rows, dirt.DUPLICATE, rng)


def sheet_rows(events: pd.DataFrame, shop: Catalogue, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    """The product sheet: texts escaped for HTML, some products missing, some rows twice."""
    products = shop.products
    rows = pd.DataFrame(
        {
            "Article": products["article"],
            "Title": products["title"].map(html.escape),
            "Description": products["description"].map(html.escape),
            "Category": products["department"] + " > " + products["group"] + " > " + products["category"],
            "Brand": products["brand"].where(rng.random(len(products)) >= UNBRANDED, ""),
            "Price": products["price"],
            "Stock": _stock(events, shop, size, rng),
            "LeadTime": products["lead_time_days"],
            "Colour": products["colour"],
            "Picture": products["picture"],
            "flaw": "",
        }
    )
    rows = rows[~products["article"].isin(unlisted(events, shop))].reset_index(drop=True)
    rows = dirt.repeat(dirt.spoil(rows, dirt.SHEET_FLAWS, rng), dirt.SECOND_PRODUCT, rng)
    return dirt.repeat(rows, dirt.DUPLICATE, rng)


def unlisted(events: pd.DataFrame, shop: Catalogue) -> list[str]:
    """Articles that are sold but missing in the sheet: those of middling sales, at least two."""
    sold = events.loc[events["kind"] == "purchase", "product"].value_counts().sort_index()
    ranked = sold.sort_values(ascending=False, kind="stable").index
    count = max(2, round(UNLISTED * len(shop)))
    middle = len(ranked) // 2
    return sorted(shop.products["article"].to_numpy()[ranked[middle : middle + count]])


def _event_cells(events: pd.DataFrame, shop: Catalogue, crowd: Customers, rng: np.random.Generator) -> pd.DataFrame:
    guest = rng.random(events["session"].max() + 1) < GUESTS
    number = crowd.people["customer"].to_numpy()[events["user"]].astype(str)
    order = (500_000 + events["order"]).astype(str)
    return pd.DataFrame(
        {
            "Date": "",
            "CustomerNo": np.where(guest[events["session"]], "", number),
            "Article": shop.products["article"].to_numpy()[events["product"]],
            "Action": events["kind"].map(ACTIONS),
            "Session": events["session"].map("s{:06d}".format),
            "OrderNo": order.where(events["order"] >= 0, ""),
            "Qty": events["quantity"].astype(str),
            "Price": pd.Series(shop.products["price"].to_numpy()[events["product"]]).map("{:.2f}".format),
            "flaw": "",
            "time_s": events["time_s"],
        }
    )


def _cancellations(rows: pd.DataFrame, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    orders = _some_orders(rows, CANCELLED, rng)
    wait = dict(zip(orders["OrderNo"], rng.integers(DAY_S, 10 * DAY_S, len(orders)), strict=True))
    back = rows[rows["OrderNo"].isin(wait)]
    back = back.assign(time_s=back["time_s"] + back["OrderNo"].map(wait), Qty="-" + back["Qty"], Session="")
    return back.assign(OrderNo="C" + back["OrderNo"])[back["time_s"] < size.days * DAY_S]


def _fees(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    charged = [_some_orders(rows, share, rng).assign(Article=code, Price=price) for code, share, price in FEES]
    return pd.concat(charged).assign(Qty="1", flaw="not_a_product")


def _corrections(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    some = _some_orders(rows, CORRECTIONS, rng)
    return some.assign(CustomerNo="", Session="", OrderNo="", Qty="-1", flaw="stock_correction")


def _future(rows: pd.DataFrame, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    views = rows[rows["Action"] == "view"]
    some = views.iloc[rng.permutation(len(views))[: size.future_events]]
    ahead = size.days * DAY_S + rng.integers(2 * DAY_S, 10 * DAY_S, len(some))
    return some.assign(time_s=ahead, flaw="future")


def _some_orders(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """One row each of a share of the orders, at least one."""
    orders = rows[rows["OrderNo"] != ""].drop_duplicates("OrderNo")
    return orders.iloc[np.sort(rng.permutation(len(orders))[: max(1, round(share * len(orders)))])]


def _as_floats(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows["CustomerNo"] != ""
    return rows.assign(CustomerNo=rows["CustomerNo"].where(~known, rows["CustomerNo"] + ".0"))


def _overlap(files: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Each file begins with the last flawless rows of the file before."""
    tails = [rows[rows["flaw"] == ""].tail(OVERLAP).assign(flaw=dirt.DUPLICATE.name) for rows in files.values()]
    heads = [None, *tails[:-1]]
    joined = (pd.concat([head, rows], ignore_index=True) for head, rows in zip(heads, files.values(), strict=True))
    return dict(zip(files, joined, strict=True))


def _stock(events: pd.DataFrame, shop: Catalogue, size: DemoSize, rng: np.random.Generator) -> NDArray[np.int64]:
    """(products,) pieces: the daily sales of the last four weeks for some days, and a few more."""
    recent = events[(events["kind"] == "purchase") & (events["time_s"] >= (size.days - 28) * DAY_S)]
    sold = np.bincount(recent["product"], recent["quantity"], minlength=len(shop)) / 28
    return np.round(sold * rng.uniform(*STOCK_DAYS, len(shop)) + rng.integers(0, 4, len(shop))).astype(int)
