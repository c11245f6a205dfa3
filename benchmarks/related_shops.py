"""What the benchmark of related products asks, of six datasets: what may be learned from, chosen on and judged by."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks import online_retail
from models.text import encoder, words
from models.text.cache import Cached
from tandem import demo, files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.data.splits import cut_points
from tandem.evaluation import cases
from tandem.evaluation.cases import Cases
from tandem.features import dataset, histories, text
from tandem.features.dataset import Dataset
from tandem.params import EmbedParams, FeaturesParams, IngestParams, SplitParams
from tandem.settings import Settings

KEY = hashlib.sha256(b"benchmark").digest()
SEED = 7
TEST, VALIDATION = 0.2, 0.16
"""Of baskets or bundles that are split by chance: a fifth, and a fifth of the rest."""

Named = dict[str, Cases]


@dataclass(frozen=True)
class Shop:
    """A dataset's questions: choices are made on `validation` by what learned from `trial`; `final` is judged."""

    name: str
    about: str
    trial: Dataset
    final: Dataset
    validation: Named  # by view
    asked: Named  # by view
    products: pd.DataFrame  # schema.PRODUCTS
    group: NDArray[np.integer] | None = None  # (cases,) cases that are one when intervals are drawn

    def texts(self, known: Dataset) -> list[str]:
        """(products,) their words."""
        return text.of_products(self.products, known.vocabulary)


def features(new_products: bool = False) -> FeaturesParams:
    """Purchases make baskets."""
    return FeaturesParams(
        target_kinds=online_retail.PURCHASE, kind_weight=online_retail.KINDS, new_products=new_products
    )


def of_online_retail(work: Path) -> Shop:
    """The item-to-item protocol of docs/evaluation.md."""
    events, products, folder = online_retail.read()
    truth = pd.read_csv(folder / "protocol" / "or_assoc_truth.csv.gz", dtype={"a": str, "b": str})
    shop = by_time(
        "online_retail",
        "fitted before November 2011, chosen on October, the truth files of the reference",
        events, products, (online_retail.OCTOBER, online_retail.VALIDATION), 5,
    )  # fmt: skip
    lifts = {"together": 0.0, "beyond_popularity": cases.BEYOND_POPULARITY_LIFT}
    return replace(shop, asked={view: online_retail.of_truth(truth, shop.final, lift) for view, lift in lifts.items()})


def of_demo(work: Path) -> Shop:
    """The windows of the pipeline."""
    demo.generate(work / "raw", work / "truth", demo.DemoSize(), SEED)
    events, products = read("demo", work / "raw", work / "tables")
    cuts = cut_points(events, SplitParams(validation_days=14, test_days=21))
    return by_time(
        "demo", "14 days of validation, then 21 of test", events, products, (cuts.validation, cuts.test), 3, new=True
    )


def of_groceries(work: Path) -> Shop:
    """Baskets have no time: they are put in an order by chance."""
    events, products = read("groceries", Settings().data_dir / "groceries", work)
    orders = pd.factorize(events["order_id"])[0]
    place = np.random.default_rng(SEED).permutation(orders.max() + 1)[orders]
    begin = events["time"].min()
    events = events.assign(time=begin + pd.to_timedelta(place * 4, unit="min"))
    share = (1 - TEST - VALIDATION, 1 - TEST)
    at = tuple(begin + pd.to_timedelta(np.ceil(of * len(np.unique(orders))) * 4, unit="min") for of in share)
    about = "no times: a fifth of the baskets, by seed, is the test, a fifth of the rest validation"
    return by_time("groceries", about, _sorted(events), products, at, 5)


def of_tafeng(work: Path) -> Shop:
    """Baskets in order: the last known one of each user for choices, the future one for the test."""
    events, products = read("tafeng", Settings().data_dir / "tafeng", work)
    day = events["time"].dt.floor("D")
    future = day >= pd.Timestamp("2000-03-01", tz="UTC")
    last = day.where(~future).groupby(events["user_id"]).transform("max")
    test = pd.Timestamp("2001-01-01", tz="UTC")
    time = test - (last - day) - pd.Timedelta(days=1)  # a user's last known basket lies one day before the test
    about = "each user's future basket is the test, the last one before it validation"
    events = _sorted(events.assign(time=time.where(~future, test)))
    return by_time("tafeng", about, events, products, (test - pd.Timedelta(days=1), test), 5)


def of_amazon_grocery(work: Path) -> Shop:
    """Reviews: those of one user and day are a basket."""
    events, products = read("amazon_grocery", Settings().data_dir / "amazon_grocery", work)
    end = events["time"].max().floor("D") + pd.Timedelta(days=1)
    at = end - pd.Timedelta(days=360), end - pd.Timedelta(days=180)
    about = "a basket: one user's reviews of one day; the last 180 days are the test, 180 before them validation"
    return by_time("amazon_grocery", about, events, products, at, 1)


def of_bundles(work: Path) -> Shop:
    """People's bundles: which one was left out? Sessions that a bundle was made from go with it."""
    folder = Settings().data_dir / "bundles_electronic"
    events, products = read("bundles", folder, work)
    made_of = pd.read_csv(folder / "session_bundle.csv", dtype=str).set_index("bundle ID")["session ID"]
    bundles = pd.read_csv(folder / "bundle_item.csv", dtype=str).groupby("bundle ID")["item ID"].unique()
    sessions = np.random.default_rng(SEED).permutation(sorted(made_of.unique()))
    test, chosen = np.split(sessions, [round(len(sessions) * 0.4), round(len(sessions) * 0.6)])[:2]
    read_sessions = pd.read_csv(folder / "session_item.csv", dtype=str)
    alone = read_sessions.groupby("session ID")["item ID"].agg(lambda items: tuple(sorted(set(items))))
    hidden = {name: set(alone.reindex(part).dropna()) for name, part in (("test", test), ("chosen", chosen))}
    content = events.groupby("session_id")["product_id"].agg(lambda items: tuple(sorted(set(items))))
    of_event = events["session_id"].map(content)
    until = events["time"].max().floor("D") + pd.Timedelta(days=1)
    final = dataset.build(events[~of_event.isin(hidden["test"])], products, until, features(True))
    seen = events[~of_event.isin(hidden["test"] | hidden["chosen"])]
    trial = dataset.build(seen, products, until, features(True))
    asked, group = left_out(bundles[bundles.index.map(made_of).isin(test)], final)
    validation, _ = left_out(bundles[bundles.index.map(made_of).isin(chosen)], trial)
    about = (
        "from the other products of a bundle the one left out; bundles and all sessions with their content are split: "
        "two fifths test, one fifth validation; trained on sessions"
    )
    view = "together"
    both = (with_text(known, products) for known in (trial, final))
    return Shop("bundles_electronic", about, *both, {view: validation}, {view: asked}, products, group)


SHOPS: dict[str, Callable[[Path], Shop]] = {
    "demo": of_demo,
    "online_retail": of_online_retail,
    "groceries": of_groceries,
    "tafeng": of_tafeng,
    "bundles_electronic": of_bundles,
    "amazon_grocery": of_amazon_grocery,
}


def make(name: str) -> Shop:
    """The questions of one dataset."""
    with tempfile.TemporaryDirectory() as work:
        return SHOPS[name](Path(work))


def read(name: str, raw: Path, work: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events and products in canonical form."""
    source, params = Source.read(Path(f"sources/{name}.yaml")), IngestParams.read()
    rules = params.cleaning.model_copy(
        update={"bot": params.cleaning.bot.model_copy(update={"enabled": False})}  # times may be made up
    )
    canonical.make(source, raw, KEY, work, work / "parts", params._replace(cleaning=rules))
    events, products = (files.read(work / f"{of.name}.parquet", of) for of in (schema.EVENTS, schema.PRODUCTS))
    return events, products


def by_time(
    name: str,
    about: str,
    events: pd.DataFrame,
    products: pd.DataFrame,
    at: tuple[pd.Timestamp, ...],
    min_count: int,
    *,
    new: bool = False,
) -> Shop:
    """Learned before the first time, chosen on what came before the second, judged by the rest."""
    trial, final = (with_text(dataset.build(events, products, cut, features(new)), products) for cut in at)
    window = events[(events["time"] >= at[0]) & (events["time"] < at[1])]
    validation = cases.views("related", trial, window, min_count=min_count)
    asked = cases.views("related", final, events[events["time"] >= at[1]], min_count=min_count)
    return Shop(name, f"{about}; relevant from {min_count} later baskets on", trial, final, validation, asked, products)


def with_text(known: Dataset, products: pd.DataFrame) -> Dataset:
    """The dataset with what its titles say, as stage `embed` reads them untuned."""
    texts = text.of_products(products, known.vocabulary)
    vectors, _ = words.vectors(texts, np.arange(1, len(texts)), reads(), EmbedParams.read())
    return replace(known, products=replace(known.products, text=vectors))


def reads() -> Cached:
    """The packaged MiniLM."""
    return Cached(encoder.load(), Settings().home / "text")


def left_out(bundles: pd.Series, known: Dataset) -> tuple[Cases, NDArray[np.int64]]:
    """A case for each product of each bundle of two or more: the others ask for it. And the bundle of each case."""
    members = [known.vocabulary.encode(items) for items in bundles]
    rows = [(n, one, np.setdiff1d(of, [one, 0])) for n, of in enumerate(members) for one in of if one]
    rows = [row for row in rows if len(row[2])]
    size = known.vocabulary.size
    wanted = np.array([one for _, one, _ in rows])
    shape = (len(rows), size)
    truth = sp.csr_array((np.ones(len(rows)), (np.arange(len(rows)), wanted)), shape=shape)
    lengths = np.array([len(others) for _, _, others in rows])
    others = np.concatenate([others for _, _, others in rows])
    held = sp.csr_array((np.ones(len(others)), (np.repeat(np.arange(len(rows)), lengths), others)), shape=shape)
    single = histories.of_products(others, size, known.as_of_us)
    asking = replace(
        single,
        user_ids=np.array([f"case-{n}" for n in range(len(rows))], object),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
    return Cases(asking, known.demand, truth, held), np.array([n for n, _, _ in rows])


def _sorted(events: pd.DataFrame) -> pd.DataFrame:
    return events.sort_values("time", kind="stable", ignore_index=True)
