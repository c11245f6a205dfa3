"""Make the demo shop: raw exports in one folder, the truth in another."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from tandem.demo import behaviour, catalogue, customers, dirt, exports, opinions, pictures, writing
from tandem.demo.size import DemoSize
from tandem.demo.truth import write_truth
from tandem.errors import SourceError

log = logging.getLogger(__name__)

PATTERNS = ("events-*.csv", "customers.csv", "reviews.jsonl", "products.xlsx", "pictures.zip")
_BESIDE = ["flaw", "time_s"]  # columns that are no cells


def generate(raw: Path, truth: Path, size: DemoSize, seed: int) -> None:
    """Write the shop's exports below `raw` and what they were made from below `truth`.

    The same size and seed give the same bytes. Exports of an earlier call are replaced.

    Raises:
        SourceError: one folder lies in the other, so that the truth would be an input.
    """
    _keep_apart(raw, truth)
    parts = np.random.default_rng(seed).spawn(6)
    shop, crowd = catalogue.make(size, parts[0]), customers.make(size, parts[1])
    events, habits = behaviour.simulate(shop, crowd, size, parts[2])
    reviews = opinions.write_reviews(events, shop, crowd, size, parts[3])
    monthly = exports.event_files(events, shop, crowd, size, parts[4])
    others = {
        "customers.csv": exports.customer_rows(crowd, parts[4]),
        "reviews.jsonl": exports.review_rows(reviews, shop, crowd, size, parts[4]),
        "products.xlsx": exports.sheet_rows(events, shop, size, parts[4]),
    }
    _write_raw(raw, monthly | others)
    writing.write_zip(pictures.paint(shop.products, parts[5]), raw / "pictures.zip")
    marks = dict.fromkeys(monthly, exports.EVENT_MARKS) | {"products.xlsx": exports.SHEET_MARKS}
    counts = {name: dirt.account(rows, marks.get(name, {})) for name, rows in (monthly | others).items()}
    about = {"files": counts, "seed": seed, "unlisted": exports.unlisted(events, shop)}
    write_truth(truth, size, shop, crowd, habits, reviews, about)


def _keep_apart(raw: Path, truth: Path) -> None:
    a, b = raw.resolve(), truth.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise SourceError(f"raw folder {raw} and truth folder {truth} must lie apart")


def _write_raw(raw: Path, tables: dict[str, pd.DataFrame]) -> None:
    raw.mkdir(parents=True, exist_ok=True)
    for old in (path for pattern in PATTERNS for path in raw.glob(pattern)):
        old.unlink()
    for name, table in tables.items():
        _write_table(table.drop(columns=_BESIDE, errors="ignore"), raw / name)
    log.info("made a demo shop: %d files with %d rows", len(tables), sum(map(len, tables.values())))


def _write_table(cells: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        writing.write_csv(cells, path)
    elif path.suffix == ".jsonl":
        writing.write_jsonl(cells, path)
    else:
        writing.write_excel(cells, path, "Products")
