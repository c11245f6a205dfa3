"""What finding partners costs in time and memory, as the catalogue grows.

    python -m benchmarks.relations_size 100000

The generated shop of benchmarks.training. The network is learned from pairs and labels drawn by chance, for what it
says changes nothing here; then every pair that is worth asking about is judged, and the partners of each product are
kept. A row for each step; the peak is that of the process so far.
"""

import logging
import resource
import time
from collections.abc import Callable
from typing import Annotated, TypeVar

import numpy as np
import typer

from benchmarks.training import generate
from models.relations import behaviour, pairs
from models.relations.params import RelationsParams
from tandem.features.graph import KINDS, edges
from tandem.features.relations import RELATIONS
from tandem.params import RelateParams
from tandem.settings import quiet

SEED = 7
Value = TypeVar("Value")


def main(products: Annotated[int, typer.Argument(min=1000)]) -> None:
    """Print a row for each step."""
    quiet()
    logging.basicConfig(level=logging.WARNING)
    params = RelateParams.read()
    print("| step | | s | peak GB |\n|---|---|---|---|")
    known = timed("the shop", lambda: generate(products), lambda of: f"{of.vocabulary.size - 1:,} products")
    timed("counted", lambda: [edges(known, kind) for kind in KINDS], lambda of: f"{sum(map(len, of)):,} edges")
    rng, count = np.random.default_rng(SEED), len(RELATIONS) * params.pairs
    a = rng.integers(1, known.vocabulary.size, count).astype(np.int32)
    table = pairs.Told.of(known).asked(a, rng.permutation(a)).table
    taught = behaviour.Lesson(table, rng.integers(len(RELATIONS), size=count), np.ones(len(RELATIONS)))
    once = RelationsParams.read().model_copy(update={"epochs": 1})
    made = timed(
        "one epoch",
        lambda: behaviour.learn(taught, pairs.Content(known.products), once, members=1),
        lambda _: f"{len(table):,} pairs",
    )
    learned = behaviour.Learned(made, ("complement", "substitute"))
    timed("partners", lambda: behaviour.find(known, learned, params), lambda of: f"{len(of):,} pairs")


def timed(step: str, make: Callable[[], Value], told: Callable[[Value], str]) -> Value:
    """What is made, after printing its row."""
    begun = time.perf_counter()
    made = make()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"| {step} | {told(made)} | {time.perf_counter() - begun:.0f} | {peak:.1f} |", flush=True)
    return made


if __name__ == "__main__":
    typer.run(main)
