"""A conditional logit: which of a case's candidates were taken, by weights that all cases share.

P(j | i) = exp(Σ_k (w_k + v_k a_i) x_ijk) / the same summed over the candidates of case i

w and v are those under which the observed shares are likeliest, with an L2 penalty chosen by cross-validation over
cases. Free columns go almost without: where cases are few and the penalty strong, the order is that of these columns.
Source: McFadden 1974; as a loss for rankings, Cao et al. 2007 (ListNet, top one).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

FREE, FREE_L2 = (0, 1), 0.1
"""Free columns, a score and where it is silent, have at most this penalty: it keeps a perfect order finite."""

ROUNDING = 1e-6
"""A column that deviates by less than this share of its largest value is constant but for rounding."""

TOLERANCE = 1e-4
"""Length of the gradient, for each case, at which the weights are found."""


@dataclass(frozen=True)
class Weights:
    """What one unit of each column is worth, and how much more with each unit of `known`."""

    plain: NDArray[np.float64]  # (columns,)
    by_known: NDArray[np.float64]  # (columns,)
    l2: float
    balance: float = 0.0  # how far slices of consequents counted equally (protection.py)
    anchor: str = ""  # the component whose own scores stand in for these, where nothing was better

    def scores(self, columns: Iterator[NDArray[np.float32]], known: NDArray[np.float64]) -> NDArray[np.float32]:
        """(users, products) Σ_k (plain_k + by_known_k · known) · column_k."""
        worth = (self.plain + known[:, None] * self.by_known).astype(np.float32)  # (users, columns)
        return np.asarray(sum(worth[:, k, None] * column for k, column in enumerate(columns)), np.float32)


@dataclass(frozen=True)
class Choices:
    """Candidates of every case, one below the other."""

    columns: NDArray[np.float32]  # (candidates of all cases, columns)
    target: NDArray[np.float64]  # (candidates of all cases,) share of its case's gain
    begins: NDArray[np.int64]  # (cases,) row of each case's first candidate
    known: NDArray[np.float64]  # (cases,)

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def case(self) -> NDArray[np.int64]:
        """(candidates of all cases,) the case of each."""
        return np.repeat(np.arange(len(self)), np.diff(self.begins, append=len(self.target)))

    @property
    def mass(self) -> NDArray[np.float64]:
        """(cases,) share of each case's gain that its candidates hold."""
        return np.asarray(np.add.reduceat(self.target, self.begins))

    @classmethod
    def join(cls, parts: Sequence["Choices"]) -> "Choices":
        """The cases of all parts, at least one, in order."""
        ends = np.cumsum([0, *(len(part.target) for part in parts)])
        return cls(
            np.concatenate([part.columns for part in parts]),
            np.concatenate([part.target for part in parts]),
            np.concatenate([part.begins + end for part, end in zip(parts, ends, strict=False)]),
            np.concatenate([part.known for part in parts]),
        )

    def means(self) -> NDArray[np.float32]:
        """(cases, columns) over the candidates of each."""
        sizes = np.diff(self.begins, append=len(self.target))
        return np.asarray(np.add.reduceat(self.columns, self.begins, axis=0) / sizes[:, None], np.float32)

    def take(self, kept: NDArray[np.bool_]) -> "Choices":
        """Those cases alone."""
        rows = kept[self.case]
        sizes = np.diff(self.begins, append=len(self.target))[kept]
        return Choices(self.columns[rows], self.target[rows], np.cumsum(sizes) - sizes, self.known[kept])


def fit_weights(choices: Choices, l2: Sequence[float], folds: int, choosing_cases: int, *, by_known: bool) -> Weights:
    """Those of the penalty that `choose_l2` finds; it is on columns divided by their deviation within cases.

    Args:
        l2: penalties to choose from.
        choosing_cases: at most so many cases, evenly spread, take part in that choice.
        by_known: whether columns may count more or less with `choices.known`; else v = 0.
    """
    scaled = Scaled.of(choices, by_known=by_known)
    best = choose_l2(scaled.choices, l2, folds, choosing_cases) if len(l2) > 1 else l2[0]
    return scaled.weights(logit(scaled.choices, best, np.zeros(scaled.choices.columns.shape[1])), best)


@dataclass(frozen=True)
class Scaled:
    """Choices by columns less their mean over the case and divided by their deviation; then the same times `known`."""

    choices: Choices
    spread: NDArray[np.float64]  # (columns,) infinite where a column says nothing

    @classmethod
    def of(cls, choices: Choices, *, by_known: bool) -> "Scaled":
        """What all candidates of a case share decides nothing."""
        x = choices.columns - choices.means()[choices.case]
        spread = x.std(axis=0, dtype=np.float64)
        spread = np.where(spread > ROUNDING * np.abs(choices.columns).max(axis=0), spread, np.inf)
        x = (x / spread).astype(np.float32)
        if by_known:
            x = np.concatenate([x, x * choices.known[choices.case, None].astype(np.float32)], axis=1)
        return cls(replace(choices, columns=x), spread)

    def weights(self, found: NDArray[np.float64], l2: float, balance: float = 0.0) -> Weights:
        """Of the columns as they came."""
        size = len(self.spread)
        more = found[size:] if len(found) > size else np.zeros(size)
        return Weights(found[:size] / self.spread, more / self.spread, l2, balance)


def choose_l2(
    choices: Choices, l2: Sequence[float], folds: int, choosing_cases: int, free: Sequence[int] = FREE
) -> float:
    """By cross-validation: the strongest that is no more than a standard error worse than the best.

    The error is that of the paired difference over cases. Source: Breiman et al. 1984, "one standard error".
    """
    asked = np.zeros(len(choices), bool)
    asked[np.linspace(0, len(choices) - 1, min(len(choices), choosing_cases)).astype(np.int64)] = True
    few = choices.take(asked)
    fold, loss = np.arange(len(few)) % min(folds, len(few)), np.zeros((len(l2), len(few)))
    starts = [np.zeros(choices.columns.shape[1])] * len(l2)  # near what the next fold will find
    for out in np.unique(fold) if len(few) > 1 else ():
        left, judged = few.take(fold != out), few.take(fold == out)
        for place, option in enumerate(l2):
            starts[place] = logit(left, option, starts[place], free)
            loss[place, fold == out] = _losses(starts[place], judged)
    more = loss - loss[loss.mean(axis=1).argmin()]
    error = more.std(axis=1) / np.sqrt(len(few))
    return max(option for option, is_good in zip(l2, more.mean(axis=1) <= error, strict=True) if is_good)


def logit(choices: Choices, l2: float, start: NDArray[np.float64], free: Sequence[int] = FREE) -> NDArray[np.float64]:
    """(columns,) argmin over w of -Σ over cases Σ_j target_j ln P_w(j | case) + Σ_k l2_k/2 w_k².

    l2_k is `l2`, of `free` columns at most `FREE_L2`. Convex; by Newton steps within a trust region.
    """
    from scipy.optimize import minimize

    penalty = np.full(len(start), l2)
    penalty[list(free)] = min(l2, FREE_L2)

    def objective(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = _loss(w, choices)
        return loss + float(penalty @ w**2) / 2, gradient + penalty * w

    def curvature(w: NDArray[np.float64]) -> NDArray[np.float64]:
        return _curvature(w, choices) + np.diag(penalty)

    options = {"gtol": TOLERANCE * len(choices), "maxiter": 100}
    return np.asarray(minimize(objective, start, jac=True, hess=curvature, method="trust-exact", options=options).x)


def _losses(w: NDArray[np.float64], choices: Choices) -> NDArray[np.float64]:
    """(cases,) -Σ_j target_j ln P_w(j | case)."""
    return np.asarray(-np.add.reduceat(choices.target * _log_odds(w, choices), choices.begins))


def _loss(w: NDArray[np.float64], choices: Choices) -> tuple[float, NDArray[np.float64]]:
    """Sum over cases, and its gradient."""
    log_odds, mass = _log_odds(w, choices), choices.mass
    pull = np.exp(log_odds) * mass[choices.case] - choices.target
    gradient = (choices.columns.T @ pull.astype(np.float32)).astype(np.float64)
    return -float(choices.target @ log_odds), gradient


def _curvature(w: NDArray[np.float64], choices: Choices) -> NDArray[np.float64]:
    """(columns, columns) Σ over cases of mass · the covariance of the columns under P_w."""
    odds, mass = np.exp(_log_odds(w, choices)).astype(np.float32), choices.mass
    weighted = choices.columns * odds[:, None]
    of_case = sp.csr_array((np.ones(len(odds), np.float32), np.arange(len(odds)), [*choices.begins, len(odds)]))
    mean = (of_case @ weighted).astype(np.float64)  # (cases, columns)
    weighted *= mass[choices.case, None].astype(np.float32)
    return (choices.columns.T @ weighted).astype(np.float64) - mean.T @ (mean * mass[:, None])


def _log_odds(w: NDArray[np.float64], choices: Choices) -> NDArray[np.float64]:
    """(candidates of all cases,) ln P_w(j | case)."""
    case, scores = choices.case, (choices.columns @ w.astype(np.float32)).astype(np.float64)
    scores -= np.maximum.reduceat(scores, choices.begins)[case]
    return scores - np.log(np.add.reduceat(np.exp(scores), choices.begins))[case]
