"""What training the association network costs, and how that grows with the catalogue: from 10⁴ to 10⁶ products.

    python -m benchmarks.training [--sizes 10000,100000,1000000] [--steps 20]

Shops are generated: ten events for each product in baskets of five, products drawn by Zipf's law within a category of
fifty, texts of 64 numbers. Each size runs in its own process: counting edges and choosing neighbours, then some batches
of an epoch, whose mean is that of the whole; the first batches, in which TensorFlow traces, are left out.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer

if TYPE_CHECKING:
    from models.training import Epochs
    from tandem.features.dataset import Dataset

BASKET, EVENTS, CATEGORY, TEXT = 5, 10, 50, 64
NEGATIVES, BATCH, WARM_UP = 1024, 256, 3
SEED = 7
START = pd.Timestamp("2026-01-01", tz="UTC")

Sizes = Annotated[str, typer.Option(help="numbers of products, with commas between them")]
Steps = Annotated[int, typer.Option(help="batches that are timed")]


def main(sizes: Sizes = "10000,100000,1000000", steps: Steps = 20, only: int = 0) -> None:
    """Print one line for each size; `only` is what the benchmark calls itself with."""
    if only:
        print(json.dumps(measure(only, steps)))
        return
    print("| products | edges | counting, s | batches | s for a batch | products/s | edges/s | epoch, min | GB |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for size in map(int, sizes.split(",")):
        command = [sys.executable, "-m", "benchmarks.training", "--only", str(size), "--steps", str(steps)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        of = json.loads(done.stdout.splitlines()[-1])
        rates = f"{of['step']:.2f} | {of['products_s']:,.0f} | {of['edges_s']:,.0f}"
        epoch = f"{of['batches'] * of['step'] / 60:.2f} | {of['peak']:.1f}"
        print(
            f"| {size:,} | {of['edges']:,} | {of['counting']:.0f} | {of['batches']:,} | {rates} | {epoch} |", flush=True
        )


def measure(size: int, steps: int) -> dict[str, float]:
    """One size in this process."""
    from models.association.fit import begin
    from models.association.params import AssociationParams
    from models.training import fit

    dataset = generate(size)
    changed = {"negatives": NEGATIVES, "batch": BATCH, "epochs": 1}
    params = AssociationParams.read().model_copy(update=changed)
    began = time.perf_counter()
    network, batches = begin(dataset, params)
    counting = time.perf_counter() - began
    fit(network, Few(batches, WARM_UP), 1, [])
    began = time.perf_counter()
    fit(network, Few(batches, steps), 1, [])
    step = (time.perf_counter() - began) / steps
    edges_of_batch = batches.pairs.nnz / len(batches)
    return {
        "edges": int(batches.pairs.nnz),
        "counting": counting,
        "batches": len(batches),
        "step": step,
        "products_s": BATCH / step,
        "edges_s": edges_of_batch / step,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


class Few:
    """The first batches of an epoch."""

    def __init__(self, batches: "Epochs", steps: int) -> None:
        self._batches, self._steps = batches, steps

    def __len__(self) -> int:
        return self._steps

    def epoch(self) -> Iterator[Any]:
        """The batches of the next epoch; whoever reads stops early."""
        return self._batches.epoch()


def generate(size: int) -> "Dataset":
    """A dataset of `size` products."""
    from tandem.data import schema
    from tandem.features import dataset
    from tandem.params import FeaturesParams, GraphParams

    rng = np.random.default_rng(SEED)
    baskets = size * EVENTS // BASKET
    category = rng.integers(0, max(size // CATEGORY, 1), baskets)
    rank = np.minimum(rng.zipf(1.5, (baskets, BASKET)) - 1, CATEGORY - 1)
    product = np.char.add("P", (category[:, None] * CATEGORY + rank).ravel().astype(str))
    order = np.repeat(np.arange(baskets), BASKET)
    minutes = np.sort(rng.integers(0, 60 * 24 * 90, baskets))
    events = pd.DataFrame(
        {
            "event_id": np.arange(len(order)).astype(str),
            "user_id": np.char.add("U", rng.integers(0, size, baskets).astype(str))[order],
            "product_id": product,
            "kind": "purchase",
            "time": (START + pd.to_timedelta(minutes[order], unit="min")).as_unit("us"),
            "session_id": None,
            "order_id": np.char.add("O", order.astype(str)),
            "quantity": 1.0,
            "unit_price": 1.0,
        }
    )
    every = np.arange(size // CATEGORY * CATEGORY)
    table = pd.DataFrame({"product_id": np.char.add("P", every.astype(str))}).reindex(columns=schema.PRODUCTS.names)
    table["category"] = [[str(number)] for number in every // CATEGORY]
    params = FeaturesParams(
        target_kinds=("purchase",), kind_weight={"purchase": 1.0}, new_products=True, graph=GraphParams()
    )
    known = dataset.build(events, table, START + pd.Timedelta(days=91), params)
    text = rng.normal(size=(known.vocabulary.size, TEXT)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    text[0] = np.nan
    return known.with_vectors(text, np.full((len(text), 1), np.nan, np.float32))


if __name__ == "__main__":
    typer.run(main)
