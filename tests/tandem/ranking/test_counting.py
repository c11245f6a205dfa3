"""What every ranker that counts keeps to, and what each one's numbers are by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2_contingency
from sklearn.linear_model import Ridge

from tandem.evaluation.cases import Cases
from tandem.features import graph, histories
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.params import CountingParams
from tandem.ranking import base, ease, neighbours
from tandem.ranking.counting import COUNTING
from tandem.ranking.neighbours import ItemToItem
from tandem.ranking.ranker import top_k

Shop = Callable[..., Dataset]
ORDERED = "markov"  # looks at the order of events: has a planted answer of its own
PAIRWISE = [name for name, kind in COUNTING.items() if issubclass(kind, ItemToItem)]
FOLLOWS = ("a b", "a b", "a b c", "c d", "c d", "d a")


@pytest.fixture
def small(shop: Shop) -> Dataset:
    """Six baskets of two users and strangers; a, b, c, d are indices 1 to 4."""
    users = ("u", "v", None, "u", "v", None)
    return shop([(user, basket, 12 - 2 * n) for n, (user, basket) in enumerate(zip(users, FOLLOWS, strict=True))])


def learned(name: str, dataset: Dataset, params: CountingParams) -> np.ndarray:
    ranker = COUNTING[name](params).fit(dataset)
    assert isinstance(ranker, ItemToItem)
    return ranker.matrix.toarray()


def nobody(dataset: Dataset) -> Histories:
    """One user without any event."""
    someone = dataset.histories.take(np.array([0]))
    none = {name: getattr(someone, name)[:0] for name in ("product", "kind", "time_us", "basket")}
    return replace(someone, offsets=np.zeros(2, np.int64), **none)


def validation_of(dataset: Dataset) -> Cases:
    """Every user later takes the product it lacks on the checkerboard."""
    users = len(dataset.histories)
    truth = sp.csr_array((np.ones(users), (np.arange(users), np.arange(users) % 20 + 1)), shape=(users, 21))
    return Cases(dataset.histories, dataset.demand, truth, sp.csr_array((users, 21)))


@pytest.mark.parametrize("name", [name for name in PAIRWISE if name != ORDERED])
def test_the_withheld_product_comes_first(name: str, checkerboard: Dataset, counting: CountingParams) -> None:
    ranker = COUNTING[name](counting).fit(checkerboard)
    seen = checkerboard.histories.seen(("purchase",))
    first = top_k(ranker.scores(checkerboard.histories, checkerboard.demand), 1, seen)
    assert first[:, 0].tolist() == list(range(1, 21))


@pytest.mark.parametrize("name", COUNTING)
def test_a_saved_ranker_gives_the_same_scores(
    name: str, checkerboard: Dataset, counting: CountingParams, tmp_path: Path
) -> None:
    ranker = COUNTING[name](counting).fit(checkerboard, validation_of(checkerboard))
    ranker.save(tmp_path)
    again = COUNTING[name].load(tmp_path)
    asked = checkerboard.histories, checkerboard.demand
    np.testing.assert_array_equal(again.scores(*asked), ranker.scores(*asked))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".npz"]


@pytest.mark.parametrize("name", COUNTING)
def test_scores_are_finite_for_every_history_and_alone_as_in_a_crowd(
    name: str, small: Dataset, counting: CountingParams
) -> None:
    ranker = COUNTING[name](counting).fit(small)
    known = small.histories
    assert np.isfinite(ranker.scores(nobody(small), small.demand)).all()
    together = ranker.scores(known, small.demand)
    assert together.shape == (len(known), small.vocabulary.size)
    assert together.dtype == np.float32
    for row in range(len(known)):
        alone = ranker.scores(known.take(np.array([row])), small.demand)
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in COUNTING if name != "popular"])
def test_who_is_unknown_gets_recent_popularity(name: str, small: Dataset, counting: CountingParams) -> None:
    ranker = COUNTING[name](counting).fit(small)
    daily = np.zeros((60, 5), np.float32)
    daily[0] = [0, 1, 4, 2, 3]
    assert top_k(ranker.scores(nobody(small), Demand(daily, small.as_of_us)), 4).tolist() == [[2, 4, 3, 1]]


@pytest.mark.parametrize("name", COUNTING)
def test_refit_keeps_the_choices_and_leaves_the_first_ranker_alone(
    name: str, checkerboard: Dataset, small: Dataset, counting: CountingParams
) -> None:
    ranker = COUNTING[name](counting).fit(checkerboard, validation_of(checkerboard))
    before = ranker.scores(checkerboard.histories, checkerboard.demand)
    again = ranker.refit(small)
    assert again.choices == ranker.choices
    assert again.scores(small.histories, small.demand).shape[1] == small.vocabulary.size
    np.testing.assert_array_equal(ranker.scores(checkerboard.histories, checkerboard.demand), before)


@pytest.mark.parametrize("name", PAIRWISE)
def test_the_reason_is_the_product_without_which_the_score_falls_most(
    name: str, checkerboard: Dataset, counting: CountingParams
) -> None:
    ranker = COUNTING[name](counting).fit(checkerboard)
    assert isinstance(ranker, ItemToItem)
    asked, matrix = ranker.asked(checkerboard.histories).toarray(), ranker.matrix.toarray()
    items = np.tile(np.arange(1, 21), (20, 1))
    reasons = ranker.because(checkerboard.histories, items)
    own = {"recent_ease": ranker.choice("own_weight"), "ease_trend": np.inf}.get(name, 0.0)
    for user in range(20):
        itself = np.diag([own * amount**2 if amount else 0.0 for amount in asked[user]])
        terms = asked[user][:, None] * matrix + itself
        for item in range(1, 21):
            if reasons[user, item - 1]:
                assert terms[reasons[user, item - 1], item] == pytest.approx(terms[:, item].max())
            else:
                assert terms[:, item].max() <= 0


def test_the_reason_for_what_one_buys_again_is_the_product_itself(small: Dataset, counting: CountingParams) -> None:
    reasons = COUNTING["personal"](counting).fit(small).because(small.histories, np.array([[1, 4], [1, 4]]))
    assert reasons.tolist() == [[1, 4], [1, 4]]
    assert COUNTING["popular"](counting).fit(small).because(small.histories, np.array([[1], [1]])).tolist() == [
        [0],
        [0],
    ]


def test_popular_counts_baskets_of_everybody(small: Dataset, counting: CountingParams) -> None:
    scores = COUNTING["popular"](counting).fit(small).scores(small.histories, small.demand)
    assert scores.tolist() == [[0, 4, 3, 3, 3]] * 2


def test_personal_frequency_halves_with_age(shop: Shop, counting: CountingParams) -> None:
    dataset = shop([("u", "a", 240), ("u", "b", 120), ("u", "b", 0.001), ("u", "c", 0.001, "view")])
    scores = COUNTING["personal"](counting).fit(dataset).scores(dataset.histories, dataset.demand)
    assert scores[0, 1:] == pytest.approx([0.25, 1.5, 0.1], rel=1e-3)


def test_returns_weigh_nothing(shop: Shop, counting: CountingParams) -> None:
    dataset = shop([("u", "a b", 3), ("u", "b", 2, "return"), ("v", "a", 1)])
    scores = COUNTING["personal"](counting).fit(dataset).scores(dataset.histories, dataset.demand)
    assert scores[0, 1] == pytest.approx(scores[0, 2], rel=1e-4)


def test_counts_are_of_baskets_with_and_without_a_user(small: Dataset, counting: CountingParams) -> None:
    counts = learned("co_count", small, counting)
    assert counts[1:, 1:].tolist() == [[0, 3, 1, 1], [3, 0, 1, 0], [1, 1, 0, 2], [1, 0, 2, 0]]


def test_cosine_lift_and_npmi_by_hand(small: Dataset, counting: CountingParams) -> None:
    assert learned("cosine", small, counting)[1, 2] == pytest.approx(3 / (np.sqrt(4 * 3) + 1))
    assert learned("lift", small, counting)[1, 2] == pytest.approx(3 * 6 / (4 * 3))
    expected = np.log(3 * 6 / (4 * 3)) / -np.log(3 / 6)
    npmi = learned("npmi", small, counting)
    assert npmi[1, 2] == pytest.approx(expected)
    assert npmi[1, 3] == 0  # less than by chance
    rare = counting.model_copy(update={"min_support": 2})
    assert learned("lift", small, rare)[1, 3] == 0


def test_the_likelihood_ratio_is_scipys(small: Dataset, counting: CountingParams) -> None:
    table = [[3, 1], [0, 2]]  # baskets with a: 3 with b, 1 without; baskets without a: 0 and 2
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert learned("llr", small, counting)[1, 2] == pytest.approx(expected, rel=1e-5)


def test_weighted_cosine_by_hand(shop: Shop, counting: CountingParams) -> None:
    dataset = shop([(None, "a b", 120), (None, "a b c", 0.0001), (None, "a", 0.0001)])
    old, new, alone = 0.5 * 2**-0.5, 3**-0.5, 1.0
    a, b, both = old + new + alone, old + new, old + new
    expected = both / (a**0.5 * b**0.5) * 2 / (2 + 2)
    assert learned("weighted_cosine", dataset, counting)[1, 2] == pytest.approx(expected, rel=1e-4)
    directed = counting.model_copy(update={"asymmetry": (0.8,)})
    weights = learned("weighted_cosine", dataset, directed)
    assert weights[1, 2] == pytest.approx(both / (a**0.8 * b**0.2) * 0.5, rel=1e-4)
    assert weights[2, 1] == pytest.approx(both / (b**0.8 * a**0.2) * 0.5, rel=1e-4)


def test_itemknn_is_the_weighted_cosine_of_users(shop: Shop, counting: CountingParams) -> None:
    dataset = shop([("u", "a b", 120), ("u", "a", 0.0001), ("v", "a b c", 0.0001), (None, "a b", 1)])
    of_u, of_v = (0.5 * 2**-0.5 + 1, 0.5 * 2**-0.5), (3**-0.5, 3**-0.5)  # x of a, of b
    a, b = of_u[0] + of_v[0], of_u[1] + of_v[1]
    both = (of_u[0] * of_u[1]) ** 0.5 + (of_v[0] * of_v[1]) ** 0.5
    assert learned("itemknn", dataset, counting)[1, 2] == pytest.approx(both / (a * b) ** 0.5 * 2 / 4, rel=1e-4)


def test_itemknn_keeps_the_nearest_neighbours_only(small: Dataset, counting: CountingParams) -> None:
    weights = {k: learned("itemknn", small, counting.model_copy(update={"knn_neighbours": (k,)})) for k in (1, 4)}
    assert ((weights[1] > 0).sum(axis=1) <= 1).all()
    np.testing.assert_array_equal(weights[1].max(axis=1), weights[4].max(axis=1))


def test_co_counts_are_made_once_for_all_rankers(small: Dataset, counting: CountingParams) -> None:
    assert graph.edges(small, "together") is graph.edges(small, "together")
    assert ease.ease_of_users(small, counting, 1.0) is ease.ease_of_users(small, counting, 1.0)
    smaller = replace(small, baskets=replace(small.baskets, content=small.baskets.content * 0))
    assert graph.edges(smaller, "together").n.sum() == 0


def test_markov_by_hand(shop: Shop, counting: CountingParams) -> None:
    dataset = shop([("u", "a", 5), ("u", "b", 4), ("u", "c", 3), ("v", "a", 2), ("v", "c", 1)])
    weights = learned("markov", dataset, counting)
    assert weights[1, 2] == pytest.approx(1 / (1 + 0.5 + 1 + 2))
    assert weights[1, 3] == pytest.approx((0.5 + 1) / (1 + 0.5 + 1 + 2))
    assert weights[3].tolist() == [0, 0, 0, 0]
    ranker = COUNTING["markov"](counting).fit(dataset)
    assert isinstance(ranker, ItemToItem)
    assert ranker.asked(dataset.histories).toarray()[0, 1:].tolist() == pytest.approx([1 / 3, 1 / 2, 1])


def test_markov_learns_an_order_that_counts_do_not_see(shop: Shop, counting: CountingParams) -> None:
    dataset = shop([(f"u{n}", product, 30 - n - step) for n in range(8) for step, product in enumerate("abc")])
    asked = histories.of_products(np.array([2]), 4, dataset.as_of_us)
    best = top_k(COUNTING["markov"](counting).fit(dataset).scores(asked, dataset.demand), 1)
    assert best.tolist() == [[3]]


def test_ease_of_baskets_is_the_ridge_regression_on_all_other_products(
    small: Dataset, counting: CountingParams
) -> None:
    x = graph.weighted_baskets(small).toarray()[:, 1:]
    expected = ridge_without_itself(x, x, counting.basket_l2[0] * (x**2).sum(axis=0).mean())
    np.testing.assert_allclose(learned("basket_ease", small, counting)[1:, 1:], expected, atol=2e-5)


@pytest.mark.parametrize("name", ["ease", "ease_trend"])
def test_ease_is_the_ridge_regression_on_all_other_products_of_a_history(
    name: str, checkerboard: Dataset, counting: CountingParams
) -> None:
    x = np.sqrt(base.decayed(checkerboard.histories, checkerboard.kind_weight, 120).toarray()[:, 1:])
    expected = ridge_without_itself(x, x, counting.ease_l2[0] * (x**2).sum(axis=0).mean())
    np.testing.assert_allclose(learned(name, checkerboard, counting)[1:, 1:], expected, atol=2e-5)


def test_ease_trend_is_scaled_ease_times_trend_and_scaled_own_frequency(
    small: Dataset, counting: CountingParams
) -> None:
    ease_of_it, both = (COUNTING[name](counting).fit(small) for name in ("ease", "ease_trend"))
    assert isinstance(ease_of_it, ItemToItem)
    daily = np.zeros((60, 5), np.float32)
    daily[0] = [0, 3, 0, 8, 15]
    linear = np.maximum(ease_of_it.linear(small.histories), 0) * np.sqrt([1, 4, 1, 9, 16])  # g = 0.5
    own = base.decayed(small.histories, small.kind_weight, 120).toarray()
    expected = linear / linear.max(axis=1, keepdims=True) + 0.3 * own / own.max(axis=1, keepdims=True)
    found = both.scores(small.histories, Demand(daily, small.as_of_us))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_recent_ease_is_the_ridge_regression_from_the_past_to_recent_purchases(
    checkerboard: Dataset, counting: CountingParams
) -> None:
    known, weight = checkerboard.histories, checkerboard.kind_weight
    x = np.sqrt(base.decayed(known, weight, 120).toarray()[:, 1:])
    y = base.decayed(known, weight, 14).toarray()[:, 1:]
    expected = ridge_without_itself(x, y, counting.recent_l2[0] * (x**2).sum(axis=0).mean())
    np.testing.assert_allclose(learned("recent_ease", checkerboard, counting)[1:, 1:], expected, atol=2e-5)


def ridge_without_itself(x: np.ndarray, y: np.ndarray, l2: float) -> np.ndarray:
    products = x.shape[1]
    weights = np.zeros((products, products))
    for j in range(products):
        others = np.arange(products) != j
        weights[others, j] = Ridge(alpha=l2, fit_intercept=False).fit(x[:, others], y[:, j]).coef_
    return weights


def test_candidates_in_a_choice_are_the_scores_of_the_matrix_they_stand_for(
    checkerboard: Dataset, counting: CountingParams
) -> None:
    ranker = ease.RecentEase(counting)
    ranker.learned = {"kind_weight": checkerboard.kind_weight}
    found = ranker._candidates(checkerboard, ranker.asked(checkerboard.histories))
    for l2, days in found:
        chosen = ease.RecentEase(counting.model_copy(update={"recent_l2": (l2,), "recent_half_life_days": (days,)}))
        linear = chosen.fit(checkerboard).linear(checkerboard.histories)
        np.testing.assert_allclose(found[l2, days], linear, atol=1e-4)


@pytest.mark.parametrize("name", ["ease_trend", "recent_ease"])
def test_own_purchases_are_chosen_where_users_buy_again(name: str, shop: Shop, counting: CountingParams) -> None:
    dataset = shop([(f"u{n}", f"p{n:02d}", 20 - n) for n in range(12)])
    users, products = len(dataset.histories), dataset.vocabulary.size
    own = dataset.vocabulary.encode([f"p{int(user[1:]):02d}" for user in dataset.histories.user_ids])
    truth = sp.csr_array((np.ones(users), (np.arange(users), own)), shape=(users, products))
    again = Cases(dataset.histories, dataset.demand, truth, sp.csr_array((users, products)))
    options = counting.model_copy(update={"own_weight": (0.0, 5.0)})
    assert COUNTING[name](options).fit(dataset, again).choices["own_weight"] == 5.0


def test_the_trend_is_chosen_where_it_helps_and_left_where_it_hurts(shop: Shop, counting: CountingParams) -> None:
    baskets = [(None, "a b", 50 - n) for n in range(20)] + [(None, "a c", 20 - n) for n in range(18)]
    dataset = shop(baskets, half_life_days=10_000)
    risen = replace(dataset.demand, daily=np.tile(np.array([0, 5, 0, 9], np.float32), (60, 1)))
    options = counting.model_copy(update={"trend_exponent": (0.0, 2.0)})
    asked = histories.of_products(np.array([1]), 4, dataset.as_of_us)
    for product, exponent in ((2, 0.0), (3, 2.0)):  # b went with a more often, c sells now
        truth = sp.csr_array(([1.0], ([0], [product])), shape=(1, 4))
        own = sp.csr_array(([1.0], ([0], [1])), shape=(1, 4))
        cases = Cases(asked, risen, truth, own)
        chosen = COUNTING["weighted_cosine_trend"](options).fit(dataset, cases)
        assert chosen.choices["trend_exponent"] == exponent
        assert top_k(chosen.scores(asked, risen), 1, own).tolist() == [[product]]


@given(arrays(np.float32, (9, 9), elements=st.floats(-4, 4, width=32)), st.integers(1, 12))
@settings(max_examples=60)
def test_the_strongest_are_kept_and_nothing_else(weights: np.ndarray, k: int) -> None:
    kept = neighbours.strongest(weights, k).toarray()
    few = neighbours.narrowed(sp.csr_array(weights), k).toarray()
    assert (np.sort(np.abs(few), axis=1) == np.sort(np.abs(kept), axis=1)).all()
    assert ((few == 0) | (few == weights)).all()
    for row, found in zip(weights, kept, strict=True):
        assert ((found == 0) | (found == row)).all()
        assert (
            sorted(np.abs(found))[::-1] == sorted(np.sort(np.abs(row))[::-1][:k].tolist() + [0] * (9 - min(k, 9)))[::-1]
        )


@given(
    arrays(np.float64, (3, 7), elements=st.integers(0, 50).map(float)),
    arrays(np.float32, (60, 7), elements=st.integers(0, 9).map(float)),
)
@settings(max_examples=60)
def test_recent_demand_orders_equals_and_never_turns_two_scores_round(scores: np.ndarray, daily: np.ndarray) -> None:
    demand = Demand(daily.astype(np.float32), 0)
    found = base.with_recent(scores, demand)
    recent = demand.last(7)
    for before, after in zip(scores, found, strict=True):
        for i in range(7):
            for j in range(7):
                if before[i] > before[j]:
                    assert after[i] > after[j]
                if before[i] == before[j] == 0 and recent[i] > recent[j]:
                    assert after[i] > after[j]


def test_only_the_most_bought_take_part_in_ease(small: Dataset, counting: CountingParams) -> None:
    assert ease.most(np.array([9, 4, 3, 5, 0.0]), 2).tolist() == [1, 3]
    assert ease.most(np.array([9, 4, 3, 5, 0.0]), 10).tolist() == [1, 2, 3]
    weights = learned("ease", small, counting.model_copy(update={"ease_max_products": 2}))
    assert (weights != 0).sum() == 2
