"""The blend: it follows the component that is right, and knows what to do where baskets are silent."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from tandem.errors import EvaluationError, ReleaseError
from tandem.evaluation.cases import Cases
from tandem.features import histories
from tandem.features.dataset import Dataset
from tandem.params import BlendParams, CountingParams, NewcomerParams
from tandem.ranking.blend import Blend
from tandem.ranking.component import Component
from tandem.ranking.content import CosineOfLike, NearText
from tandem.ranking.ease import BasketEase
from tandem.ranking.neighbours import CoCount, ItemToItem, WeightedCosine, WeightedCosineTrend

NEWCOMERS = NewcomerParams(cuts=0, days=10, min_count=1, min_lift=0, min_cases=5, max_cases=50, sold=12)
PARAMS = BlendParams(
    demand_days=(7,),
    candidates=20,
    max_cases=100,
    folds=3,
    choosing_cases=50,
    l2=(0.1, 10.0),
    balance=(0.0, 0.5, 1.0),
    slice_cases=10,
    newcomers=NEWCOMERS,
)
FAMILIES = 4


@pytest.fixture
def families(shop: Callable[..., Dataset]) -> Dataset:
    return of_families(shop)


def of_families(shop: Callable[..., Dataset], more: Sequence[tuple] = ()) -> Dataset:
    """Six products in each of four families, sold in pairs within a family, and `more`; words tell the family.

    The last product of each family was only looked at: no basket holds it.
    """
    rng, rows = np.random.default_rng(3), []
    for n in range(300):
        first, second = rng.choice(5, 2, replace=False)
        family = "abcd"[n % FAMILIES]
        rows.append((f"u{n}", f"{family}{first} {family}{second}", 1 + n % 60))
    rows += [(f"v{family}", f"{family}5", 5, "view") for family in "abcd"]
    known = shop([*rows, *more])
    family = np.array([0, *("abcd".index(name[0]) + 1 for name in known.vocabulary.ids)])
    return known.with_vectors(np.eye(FAMILIES + 1, dtype=np.float32)[family], np.zeros((len(family), 0), np.float32))


def of_family(known: Dataset, of: str = "01234") -> Cases:
    """Each product with such a number goes with the first five of its family."""
    names = known.vocabulary.ids
    asked = np.array([n + 1 for n, name in enumerate(names) if name[1] in of])
    truth = np.array(
        [[0, *(a[0] == names[i - 1][0] and a != names[i - 1] and a[1] < "5" for a in names)] for i in asked]
    )
    own = sp.csr_array((np.ones(len(asked)), (np.arange(len(asked)), asked)), shape=truth.shape)
    asking = histories.of_products(asked, known.vocabulary.size, known.as_of_us)
    return Cases(asking, known.demand, sp.csr_array(truth.astype(float)), own)


def parts(counting: CountingParams) -> list[Component]:
    return [
        Component(WeightedCosine(counting)),
        Component(CoCount(counting)),
        Component(NearText(counting), logs=False, of_content=True),
    ]


def blended(known: Dataset, counting: CountingParams) -> Blend:
    """What counts keeps but one neighbour of each product and is filled up by text."""
    made = Blend(parts(counting.model_copy(update={"neighbours": 1})), PARAMS).fit(known, of_family(known))
    assert not made.weights["warm"].anchor
    return made


def test_products_of_the_family_come_first_with_and_without_baskets(
    families: Dataset, counting: CountingParams
) -> None:
    made = blended(families, counting).refit(families)
    every = histories.of_products(np.arange(1, 25), 25, families.as_of_us)
    scores = made.scores(every, families.demand)
    names = families.vocabulary.ids
    for row, name in enumerate(names):
        scores[row, [0, row + 1]] = -np.inf
        first = {names[i - 1] for i in np.argsort(-scores[row])[:4]}
        assert first == {f"{name[0]}{n}" for n in range(5)} - {name} or name[1] == "5"
        assert {other[0] for other in first} == {name[0]}


def test_the_first_component_that_has_a_reason_gives_it(families: Dataset, counting: CountingParams) -> None:
    """Weighted cosine keeps but one neighbour of each product, the count all: what only it knows is reasoned, too."""
    narrow = counting.model_copy(update={"neighbours": 1})
    blend = Blend([Component(WeightedCosine(narrow)), Component(CoCount(counting))], PARAMS)
    made = blend.fit(families, of_family(families))
    asked, items = histories.of_products(np.array([1]), 25, families.as_of_us), np.array([[2, 3, 4, 5, 7]])
    first = WeightedCosine(narrow).fit(families, of_family(families)).because(asked, items)
    assert (first > 0).sum() == 1
    assert made.because(asked, items).tolist() == [[1, 1, 1, 1, 0]]  # 7 is of another family


def test_where_the_blend_gains_nothing_its_anchor_answers_and_it_is_saved_so(
    families: Dataset, counting: CountingParams, tmp_path: Path
) -> None:
    """The count finds the whole family, in front of all others: nothing is to be gained."""
    cases = of_family(families)
    found = Blend([Component(CoCount(counting)), *parts(counting)[2:]], PARAMS).fit(families, cases)
    assert found.weights["warm"].anchor == "co_count"
    every = cases.histories
    expected = found.components[0].ranker.scores(every, families.demand)
    assert np.array_equal(found.scores(every, families.demand), expected)
    found.save(tmp_path)
    assert np.array_equal(Blend.load(tmp_path).scores(every, families.demand), expected)
    assert np.array_equal(found.refit(families).scores(every, families.demand), expected)


def test_cases_without_baskets_have_no_say_in_weights_of_products_with_baskets(
    shop: Callable[..., Dataset], counting: CountingParams
) -> None:
    """The count ranks the twenty with baskets without a fault; text alone knows what goes with the other twelve."""
    known = of_families(shop, [("w", f"{family}{n}", 5, "view") for family in "abcd" for n in (6, 7, 8)])
    for cases in (of_family(known), of_family(known, "01234678")):
        made = Blend([Component(CoCount(counting)), *parts(counting)[2:]], PARAMS).fit(known, cases)
        assert made.weights["warm"].anchor == "co_count"
    with pytest.raises(EvaluationError, match="no basket held what 12 validation cases ask about"):
        made.fit(known, of_family(known, "678"))


def test_where_the_anchor_answers_by_itself_its_reasons_are_given_alone(
    shop: Callable[..., Dataset], counting: CountingParams
) -> None:
    """a6 was bought with a0 alone, a5 with nothing; what is like them went with all of their family."""
    known = of_families(shop, [("w", "a6 a0", 2)])
    like = Component(CosineOfLike(counting), of_content=True)
    made = Blend([Component(CoCount(counting)), like], PARAMS).fit(known, of_family(known))
    assert made.weights["warm"].anchor == "co_count"
    a0, a1, a5, a6 = (1 + known.vocabulary.ids.index(name) for name in ("a0", "a1", "a5", "a6"))
    asked, items = histories.of_products(np.array([a5, a6]), known.vocabulary.size, known.as_of_us), [[a0, a1]] * 2
    assert made.components[1].ranker.because(asked, np.array(items)).tolist() == [[a5, a5], [a6, a6]]
    assert made.because(asked, np.array(items)).tolist() == [[a5, a5], [a6, 0]]


@pytest.mark.parametrize("kind", [WeightedCosine, WeightedCosineTrend, BasketEase, CoCount])
def test_a_component_is_read_without_the_last_word_of_recent_demand(
    kind: type[ItemToItem], families: Dataset, counting: CountingParams
) -> None:
    """What sells of other families is in the scores, and not in what is read: there it is known that nothing is."""
    ranker = kind(counting).fit(families, of_family(families))
    asked, names = histories.of_products(np.array([1]), 25, families.as_of_us), ["", *families.vocabulary.ids]
    sold = families.demand.last(7) > 0
    others = sold & [name[:1] not in ("", "a") for name in names]
    assert (ranker.scores(asked, families.demand)[0, others] > 0).all()
    read = Component(ranker).read(asked, families.demand)[0]
    assert not read[others].any()
    assert read[[names.index(f"a{n}") for n in range(1, 5)]].all()


def test_where_nothing_counts_there_is_no_anchor(families: Dataset, counting: CountingParams) -> None:
    made = Blend(parts(counting)[2:], PARAMS).fit(families, of_family(families))
    assert made.weights["warm"].anchor == ""
    assert any(made.weights["warm"].plain)


def test_the_component_that_counts_best_is_the_anchor(families: Dataset, counting: CountingParams) -> None:
    """Of one neighbour each and all of them, whichever comes first."""
    narrow = counting.model_copy(update={"neighbours": 1})
    for first, second in ((narrow, counting), (counting, narrow)):
        of = [Component(WeightedCosine(first)), Component(CoCount(second))]
        made = Blend(of, PARAMS).fit(families, of_family(families))
        assert made.weights["warm"].anchor == ("co_count" if second is counting else "weighted_cosine")


def test_a_ranker_that_is_not_weighed_can_be_the_anchor_and_then_alone_is_kept_beside_content(
    families: Dataset, counting: CountingParams, tmp_path: Path
) -> None:
    """Weighted cosine keeps one neighbour of each product; the count, which knows the family, has no columns."""
    weighed, content = Component(WeightedCosine(counting.model_copy(update={"neighbours": 1}))), parts(counting)[2]
    made = Blend([weighed, Component(CoCount(counting), weighed=False), content], PARAMS)
    made.fit(families, of_family(families))
    assert not any("co_count" in name for name in made.column_names(cold=False))
    assert made.weights["warm"].anchor == "co_count"
    made.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"co_count", "near_text"}
    every, items = histories.of_products(np.arange(1, 25), 25, families.as_of_us), np.tile([[2, 3]], (24, 1))
    again = Blend.load(tmp_path)
    for other in (again, again.refit(families)):
        assert np.array_equal(other.scores(every, families.demand), made.scores(every, families.demand))
        assert np.array_equal(other.because(every, items), made.because(every, items))


def test_a_ranker_that_is_not_weighed_is_left_out_of_a_blend_that_leads_it(
    families: Dataset, counting: CountingParams
) -> None:
    narrow = counting.model_copy(update={"neighbours": 1})
    without = blended(families, counting)
    made = Blend([*parts(narrow), Component(BasketEase(narrow), weighed=False)], PARAMS)
    made.fit(families, of_family(families))
    assert [part.name for part in made.in_use] == [part.name for part in without.in_use]
    every = histories.of_products(np.arange(1, 25), 25, families.as_of_us)
    assert np.array_equal(made.scores(every, families.demand), without.scores(every, families.demand))


def test_a_saved_blend_scores_as_before(families: Dataset, counting: CountingParams, tmp_path: Path) -> None:
    made = blended(families, counting)
    made.save(tmp_path)
    every = histories.of_products(np.arange(1, 25), 25, families.as_of_us)
    again = Blend.load(tmp_path)
    assert np.array_equal(again.scores(every, families.demand), made.scores(every, families.demand))
    items = np.tile([[2, 3]], (24, 1))
    assert np.array_equal(again.because(every, items), made.because(every, items))
    assert again.column_names(cold=True) == made.column_names(cold=True)


def test_company_counts_the_pairs_that_a_product_is_in(shop: Callable[..., Dataset], counting: CountingParams) -> None:
    """Of the last 7 days and of all: c stood beside two others lately, b beside them and once beside a alone."""
    known = shop([("u", "a b c", 1), ("v", "a", 3), ("u", "a b", 40)])
    truth = sp.csr_array(np.array([[0, 0, 1.0, 0]]))
    own = sp.csr_array(np.array([[0, 1.0, 0, 0]]))
    cases = Cases(histories.of_products(np.array([1]), 4, known.as_of_us), known.demand, truth, own)
    made = Blend([Component(CoCount(counting))], PARAMS).fit(known, cases)
    assert made.learned["company"].tolist() == [[0, 2, 2, 2], [0, 3, 3, 2]]
    assert [name for name in made.column_names(cold=True) if name.startswith("company")] == ["company_7d", "company"]
    assert not any("company" in name for name in made.column_names(cold=False))


def test_a_folder_with_a_component_that_nobody_knows_is_refused(
    families: Dataset, counting: CountingParams, tmp_path: Path
) -> None:
    class Narrow(Blend):
        kinds: ClassVar = {CoCount.name: CoCount}

    blended(families, counting).save(tmp_path)
    with pytest.raises(ReleaseError, match=r"near_text.*weighted_cosine.*none of \['co_count'\]"):
        Narrow.load(tmp_path)


def test_without_cases_or_learning_it_says_so(families: Dataset, counting: CountingParams) -> None:
    unfitted, cases = Blend(parts(counting), PARAMS), of_family(families)
    with pytest.raises(EvaluationError, match="there are none: lower"):
        unfitted.fit(families)
    with pytest.raises(ReleaseError, match="fit or load it first"):
        unfitted.scores(cases.histories, families.demand)
    nothing = replace(cases, truth=sp.csr_array(cases.truth.shape))
    with pytest.raises(EvaluationError, match="none of 20 validation cases has a relevant product"):
        unfitted.fit(families, nothing)


def test_where_content_finds_nothing_products_without_baskets_go_with_the_most_sold(
    families: Dataset, counting: CountingParams
) -> None:
    """All goes with b5 alone. The twenty that sell and a5, which is looked at as often, stand before it."""
    names, cases, params = (
        families.vocabulary.ids,
        of_family(families),
        PARAMS.model_copy(update={"demand_days": (14,)}),
    )
    sold, b5 = families.demand.last(14), names.index("b5") + 1
    assert (sold[1:b5] >= sold[b5]).sum() + (sold[b5:] > sold[b5]).sum() == params.candidates + 1
    first, truth = int(sold.argmax()), np.zeros(cases.truth.shape)
    truth[:, b5] = 1
    made = Blend([Component(WeightedCosine(counting))], params).fit(families, replace(cases, truth=sp.csr_array(truth)))
    unmet = histories.of_products(np.array([names.index("a5") + 1]), 25, families.as_of_us)
    assert made.scores(unmet, families.demand)[0].argmax() == first


@pytest.fixture
def launches(shop: Callable[..., Dataset]) -> Dataset:
    return of_launches(shop, [8] * 38)


def of_launches(shop: Callable[..., Dataset], partners: Sequence[int]) -> Dataset:
    """Old products o0…o7 sell with the other of their family, newcomers of each family with old `partners` in turn.

    Where these are o8, known products go with what reads alike, and new ones with o8, whatever they read.
    """
    rows = [(f"u{n}", f"o{n % 4} o{n % 4 + 4}", 60 - n / 2) for n in range(80)] + [
        (f"t{n}", "o8", 59 - n) for n in range(39)
    ]
    rows += [(f"v{n}", f"n{n % 8} o{partner}", 19 - n / 2) for n, partner in enumerate(partners)]
    known = shop([*rows, ("w", "q0", 1, "view")])
    family = np.array([0, *(int(name[1]) % 4 + 1 for name in known.vocabulary.ids)])
    family[known.vocabulary.ids.index("o8") + 1] = 5
    return known.with_vectors(np.eye(6, dtype=np.float32)[family], np.zeros((len(family), 0), np.float32))


def paired(known: Dataset) -> Cases:
    """Each old product goes with the other of its family."""
    names = ["", *known.vocabulary.ids]
    asked = np.array([names.index(f"o{n}") for n in range(8)])
    truth = np.zeros((8, len(names)))
    truth[np.arange(8), [names.index(f"o{(n + 4) % 8}") for n in range(8)]] = 1
    own = sp.csr_array((np.ones(8), (np.arange(8), asked)), shape=truth.shape)
    return Cases(histories.of_products(asked, len(names), known.as_of_us), known.demand, sp.csr_array(truth), own)


def first_of_new(made: Blend, known: Dataset) -> str:
    """What the blend puts first for q0, which no basket held, among old products."""
    names = ["", *known.vocabulary.ids]
    asked = histories.of_products(np.array([names.index("q0")]), len(names), known.as_of_us)
    scores = made.scores(asked, known.demand)[0]
    return max((name for name in names if name[:1] == "o"), key=lambda name: scores[names.index(name)])


def test_new_products_follow_those_that_were_new_and_not_those_that_are_known(
    launches: Dataset, counting: CountingParams
) -> None:
    learning = PARAMS.model_copy(update={"newcomers": NEWCOMERS.model_copy(update={"cuts": 3})})
    of_known, of_new = (Blend(parts(counting), of).fit(launches, paired(launches)) for of in (PARAMS, learning))
    assert first_of_new(of_known, launches) in ("o0", "o4")
    assert first_of_new(of_new, launches) == first_of_new(of_new.refit(launches), launches) == "o8"


def test_the_penalty_of_new_products_is_chosen_again_with_their_weights(
    shop: Callable[..., Dataset], launches: Dataset, counting: CountingParams
) -> None:
    """What new products go with is plain in one shop, in another chance."""
    chance = of_launches(shop, np.random.default_rng(1).integers(8, size=38).tolist())
    learning = PARAMS.model_copy(update={"newcomers": NEWCOMERS.model_copy(update={"cuts": 3}), "l2": (0.1, 1e3)})
    made = Blend(parts(counting), learning).fit(launches, paired(launches))
    assert made.weights["cold"].l2 == made.refit(launches).weights["cold"].l2 == 0.1
    assert made.refit(chance).weights["cold"].l2 == 1e3


def test_where_too_few_were_new_it_says_so_and_asks_known_products(
    launches: Dataset, counting: CountingParams, caplog: pytest.LogCaptureFixture
) -> None:
    few = PARAMS.model_copy(update={"newcomers": NEWCOMERS.model_copy(update={"cuts": 3, "min_cases": 9})})
    made = Blend(parts(counting), few).fit(launches, paired(launches))
    assert "8 cases of products that were new at a time are fewer than 9" in caplog.text
    assert first_of_new(made, launches) in ("o0", "o4")
