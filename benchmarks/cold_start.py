"""Products that nobody met yet: what will go with them, and who will buy them, from their content alone.

    python -m benchmarks.cold_start [demo] [online_retail] [bundles] [--seeds 3] [--worlds 40]

A fifth of the products, the last launched (of `bundles`, whose sessions are from many years, any), is taken out of
everything that is learned from. Truth is what happens after two thirds of the time: the known products that go into
baskets with a hidden one, and the hidden products that users with a past buy. Of the demo shop, what happened in other
runs of the same shop says how much could be known at most.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import scipy.sparse as sp
import typer
from numpy.typing import NDArray

from models.association.params import AssociationParams
from models.association.ranker import Association
from models.image import labels
from models.image.encoder import PictureEncoder
from models.image.fit import fit
from models.image.params import ImageParams
from models.text import encoder, words
from models.text.cache import Cached
from tandem import demo, files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.demo import behaviour, catalogue, customers
from tandem.evaluation import cases
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, measure
from tandem.evaluation.significance import intervals
from tandem.features import dataset, histories, text
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.vocabulary import Vocabulary
from tandem.params import CountingParams, EmbedParams, FeaturesParams, IngestParams
from tandem.privacy import pseudonyms
from tandem.ranking.base import decayed
from tandem.ranking.neighbours import WeightedCosine, strongest
from tandem.ranking.ranker import Ranker
from tandem.settings import Settings, quiet

QUESTIONS = ("goes with it", "who buys it")
NEAREST = 20
SIZE, SEED = demo.DemoSize(customers=20_000), 7  # of the demo shop
KEY = hashlib.sha256(b"benchmark").digest()
HIDDEN, LEARNED, CHOSEN = 5, 2 / 3, 14  # a fifth; share of the time; days of it to choose on
SHEET = ("category", "brand", "price")
VARIANTS = {
    "sheet": SHEET,
    "text": ("text",),
    "picture": ("picture",),
    "text + picture": ("text", "picture"),
    "all": (*SHEET, "text", "picture"),
}
PICTURED = ("picture", "text + picture")
"""Variants that say nothing new of a shop without pictures."""


@dataclass(frozen=True)
class Shop:
    """A dataset, and when and of what it is asked."""

    name: str
    events: pd.DataFrame
    products: pd.DataFrame
    raw: Path | None  # the raw files where pictures lie, if there are any
    by_launch: bool
    min_count: int  # later baskets that must hold a pair for it to be true
    invented: bool = False  # it is the demo shop, of which other runs can be made

    @cached_property
    def cut(self) -> pd.Timestamp:
        """After two thirds of the time."""
        first, last = self.events["time"].iloc[[0, -1]]
        return (first + LEARNED * (last - first)).floor("D")

    @cached_property
    def hidden(self) -> frozenset[str]:
        """The fifth of the products that came last, or any."""
        first = self.events.groupby("product_id")["time"].min()
        order = first.sort_values(kind="stable") if self.by_launch else first.sample(frac=1, random_state=SEED)
        return frozenset(order.index[-(len(order) // HIDDEN) :])

    @cached_property
    def visible(self) -> pd.DataFrame:
        """Events with products that are not hidden."""
        return self.events[~self.events["product_id"].isin(self.hidden)]

    @cached_property
    def pictures(self) -> PictureEncoder:
        """A network that learned the labels and titles of products that are not hidden."""
        rows = self.products[~self.products["product_id"].isin(self.hidden)]
        said = np.nan_to_num(self.said(Vocabulary.of(rows["product_id"])))
        rows = rows.sort_values("product_id")
        return fit(self.raw, rows["image"].tolist(), labels.of_products(rows), said[1:], ImageParams.read()).encoder

    def said(self, vocabulary: Vocabulary) -> NDArray[np.float32]:
        """(products, dim) their words as stage `embed` reads them untuned, learned from those that are not hidden."""
        taught = np.flatnonzero(~np.isin(vocabulary.ids, list(self.hidden))) + 1
        texts, reads = text.of_products(self.products, vocabulary), Cached(encoder.load(), Settings().home / "text")
        return words.vectors(texts, taught, reads, EmbedParams.read())[0]

    def known(self, until: pd.Timestamp) -> Dataset:
        """What may be learned from: no event with a hidden product, though its sheet is there."""
        listed = set(self.events["product_id"][self.events["time"] < until]) | self.hidden
        sheet = self.products[self.products["product_id"].isin(listed)]
        return dataset.build(self.visible, sheet, until, FeaturesParams(**FEATURES))


FEATURES = {
    "target_kinds": ("purchase",),
    "kind_weight": {"view": 0.1, "click": 0.1, "cart": 0.3, "favourite": 0.3, "purchase": 1.0, "return": 0.0},
    "new_products": True,
}


def with_content(known: Dataset, shop: Shop, modalities: tuple[str, ...]) -> Dataset:
    """The dataset with what is known of those modalities alone, beside what is of the moment."""
    changed = {name: unknown(getattr(known.products, name)) for name in SHEET if name not in modalities}
    if "text" in modalities:
        changed["text"] = shop.said(known.vocabulary)
    if "picture" in modalities and shop.raw:
        rows = shop.products.set_index("product_id").reindex(known.vocabulary.ids)
        found = shop.pictures.encode(shop.raw, rows["image"].tolist())
        vectors = encoder.known(found.vectors, found.present)
        changed["picture"] = np.concatenate([np.full_like(vectors[:1], np.nan), vectors])
    return replace(known, products=replace(known.products, **changed))


def unknown(values: NDArray) -> NDArray:
    """The same shape with nothing known."""
    return np.full_like(values, 0 if values.dtype == np.int32 else np.nan)


@dataclass(frozen=True)
class Asked:
    """Cases of one question, and what may be answered."""

    cases: Cases
    ideal: Ideal
    candidates: int


def questions(shop: Shop, known: Dataset) -> dict[str, Asked]:
    """Known products that go with a hidden one; hidden products that a user buys."""
    later = shop.events[shop.events["time"] >= shop.cut]
    cold = np.isin(np.arange(known.vocabulary.size), known.vocabulary.encode(list(shop.hidden)))
    cold[0] = False
    kinds = known.params.target_kinds
    pairs = cases.of_products(later, known.demand, known.vocabulary, kinds, min_count=shop.min_count)
    users = cases.of_users(known.histories, known.demand, later, known.vocabulary, kinds, new=True)
    of = only(pairs.take(np.flatnonzero(cold[pairs.histories.product])), ~cold), only(users, cold)
    return dict(zip(QUESTIONS, of, strict=True))


def only(asked: Cases, allowed: NDArray[np.bool_]) -> Asked:
    """The cases with some of the products as candidates, those left that have a relevant one among them."""
    truth = asked.truth @ sp.diags_array(allowed.astype(np.float64)).tocsr()
    truth.eliminate_zeros()
    rows = np.flatnonzero(np.diff(truth.indptr))
    masked = sp.csr_array(np.broadcast_to(~allowed, (len(rows), len(allowed))).astype(np.float64))
    found = Cases(asked.histories.take(rows), asked.demand, truth[rows], masked)
    return Asked(found, Ideal.of(found), int(allowed[1:].sum()))


@dataclass(frozen=True)
class Tabled:
    """A method without a network: score(u, j) = Σ_i weight(u, i) · table(i, j)."""

    table: NDArray[np.floating]  # (products, products)
    known: Dataset

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products)."""
        own = decayed(histories, self.known.kind_weight, CountingParams.read().half_life_days)
        return np.asarray(own @ self.table, np.float32)


def peers(known: Dataset) -> dict[str, dict[str, Tabled]]:
    """Methods without a network, by question. Where no category is known, all products are of one.

    popularity in category: sales of the last 30 days, of a hidden product the mean of its category.
    kNN by category, by text: what was bought with its like; a user's past, product by product, by likeness.
    """
    every, path = np.arange(known.vocabulary.size), known.products.category
    same = (path[:, None] == path[None]).all(axis=2).astype(np.float32)  # (products, products)
    near = np.nan_to_num(known.products.text)
    near = strongest((near @ near.T) * known.products.met[None], NEAREST).toarray()
    recent = known.demand.last(30)
    of_category = (same @ recent) / np.maximum(same @ known.products.met, 1)
    together = WeightedCosine(CountingParams.read()).fit(known)
    together = together.scores(histories.of_products(every, len(every), known.as_of_us), known.demand)
    found = {
        "popularity in category": (same * recent + 1e-6 * recent, np.tile(of_category, (len(every), 1))),
        "kNN by category": (same @ together, same),
        "kNN by text": (near @ together, near.T),
    }
    return {
        name: {question: Tabled(table, known) for question, table in zip(QUESTIONS, of, strict=True)}
        for name, of in found.items()
    }


@dataclass(frozen=True)
class Remembered:
    """What users took, known by name."""

    taken: NDArray[np.float32]  # (users, products)
    user_ids: pd.Index

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products)."""
        row = self.user_ids.get_indexer(pd.Index(histories.user_ids))
        if (row < 0).any():
            raise SystemExit(f"{(row < 0).sum()} users are none of the demo shop's: was it made with another seed?")
        return self.taken[row]


def other_runs(shop: Shop, known: Dataset, runs: int) -> dict[str, Tabled | Remembered]:
    """What other runs of the demo shop saw of the same customers and products, later: more than anybody could know."""
    parts = np.random.default_rng(SEED).spawn(6)
    stock, crowd = catalogue.make(SIZE, parts[0]), customers.make(SIZE, parts[1])
    index, size = known.vocabulary.encode(stock.products["article"]), known.vocabulary.size
    user_ids = pd.Index([pseudonyms.of(KEY, str(number)) for number in crowd.people["customer"]])
    begin_s = (shop.cut - pd.Timestamp(SIZE.begin, tz=shop.cut.tz)).total_seconds()
    together, taken = np.zeros((size, size)), np.zeros((len(user_ids), size), np.float32)
    for run in range(runs):
        events, _ = behaviour.simulate(stock, crowd, SIZE, np.random.default_rng([SEED, run]))
        bought = events[(events["kind"] == "purchase") & (events["time_s"] >= begin_s)]
        product, order = index[bought["product"]], pd.factorize(bought["order"])[0]
        content = sp.csr_array((np.ones(len(order)), (order, product)), shape=(order.max() + 1, size))
        content.data[:] = 1
        together += (content.T @ content).toarray()
        np.add.at(taken, (bought["user"].to_numpy(), product), 1)
    return dict(zip(QUESTIONS, (Tabled(together, known), Remembered(taken, user_ids)), strict=True))


def networks(shop: Shop, modalities: tuple[str, ...], seeds: Iterable[int]) -> Iterator[Association]:
    """The association network on that content, one for each seed; epochs and exponents chosen on known products."""
    early = shop.cut - pd.Timedelta(days=CHOSEN)
    window = shop.visible[(shop.visible["time"] >= early) & (shop.visible["time"] < shop.cut)]
    trial, known = (with_content(shop.known(at), shop, modalities) for at in (early, shop.cut))
    validation = cases.views("related", trial, window, min_count=shop.min_count)["together"]
    for seed in seeds:
        params = AssociationParams.read().model_copy(update={"seed": seed})
        yield Association(params).fit(trial, validation).refit(known)


def report(shop: Shop, seeds: int, worlds: int) -> None:
    """Print one line for each method and question: Recall@10 with its interval over cases, seeds pooled."""
    known = with_content(shop.known(shop.cut), shop, VARIANTS["all"])
    asked = questions(shop, known)
    for question, of in asked.items():
        print(f"{shop.name}, {question}: {len(of.cases)} cases, {of.candidates} candidates, {len(shop.hidden)} hidden")
    floor = {}
    for name, of_question in peers(known).items():
        found = {question: recall(ranker, asked[question]) for question, ranker in of_question.items()}
        floor[name] = found
        line(name, found, None)
    if shop.invented and worlds:
        seen = other_runs(shop, known, worlds)
        found = {question: recall(seen[question], of) for question, of in asked.items()}
        line(f"{worlds} other runs", found, floor["popularity in category"])
    made = {}
    for name, modalities in VARIANTS.items():
        if name in PICTURED and not shop.raw:
            continue
        seeded = [
            {q: recall(ranker, of) for q, of in asked.items()} for ranker in networks(shop, modalities, range(seeds))
        ]
        made[name] = {q: np.mean([m[q] for m in seeded], axis=0) for q in asked}
        line(f"network, {name}", made[name], floor["popularity in category"])
    for name, found in made.items():
        if name != "all":
            line(f"all less {name}", {q: made["all"][q] - found[q] for q in asked}, None)


def recall(ranker: Ranker | Tabled | Remembered, of: Asked) -> NDArray[np.float64]:
    """(cases,) Recall@10."""
    return measure(ranker, of.cases, of.ideal, (10,)).by_case["recall_at_10"]


def line(name: str, found: dict[str, NDArray], floor: dict[str, NDArray] | None) -> None:
    """Recall@10 of each question, and how many times that of the floor."""
    cells = []
    for question, values in found.items():
        mean = intervals(values[:, None], resamples=1000, confidence=0.95, seed=SEED)[0]
        times = "" if floor is None or not floor[question].any() else f" {mean.mean / floor[question].mean():5.1f} x"
        cells.append(f"{question}: {mean.mean:.3f} [{mean.low:.3f}, {mean.high:.3f}]{times}")
    print(f"  {name:26s} " + "   ".join(cells), flush=True)


def main(
    shops: Annotated[list[str] | None, typer.Argument(help="demo, online_retail, bundles; default all")] = None,
    seeds: Annotated[int, typer.Option(help="trainings of each network")] = 3,
    worlds: Annotated[int, typer.Option(help="other runs of the demo shop")] = 40,
) -> None:
    """Print the tables of the shops named, or of all."""
    quiet()
    if unknown := set(shops or []) - set(SHOPS):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}; shops are {', '.join(SHOPS)}")
    with tempfile.TemporaryDirectory() as work:
        for name in shops or SHOPS:
            report(SHOPS[name](Path(work) / name), seeds, worlds)


def read(name: str, raw: Path, work: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Purchases and products in canonical form."""
    source, params = Source.read(Path(f"sources/{name}.yaml")), IngestParams.read()
    canonical.make(source, raw, KEY, work, work / "parts", params)
    events, products = (files.read(work / f"{t.name}.parquet", t) for t in (schema.EVENTS, schema.PRODUCTS))
    return events[events["kind"] == "purchase"].reset_index(drop=True), products


def of_demo(work: Path) -> Shop:
    """The demo shop, with categories and pictures."""
    raw = work / "raw"
    demo.generate(raw, work / "truth", SIZE, SEED)
    events, products = read("demo", raw, work / "tables")
    return Shop("demo", events, products, raw, by_launch=True, min_count=2, invented=True)


def of_online_retail(work: Path) -> Shop:
    """Online Retail: titles alone."""
    events, products = read("online_retail", Settings().data_dir / "online_retail" / "by-day", work)
    return Shop("online_retail", events, products, None, by_launch=True, min_count=5)


def of_bundles(work: Path) -> Shop:
    """Sessions of electronics, with titles and categories; a session counts as a basket."""
    events, products = read("bundles", Settings().data_dir / "bundles_electronic", work)
    return Shop("bundles", events, products, None, by_launch=False, min_count=1)


SHOPS: dict[str, Callable[[Path], Shop]] = {
    "demo": of_demo,
    "online_retail": of_online_retail,
    "bundles": of_bundles,
}


if __name__ == "__main__":
    typer.run(main)
