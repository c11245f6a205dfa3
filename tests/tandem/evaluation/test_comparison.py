from dataclasses import replace

import numpy as np
import pytest

from tandem.evaluation.comparison import Candidate, Champion, Rule, Unreadable, decide

RULE = Rule("ndcg_at_10", 50, 0.95, resamples=500, seed=7)
BASE = np.linspace(0.2, 0.6, 80)


def counting(name: str, validation: float, test: np.ndarray = BASE) -> Candidate:
    return Candidate(name, "counting", f"hash of {name}", name, validation, test)


def network(name: str, validation: float, test: np.ndarray, slices: dict[str, np.ndarray] | None = None) -> Candidate:
    return Candidate(name, "learned", f"hash of {name}", name, validation, test, slices or {})


def test_a_network_that_beats_counting_for_sure_wins_and_is_promoted() -> None:
    decision = decide([counting("ease", 0.3), network("deep", 0.4, BASE + 0.02)], None, RULE)
    assert (decision.winner, decision.kind, decision.promote) == ("deep", "learned", True)
    (found,) = decision.comparisons
    assert (found.candidate, found.against) == ("deep", "ease")
    assert found.difference.mean == pytest.approx(0.02)
    assert any("no champion" in reason for reason in decision.reasons)


def test_a_network_better_on_average_only_loses_to_counting() -> None:
    noise = np.where(np.arange(80) % 2, 0.2, -0.19)  # mean +0.005, far from sure
    decision = decide([counting("ease", 0.3), network("deep", 0.9, BASE + noise)], None, RULE)
    assert (decision.winner, decision.kind) == ("ease", "counting")
    assert decision.comparisons[0].difference.low < 0 < decision.comparisons[0].difference.mean
    assert any("counting was not beaten" in reason for reason in decision.reasons)


def test_equal_results_are_no_victory() -> None:
    assert decide([counting("ease", 0.3), network("deep", 0.9, BASE)], None, RULE).winner == "ease"


def test_winners_of_a_kind_are_chosen_on_validation_not_on_test() -> None:
    candidates = [
        counting("ease", 0.30, BASE),
        counting("lucky", 0.20, BASE + 0.005),
        network("deep", 0.40, BASE + 0.01),
        network("fortunate", 0.39, BASE + 0.3),
    ]
    assert decide(candidates, None, RULE).winner == "deep"
    assert decide(candidates[:2], None, RULE).winner == "ease"


def test_a_network_must_beat_every_counting_ranker_and_the_strongest_it_fails_against_is_named() -> None:
    candidates = [
        counting("ease", 0.30, BASE),
        counting("close", 0.10, BASE + 0.02),
        counting("lucky", 0.20, BASE + 0.03),
        network("deep", 0.40, BASE + 0.02),
    ]
    decision = decide(candidates, None, RULE)
    assert (decision.winner, decision.kind) == ("ease", "counting")
    assert [found.against for found in decision.comparisons] == ["ease", "close", "lucky"]
    assert [found.better for found in decision.comparisons] == [True, False, False]
    assert any("deep does not beat lucky" in reason for reason in decision.reasons)
    assert not any("close" in reason for reason in decision.reasons)


def test_with_few_cases_no_network_wins_and_no_other_recipe_replaces_a_champion() -> None:
    few = BASE[:49]
    candidates = [counting("ease", 0.3, few), network("deep", 0.9, few + 0.2)]
    first = decide(candidates, None, RULE)
    assert (first.winner, first.promote) == ("ease", True)
    assert "49 test cases" in first.reasons[-1]
    assert "Validation alone" in first.reasons[-1]
    stays = decide(candidates, Champion("old", "hash of old", "old", few - 0.1), RULE)
    assert (stays.winner, stays.promote) == ("ease", False)
    assert "49 test cases" in stays.reasons[-3]
    enough = [counting("ease", 0.3, BASE[:50]), network("deep", 0.9, BASE[:50] + 0.2)]
    assert decide(enough, None, RULE).winner == "deep"


TAIL = np.arange(80) < 50
"""Of the tail are the first fifty cases."""


def sliced(tail: float) -> list[Candidate]:
    """A network that is ahead on the whole, and so much on the cases of the tail."""
    theirs, ours = BASE, BASE + np.where(TAIL, tail, 0.2)
    parts = [{"of tail": of[TAIL], "of head": of[~TAIL]} for of in (theirs, ours)]
    return [replace(counting("ease", 0.3, theirs), slices=parts[0]), network("deep", 0.4, ours, parts[1])]


def test_a_network_that_is_worse_on_a_slice_does_not_win() -> None:
    decision = decide(sliced(-0.02), None, RULE)
    assert (decision.winner, decision.kind) == ("ease", "counting")
    on_slice = decision.comparisons[-1]
    assert (on_slice.metric, on_slice.worse) == ("ndcg_at_10 of tail", True)
    assert on_slice.difference.mean == pytest.approx(-0.02)
    assert any(
        "on a slice it is worse than ease: difference in ndcg_at_10 of tail -0.02" in r for r in decision.reasons
    )


def test_a_network_as_good_on_every_slice_with_enough_cases_wins() -> None:
    """The head has thirty cases, which is too few to tell."""
    decision = decide(sliced(0.0), None, RULE)
    assert decision.winner == "deep"
    assert [one.metric for one in decision.comparisons] == ["ndcg_at_10", "ndcg_at_10 of tail"]
    assert any("on none of 1 slices" in reason for reason in decision.reasons)


def test_the_more_slices_the_surer_it_must_be_that_one_is_worse() -> None:
    """Ten slices, of which one is worse at 95 % but not at 99.5 %."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=80)
    error = 0.1 / np.sqrt(80)
    worse = (noise - noise.mean()) / noise.std() / 10 - 2.4 * error
    parts = {f"of {n}": BASE + (worse if n == 0 else 0.1) for n in range(10)}
    for names, winner in ((list(parts)[:1], "ease"), (list(parts), "deep")):
        ours = network("deep", 0.4, BASE + 0.2, {name: parts[name] for name in names})
        theirs = replace(counting("ease", 0.3), slices=dict.fromkeys(names, BASE))
        assert decide([theirs, ours], None, RULE).winner == winner


def test_equals_on_validation_go_by_name_whatever_their_order() -> None:
    pair = [counting("b", 0.3), counting("a", 0.3)]
    assert decide(pair, None, RULE).winner == decide(pair[::-1], None, RULE).winner == "a"


def test_of_equals_on_validation_the_one_that_a_blend_answers_by_goes_first() -> None:
    candidates = [*anchored(NONE), counting("cosine", 0.3)]  # as good as EASE, and before it by name
    assert decide(candidates, None, RULE).winner == "blend"


def test_without_networks_the_best_counting_ranker_wins() -> None:
    decision = decide([counting("popular", 0.1), counting("ease", 0.3)], None, RULE)
    assert (decision.winner, decision.comparisons) == ("ease", ())


def test_the_champion_must_be_beaten_for_sure() -> None:
    champion = Champion("old", "hash of old", "old", BASE + 0.01)
    stays = decide([counting("ease", 0.3)], champion, RULE)
    assert not stays.promote
    assert stays.reasons[-2:] == ("Nothing that may follow the champion has its recipe.", "The champion stays.")
    falls = decide([counting("ease", 0.3, BASE + 0.02)], champion, RULE)
    assert falls.promote
    assert falls.champion == {"name": "old", "content_hash": "hash of old"}
    assert falls.comparisons[0].against == "champion old"
    assert falls.comparisons[0].difference.mean == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("gain", "promoted"),
    [(0.02, True), (0.0, True), (-0.02, False)],
)
def test_a_refit_replaces_its_champion_unless_it_is_worse(gain: float, promoted: bool) -> None:
    refit = counting("ease", 0.3, BASE + gain)
    older = decide([refit], Champion("ease", "hash of an older ease", "ease", BASE), RULE)
    assert older.promote == promoted
    assert ("recipe on newer data" in older.reasons[-1]) == (gain == 0)
    other = decide([refit], Champion("ease", "hash of an older ease", "ease with other params", BASE), RULE)
    assert other.promote == (gain > 0)


@pytest.mark.parametrize("cases", [1, 5, 49])
@pytest.mark.parametrize(("gain", "promoted"), [(0.02, True), (0.0, True), (-0.02, False)])
def test_a_refit_replaces_its_champion_however_few_the_cases(cases: int, gain: float, promoted: bool) -> None:
    """A lower result of every case is worse, even of few."""
    few = BASE[:cases]
    for name in ("ease", "deep"):  # what was learned once won
        candidates = [counting("ease", 0.3, few + gain), network("deep", 0.4, few + gain)]
        decision = decide(candidates, Champion(name, f"hash of an older {name}", name, few), RULE)
        assert decision.promote == promoted
        assert decision.winner == (name if promoted else "ease")


def test_the_champions_recipe_on_newer_data_replaces_it_where_another_wins_but_not_for_sure() -> None:
    """Else the champion would grow old for as long as nothing beats it."""
    noise = np.where(np.arange(80) % 2, 0.2, -0.19)
    candidates = [counting("ease", 0.4, BASE + noise), counting("cosine", 0.3, BASE)]
    older = Champion("cosine", "hash of an older cosine", "cosine", BASE)
    decision = decide(candidates, older, RULE)
    assert (decision.winner, decision.content_hash, decision.promote) == ("cosine", "hash of cosine", True)
    assert any("ease does not beat champion cosine" in reason for reason in decision.reasons)
    again = decide(candidates, replace(older, content_hash="hash of cosine"), RULE)
    assert (again.winner, again.promote) == ("cosine", False)
    assert "newest data" in again.reasons[-1]


def test_a_refit_that_is_worse_than_its_champion_or_than_the_winner_is_named_and_replaces_nothing() -> None:
    champion = Champion("deep", "hash of an older deep", "deep", BASE)
    noise = np.where(np.arange(80) % 2, 0.2, -0.2)  # as good as the champion, nobody can tell
    for ease, deep, better, loss in (
        (BASE + noise, BASE - 0.01, "champion deep", "-0.0100"),
        (BASE + noise, BASE + noise - 0.001, "ease", "-0.0010"),
    ):
        decision = decide([counting("ease", 0.3, ease), network("deep", 0.4, deep)], champion, RULE)
        assert (decision.winner, decision.promote) == ("ease", False)
        assert decision.reasons[-1] == "The champion stays."
        said = f"deep is the champion's recipe on newer data, but worse than {better}: difference in ndcg_at_10 {loss}"
        assert decision.reasons[-2].startswith(said)
        (of_refit,) = (c for c in decision.comparisons if (c.candidate, c.against, c.worse) == ("deep", better, True))
        assert of_refit.difference.mean == pytest.approx(float(loss))


def test_a_refit_that_is_worse_than_the_winner_on_a_slice_replaces_nothing() -> None:
    """Of the tail it is worse, and as much better of the head: on the whole nothing is shown."""
    tail = np.arange(80) < 60
    champion, refit = Champion("deep", "hash of an older deep", "deep", BASE), BASE + np.where(tail, -0.02, 0.06)
    for slices, promoted in (({}, True), ({"of tail": tail}, False)):
        ease = replace(counting("ease", 0.3), slices={name: BASE[of] for name, of in slices.items()})
        deep = network("deep", 0.4, refit, {name: refit[of] for name, of in slices.items()})
        decision = decide([ease, deep], champion, RULE)
        assert (decision.winner, decision.promote) == ("deep" if promoted else "ease", promoted)
        assert any("worse than ease: difference in ndcg_at_10 of tail" in r for r in decision.reasons) != promoted


def anchored(new: np.ndarray, known: np.ndarray = BASE, anchor: str = "ease") -> list[Candidate]:
    """EASE, and a blend that answers by `anchor` where there are baskets; of new products it differs by `new`."""
    theirs = np.concatenate([BASE, np.full(len(new), 0.1)])
    ours = np.concatenate([known, 0.1 + new])
    parts = [{"of cold": of[len(BASE) :]} if len(new) else {} for of in (theirs, ours)]
    blend = network("blend", 0.35, ours, parts[1])
    return [replace(counting("ease", 0.3, theirs), slices=parts[0]), replace(blend, anchor=anchor)]


NONE, NOISE = np.zeros(0), np.where(np.arange(60) % 2, 0.2, -0.21)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (NONE, "only 0 test cases"),
        (np.full(49, -0.1), "only 49 test cases"),
        (NOISE, "not worse on others"),
    ],
)
def test_a_blend_that_is_the_winner_but_for_new_products_takes_its_place(new: np.ndarray, said: str) -> None:
    decision = decide(anchored(new), None, RULE)
    assert (decision.winner, decision.kind, decision.promote) == ("blend", "learned", True)
    assert said in decision.reasons[-2]
    assert decision.reasons[-2].endswith("It takes the place of ease.")


def test_it_does_not_where_it_is_worse_for_new_products() -> None:
    decision = decide(anchored(np.full(60, -0.02)), None, RULE)
    assert (decision.winner, decision.promote) == ("ease", True)
    assert decision.comparisons[-1].metric == "ndcg_at_10 of cold"
    assert "is worse on others: difference in ndcg_at_10 of cold -0.02" in decision.reasons[-2]


def test_it_does_not_where_it_answers_by_another_or_differs_for_known_products() -> None:
    assert decide(anchored(NONE, anchor="cosine"), None, RULE).winner == "ease"
    other = BASE.copy()
    other[3] += 1e-6
    decision = decide(anchored(NOISE, other), None, RULE)
    assert decision.winner == "ease"
    assert "differs from it on 1 such test cases" in decision.reasons[-2]


def test_it_does_though_another_learned_ranker_is_better_on_validation_and_cases_are_few() -> None:
    candidates = [replace(c, test=c.test[:20]) for c in anchored(NONE)]
    decision = decide([*candidates, network("deep", 0.9, BASE[:20])], None, RULE)
    assert (decision.winner, decision.promote) == ("blend", True)


def test_it_replaces_a_champion_that_is_its_own_counting_ranker_unless_it_is_worse() -> None:
    for known, promoted in ((BASE, True), (BASE + 0.01, False)):
        decision = decide(anchored(NONE), Champion("ease", "hash of an older ease", "ease", known), RULE)
        assert (decision.winner, decision.promote) == ("blend", promoted)
    few = [replace(c, test=c.test[:20]) for c in anchored(NONE)]
    assert decide(few, Champion("ease", "hash of an older ease", "ease", BASE[:20]), RULE).winner == "blend"
    assert not decide(few, Champion("cosine", "hash of cosine", "cosine", BASE[:20]), RULE).promote


def test_a_champion_that_answers_by_what_counts_is_replaced_by_that_where_its_own_refit_may_not() -> None:
    """The blend is worse for new products by now, or learned weights that did not win."""
    worse = anchored(np.full(60, -0.02))
    champion = Champion("blend", "hash of an older blend", "blend", worse[0].test, anchor="ease")
    unproved = [worse[0], replace(worse[1], test=worse[0].test, slices=worse[0].slices, anchor="")]
    for candidates in (worse, unproved):
        decision = decide(candidates, champion, RULE)
        assert (decision.winner, decision.promote) == ("ease", True)


def test_weights_of_a_champion_that_answered_by_what_counts_have_to_win_first() -> None:
    """The other way round a champion whose weights won may go back to what counts."""
    ease, blend = (replace(c, test=c.test[:20]) for c in anchored(NONE))
    weighed, noise = replace(blend, anchor=""), np.where(np.arange(20) % 2, 0.1, -0.1)
    older = Champion("blend", "hash of an older blend", "blend", BASE[:20] + noise, anchor="cosine")
    assert not decide([ease, weighed], older, RULE).promote
    assert decide([ease, weighed], replace(older, anchor="ease"), RULE).winner == "ease"
    assert decide([ease, blend], replace(older, anchor=""), RULE).promote


def test_a_champion_keeps_knowing_new_products_where_another_counts_best_now() -> None:
    """The blend answers by cosine today, EASE is best on validation: neither is surely better."""
    noise = np.where(np.arange(80) % 2, 0.1, -0.1)
    candidates = [*anchored(NONE, BASE + noise, anchor="cosine"), counting("cosine", 0.2, BASE + noise)]
    champion = Champion("blend", "hash of an older blend", "blend", BASE, anchor="cosine")
    decision = decide(candidates, champion, RULE)
    assert (decision.winner, decision.promote) == ("blend", True)


@pytest.mark.parametrize("champion", ["cosine", "blend"])
def test_no_ranker_that_counts_becomes_another_by_way_of_the_blend(champion: str) -> None:
    """Cosine counts for the champion; EASE is best on validation by now, the blend answers by it, and cases are few."""
    ease, blend = (replace(c, test=c.test[:20]) for c in anchored(NONE))
    noise = np.where(np.arange(20) % 2, 0.1, -0.1)
    cosine = counting("cosine", 0.2, BASE[:20] + noise)
    anchor = "cosine" if champion == "blend" else ""
    older = Champion(champion, "hash of an older one", champion, cosine.test, anchor=anchor)
    decision = decide([ease, cosine, blend], older, RULE)
    assert (decision.winner, decision.promote) == ("cosine", True)


def test_a_blend_refused_for_new_products_does_not_return_as_the_champions_recipe() -> None:
    """Of five new products four lose .1 and one gains .06, and nothing else differs.

    The mean of a resample is a gain if it draws the one four times of five: in 5 · .8 · .2⁴ + .2⁵ = .7 % of them. That
    is sure at 95 % (2.5 % on either side), not so of one slice of eight (.3 %), nor of all 85 cases, which often draw
    few of the five.
    """
    ease, blend = anchored(np.array([-0.1, -0.1, -0.1, -0.1, 0.06]))
    alike = dict.fromkeys(("of head", "of middle", "of tail", "to head", "to middle", "to tail", "to cold"), BASE)
    candidates = [replace(c, slices={**c.slices, **alike}) for c in (ease, blend)]
    champion = Champion("blend", "hash of an older blend", "blend", blend.test, anchor="ease")
    decision = decide(candidates, champion, replace(RULE, min_cases=5, resamples=2000))
    assert any("is worse on others" in reason for reason in decision.reasons)
    assert (decision.winner, decision.promote) == ("ease", True)


def test_an_uncertain_loss_does_not_keep_a_refit_away() -> None:
    noise = np.where(np.arange(80) % 2, 0.19, -0.2)  # mean -0.005, far from sure
    refit = counting("ease", 0.3, BASE + noise)
    assert decide([refit], Champion("ease", "hash of an older ease", "ease", BASE), RULE).promote


def test_equal_content_is_nothing_to_do() -> None:
    decision = decide([counting("ease", 0.3)], Champion("ease", "hash of ease", "ease", BASE), RULE)
    assert not decision.promote
    assert decision.comparisons == ()
    assert "nothing to do" in decision.reasons[-1]


def test_a_champion_that_cannot_be_read_gives_way_to_the_winner() -> None:
    few = counting("ease", 0.3, BASE[:20])
    for winner in (few, counting("ease", 0.3)):
        decision = decide([winner], Unreadable("old", "hash of old"), RULE)
        assert (decision.winner, decision.promote, decision.comparisons) == ("ease", True, ())
        assert decision.champion == {"name": "old", "content_hash": "hash of old"}
        assert "old was made by another version of Tandem" in decision.reasons[-1]


def test_a_champion_that_saw_the_test_window_is_named_as_such() -> None:
    decision = decide([counting("ease", 0.3)], Champion("old", "x", "old", BASE + 0.1, saw_test=True), RULE)
    assert any("advantage" in reason for reason in decision.reasons)


def test_a_network_may_not_win_unopposed() -> None:
    with pytest.raises(ValueError, match="unopposed"):
        decide([network("deep", 0.4, BASE)], None, RULE)
