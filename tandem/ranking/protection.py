"""Weights of a blend under which no slice pays for the whole.

The weights that make all pairs likeliest give first places to what sells most, and pairs of the middle and the tail
pay. So pairs may count by their slice (`slices.of_popularity`) as well: gain × (share of all gain that is its slice's)
^-balance. At 0 pairs count by their gain, at 1 head, middle and tail weigh the same.

Penalty and balance are chosen by cross-validation, against the anchor: the ranker that counts best. A setting of them
is good if on the whole it leads the anchor by two standard errors, and on no slice it is more than one behind. Of good
settings the one with the best NDCG@10 is taken; without one, and where cases are too few to tell, the anchor answers by
itself. The penalty is never less than the likelihood asks for. Settings are judged by the order of their candidates,
the anchor by that of the whole catalogue.
"""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, choose_best, gains_at, ndcg_at_k
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
class Setting:
    """A penalty and a balance, and what it is worth where it did not learn."""

    l2: float
    balance: float
    ndcg: float  # mean NDCG@10
    leads: bool  # it is better than the anchor, by more than two standard errors
    pays: tuple[str, ...]  # slices on which it is more than a standard error behind the anchor

    @property
    def rank(self) -> tuple[float, float, float]:
        """The largest is best; of equals the strongest penalty, then the least balance."""
        return self.ndcg, self.l2, -self.balance


class HeldOut:
    """Cases on which settings are held against the anchor, as a whole and slice by slice.

    The anchor is, of the rankers that count, the one with the best NDCG@10, of equals the first.
    """

    def __init__(
        self,
        asked: Asked,
        counted: Mapping[str, NDArray[np.integer]],
        baskets: NDArray[np.floating],
        slice_cases: int,
    ) -> None:
        self.asked, self.ideal = asked, Ideal.of(asked.cases)
        ndcg = {name: self._ndcg(ranked) for name, ranked in counted.items()}
        self.anchor = choose_best(lambda name: float(ndcg[name].mean()), [*ndcg])
        self.reached = ndcg[self.anchor]
        self.slices = {name: of for name, of in sliced(asked.cases, baskets).items() if len(of.rows) >= slice_cases}
        self.by_slice = {name: of.judge(counted[self.anchor]) for name, of in self.slices.items()}

    def setting(self, l2: float, balance: float, scores: NDArray[np.floating]) -> Setting:
        """What the scores of the candidates are worth."""
        ranked = self.asked.ranked(scores)
        ndcg = self._ndcg(ranked)
        less = {name: self.by_slice[name] - of.judge(ranked) for name, of in self.slices.items()}
        pays = tuple(name for name, by_case in less.items() if _beyond(by_case, 1.0))
        return Setting(l2, balance, float(ndcg.mean()), _beyond(ndcg - self.reached, 2.0), pays)

    def _ndcg(self, ranked: NDArray[np.integer]) -> NDArray[np.float64]:
        return ndcg_at_k(gains_at(ranked, self.asked.cases.truth), self.ideal.gains, 10)


def protected(
    asked: Asked,
    counted: Mapping[str, NDArray[np.integer]],
    columns: Sequence[str],
    baskets: NDArray[np.floating],
    params: BlendParams,
) -> Weights:
    """Weights of the best good `Setting`; where there is none, those of an anchor that answers by itself.

    Args:
        counted: (cases, PLACES) the ranking of each component that counts, by its name.
        columns: names of the columns; those of a component that is weighed are its name and `no_` and its name.
        baskets: (products,) as in `slices.of_popularity`.
    """
    held = HeldOut(asked, counted, baskets, params.slice_cases)
    if len(asked.cases) < params.slice_cases:
        return _alone(held.anchor, len(columns), f"{len(asked.cases)} cases are too few to tell")
    scaled = Scaled.of(asked.choices, by_known=True)
    free = [place for place, name in enumerate(columns) if name in (held.anchor, f"no_{held.anchor}")]
    least = choose_l2(scaled.choices, params.l2, params.folds, params.choosing_cases, free)
    part = of_popularity(baskets)[asked.product]
    starts = [np.zeros(scaled.choices.columns.shape[1])] * min(params.folds, len(asked.choices))
    settings = [
        held.setting(l2, by, _out_of_fold(balanced(scaled.choices, part, by), l2, starts, free))
        for l2, by in itertools.product([l2 for l2 in params.l2 if l2 >= least], params.balance)
    ]
    best = max(settings, key=lambda of: (of.leads and not of.pays, of.leads, of.rank))
    if not best.leads:
        return _alone(held.anchor, len(columns), "nothing leads it")
    if best.pays:
        return _alone(held.anchor, len(columns), f"slices {', '.join(best.pays)} would pay")
    target = balanced(scaled.choices, part, best.balance)
    found = logit(target, best.l2, np.zeros(target.columns.shape[1]), free)
    return scaled.weights(found, best.l2, best.balance)


def _alone(anchor: str, columns: int, why: str) -> Weights:
    log.warning("%s answers by itself: on validation %s", anchor, why)
    nothing = np.zeros(columns)
    return Weights(nothing, nothing, np.inf, anchor=anchor)


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
    """Whether the mean is above 0, as surely as by so many standard errors of many cases; of one case never.

    mean > t · s / √n, with s² = Σ (d - mean)² / (n - 1) and t of n - 1 degrees of freedom. Source: Student 1908.
    """
    from scipy.stats import norm, t

    cases = len(difference)
    if cases < 2:
        return False
    bound = t.isf(norm.sf(errors), cases - 1)
    return bool(difference.mean() > bound * difference.std(ddof=1) / np.sqrt(cases))
