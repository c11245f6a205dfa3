"""Which bundles real shops have, and how often they come up in baskets that they were not found in.

    python -m benchmarks.bundles online_retail

online_retail: found before November 2011, counted after. groceries: baskets have no time; found in four fifths of
them, drawn by seed, counted in the rest. demo: the shop that `make run` makes, found before its last three weeks.
Prints the report of `tandem report`, and the same counts of all frequent sets by what was believed of them: where
chance is right, those that were not believed come up as often as it says. Beside it, how many would be believed if
chance took all baskets alike: n_A n_B / N, with N baskets, and with those of `strength.given_sizes`.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks import mining_shapes, online_retail
from tandem import demo, files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.evaluation import bundles as told
from tandem.features import baskets, bundles, dataset, pairs, strength
from tandem.features.baskets import Baskets
from tandem.features.bundles import Bundles
from tandem.features.dataset import Dataset
from tandem.params import BundlesParams, EvaluateParams, FeaturesParams, GraphParams, IngestParams, PrivacyParams
from tandem.settings import Settings

SEED, TEST_DAYS = 7, 21
Shop = tuple[Dataset | SimpleNamespace, Baskets, pd.Series, int]
"""What is known, later baskets, titles by index, and how many users a bundle needs."""


def shop(events: pd.DataFrame, products: pd.DataFrame, until: pd.Timestamp) -> Shop:
    """All that was bought, cut in time."""
    params = FeaturesParams(target_kinds=online_retail.PURCHASE, kind_weight=online_retail.KINDS)
    known = dataset.build(events, products, until, params)
    later = baskets.gather(events[events["time"] >= until], known.vocabulary, online_retail.PURCHASE)
    titles = pd.Series(["", *known.vocabulary.ids]).map(products.set_index("product_id")["title"])
    return known, later, titles, PrivacyParams.read().min_users


def retail() -> Shop:
    """Purchases of Online Retail."""
    events, products, _ = online_retail.read()
    return shop(events, products, online_retail.VALIDATION)


def invented() -> Shop:
    """The demo shop."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        demo.generate(work / "raw", work / "truth", demo.DemoSize(), SEED)
        source = Source.read(Path("sources/demo.yaml"))
        canonical.make(source, work / "raw", online_retail.KEY, work, work / "parts", IngestParams.read())
        events, products = (files.read(work / f"{of.name}.parquet", of) for of in (schema.EVENTS, schema.PRODUCTS))
    return shop(events, products, events["time"].max().normalize() - pd.Timedelta(days=TEST_DAYS))


def groceries() -> Shop:
    """The baskets of goods, drawn by seed; of whom is unknown."""
    goods, _ = mining_shapes.groceries()
    held = sp.csr_array(sp.hstack([sp.csr_array((goods.shape[0], 1)), goods]))  # product 0 is none
    every = Baskets(held, np.arange(held.shape[0]), np.full(held.shape[0], -1))
    later = np.random.default_rng(SEED).random(len(every)) < 0.2
    lines = (Settings().data_dir / "groceries/Groceries.labels").read_text().splitlines()
    names = pd.Series(["", *(line.split("\t")[1] for line in lines)])
    known = SimpleNamespace(baskets=every.take(np.flatnonzero(~later)), params=SimpleNamespace(graph=GraphParams()))
    return known, every.take(np.flatnonzero(later)), names, 1


SHOPS = {"online_retail": retail, "groceries": groceries, "demo": invented}


def main(name: str) -> None:
    """Print what was found, and what came of it."""
    known, later, titles, min_users = SHOPS[name]()
    params, judged = BundlesParams.read(), EvaluateParams.read()
    found = bundles.find(known, params, min_users)
    print(told.table(told.report(found, later, titles, judged)))
    tested = bundles.candidates(known.baskets, params)
    believed = _believed(tested, known, params)
    for of, mask in (("believed", believed), ("not believed", ~believed)):
        print(f"{mask.sum():,} frequent sets {of}: {told.came_up(tested[mask], later, judged)}")
    counted = pairs.count(known.baskets.content)
    for rows in (counted.rows, strength.given_sizes(counted).rows):
        alike = replace(tested, expected=_plain(tested, known, rows))
        print(f"were chance n_A n_B / {rows:,}, {_believed(alike, known, params).sum():,} would be believed")


def _believed(tested: Bundles, known: Dataset | SimpleNamespace, params: BundlesParams) -> NDArray[np.bool_]:
    products = int((np.bincount(known.baskets.content.indices) >= params.min_count).sum())
    return bundles.false_discovery(tested, products) <= known.params.graph.false_discovery


def _plain(tested: Bundles, known: Dataset | SimpleNamespace, rows: int) -> NDArray[np.float64]:
    """(bundles,) n_A n_B / rows."""
    held = bundles.counter(known.baskets)
    return np.array([held(a).baskets * held(b).baskets / rows for a, b in tested.splits])


if __name__ == "__main__":
    main(sys.argv[1])
