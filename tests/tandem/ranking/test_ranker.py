import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tandem.ranking.ranker import top_k


@given(
    arrays(np.float32, (4, 30), elements=st.integers(-3, 3).map(float)),
    arrays(np.bool_, (4, 30)),
    st.integers(1, 40),
)
@settings(max_examples=100)
def test_the_best_are_those_of_a_full_stable_sort(scores: np.ndarray, masked: np.ndarray, k: int) -> None:
    found = top_k(scores, k, masked)
    for row in range(4):
        allowed = [i for i in range(1, 30) if not masked[row, i]]
        expected = sorted(allowed, key=lambda i: (-scores[row, i], i))[: min(k, 30)]
        assert found[row].tolist() == expected + [0] * (found.shape[1] - len(expected))


def test_masks_may_be_sparse() -> None:
    mask = sp.csr_array(np.array([[0, 0, 1, 0]]))
    assert top_k(np.array([[9.0, 1, 3, 2]]), 2, mask).tolist() == [[3, 1]]


def test_scores_are_left_as_they_were() -> None:
    scores = np.array([[5.0, 1, 2]], np.float32)
    top_k(scores, 2, np.array([[False, True, False]]))
    assert scores.tolist() == [[5, 1, 2]]
