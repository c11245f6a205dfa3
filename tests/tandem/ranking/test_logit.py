"""Weights of the conditional logit: those of another library, of the loss's slope, and of planted cases."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from tandem.ranking import logit as module
from tandem.ranking.logit import Choices, choose_l2, fit_weights, logit


def some_choices(cases: int, candidates: int, columns: int, seed: int) -> Choices:
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.ones(candidates), cases) * rng.uniform(0.5, 1, (cases, 1))
    x = rng.normal(size=(cases * candidates, columns)).astype(np.float32)
    return Choices(x, target.ravel(), np.arange(cases) * candidates, rng.normal(size=cases))


def test_of_two_candidates_it_is_scikit_learns_logistic_regression_of_their_difference() -> None:
    """With a small penalty, the same for all columns."""
    rng, cases, l2 = np.random.default_rng(5), 200, module.FREE_L2
    x = rng.normal(size=(cases, 2, 3)).astype(np.float32)
    first = rng.random(cases) < 1 / (1 + np.exp(-(x[:, 0] - x[:, 1]) @ [1.0, -2.0, 0.5]))
    target = np.stack([first, ~first], axis=1).astype(float)
    found = logit(Choices(x.reshape(-1, 3), target.ravel(), np.arange(cases) * 2, np.zeros(cases)), l2, np.zeros(3))
    peer = LogisticRegression(C=1 / l2, fit_intercept=False, tol=1e-8).fit(x[:, 0] - x[:, 1], first)
    assert found == pytest.approx(peer.coef_[0], abs=5e-3)


def test_under_a_strong_penalty_the_first_component_alone_decides() -> None:
    """Both columns say the same of what was taken; the second has to go."""
    choices = some_choices(40, 5, 1, 3)
    twice = replace(choices, columns=np.repeat(choices.columns, 3, axis=1), target=np.eye(5)[np.tile(0, 40)].ravel())
    found = logit(twice, 1e6, np.zeros(3))
    assert abs(found[2]) < 1e-3 * abs(found[0])


@pytest.mark.parametrize("seed", range(3))
def test_slope_and_curvature_are_those_of_the_loss(seed: int) -> None:
    choices, w = some_choices(7, 5, 3, seed), np.random.default_rng(seed).normal(size=3)
    fine = replace(choices, columns=choices.columns.astype(np.float64))
    error = check_grad(lambda w: module._loss(w, fine)[0], lambda w: module._loss(w, fine)[1], w, epsilon=1e-3)
    assert error < 1e-2
    step = 1e-2
    slopes = [(module._loss(w + step * e, fine)[1] - module._loss(w - step * e, fine)[1]) / 2 / step for e in np.eye(3)]
    assert module._curvature(w, fine) == pytest.approx(np.stack(slopes), abs=2e-3)


def test_more_of_what_is_well_known_is_found() -> None:
    """Cases drawn with weight 1 + 2 · known on the first column, 0 on the second; a third that says nothing."""
    rng, cases, size = np.random.default_rng(5), 3000, 6
    known = rng.normal(size=cases)
    x = rng.normal(size=(cases, size, 3)).astype(np.float32)
    x[:, :, 2] = 4.0
    scores = (1 + 2 * known)[:, None] * x[:, :, 0]
    drawn = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    target = np.eye(size)[drawn].ravel()
    choices = Choices(x.reshape(-1, 3), target, np.arange(cases) * size, known)
    found = fit_weights(choices, (1e4, 0.1), 3, 50, by_known=True)
    assert found.l2 == 0.1
    assert found.plain == pytest.approx([1, 0, 0], abs=0.12)
    assert found.by_known == pytest.approx([2, 0, 0], abs=0.2)


def test_where_nothing_is_to_be_learned_the_strongest_penalty_is_chosen() -> None:
    """Targets by chance: no penalty is clearly worse than another, whichever is best."""
    choices = some_choices(60, 5, 4, 11)
    assert choose_l2(choices, (0.1, 1.0, 1000.0), 4, 60) == 1000.0


def test_a_penalty_that_hides_what_is_to_be_learned_is_not_chosen() -> None:
    """The third column says which was taken, which the first two, free of the penalty, do not."""
    choices = some_choices(60, 5, 3, 11)
    taken = np.eye(5)[choices.columns[:, 2].reshape(60, 5).argmax(axis=1)].ravel()
    assert choose_l2(replace(choices, target=taken), (0.1, 1000.0), 4, 60) == 0.1
