"""What a run keeps for the next changes what an increment costs, and nothing else: its tables are those of a rebuild.

Settled anew is only what new rows can touch, and written anew only months with news.
"""

import copy
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tandem import files
from tandem.data import canonical as module
from tandem.data import months
from tandem.data.sources import Source
from tandem.params import CleaningParams, IngestParams

from ...shop import COLUMNS
from .conftest import HEADER, KEY, PARAMS, SHOP

NEW_YEAR = [
    "a1,u1,2026-01-31 23:20,,1,2.5,look,Cup,x",
    "a2,u1,2026-01-31 23:50,,1,3,look,Pot,x",
    "a3,u1,2026-02-01 01:10,,1,2,look,Mug,x",
    "a1,u2,2026-03-05 12:00:07,o2,1,2.5,buy,Cup,x",
    "a2,,2026-03-05 12:00:07,o3,2,2.5,buy,Pot,x",
]
BOUNDS: dict[str, dict[str, Any]] = {
    "bot": {"max_actions_per_hour": 4, "max_products_per_day": 2},
    "dominant_user": {"max_share": 0.95, "min_users": 2},
    "near_duplicate": {"window_s": {"view": 30.0}},
}

CATALOGUE = {"files": "products.csv", "format": "csv", "columns": {"product_id": "code"}, "upper": ["product_id"]}


def bounded(**bounds: dict[str, Any]) -> IngestParams:
    """Params with other bounds of some rules."""
    return PARAMS._replace(cleaning=CleaningParams.model_validate(PARAMS.cleaning.model_dump() | merged(bounds)))


def merged(bounds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: getattr(PARAMS.cleaning, name).model_dump() | of for name, of in bounds.items()}


class Shop:
    """A shop to which files come, and the tables that come of them."""

    def __init__(self, work: Path) -> None:
        self.work, self.source, self.params = work, copy.deepcopy(SHOP), bounded(**BOUNDS)
        self.source["events"][0]["session_gap_minutes"] = 30

    def arrive(self, name: str, *rows: str, header: str = HEADER) -> None:
        """A raw file, anew or instead of an old one."""
        path = self.work / "raw" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(header + "".join(row + "\n" for row in rows))

    def make(self, out: str = "out", parts: str = "parts") -> dict[str, bytes]:
        """The bytes of all files of the tables."""
        source, tables = Source.model_validate(self.source), self.work / out
        self.report = module.make(source, self.work / "raw", KEY, tables, self.work / parts, self.params)
        return {p.relative_to(tables).as_posix(): p.read_bytes() for p in sorted(tables.rglob("*")) if p.is_file()}

    def grown(self) -> dict[str, bytes]:
        """The tables with what came since, which are those of a rebuild, as is the account."""
        grown, account = self.make(), self.report
        assert self.make("anew", f"parts-{random.random()}") == grown
        assert self.report == account
        return grown

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table."""
        return [
            row for path in files.of(self.work / "out" / f"{table}.parquet") for row in pq.read_table(path).to_pylist()
        ]

    def why(self) -> dict[str, str]:
        """The rule of each refused row by `file:row`."""
        return {f"{row['file']}:{row['row']}": row["rule"] for row in self.rows("refused")}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files of months that are written from now on."""
    found: list[str] = []
    write = files.write_batches
    monkeypatch.setattr(
        files, "write_batches", lambda b, path, table: (found.append(path.name), write(b, path, table))[1]
    )
    return found


def test_only_months_with_news_are_written(shop, written) -> None:
    shop.arrive("events-1.csv", *NEW_YEAR)
    shop.make()
    assert [name for name in written if name.startswith("2026")] == [
        "2026-01.parquet",
        "2026-02.parquet",
        "2026-03.parquet",
    ]
    shop.arrive("events-2.csv", "a1,u3,2026-03-06 10:00,o4,1,2.5,buy,Cup,x")
    written.clear()
    shop.make()
    assert [name for name in written if name.startswith("2026")] == ["2026-03.parquet"]
    written.clear()
    shop.make()
    assert not [name for name in written if name.startswith("2026")]
    assert sorted(path.name for path in (shop.work / "out/events.parquet").iterdir()) == [
        "2026-01.parquet", "2026-02.parquet", "2026-03.parquet",
    ]  # fmt: skip


def test_a_session_over_a_months_end_begins_with_a_late_row(shop, written) -> None:
    """The clocks are Berlin's: all of it is in January by UTC, but for the last row."""
    times = ["23:20", "23:50", "2026-02-01 00:20", "2026-02-01 00:50", "2026-02-01 01:20"]
    rows = [f"a{n},u1,{t if ' ' in t else f'2026-01-31 {t}'},,1,2.5,look,Cup,x" for n, t in enumerate(times)]
    shop.arrive("events-1.csv", *rows, *NEW_YEAR[3:])
    shop.make()
    assert {row["session_id"] for row in shop.rows("events") if row["product_id"] == "A4"} == {"events-1.csv:1"}
    shop.arrive("events-0.csv", "a9,u1,2026-01-31 23:00,,1,2.5,look,Cup,x")
    written.clear()
    shop.grown()
    of = {row["product_id"]: (row["session_id"], str(row["time"])[:7]) for row in shop.rows("events")}
    assert of["A4"] == ("events-0.csv:1", "2026-02"), "its month is written for its session's sake"
    assert "2026-03.parquet" not in written[: written.index("refused.parquet")]


def test_events_without_quantity_come_into_a_month_that_is_there(shop) -> None:
    shop.source["events"][0]["columns"] = {n: c for n, c in COLUMNS.items() if n != "quantity"}
    shop.arrive("events-1.csv", "a1,u1,2026-03-01 10:00,o1,7,2.5,buy,Cup,x")
    shop.make()
    shop.arrive("events-2.csv", "a1,u1,2026-03-02 10:00,o2,7,2.5,buy,Cup,x")
    shop.grown()
    assert [row["quantity"] for row in shop.rows("events")] == [1.0, 1.0]


def test_a_duplicate_in_a_file_that_comes_first_by_name_takes_the_place_of_the_old_row(shop) -> None:
    shop.arrive("events-1.csv", *NEW_YEAR)
    shop.make()
    shop.arrive("events-0.csv", NEW_YEAR[3], NEW_YEAR[4], NEW_YEAR[4])
    shop.grown()
    ids = {row["event_id"] for row in shop.rows("events")}
    assert {"events-0.csv:1", "events-0.csv:2"} <= ids
    assert not {"events-1.csv:4", "events-1.csv:5"} & ids


def test_a_correction_of_another_users_row_gives_that_users_other_rows_back(shop) -> None:
    """The row that is corrected was the first of a run of near duplicates, and its reason names it."""
    shop.source["events"][0]["corrections"] = ["order_id"]
    rows = [f"a1,u1,2026-03-05 12:00:{s},{order},1,2.5,look,Cup,x" for s, order in (("07", "o1"), ("17", "o1"))]
    shop.arrive("events-1.csv", *rows, "a7,u1,2026-03-05 12:00:27,,1,2.5,look,Cup,x", *NEW_YEAR)
    shop.make()
    assert shop.why() == {"events-1.csv:1": "corrected"}
    shop.arrive("events-2.csv", "a4,u2,2026-03-05 12:10:07,o1,1,2.5,look,Cup,x")
    shop.grown()
    reasons = {row["row"]: row["reason"] for row in shop.rows("refused")}
    assert reasons == dict.fromkeys((1, 2), "events-2.csv row 1 corrects it")


def test_a_new_first_row_of_a_run_is_named_by_all_that_repeat_it(shop) -> None:
    run = [f"a1,u1,2026-03-05 12:00:{s},,1,2.5,look,Cup,x" for s in ("17", "27", "37")]
    shop.arrive("events-1.csv", *run, *NEW_YEAR)
    shop.make()
    shop.arrive("events-2.csv", run[0].replace(":17", ":07"))
    shop.grown()
    reasons = [row["reason"] for row in shop.rows("refused")]
    assert reasons == ["repeats events-2.csv row 1 within 30 s"] * 3


def test_a_user_becomes_a_bot_and_is_one_with_every_row_that_follows(shop) -> None:
    quick = [f"a{n},u5,2026-03-05 12:{n:02}:07,,1,2.5,look,Cup,x" for n in range(9)]
    shop.arrive("events-1.csv", *quick[:4], *NEW_YEAR)
    shop.make()
    assert not shop.why()
    for number, rows in ((2, quick[4:8]), (3, quick[8:])):
        shop.arrive(f"events-{number}.csv", *rows)
        shop.grown()
    assert list(shop.why().values()) == ["bot"] * 9
    (reason,) = {row["reason"] for row in shop.rows("refused")}
    assert reason.startswith("user with 9 actions in 1 active hours")


def test_a_bot_is_none_any_more_once_times_of_its_kind_are_too_coarse(shop) -> None:
    """That rests on all events of the kind, whoever's they are."""
    quick = [f"a{n},u5,2026-03-05 12:{n:02}:07,,1,2.5,look,Cup,x" for n in range(1, 9)]
    shop.arrive("events-1.csv", *quick)
    shop.make()
    assert set(shop.why().values()) == {"bot"}
    shop.arrive("events-2.csv", *(f"a1,v{n},2026-03-0{n} 00:00,,1,2.5,look,Cup,x" for n in range(1, 10)))
    shop.grown()
    assert not shop.why()


def test_a_user_becomes_dominant_and_is_none_any_more(shop) -> None:
    shop.params = bounded(**BOUNDS | {"dominant_user": {"max_share": 0.6, "min_users": 2}})
    shop.arrive("events-1.csv", *NEW_YEAR)
    shop.make()
    theirs = [f"a1,u2,2026-03-{day:02} 12:00:07,,1,2.5,look,Cup,x" for day in range(10, 20)]
    shop.arrive("events-2.csv", *theirs)
    shop.grown()
    assert list(shop.why().values()) == ["dominant_user"] * 11
    shop.arrive("events-3.csv", *(f"b1,v{n},2026-04-{n + 1:02} 12:00:07,,1,2.5,look,Cup,x" for n in range(9)))
    shop.grown()
    assert not shop.why()


def test_a_price_becomes_usual(shop) -> None:
    shop.params = bounded(**BOUNDS, price_outlier={"enabled": True, "max_factor": 5, "min_events": 3})
    prices = [f"a1,u{n},2026-03-05 12:00:07,,1,{price},look,Cup,x" for n, price in enumerate([2, 2, 2, 90])]
    shop.arrive("events-1.csv", *prices)
    shop.make()
    assert shop.why() == {"events-1.csv:4": "price_outlier"}
    shop.arrive("events-2.csv", *(f"a1,v{n},2026-03-05 12:00:07,,1,90,look,Cup,x" for n in range(4)))
    shop.grown()
    assert set(shop.why()) == {"events-1.csv:1", "events-1.csv:2", "events-1.csv:3"}


def test_a_product_becomes_known_and_is_so_no_more(shop) -> None:
    shop.source |= {"products_from_events": None, "products": [CATALOGUE]}
    shop.arrive("events-1.csv", *NEW_YEAR)
    for codes, unknown in ((["a1"], 3), (["a1", "a2"], 1), (["a2", "a3"], 2)):
        shop.arrive("products.csv", *codes, header="code\n")
        shop.grown()
        assert list(shop.why().values()) == ["unknown_product"] * unknown


def test_a_file_that_is_gone_or_changed_takes_its_rows_with_it(shop) -> None:
    for number in range(3):
        shop.arrive(f"events-{number}.csv", *NEW_YEAR[number:])
        shop.make()
    (shop.work / "raw/events-0.csv").unlink()
    shop.grown()
    assert {row["event_id"] for row in shop.rows("events")} == {f"events-1.csv:{n}" for n in range(1, 5)}
    shop.arrive("events-1.csv", *(row for row in NEW_YEAR if ",u1," not in row))  # the user is erased
    shop.arrive("events-2.csv", *(row for row in NEW_YEAR[2:] if ",u1," not in row))
    shop.grown()
    assert "2026-01.parquet" not in {path.name for path in (shop.work / "out/events.parquet").iterdir()}
    for path in shop.work.glob("*.csv"):
        path.unlink()


def test_other_params_settle_everything_anew(shop) -> None:
    quick = [f"a{n},u5,2026-03-05 12:{n:02}:07,,1,2.5,look,Cup,x" for n in range(9)]
    shop.arrive("events-1.csv", *quick, *NEW_YEAR)
    shop.make()
    assert len(shop.why()) == 9
    shop.params = PARAMS
    shop.grown()
    assert not shop.why()


def test_what_was_half_kept_is_of_no_use(shop, monkeypatch) -> None:
    """A run that ends while it writes leaves nothing behind that the next one trusts."""
    shop.arrive("events-1.csv", *NEW_YEAR)
    shop.make()
    shop.arrive("events-2.csv", "a1,u3,2026-02-06 10:00,o4,1,2.5,buy,Cup,x")
    with monkeypatch.context() as patch:
        patch.setattr(months, "finish", full)
        with pytest.raises(OSError, match="disk is full"):
            shop.make()
    shop.grown()


def full(*_: Any) -> None:
    raise OSError("disk is full")


def test_without_events_there_is_one_file_without_rows(shop) -> None:
    shop.arrive("events-1.csv", "x1,u1,2026-03-05 12:00,o1,1,2.5,buy,Fee,x")
    shop.grown()
    assert [path.name for path in (shop.work / "out/events.parquet").iterdir()] == ["none.parquet"]
    assert shop.report["span"] is None
    shop.arrive("events-2.csv", *NEW_YEAR)
    shop.grown()
    assert "none.parquet" not in {path.name for path in (shop.work / "out/events.parquet").iterdir()}


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(3, 20))])
def test_whatever_comes_in_whatever_order(shop, seed) -> None:
    """Few users, products and moments, so that rows touch each other in every way; each file is a run."""
    rng = random.Random(seed)
    if seed % 2:
        shop.source["events"][0]["corrections"] = ["order_id", "product_id"]
    else:
        shop.source["events"][0]["order_gap_minutes"] = 20
    names = [f"events-{number}.csv" for number in range(4)]
    before: list[str] = []
    for name in rng.sample(names, len(names)):
        shop.arrive(name, *any_rows(rng, 60, before))
        shop.grown()
    total = shop.report["totals"]["events"]
    assert total["duplicates"]
    assert set(total["rules"]) == {"bot", "fee", "near_duplicate", *(["corrected"] if seed % 2 else [])}


def any_rows(rng: random.Random, count: int, before: list[str]) -> list[str]:
    """Rows, some of them as an earlier one or right after it; `before` is added to."""
    rows = []
    for _ in range(count):
        row = rng.choice(before) if before and rng.random() < 0.4 else any_row(rng)
        rows.append(row.replace(":07,", ":17,") if rng.random() < 0.5 else row)
        before.append(rows[-1])
    return rows


def any_row(rng: random.Random) -> str:
    user = rng.choice(["", *"uuuvwxyz"])
    hour = rng.choice(["01-31 23", "02-01 00", "02-01 01", "02-28 23", "03-01 00"]) if user != "u" else "02-01 01"
    time = f"2026-{hour}:{rng.randrange(0, 60, 6):02}:07"
    order, what = rng.choice(["", "", "", "o1", "o2"]), rng.choice(["look", "look", "buy"])
    return f"{rng.choice('aaabx')}{rng.randrange(3)},{user},{time},{order},1,{rng.choice([2.5, 3])},{what},Cup,x"
