"""What counts say, by hand, beside SciPy's tests, and what must hold for all counts."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tandem.features import strength
from tandem.features.pairs import Pairs, count


def pairs(*tables: tuple[int, int, int], rows: int) -> Pairs:
    """One pair for each (n, n_a, n_b); product 2k goes with 2k + 1."""
    n, a, b = np.array(tables, np.float64).reshape(-1, 3).T
    first, second = np.arange(0, 2 * len(n), 2, dtype=np.int32), np.arange(1, 2 * len(n), 2, dtype=np.int32)
    source, target = np.zeros(2 * len(n)), np.zeros(2 * len(n))
    source[first], target[second] = a, b
    return Pairs(first, second, n, 0.5 * n, source, target, rows)


ONE = pairs((6, 8, 12), rows=48)
"""6 rows with both, 8 with a, 12 with b, of 48: chance gives 8 · 12 / 48 = 2."""


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (strength.expected, 2),
        (strength.support, 6 / 48),
        (strength.confidence, 6 / 8),
        (strength.lift, 3),
        (strength.jaccard, 6 / (8 + 12 - 6)),
        (strength.cosine, 6 / 96**0.5),
        (lambda of: strength.cosine(of, 2.0), 6 / (96**0.5 + 2)),
        (strength.npmi, np.log(3) / np.log(8)),
        (
            strength.log_likelihood_ratio,
            2 * (6 * np.log(6 / 2) + 2 * np.log(2 / 6) + 6 * np.log(6 / 10) + 34 * np.log(34 / 30)),
        ),
    ],
)
def test_a_value_worked_by_hand(measure, value: float) -> None:
    assert measure(ONE) == pytest.approx([value])


def test_the_weighted_cosine_divides_by_both_weights_unequally_and_shrinks_by_the_count() -> None:
    """Weight 3 of the pair, 4 and 16 of its products; 6 rows beside 2 that are asked for."""
    found = strength.weighted_cosine(ONE, np.array([4.0, 16.0]), 0.75, 2.0)
    assert found == pytest.approx([3 / (4**0.75 * 16**0.25) * 6 / 8])


def test_npmi_ends_at_one_and_minus_one() -> None:
    found = strength.npmi(pairs((0, 3, 3), (5, 5, 5), (10, 10, 10), rows=10))
    assert found == pytest.approx([-1, np.log(2) / np.log(2), 1])


def test_repelled_pairs_have_a_negative_ratio() -> None:
    apart, chance = strength.log_likelihood_ratio(pairs((0, 20, 20), (4, 20, 20), rows=100))
    reference = scipy.stats.chi2_contingency([[0, 20], [20, 60]], correction=False, lambda_="log-likelihood").statistic
    assert apart == pytest.approx(-reference)
    assert chance == pytest.approx(0, abs=1e-12)


def test_the_interval_of_a_lift_is_garwoods_of_the_count() -> None:
    """For a count of 10: 4.795 to 18.39 (Garwood 1936); for none 0 to 3.689; margins allow no more than 3."""
    low, high = strength.lift_interval(pairs((10, 100, 200), (0, 100, 200), (3, 3, 200), rows=1000))
    assert low == pytest.approx([4.795 / 20, 0, 0.6187 / 0.6], rel=1e-3)
    assert high == pytest.approx([18.39 / 20, 3.689 / 20, 3 / 0.6], rel=1e-3)


def test_intervals_hold_the_true_lift_at_least_as_often_as_they_say() -> None:
    rng, rows, a, b, lift = np.random.default_rng(3), 400, 40, 50, 2.0
    n = rng.binomial(a, lift * b / rows, 4000)  # b among the rows of a
    low, high = strength.lift_interval(pairs(*((k, a, b) for k in n), rows=rows), 0.9)
    assert np.mean((low <= lift) & (lift <= high)) >= 0.9


tables = st.integers(1, 60).flatmap(
    lambda rows: st.tuples(st.integers(1, rows), st.integers(1, rows), st.just(rows)).flatmap(
        lambda of: st.tuples(st.integers(max(0, of[0] + of[1] - of[2]), min(of[0], of[1])), *map(st.just, of))
    )
)


@given(table=tables)
def test_chances_are_fishers_exact(table: tuple[int, int, int, int]) -> None:
    n, a, b, rows = table
    of = [[n, a - n], [b - n, rows - a - b + n]]
    asked = pairs((n, a, b), rows=rows)
    for chance, side in ((strength.chance_of_more, "greater"), (strength.chance_of_fewer, "less")):
        assert chance(asked) == pytest.approx([scipy.stats.fisher_exact(of, side).pvalue], rel=1e-8)


@given(table=tables)
def test_what_holds_for_all_counts(table: tuple[int, int, int, int]) -> None:
    n, a, b, rows = table
    asked = pairs((n, a, b), rows=rows)
    low, high = strength.lift_interval(asked)
    assert low <= strength.lift(asked) * (1 + 1e-12)
    assert strength.lift(asked) <= high * (1 + 1e-12)
    assert -1 <= strength.npmi(asked) <= 1 + 1e-12
    ratio, lift = strength.log_likelihood_ratio(asked), strength.lift(asked)
    assert ratio >= -1e-9 or lift < 1
    assert ratio <= 1e-9 or lift > 1
    assert strength.chance_of_more(asked) + strength.chance_of_fewer(asked) >= 1 - 1e-9


def test_large_rows_alone_attract_nobody() -> None:
    """Two rows with all of ten products, 98 with one: each pair 2 times, of products with 11 or 12 rows each."""
    x = np.vstack([np.ones((2, 10)), np.eye(10)[np.arange(98) % 10]])
    found = count(sp.csr_array(x))
    assert (strength.lift(found) > 1.2).all()
    fair = strength.given_sizes(found)
    assert np.average(strength.lift(fair), weights=strength.expected(fair)) == pytest.approx(1, rel=0.01)
    assert strength.chance_of_more(fair).min() > 0.3
    assert fair.n is found.n


def test_chances_of_large_counts_are_exact() -> None:
    rows, tables = 2_000_000, [(9000, 400_000, 40_000), (8200, 400_000, 40_000), (12, 300, 500), (0, 900_000, 20)]
    n, a, b = np.array(tables).T
    found = strength.chance_of_more(pairs(*tables, rows=rows))
    expected = scipy.stats.hypergeom.sf(n - 1, rows, a, b)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found[2] < 1e-20


def test_false_discovery_rates_are_scipys_when_all_hypotheses_are_there() -> None:
    chance = np.random.default_rng(1).random(50) ** 3
    expected = scipy.stats.false_discovery_control(np.concatenate([chance, np.ones(150)]))[:50]
    np.testing.assert_allclose(strength.false_discovery_rate(chance, 200), expected)
    assert strength.false_discovery_rate(np.zeros(0), 5).shape == (0,)


def test_fewer_hypotheses_than_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least the 3 pairs"):
        strength.false_discovery_rate(np.ones(3), 2)


def test_chance_alone_is_seldom_believed() -> None:
    """Products in baskets at random: of a hundred shops about five, and no more, believe in any pair."""
    rng, rows, products, fooled = np.random.default_rng(5), 300, 12, 0
    for _ in range(100):
        x = rng.random((rows, products)) < 0.15
        a, b = np.triu_indices(products, 1)
        both = (x.T.astype(int) @ x)[a, b]
        asked = pairs(*zip(both, x.sum(axis=0)[a], x.sum(axis=0)[b], strict=True), rows=rows)
        fooled += bool((strength.false_discovery_rate(strength.chance_of_more(asked)) <= 0.05).any())
    assert fooled <= 11  # 5 expected at most; P(more than 11) = 0.4 %


def test_hypotheses_are_pairs_of_different_products_in_their_roles() -> None:
    """Sources 1 and 2, targets 2, 3 and 4: six pairs less the product with itself."""
    none = np.zeros(0)
    source, target = np.array([0, 2, 1, 0, 0.0]), np.array([0, 0, 5, 1, 1.0])
    assert strength.hypotheses(Pairs(none.astype(np.int32), none.astype(np.int32), none, none, source, target, 9)) == 5


def test_pairs_that_were_not_counted_have_a_chance_as_well() -> None:
    """A product alone in 1,000 rows, and one row with ten others: fewer rows than its own would make no sense."""
    x = np.vstack([np.append(np.zeros(10), 1)] * 1000 + [np.append(np.ones(10), 0)])
    found = count(sp.csr_array(x))
    fair = strength.given_sizes(found)
    assert fair.rows >= 1000
    never = replace(
        fair, a=np.array([10, 0], np.int32), b=np.array([0, 10], np.int32), n=np.zeros(2), weight=np.zeros(2)
    )
    assert np.isfinite(strength.log_likelihood_ratio(never)).all()
    assert ((strength.chance_of_more(never) == 1) & (strength.chance_of_fewer(never) > 0)).all()
