"""What counts of pairs say: how strong an association is, how sure it is, and whether chance alone would do it.

With n rows that hold a pair, n_a and n_b rows with either product in its role, and N rows:

    expected   e = n_a n_b / N            what chance alone would give
    lift       n / e                      above 1: attracted, below 1: repelled
    confidence n / n_a                    of the rows with a, those with b

Every function gives one number for each pair, or two. Bounds and chances take the margins as given, and rows as
independent of each other; where one user makes many of the rows, they look surer than they are.
"""

from dataclasses import replace

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from scipy.special import gammaincinv, gammaln

from tandem.features.pairs import Pairs

Values = NDArray[np.float64]

NEGLIGIBLE = 1e-17
"""Share of a tail below which its further terms are left out."""


def expected(pairs: Pairs) -> Values:
    """(pairs,) n_a n_b / N."""
    return pairs.of_a * pairs.of_b / pairs.rows


def support(pairs: Pairs) -> Values:
    """(pairs,) n / N."""
    return pairs.n / pairs.rows


def confidence(pairs: Pairs) -> Values:
    """(pairs,) n / n_a; for one a in the same order as n."""
    return pairs.n / pairs.of_a


def lift(pairs: Pairs) -> Values:
    """(pairs,) n N / (n_a n_b): how many times likelier together than by chance."""
    return pairs.n / expected(pairs)


def jaccard(pairs: Pairs) -> Values:
    """(pairs,) n / (n_a + n_b - n): of the rows with either, those with both."""
    return pairs.n / (pairs.of_a + pairs.of_b - pairs.n)


def cosine(pairs: Pairs, shrinkage: float = 0.0) -> Values:
    """(pairs,) n / (√(n_a n_b) + shrinkage)."""
    return pairs.n / (np.sqrt(pairs.of_a * pairs.of_b) + shrinkage)


def weighted_cosine(pairs: Pairs, alone: Values, asymmetry: float, shrinkage: float) -> Values:
    """(pairs,) w / (w_a^α w_b^(1 - α)) · n / (n + shrinkage), w the weight of the pair.

    Args:
        alone: (products,) the weight of each product with itself.
        asymmetry: α; 0.5 is the cosine, 1 the confidence.
        shrinkage: rows a pair must have before it is believed by half.
    """
    alone = np.where(alone > 0, alone, 1.0)
    left, right = alone**-asymmetry, alone ** -(1 - asymmetry)
    return pairs.weight * left[pairs.a] * right[pairs.b] * pairs.n / (pairs.n + shrinkage)


def npmi(pairs: Pairs) -> Values:
    """(pairs,) ln(lift) / -ln(n / N), in [-1, 1]; -1 never together, 0 by chance, 1 always together. Bouma 2009."""
    share = support(pairs)
    within = (share > 0) & (share < 1)
    value = np.log(np.where(within, lift(pairs), 1.0)) / -np.log(np.where(within, share, 0.5))
    return np.where(within, value, np.where(share > 0, 1.0, -1.0))


def log_likelihood_ratio(pairs: Pairs) -> Values:
    """(pairs,) ± G², G² = 2 Σ observed · ln(observed / expected) over the four cells; negative where repelled.

    Source: Dunning 1993.
    """
    n, a, b, total = pairs.n, pairs.of_a, pairs.of_b, pairs.rows
    ratio = np.zeros(len(pairs))
    for observed, row, column in (
        (n, a, b),
        (a - n, a, total - b),
        (b - n, total - a, b),
        (total - a - b + n, total - a, total - b),
    ):
        some = observed > 0
        by_chance = np.where(some, row * column / total, 1.0)
        ratio += 2 * observed * np.log(np.where(some, observed, 1.0) / by_chance)
    return np.sign(n - expected(pairs)) * np.maximum(ratio, 0.0)


def lift_interval(pairs: Pairs, level: float = 0.95) -> tuple[Values, Values]:
    """(pairs,) low and (pairs,) high bound of the lift, as if n were a Poisson count; exact, so never too narrow.

    low = Q(α/2; n) / e, high = Q(1 - α/2; n + 1) / e, Q(·; k) the quantile of the Gamma distribution of shape k, and
    no more than margins allow: min(n_a, n_b) / e. A count of 0 has an upper bound as well.

    Source: Garwood 1936.
    """
    by_chance, tail = expected(pairs), (1 - level) / 2
    low = np.where(pairs.n > 0, gammaincinv(np.maximum(pairs.n, 1), tail), 0.0)
    high = np.minimum(gammaincinv(pairs.n + 1, 1 - tail), np.minimum(pairs.of_a, pairs.of_b))
    return low / by_chance, high / by_chance


def given_sizes(pairs: Pairs, counted: float | None = None) -> Pairs:
    """The same counts, with chance judged by how large the rows are: as many rows as make the mean lift 1.

    N' = Σ_{a ≠ b} n_a n_b / Σ n_ab. A few rows with a thousand products hold most pairs; beside the plain N they make
    nearly all of them look attracted. Rows with one product hold none, and say nothing of pairs.

    Args:
        pairs: all that were counted, or more; or some of them.
        counted: Σ n_ab of all; without it, of `pairs`.
    """
    possible = pairs.source.sum() * pairs.target.sum() - (pairs.source * pairs.target).sum()
    if not pairs.rows:
        return pairs
    counted = pairs.n.sum() if counted is None else counted
    least = pairs.source.max(initial=0.0) + pairs.target.max(initial=0.0)  # so that any two fit beside each other
    return replace(pairs, rows=int(max(np.ceil(possible / max(counted, 1)), least)))


def chance_of_more(pairs: Pairs) -> Values:
    """(pairs,) probability that chance alone gives n or more: Fisher's exact test, one-sided.

    P(X ≥ n), X hypergeometric: n_b rows drawn of N, n_a of which hold a.
    """
    return _tail(pairs.n, pairs.of_a, pairs.of_b, float(pairs.rows))


def chance_of_fewer(pairs: Pairs) -> Values:
    """(pairs,) probability that chance alone gives n or fewer: Fisher's exact test, one-sided.

    With a in n rows of b's, the rows of b without a are n_b - n: few of the one are many of the other.
    """
    return _tail(pairs.of_b - pairs.n, pairs.rows - pairs.of_a, pairs.of_b, float(pairs.rows))


def hypotheses(pairs: Pairs) -> int:
    """How many directed pairs could have been found: those of different products that stand in the right roles."""
    source, target = pairs.source > 0, pairs.target > 0
    return int(source.sum()) * int(target.sum()) - int((source & target).sum())


def false_discovery_rate(chance: Values, hypotheses: int | None = None) -> Values:
    """(pairs,) q: were all with this q or a smaller one believed, so large a share of them would be chance's.

    q of the k-th smallest p = min over j ≥ k of p_j · hypotheses / j, at most 1. Hypotheses that were not tested,
    because nothing was counted, have p = 1. Source: Benjamini and Hochberg 1995.

    Args:
        chance: (pairs,) p.
        hypotheses: at least the number of pairs; without it, that number.

    Raises:
        ValueError: fewer hypotheses than pairs.
    """
    if hypotheses is not None and hypotheses < len(chance):
        raise ValueError(f"hypotheses = {hypotheses}: at least the {len(chance)} pairs that were tested fit")
    if not len(chance):
        return chance
    q = scipy.stats.false_discovery_control(np.clip(chance, 0.0, 1.0))
    return np.minimum(q * ((hypotheses or len(chance)) / len(chance)), 1.0)


def _tail(n: Values, a: Values, b: Values, total: float) -> Values:
    """P(X ≥ n) of a hypergeometric X; below the mean 1 - P(X < n), for which rows without a are counted instead."""
    above = n > a * b / total
    summed = _upper(np.where(above, n, b - n + 1), np.where(above, a, total - a), b, total)
    return np.clip(np.where(above, summed, 1 - summed), 0.0, 1.0)


def _upper(n: Values, a: Values, b: Values, total: float) -> Values:
    """P(X ≥ n) for n above the mean: the first term, and all after it, each from the one before."""
    first = _log_choose(a, n) + _log_choose(total - a, b - n) - _log_choose(np.full_like(a, total), b)
    term = np.where(n <= np.minimum(a, b), np.exp(first), 0.0)
    summed, left = term.copy(), np.flatnonzero(term > 0)
    while len(left):
        k, x, y = n[left], a[left], b[left]
        term[left] *= (x - k) * (y - k) / ((k + 1) * (total - x - y + k + 1))
        summed[left] += term[left]
        n = n + 1
        left = left[term[left] > NEGLIGIBLE * summed[left]]
    return summed


def _log_choose(n: Values, k: Values) -> Values:
    """ln of n over k; outside 0 … n anything."""
    k = np.clip(k, 0, n)
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
