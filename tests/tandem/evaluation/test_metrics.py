import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import ndcg_score

from tandem.evaluation import metrics
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal
from tandem.features import histories
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.vocabulary import Vocabulary

RANKED = np.array([[3, 1, 2], [2, 4, 0]])
TRUTH = sp.csr_array(np.array([[0, 2.0, 0, 0, 5.0], [0, 0, 0, 1.0, 0]]))  # products 0…4, 0 the unknown one


class Given:
    """A ranker that answers with prepared scores, told apart by the product asked about."""

    name = "given"

    def __init__(self, scores: np.ndarray) -> None:
        self.table = scores

    def scores(self, asked: Histories, demand: Demand) -> np.ndarray:
        return self.table[asked.product].astype(np.float32)


def cases_of(truth: np.ndarray, masked: np.ndarray | None = None) -> Cases:
    """One case for each row, asking about product 1, 2, …"""
    rows, products = truth.shape
    asked = histories.of_products(np.arange(1, rows + 1), products, 0)
    mask = sp.csr_array(np.zeros_like(truth) if masked is None else masked)
    return Cases(asked, Demand(np.zeros((60, products), np.float32), 0), sp.csr_array(truth), mask)


def test_gains_stand_where_the_ranking_found_them() -> None:
    assert metrics.gains_at(RANKED, TRUTH).tolist() == [[0, 2, 0], [0, 0, 0]]


def test_recall_is_found_over_relevant() -> None:
    gains = metrics.gains_at(RANKED, TRUTH)
    assert metrics.recall_at_k(gains, np.array([2, 1]), 1).tolist() == [0, 0]
    assert metrics.recall_at_k(gains, np.array([2, 1]), 2).tolist() == [0.5, 0]


def test_ndcg_by_hand() -> None:
    gains = metrics.gains_at(RANKED, TRUTH)
    best = np.array([[5.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    expected = (2 / np.log2(3)) / (5 + 2 / np.log2(3))
    assert metrics.ndcg_at_k(gains, best, 3) == pytest.approx([expected, 0])


def test_reciprocal_rank_and_hit_rate_by_hand() -> None:
    gains = metrics.gains_at(RANKED, TRUTH)
    assert metrics.reciprocal_rank(gains).tolist() == [0.5, 0]
    assert metrics.hit_rate_at_k(gains, 1).tolist() == [0, 0]
    assert metrics.hit_rate_at_k(gains, 2).tolist() == [1, 0]


def test_coverage_counts_products_shown_to_anybody_and_no_empty_place() -> None:
    assert metrics.coverage_at_k(RANKED, 4, 3) == 1.0
    assert metrics.coverage_at_k(RANKED, 4, 1) == 0.5


@given(
    arrays(np.float64, (3, 8), elements=st.integers(0, 6).map(float)),
    st.permutations(range(1, 9)),
    st.integers(1, 8),
)
@settings(max_examples=60)
def test_ndcg_is_scikit_learns(gain: np.ndarray, order: list[int], k: int) -> None:
    gain[:, 0] += 1  # every case has a truth
    truth = np.concatenate([np.zeros((3, 1)), gain], axis=1)
    ranked = np.tile(np.array(order), (3, 1))
    scores = np.zeros((3, 8))
    for place, product in enumerate(order):
        scores[:, product - 1] = 8 - place
    ours = metrics.ndcg_at_k(metrics.gains_at(ranked, sp.csr_array(truth)), np.sort(gain)[:, ::-1], k)
    theirs = [ndcg_score(gain[[row]], scores[[row]], k=k) for row in range(3)]
    assert ours == pytest.approx(theirs)


@given(arrays(np.float64, (6, 12), elements=st.floats(-3, 3)), st.permutations(range(6)))
@settings(max_examples=40)
def test_the_order_of_cases_changes_no_metric(scores: np.ndarray, order: list[int]) -> None:
    truth = (np.arange(6 * 12).reshape(6, 12) * 7 % 5 == 1).astype(float)
    truth[:, 0], truth[:, 3] = 0, 1
    ranker = Given(np.concatenate([np.zeros((1, 12)), scores]))
    cases = cases_of(truth)
    there = metrics.measure(ranker, cases, Ideal.of(cases), (3,))
    shuffled = cases.take(np.array(order))
    here = metrics.measure(ranker, shuffled, Ideal.of(shuffled), (3,))
    for metric, values in there.by_case.items():
        assert here.by_case[metric].tolist() == values[order].tolist()
    assert here.coverage == there.coverage


@given(arrays(np.bool_, (4, 9)), arrays(np.float64, (4, 9), elements=st.floats(-2, 2)))
@settings(max_examples=40)
def test_a_masked_product_is_never_recommended(masked: np.ndarray, scores: np.ndarray) -> None:
    cases = cases_of(np.ones((4, 9)), masked.astype(float))
    ranked = metrics.rank(Given(np.concatenate([np.zeros((1, 9)), scores])), cases, 9)
    for row, products in enumerate(ranked):
        shown = products[products > 0]
        assert not masked[row, shown].any()
        assert len(shown) == (~masked[row, 1:]).sum()


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).normal(size=(8, 10))
    cases = cases_of(np.ones((7, 10)))
    whole = metrics.rank(Given(scores), cases, 5)
    monkeypatch.setattr(metrics, "BLOCK", 2)
    assert metrics.rank(Given(scores), cases, 5).tolist() == whole.tolist()


def test_products_a_release_does_not_know_are_missed_not_forgiven() -> None:
    wide, narrow = Vocabulary(("a", "b", "c")), Vocabulary(("a", "c"))
    cases = cases_of(np.array([[0, 0, 1.0, 1.0]]), np.array([[0, 1.0, 0, 0]]))
    ideal = Ideal.of(cases)
    seen = cases.recode(wide, narrow)
    assert seen.truth.toarray().tolist() == [[0, 0, 1.0]]
    assert seen.masked.toarray().tolist() == [[0, 1.0, 0]]
    found = metrics.measure(Given(np.array([[0, 0, 0], [0, 1, 2.0]])), seen, ideal, (2,))
    assert found.by_case["recall_at_2"].tolist() == [0.5]
    assert found.by_case["ndcg_at_2"] == pytest.approx([1 / (1 + 1 / np.log2(3))])


def test_a_case_keeps_its_place_when_nothing_of_it_is_known() -> None:
    cases = cases_of(np.array([[0, 1.0, 1.0], [0, 1.0, 0]])).recode(Vocabulary(("a", "b")), Vocabulary(("b",)))
    assert len(cases) == 2
    assert np.diff(cases.histories.offsets).tolist() == [0, 1]
    assert cases.histories.product.tolist() == [1]
    assert cases.demand.daily.shape == (60, 2)


def test_choose_best_takes_the_first_of_equals() -> None:
    assert metrics.choose_best(lambda option: option % 3, [1, 5, 2, 8]) == 5
