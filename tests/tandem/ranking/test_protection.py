"""No slice pays for the whole: a shop in which it would, and one in which there is nothing to gain."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import binom, norm

from tandem.errors import ParamsError
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, gains_at, ndcg_at_k
from tandem.evaluation.slices import PLACES, sliced
from tandem.features import histories
from tandem.features.demand import Demand
from tandem.params import BlendParams, NewcomerParams
from tandem.ranking.logit import Choices, Weights, fit_weights
from tandem.ranking.protection import Asked, balanced, protected

HEAD, OTHERS, PARTNERS = 30, 200, 5
SIZE = 1 + HEAD + OTHERS
BASKETS_OF_HEAD, BASKETS_OF_OTHERS = 100.0, 15.0  # 3000 each together: 120 of the others are the middle, 80 the tail
BASKETS = np.array([0.0, *[BASKETS_OF_HEAD] * HEAD, *[BASKETS_OF_OTHERS] * OTHERS])
PARAMS = BlendParams(
    demand_days=(7,), candidates=20, max_cases=400, folds=3, choosing_cases=100, l2=(0.1, 10.0, 1e4),
    balance=(0.0, 0.5, 1.0), slice_cases=20,
    newcomers=NewcomerParams(cuts=0, days=1, min_count=1, min_lift=0, min_cases=2, max_cases=1, sold=1),
)  # fmt: skip
COLUMNS = ("anchor", "no_anchor", "hint")
ALONE = {"balance": (0.0,), "l2": (0.1,)}  # pairs by their gain, and nothing to choose from


def asked(cases: int, seed: int, *, told: bool, often: float = 5.0) -> tuple[Asked, np.ndarray]:
    """Cases and the anchor's ranking of them.

    Everything may go with the thirty of the head: three do, so often. With five of the others the antecedent was
    bought before, and one of these goes with it now, once. The anchor puts these first, then the head, in an order by
    chance. Where `told`, a third column is higher of the three of the head, by one deviation.
    """
    rng = np.random.default_rng(seed)
    rows, product, gain, columns = [], [], [], []
    for case in range(cases):
        partners = 1 + HEAD + rng.choice(OTHERS, PARTNERS, replace=False)
        goes = np.isin(np.arange(HEAD), rng.choice(HEAD, 3, replace=False))
        rows += [case] * (HEAD + PARTNERS)
        product += [*range(1, HEAD + 1), *sorted(partners)]
        gain += [*(often * goes), *rng.permutation([1.0, 0, 0, 0, 0])]
        hint = np.where(goes, 1.0, 0.0) if told else np.zeros(HEAD)
        columns += [(0.0, 1.0, of + rng.normal()) for of in hint] + [(rng.normal(), 0.0, 0.0)] * PARTNERS
    at, x, worth = (np.array(of) for of in (product, columns, gain))
    truth = sp.csr_array((worth[worth > 0], (np.array(rows)[worth > 0], at[worth > 0])), shape=(cases, SIZE))
    ones = np.ones(cases, np.int64)
    found = Cases(
        histories.of_products(ones, SIZE, 0),
        Demand(np.zeros((1, SIZE), np.float32), 0),
        truth,
        sp.csr_array(truth.shape),
    )
    begins = np.arange(cases) * (HEAD + PARTNERS)
    of = Asked(Choices(x.astype(np.float32), worth / (3 * often + 1), begins, np.zeros(cases)), at, found)
    return of, of.ranked(np.where(x[:, 1] > 0, -100 + rng.normal(size=len(x)), x[:, 0]))


def held_against(weights: Weights, of: Asked, anchor: np.ndarray) -> dict[str, tuple[float, float]]:
    """Mean and standard error of what the weights have more than the anchor, on the whole and by slice."""
    ranked = of.ranked(of.choices.columns @ weights.plain)
    ideal = Ideal.of(of.cases).gains
    more = {"all": np.subtract(*(ndcg_at_k(gains_at(r, of.cases.truth), ideal, 10) for r in (ranked, anchor)))}
    more |= {name: part.judge(ranked) - part.judge(anchor) for name, part in sliced(of.cases, BASKETS).items()}
    return {name: (float(d.mean()), float(d.std() / np.sqrt(len(d)))) for name, d in more.items()}


def test_what_is_best_on_the_whole_takes_from_slices_and_protection_does_not() -> None:
    (learned, first), (later, anchor) = asked(300, 1, told=True), asked(300, 2, told=True)
    alone = fit_weights(learned.choices, (0.1,), 3, 100, by_known=False)
    kept = protected(learned, {"anchor": first}, COLUMNS, BASKETS, PARAMS)
    for name, (mean, error) in held_against(alone, later, anchor).items():
        assert (mean < -2 * error) == (name in ("to middle", "to tail")), name
    more = held_against(kept, later, anchor)
    assert kept.balance > 0
    assert more["all"][0] > 2 * more["all"][1]
    assert min(mean + 2 * error for mean, error in more.values()) >= 0


def test_where_nothing_leads_the_anchor_answers_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """The head is seldom what went with anything, and nothing tells one of the bought before from another."""
    learned, first = asked(200, 1, told=False, often=0.1)
    assert protected(learned, {"anchor": first}, COLUMNS, BASKETS, PARAMS).anchor
    assert "nothing leads it" in caplog.text


def test_where_slices_would_pay_the_anchor_answers_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    learned, first = asked(200, 1, told=True)
    assert protected(learned, {"anchor": first}, COLUMNS, BASKETS, PARAMS.model_copy(update=ALONE)).anchor
    assert "slices to middle, to tail would pay" in caplog.text


def test_where_cases_are_too_few_for_any_slice_the_anchor_answers_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    learned, first = asked(19, 1, told=True)
    enough = PARAMS.model_copy(update=ALONE | {"slice_cases": 19})
    assert protected(learned, {"anchor": first}, COLUMNS, BASKETS, PARAMS).anchor == "anchor"
    assert "19 cases are too few to tell" in caplog.text
    assert not protected(learned, {"anchor": first}, COLUMNS, BASKETS, enough).anchor


def test_six_cases_take_chance_for_a_lead_no_more_often_than_many_would() -> None:
    """Nothing is to be gained, so a lead by two standard errors comes by chance: Φ(-2) of all seeds."""
    few, seeds = PARAMS.model_copy(update={"slice_cases": 2, "folds": 2}), 60
    drawn = [asked(6, seed, told=False, often=0.1) for seed in range(seeds)]
    left = [not protected(of, {"anchor": first}, COLUMNS, BASKETS, few).anchor for of, first in drawn]
    assert sum(left) <= binom.ppf(0.95, seeds, norm.sf(2))


def test_fewer_candidates_than_places_that_are_judged_are_refused() -> None:
    values = PARAMS.model_dump()
    assert BlendParams.parse(values | {"candidates": PLACES}).candidates == PLACES
    with pytest.raises(ParamsError, match="greater than or equal to 20"):
        BlendParams.parse(values | {"candidates": PLACES - 1})


def test_the_ranker_with_the_best_order_is_the_anchor() -> None:
    """Of those bought before first, which go with it, and the same the other way round."""
    learned, first = asked(19, 1, told=False, often=0.1)
    for counted in ({"good": first, "bad": first[:, ::-1]}, {"bad": first[:, ::-1], "good": first}):
        assert protected(learned, counted, COLUMNS, BASKETS, PARAMS).anchor == "good"


def test_slices_with_few_cases_have_no_say() -> None:
    learned, first = asked(200, 1, told=True)
    deaf = PARAMS.model_copy(update=ALONE | {"slice_cases": 150})
    assert not protected(learned, {"anchor": first}, COLUMNS, BASKETS, deaf).anchor


def test_balanced_slices_weigh_by_their_share_to_the_power() -> None:
    """Head 6, middle 2, tail 1 + 1 of a cold one: by -1/2 they are to each other as √6 : √2 : √2."""
    choices = Choices(np.zeros((4, 1), np.float32), np.array([6.0, 2, 1, 1]), np.array([0, 2]), np.zeros(2))
    part = np.array([0, 1, 2, 3])
    root = np.array([6**0.5, 2**0.5, 2**0.5 / 2, 2**0.5 / 2])
    assert balanced(choices, part, 0.5).target == pytest.approx(10 * root / root.sum())
    assert balanced(choices, part, 0.0).target == pytest.approx(choices.target)
    assert balanced(choices, part, 1.0).target == pytest.approx(np.array([20, 20, 10, 10]) / 6)


def test_candidates_are_ranked_case_by_case_and_equals_by_index() -> None:
    of, _ = asked(1, 1, told=False)
    few = replace(
        of,
        choices=Choices(np.zeros((5, 1), np.float32), np.ones(5), np.array([0, 3]), np.zeros(2)),
        product=np.array([4, 2, 9, 7, 8]),
    )
    ranked = few.ranked(np.array([1.0, 1, 5, 0, 3]))
    assert ranked.shape == (2, PLACES)
    assert ranked[:, :4].tolist() == [[9, 2, 4, 0], [8, 7, 0, 0]]
