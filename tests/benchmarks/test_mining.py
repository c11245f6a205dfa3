"""The race of counting pairs: all contenders that need no peer find the same, limits stop, disagreement is told."""

import resource
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from benchmarks import mining, mining_shapes
from benchmarks.mining import Limits, Task, Took, agree, check, run, table
from benchmarks.mining_worker import CONTENDERS, Counted, Input, sum_of

HERE = Path(sys.executable)
OURS = "tandem", "tandem_weighted", "floor", "floor_weighted", "scipy", "duckdb", "polars"


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 baskets of 30 products, the first of which are the most popular."""
    folder = tmp_path_factory.mktemp("shape")
    held = np.random.default_rng(3).random((200, 30)) < 1 / np.arange(2, 32)
    cells = sp.csr_array(held.astype(float))
    ages = np.arange(200.0)
    np.savez(folder / "cells.npz", indptr=cells.indptr, indices=cells.indices, age_days=ages, products=np.int64(30))
    basket, product = (column.astype(np.int32) for column in held.nonzero())
    pq.write_table(pa.table({"basket": basket, "product": product}), folder / "cells.parquet")
    np.save(folder / "held.npy", held)
    return folder


@pytest.mark.parametrize("contender", OURS)
@pytest.mark.parametrize("min_count", [1, 5])
def test_every_contender_finds_the_pairs_of_a_plain_loop(contender: str, min_count: int, shape: Path) -> None:
    held = np.load(shape / "held.npy")
    expected = {(a, b): int((held[:, a] & held[:, b]).sum()) for a, b in combinations(range(30), 2)}
    expected = {pair: n for pair, n in expected.items() if n >= min_count}
    found = CONTENDERS[contender](Input(shape, min_count, 2))()
    assert {(int(a), int(b)): int(n) for a, b, n in zip(*found, strict=True)} == expected


@pytest.mark.parametrize("contender", ["hmine", "hmine_dense", "hmine_whole", "mlxtend"])
def test_sets_of_three_and_four_are_those_of_a_plain_loop(contender: str, shape: Path) -> None:
    held = np.load(shape / "held.npy")
    sets = (of for size in (3, 4) for of in combinations(range(30), size))
    expected = {of: int(held[:, list(of)].all(axis=1).sum()) for of in sets}
    found = CONTENDERS[contender](Input(shape, 5, 4))()
    told = {tuple(sorted(items)): n for items, n in found if len(items) > 2}
    assert told == {of: n for of, n in expected.items() if n >= 5}


def test_a_sum_tells_pairs_and_counts_apart() -> None:
    pairs = Counted(np.array([1, 2]), np.array([2, 3]), np.array([7, 9]))
    assert sum_of(pairs) == sum_of([((3, 2), 9), ((2, 1), 7), ((1,), 50)])  # sets, and one of a single product
    assert sum_of([((3, 2), 9), ((1, 2, 3), 4)], smallest=3) == sum_of([((3, 1, 2), 4)])
    others = [([1, 2], [2, 3], [9, 7]), ([1, 2], [2, 4], [7, 9]), ([1, 1], [2, 3], [7, 9])]
    assert len({sum_of(Counted(*map(np.array, other)))["sum"] for other in others} | {sum_of(pairs)["sum"]}) == 4


def test_a_process_is_measured_and_stopped_at_its_limits(shape: Path, tmp_path: Path) -> None:
    for name in ("cells.npz", "cells.parquet"):
        (tmp_path / name).write_bytes((shape / name).read_bytes())
    took = run("tandem", Task("tiny", 5), tmp_path, HERE, Limits(60, 15))
    assert isinstance(took, Took)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # a process begins with the peak of what starts it
    assert 0.01 < took.peak < max(own, 1) + 1
    assert run("tandem", Task("tiny", 5), tmp_path, HERE, Limits(0.05, 15)) == "stopped at 0.05 s"
    one = {"indptr": np.array([0, 12_000]), "indices": np.arange(12_000), "age_days": np.zeros(1)}
    np.savez(tmp_path / "cells.npz", **one, products=np.int64(12_000))  # 144 million pairs of 12 bytes: 1.6 GiB
    assert run("scipy", Task("one basket", 1), tmp_path, HERE, Limits(60, 1.5)) == "stopped at 1.5 GiB"


def test_a_contender_that_fails_otherwise_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"floor ended with .*\n(.|\n)*cells.npz"):
        run("floor", Task("nowhere", 5), tmp_path, HERE, Limits(60, 15))


def test_contenders_must_agree() -> None:
    took = {"floor": [Took(1, 1, 1, 5, 77)], "scipy": [Took(2, 1, 1, 5, 77)]}
    agree(took)
    with pytest.raises(SystemExit, match="not the same sets"):
        agree(took | {"duckdb": [Took(2, 1, 1, 5, 78)]})


def test_the_table_has_ratios_by_round_and_says_who_was_stopped() -> None:
    took = {"tandem": [Took(1, 2, 0.5, 5, 7), Took(4, 2, 0.5, 5, 7)], "floor": [Took(2, 2, 1, 5, 7)] * 2, "scipy": []}
    assert table(took, {"scipy": "stopped at 300 s"})[2:] == [
        "| Tandem, counted | 2.50 [1.00, 4.00] | 2.00 [2.00, 2.00] | 0.50"
        " | 1.25 [0.50, 2.00] | 1.00 [1.00, 1.00] | 0.50 [0.50, 0.50] |",
        "| SciPy X'X, rare products dropped first: the floor | 2.00 [2.00, 2.00] | 2.00 [2.00, 2.00] | 1.00"
        " | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |",
        "| SciPy X'X | stopped at 300 s |  |  |  |  |  |",
    ]


def test_a_missing_environment_names_the_command() -> None:
    with pytest.raises(SystemExit, match="`make peers` makes one"):
        check(Path("/nowhere/python"))


def test_the_generated_shape_is_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining_shapes, "BASKETS", 30_000)
    (held, age), (again, age_again) = mining_shapes.generated(), mining_shapes.generated()
    assert (held != again).nnz == 0
    assert (age == age_again).all()
    size, popular = np.diff(held.indptr), np.sort(np.bincount(held.indices))[::-1]
    assert (size > 100).sum() == mining_shapes.WHOLESALE
    assert np.median(size) == pytest.approx(mining_shapes.MEAN, abs=1)
    drawn = mining_shapes.MEAN / np.array([1, 10, 100]) / (1 / np.arange(1, mining_shapes.PRODUCTS + 1)).sum()
    assert popular[[0, 9, 99]] / 30_000 == pytest.approx(1 - np.exp(-drawn), rel=0.2)  # once or more in a basket


@pytest.mark.real_data("online_retail")
def test_invoices_are_those_of_the_published_files(real_data: Path) -> None:
    held, age_days = mining_shapes.online_retail()
    assert held.shape == (25_900, 4_070)
    assert 0 <= age_days.min() <= age_days.max() < 375


def test_every_contender_of_a_task_has_a_name_and_a_worker() -> None:
    wanted = {name for task in mining.TASKS.values() for name in task.contenders}
    assert wanted == set(mining.NAMES) == set(CONTENDERS)
