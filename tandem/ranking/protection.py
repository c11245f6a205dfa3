"""Weights of a blend under which no slice pays for the whole.

The weights that make all pairs likeliest give first places to what sells most, and pairs of the middle and the tail
pay. So pairs may count by their slice (`slices.of_popularity`) as well: gain × (share of all gain that is its slice's)
^-balance. At 0 pairs count by their gain, at 1 head, middle and tail weigh the same. Balance and penalty are chosen by
cross-validation: of those under which no slice is more than a standard error worse than the anchor, the ranker that
counts best, the pair with the best NDCG@10; if there is none, the pair whose worst slice is nearest to that. The
penalty is never less than the likelihood asks for, and the anchor goes almost free of it: the stronger it is, the more
the order is the anchor's. A pair that does not lead the anchor by two standard errors on the whole is not worth its
risk: where none does, the penalty is the strongest.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, gains_at, ndcg_at_k
from tandem.evaluation.slices import PLACES, SLICES, of_popularity, sliced
from tandem.params import BlendParams
from tandem.ranking.logit import Choices, Scaled, Weights, choose_l2, logit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """Choices, and what they are of."""

    choices: Choices
    product: NDArray[np.int64]  # (candidates of all cases,)
    cases: Cases  # in the order of `choices`

    def ranked(self, scores: NDArray[np.floating]) -> NDArray[np.int64]:
        """(cases, PLACES) candidates by their scores, of equals the smaller index first; 0 where there are no more."""
        case = self.choices.case
        order = np.lexsort((self.product, -scores, case))
        place = np.arange(len(order)) - self.choices.begins[case]
        first = place < PLACES
        found = np.zeros((len(self.choices), PLACES), np.int64)
        found[case[first], place[first]] = self.product[order[first]]
        return found


@dataclass(frozen=True)
class Option:
    """A pair of penalty and balance, and what it is worth where it did not learn."""

    l2: float
    balance: float
    ndcg: float  # mean NDCG@10
    leads: bool  # it is better than the anchor, by more than two standard errors
    shortfall: float  # by how much its worst slice is more than a standard error worse than the anchor; 0: none is
    worst: str  # the name of that slice

    @property
    def rank(self) -> tuple[float, float, float, float]:
        """The smallest is best; of equals the strongest penalty, then the least balance."""
        return self.shortfall, -self.ndcg, -self.l2, self.balance


def protected(
    asked: Asked, anchor: NDArray[np.integer], free: Sequence[int], baskets: NDArray[np.floating], params: BlendParams
) -> Weights:
    """Weights of the best `Option`.

    Args:
        anchor: (cases, PLACES) the ranking that no slice may be worse than.
        free: the columns that say what the anchor says.
        baskets: (products,) as in `slices.of_popularity`.
    """
    scaled = Scaled.of(asked.choices, by_known=True)
    least = choose_l2(scaled.choices, params.l2, params.folds, params.choosing_cases, free)
    part = of_popularity(baskets)[asked.product]
    pairs = list(itertools.product([l2 for l2 in params.l2 if l2 >= least], params.balance))
    l2, balance = pairs[0]
    if len(pairs) > 1 and len(asked.choices) > 1:
        options = [*_options(asked, scaled.choices, anchor, free, baskets, part, pairs, params)]
        nearest = min(options, key=lambda o: (-o.l2, o.balance))
        best = min((o for o in options if o.leads or o is nearest), key=lambda o: o.rank)
        l2, balance = best.l2, best.balance
        if best.shortfall:
            log.warning("on validation no weights keep slice %r of the best ranker that counts", best.worst)
    target = balanced(scaled.choices, part, balance)
    return scaled.weights(logit(target, l2, np.zeros(target.columns.shape[1]), free), l2, balance)


def balanced(choices: Choices, part: NDArray[np.integer], exponent: float) -> Choices:
    """The same with target × (share of all targets that is its slice's)^-exponent, their sum as before.

    Args:
        part: (candidates of all cases,) the slice of each, a place in `SLICES`; of cold ones, which are few, the tail.
    """
    part = np.minimum(part, SLICES.index("tail"))
    mass = np.bincount(part, choices.target, len(SLICES))
    worth = np.where(mass > 0, mass, 1.0) ** -exponent
    return replace(choices, target=choices.target * worth[part] * (mass.sum() / (mass @ worth)))


def _options(
    asked: Asked,
    choices: Choices,
    anchor: NDArray[np.integer],
    free: Sequence[int],
    baskets: NDArray[np.floating],
    part: NDArray[np.integer],
    pairs: Sequence[tuple[float, float]],
    params: BlendParams,
) -> Iterator[Option]:
    parts = {name: of for name, of in sliced(asked.cases, baskets).items() if len(of.rows) >= params.slice_cases}
    theirs = {name: of.judge(anchor) for name, of in parts.items()}
    ideal, starts = Ideal.of(asked.cases), [np.zeros(choices.columns.shape[1])] * params.folds
    reached = ndcg_at_k(gains_at(anchor, asked.cases.truth), ideal.gains, 10)
    for l2, balance in pairs:
        scores = _out_of_fold(balanced(choices, part, balance), l2, starts, free)
        ranked = asked.ranked(scores)
        ndcg = ndcg_at_k(gains_at(ranked, asked.cases.truth), ideal.gains, 10)
        short = {name: _beyond(theirs[name] - of.judge(ranked), 1.0) for name, of in parts.items()} or {"": 0.0}
        worst = max(short, key=lambda name: short[name])
        leads = _beyond(ndcg - reached, 2.0) > 0
        yield Option(l2, balance, float(ndcg.mean()), leads, short[worst], worst)


def _out_of_fold(
    choices: Choices, l2: float, starts: list[NDArray[np.float64]], free: Sequence[int]
) -> NDArray[np.float64]:
    """(candidates of all cases,) scores by weights of the other folds, which replace `starts`."""
    fold, scores = np.arange(len(choices)) % len(starts), np.zeros(len(choices.target))
    for out in range(min(len(starts), len(choices))):
        starts[out] = logit(choices.take(fold != out), l2, starts[out], free)
        rows = (fold == out)[choices.case]
        scores[rows] = choices.columns[rows] @ starts[out].astype(np.float32)
    return scores


def _beyond(difference: NDArray[np.float64], errors: float) -> float:
    """By how much the mean is more than so many standard errors above 0; 0 if it is not."""
    return max(0.0, float(difference.mean() - errors * difference.std() / np.sqrt(len(difference))))
