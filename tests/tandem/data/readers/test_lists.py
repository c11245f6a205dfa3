import io

import numpy as np
import pytest
import scipy.sparse

from tandem.data import exports
from tandem.errors import SourceError


def test_a_sequence_gives_a_row_for_each_item_with_user_and_place(ask) -> None:
    found = ask("p.txt", "7 a b\n\n8\tc\n9\n", format="sequences", columns={"product_id": "item"})
    assert [tuple(row.values()) for row in found] == [("7", "a", "0"), ("7", "b", "1"), ("8", "c", "0")]
    assert list(found[0]) == ["user", "item", "@place_1"]


def test_a_basket_gives_a_row_for_each_item_with_the_number_of_its_line(ask) -> None:
    found = ask("p.txt", "whole milk, tea\n\nrice\n", format="baskets", columns={"product_id": "item"}, delimiter=",")
    assert [tuple(row.values()) for row in found] == [("whole milk", "0", "0"), ("tea", "0", "1"), ("rice", "1", "0")]
    assert list(found[0]) == ["item", "@row", "@place_1"]


CELLS = {"format": "matrix", "columns": {"product_id": "column"}}


def test_numbers_of_a_matrix_in_text_are_rows_but_for_zeros(ask) -> None:
    found = ask("p.data", "0\t2\t0.0\n1.5\t0\t-1\n", **CELLS)
    assert [tuple(row.values()) for row in found] == [("0", "1", "2"), ("1", "0", "1.5"), ("1", "2", "-1")]
    window = {"rows": [1, 9], "columns": [1, 3]}
    assert [tuple(row.values()) for row in ask("p.data", **CELLS, matrix=window)] == [("0", "1", "-1")]


def test_a_line_that_is_not_of_numbers_or_too_short_is_a_row_with_a_problem(ask) -> None:
    found = ask("p.data", "0 1\n0 x\n1\n", **CELLS)
    assert found[1:] == ["a cell is not a number", "1 numbers where the first line has 2"]


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("compressed", [True, False])
def test_sparse_matrices_give_their_numbers(tmp_path, ask, kind, compressed) -> None:
    rng = np.random.default_rng(3)
    dense = rng.integers(0, 3, (40, 30)) * (rng.random((40, 30)) < 0.2)
    scipy.sparse.save_npz(tmp_path / "p.npz", scipy.sparse.csr_matrix(dense).asformat(kind), compressed)
    window = {"rows": [5, 25], "columns": [10, 30]}
    for asked, corner, part in ((None, (0, 0), dense), (window, (5, 10), dense[5:25, 10:30])):
        found = ask("p.npz", **CELLS, **({"matrix": asked} if asked else {}))
        wanted = {(int(r), int(c)): int(part[r, c]) for r, c in np.argwhere(part)}
        assert {(int(row["row"]), int(row["column"])): int(row["value"]) for row in found} == wanted, corner
        assert len(found) == len(wanted)


def saved(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


SOUND = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 2]),
    "indptr": np.array([0, 1, 2]),
    "indices": np.array([0, 1]),
    "data": np.array([1.0, 2.0]),
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": np.array(b"bsr")}, "of a format that is read (csr, csc, coo); it is bsr"),
        ({"format": np.array([b"csr", b"csr"])}, "it is not one of SciPy"),
        ({"indptr": np.array([0, 1])}, "its arrays do not fit one another"),
        ({"indptr": np.array([0, 2, 1])}, "its arrays do not fit one another"),
        ({"indptr": np.array([0, 1, 3])}, "its arrays do not fit one another"),
        ({"indices": np.array([0])}, "its arrays do not fit one another"),
        ({"indices": np.array([0, 2])}, "a number lies outside its shape"),
        ({"indices": np.array([0, -1])}, "a number lies outside its shape"),
        ({"data": np.array([{"a": 1}, None])}, "holds Python objects"),
    ],
)
def test_a_matrix_that_is_not_sound_is_one_sentence(ask, changed, said) -> None:
    assert len(ask("p.npz", saved(**SOUND), **CELLS)) == 2
    with pytest.raises(SourceError) as caught:
        ask("p.npz", saved(**SOUND | changed), **CELLS)
    assert said in str(caught.value)
    without = {name: array for name, array in SOUND.items() if name not in changed}
    with pytest.raises(SourceError, match=r"is no (sound )?sparse matrix"):
        ask("p.npz", saved(**without), **CELLS)


@pytest.mark.real_data("gowalla")
def test_the_training_pairs_of_gowalla(real_data, block) -> None:
    pairs = block(**CELLS, matrix={"rows": [0, 29_858], "columns": [29_858, 70_839]})
    batches = list(exports.batches(exports.Export("s_adj_mat.npz", real_data / "s_adj_mat.npz"), pairs))
    assert sum(batch.cells.num_rows for batch in batches) == 810_128
    items = [int(item) for batch in batches for item in batch.cells["column"].unique().to_pylist()]
    assert (min(items), max(items)) == (0, 40_980)


@pytest.mark.real_data("gowalla")
def test_the_test_pairs_of_gowalla(real_data, block) -> None:
    lists = block(format="sequences", columns={"product_id": "item"})
    batches = exports.batches(exports.Export("test.txt", real_data / "test.txt"), lists)
    assert sum(batch.cells.num_rows for batch in batches) == 217_242


@pytest.mark.real_data("groceries")
def test_the_counts_of_groceries(real_data, block) -> None:
    batches = list(exports.batches(exports.Export("Groceries.data", real_data / "Groceries.data"), block(**CELLS)))
    rows = [row for batch in batches for row in batch.cells.to_pylist()]
    assert len(rows) == 43_367
    assert len({row["row"] for row in rows}) == 9_835
    labels = (real_data / "Groceries.labels").read_text().splitlines()
    milk = str(next(place for place, label in enumerate(labels) if "whole milk" in label))
    assert sum(row["column"] == milk for row in rows) == 2_513


def test_lists_with_a_nul_are_no_text(ask) -> None:
    with pytest.raises(SourceError, match="holds NUL characters"):
        ask("p.txt", "1 2\n3 4\0 5\n", format="sequences", columns={"product_id": "item"})
