"""Weights of a blend under which no slice pays for the whole.

The weights that make all pairs likeliest give first places to what sells most, and pairs of the middle and the tail
pay. So pairs may count by their slice (`slices.of_popularity`) as well: gain × (share of all gain that is its slice's)
^-balance. At 0 pairs count by their gain, at 1 head, middle and tail weigh the same.

Penalty and balance are chosen by cross-validation, against the anchor: the ranker that counts best. A pair of them is
good if on the whole it leads the anchor by two standard errors, and on no slice it is more than one behind. Of good
pairs the one with the best NDCG@10 is taken; if there is none, the anchor answers by itself. The penalty is never less
than the likelihood asks for.
"""

import itertools
import logging
from collections.abc import Sequence
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
    pays: tuple[str, ...]  # slices on which it is more than a standard error behind the anchor

    @property
    def rank(self) -> tuple[float, float, float]:
        """The largest is best; of equals the strongest penalty, then the least balance."""
        return self.ndcg, self.l2, -self.balance


class Exam:
    """Cases on which options are held against the anchor, as a whole and slice by slice."""

    def __init__(
        self, asked: Asked, anchor: NDArray[np.integer], baskets: NDArray[np.floating], slice_cases: int
    ) -> None:
        self.asked, self.ideal = asked, Ideal.of(asked.cases)
        self.slices = {name: of for name, of in sliced(asked.cases, baskets).items() if len(of.rows) >= slice_cases}
        self.reached = self._ndcg(anchor)
        self.by_slice = {name: of.judge(anchor) for name, of in self.slices.items()}

    def option(self, l2: float, balance: float, scores: NDArray[np.floating]) -> Option:
        """What the scores of the candidates are worth."""
        ranked = self.asked.ranked(scores)
        ndcg = self._ndcg(ranked)
        less = {name: self.by_slice[name] - of.judge(ranked) for name, of in self.slices.items()}
        pays = tuple(name for name, by_case in less.items() if _beyond(by_case, 1.0))
        return Option(l2, balance, float(ndcg.mean()), _beyond(ndcg - self.reached, 2.0), pays)

    def _ndcg(self, ranked: NDArray[np.integer]) -> NDArray[np.float64]:
        return ndcg_at_k(gains_at(ranked, self.asked.cases.truth), self.ideal.gains, 10)


def protected(
    asked: Asked, anchor: NDArray[np.integer], free: Sequence[int], baskets: NDArray[np.floating], params: BlendParams
) -> Weights:
    """Weights of the best good `Option`.

    Args:
        anchor: (cases, PLACES) the ranking that no slice may be worse than.
        free: the columns that say what the anchor says.
        baskets: (products,) as in `slices.of_popularity`.
    """
    scaled = Scaled.of(asked.choices, by_known=True)
    least = choose_l2(scaled.choices, params.l2, params.folds, params.choosing_cases, free)
    part = of_popularity(baskets)[asked.product]
    exam = Exam(asked, anchor, baskets, params.slice_cases)
    starts = [np.zeros(scaled.choices.columns.shape[1])] * min(params.folds, len(asked.choices))
    options = [
        exam.option(l2, by, _out_of_fold(balanced(scaled.choices, part, by), l2, starts, free))
        for l2, by in itertools.product([l2 for l2 in params.l2 if l2 >= least], params.balance)
    ]
    good = [option for option in options if option.leads and not option.pays]
    if not good:
        leading = max((option for option in options if option.leads), key=lambda option: option.rank, default=None)
        why = f"slices {', '.join(leading.pays)} would pay" if leading else "nothing leads it"
        log.warning("the anchor answers by itself: on validation %s", why)
        nothing = np.zeros(len(scaled.spread))
        return Weights(nothing, nothing, max(params.l2), anchored=True)
    best = max(good, key=lambda option: option.rank)
    target = balanced(scaled.choices, part, best.balance)
    found = logit(target, best.l2, np.zeros(target.columns.shape[1]), free)
    return scaled.weights(found, best.l2, best.balance)


def balanced(choices: Choices, part: NDArray[np.integer], exponent: float) -> Choices:
    """The same with target × (share of all targets that is its slice's)^-exponent, their sum as before.

    Args:
        part: (candidates of all cases,) the slice of each, a place in `SLICES`; of cold ones, which are few, the tail.
    """
    part = np.minimum(part, SLICES.index("tail"))
    mass = np.bincount(part, choices.target, len(SLICES))
    worth = np.where(mass > 0, mass, 1.0) ** -exponent
    return replace(choices, target=choices.target * worth[part] * (mass.sum() / (mass @ worth)))


def _out_of_fold(
    choices: Choices, l2: float, starts: list[NDArray[np.float64]], free: Sequence[int]
) -> NDArray[np.float64]:
    """(candidates of all cases,) scores by weights of the other folds, which replace `starts`, one for each fold."""
    fold, scores = np.arange(len(choices)) % len(starts), np.zeros(len(choices.target))
    for out in range(len(starts)) if len(starts) > 1 else ():
        starts[out] = logit(choices.take(fold != out), l2, starts[out], free)
        rows = (fold == out)[choices.case]
        scores[rows] = choices.columns[rows] @ starts[out].astype(np.float32)
    return scores


def _beyond(difference: NDArray[np.float64], errors: float) -> bool:
    """Whether the mean is more than so many standard errors above 0."""
    return bool(difference.mean() > errors * difference.std() / np.sqrt(len(difference)))
