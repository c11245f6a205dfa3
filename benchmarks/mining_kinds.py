"""What the four kinds of edges cost: seconds and memory of making their rows and of counting them.

    python -m benchmarks.mining_kinds generated after

The shape is `generated`, that of `benchmarks.mining` with 200,000 users and a moment of a year for each basket, who
look at nothing (`together` and `after` alone); `online_retail`, with the users and times of its files, who look at
nothing either; or `demo`, the demo shop with 20,000 customers and views. Prints a line for each kind; memory is
that of the process up to then, so name one kind where it matters.
"""

import itertools
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from benchmarks import mining_shapes, online_retail
from tandem import demo, files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.features import dataset, graph, pairs
from tandem.features.baskets import Baskets
from tandem.features.dataset import Dataset
from tandem.features.histories import DAY_US
from tandem.params import FeaturesParams, IngestParams

USERS, SEED = 200_000, 11
MIN_COUNT = {"generated": 183, "online_retail": 20, "demo": 5}
CUSTOMERS = 20_000


def generated() -> SimpleNamespace:
    """What the rows of baskets need of a dataset."""
    held, age_days = mining_shapes.generated()
    user = np.random.default_rng(SEED).integers(0, USERS, held.shape[0])
    time_us = ((365 - age_days) * DAY_US).astype(np.int64)
    return SimpleNamespace(baskets=Baskets(held, time_us, user), params=FeaturesParams.read(), as_of_us=365 * DAY_US)


def real() -> Dataset:
    """All purchases of Online Retail."""
    events, products, _ = online_retail.read()
    return dataset.build(events, products, events["time"].max(), KNOWN)


def invented() -> Dataset:
    """All events of the demo shop."""
    source = Source.read(Path("sources/demo.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        demo.generate(work / "raw", work / "truth", demo.DemoSize(customers=CUSTOMERS), SEED)
        canonical.make(source, work / "raw", online_retail.KEY, work, work / "parts", IngestParams.read())
        events, products = (files.read(work / f"{of.name}.parquet", of) for of in (schema.EVENTS, schema.PRODUCTS))
    return dataset.build(events, products, events["time"].max(), KNOWN)


KNOWN = FeaturesParams(target_kinds=online_retail.PURCHASE, kind_weight=online_retail.KINDS)
SHAPES = {"generated": generated, "online_retail": real, "demo": invented}


def main(shape: str, kinds: list[graph.Kind]) -> None:
    """Make the rows of each kind, count, and print."""
    given = SHAPES[shape]()
    for kind in kinds:
        before, moments = _peak(), [_moment()]
        found = graph.rows(given, kind)
        moments.append(_moment())
        edges = pairs.count(found.source, found.target, weight=found.weight, min_count=MIN_COUNT[shape])
        moments.append(_moment())
        made, counted = (
            f"{then[0] - first[0]:.2f} s, processor {then[1] - first[1]:.2f} s"
            for first, then in itertools.pairwise(moments)
        )
        cells = found.source.nnz + (0 if found.target is None else found.target.nnz)
        print(
            f"{shape}, {kind}: {found.source.shape[0]:,} rows, {cells:,} cells, {len(edges):,} edges of "
            f"{MIN_COUNT[shape]} rows or more; rows made in {made}; counted and weighted in {counted}; "
            f"peak {before:.2f} GB before, {_peak():.2f} GB after; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def _moment() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
