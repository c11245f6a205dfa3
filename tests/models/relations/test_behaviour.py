"""Relations are learned from what was done later, in a shop where it is planted what goes with what."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.relations import behaviour, pairs
from models.relations.behaviour import Learned, Lesson
from models.relations.classifier import Classifier, Committee
from models.relations.graph import Graph
from models.relations.params import RelationsParams
from models.relations.standard import Standard
from models.relations.table import PairTable
from tandem.features import relations
from tandem.features.dataset import Dataset
from tandem.features.graph import edges
from tandem.features.relations import COMPLEMENT, NEITHER, RELATIONS, SUBSTITUTE
from tandem.params import RelateParams

NEEDS, OF_EACH, NEW = 4, 6, "n0p9"
PARAMS = RelateParams(
    evidence_share=0.6, folds=3, of_a_kind=20, nearest=5, linked=2, sold=6, pairs=5000, min_pairs=10, members=1,
    test_share=0.2, keep=5, min_probability=0.02, min_precedence=1, seed=7,
)  # fmt: skip


@pytest.fixture(scope="module")
def planted(shop: Callable[..., Dataset]) -> Dataset:
    """Who looks at two products of need 0 or 2 and buys one takes its namesake of the next need, or returns for it.

    What is taken with others also sells alone. Of the new product only its need is known.
    """
    rng = np.random.default_rng(5)
    rows = []
    for visit in range(1500):
        need, day = 2 * int(rng.integers(2)), 60 * visit / 1500
        seen = rng.choice(OF_EACH, 2, replace=False)
        chance, partner = rng.random(), f"n{need + 1}p{seen[0]}"
        bought = [f"n{need}p{seen[0]}", *[partner] * (chance < 0.5)]
        if rng.random() < 0.7:
            bought.append(f"n{rng.choice([1, 3])}p{rng.integers(OF_EACH)}")
        user, order = f"u{visit % 300:03}", f"o{visit}"
        rows += [(user, f"n{need}p{n}", "view", day, order) for n in seen]
        rows += [(user, name, "purchase", day + 0.01, order) for name in dict.fromkeys(bought)]
        rows += [(user, partner, "purchase", day + 2, f"later {order}")] * (0.5 < chance < 0.7)
    known = shop(rows, 60, new=[NEW])
    need = np.array([0, *(1 + int(name[1]) for name in known.vocabulary.ids)])
    return replace(known, products=replace(known.products, category=need[:, None].astype(np.int32)))


def test_each_basket_is_in_one_part(planted: Dataset) -> None:
    cut = int(np.median(planted.baskets.time_us))
    early, late = behaviour.between(planted, 0, cut), behaviour.between(planted, cut, planted.as_of_us)
    assert len(early.histories.product) + len(late.histories.product) == len(planted.histories.product)
    whole, *parts = (edges(of, "together").matrix(edges(of, "together").n) for of in (planted, early, late))
    assert abs(whole - parts[0] - parts[1]).sum() == 0
    assert early.baskets.time_us.max() < cut <= late.baskets.time_us.min()


def test_hidden_products_are_as_if_nobody_met_them(planted: Dataset) -> None:
    hidden = np.zeros(planted.vocabulary.size, bool)
    hidden[planted.vocabulary.encode(["n0p1", "n1p1"])] = True
    rest = behaviour.without(planted, hidden)
    for kind in ("together", "viewed", "instead"):
        whole, left = edges(planted, kind), edges(rest, kind)
        kept = whole.keep(~hidden[whole.a] & ~hidden[whole.b])
        for name in ("a", "b", "n"):
            assert np.array_equal(getattr(left, name), getattr(kept, name))
    assert pairs.met(rest).sum() == pairs.met(planted).sum() - 2


def test_pairs_are_asked_both_ways_once_and_a_new_product_is_among_them(planted: Dataset) -> None:
    a, b = pairs.candidates(planted, PARAMS).tocoo().coords
    asked = list(zip(a.tolist(), b.tolist(), strict=True))
    assert asked == sorted(set(asked))
    assert set(asked) == {(y, x) for x, y in asked}
    assert not any(x == y or not x for x, y in asked)
    (new,) = planted.vocabulary.encode([NEW])
    theirs = set(planted.vocabulary.decode(b[a == new]))
    assert {f"n0p{n}" for n in range(OF_EACH)} <= theirs  # what serves its own need
    assert {f"n1p{n}" for n in range(OF_EACH)} <= theirs  # and the need that is bought with it


def test_counts_of_a_product_that_nobody_met_are_not_known(planted: Dataset) -> None:
    (asked,) = pairs.ask(planted, PARAMS)
    (new,) = planted.vocabulary.encode([NEW])
    touched = (asked.table.source == new) | (asked.table.target == new)
    counted = asked.table.evidence[:, :3]  # of `together`: log(1 + n), surprise, log lift
    assert np.isnan(counted[touched]).all()
    assert np.isfinite(counted[~touched]).all()
    whole = edges(planted, "together")
    n = whole.matrix(whole.n)[asked.table.source, asked.table.target]
    np.testing.assert_allclose(counted[~touched, 0], np.log1p(n[~touched]), rtol=1e-6)


def test_blocks_give_what_one_go_gives(planted: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut at every thirtieth pair, inside the pairs of a product's namesakes, and with cosines row by row."""
    words = np.random.default_rng(0).normal(size=(planted.vocabulary.size, 4)).astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    worded = planted.with_vectors(words, np.full((len(words), 1), np.nan, np.float32))
    (whole,) = pairs.ask(worded, PARAMS)
    lesson = behaviour.lesson(worded, PARAMS)
    count = whole.table.evidence.shape[1]
    learned = Learned(alone(constant(np.log([0.4, 0.35, 0.25]), len(words), count)), ("complement", "substitute"))
    found = behaviour.find(worded, learned, PARAMS)
    monkeypatch.setattr(pairs, "BLOCK", 30)
    monkeypatch.setattr(pairs, "CELLS", 1)
    parts = list(pairs.ask(worded, PARAMS))
    assert len(parts) > 5
    assert all(len(part) <= 30 or len(set(part.table.source.tolist())) == 1 for part in parts)
    joined = PairTable.joined([part.table for part in parts])
    for name in ("source", "target", "evidence"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole.table, name))
    np.testing.assert_array_equal(np.concatenate([part.forward for part in parts]), whole.forward)
    again = behaviour.lesson(worded, PARAMS)
    np.testing.assert_array_equal(again.table.evidence, lesson.table.evidence)
    np.testing.assert_array_equal(again.label, lesson.label)
    in_blocks = behaviour.find(worded, learned, PARAMS)
    for name in ("a", "b", "relation", "probability", "counts", "users"):
        np.testing.assert_array_equal(getattr(in_blocks, name), getattr(found, name))


def test_labels_stand_where_they_were_believed() -> None:
    one = np.ones(3)
    told = relations.Relations(
        np.array([1, 1, 2]), np.array([2, 3, 1]), one, one, one, one, one, np.array([1, 2, 0], np.int8)
    )
    found = behaviour.labels(told, 4)[np.array([1, 1, 2, 3]), np.array([2, 3, 1, 1])]
    assert found.tolist() == [COMPLEMENT, SUBSTITUTE, NEITHER, NEITHER]


def test_a_lesson_says_what_share_of_each_label_it_holds(planted: Dataset) -> None:
    whole, part = (behaviour.lesson(planted, PARAMS.model_copy(update={"pairs": n})) for n in (10**6, 20))
    assert whole.rate.tolist() == [1, 1, 1]
    count = np.bincount(whole.label)
    assert np.bincount(part.label).tolist() == np.minimum(count, 20).tolist()
    assert part.rate.tolist() == pytest.approx(np.minimum(20 / count, 1))


def test_every_product_is_taught_as_if_nobody_had_met_it_and_one_that_nobody_met_is_not(planted: Dataset) -> None:
    taught = behaviour.lesson(planted, PARAMS)
    products = set(range(1, planted.vocabulary.size)) - set(planted.vocabulary.encode([NEW]).tolist())
    assert set(taught.table.source.tolist()) == set(taught.table.source[taught.unmet].tolist()) == products
    assert set(taught.table.source[~taught.unmet].tolist()) == products


def test_what_is_tested_is_not_learned_from_either_way_round(planted: Dataset) -> None:
    taught, tested = behaviour.lesson(planted, PARAMS).split(0.2, 7)
    drawn = set(tested.table.source.tolist())
    assert len(drawn) == int(0.2 * NEEDS * OF_EACH)
    assert not drawn & {*taught.table.source.tolist(), *taught.table.target.tolist()}


def constant(logits: np.ndarray, products: int, numbers: int = 0) -> Classifier:
    """A classifier that says the same of every pair, whatever its evidence's `numbers`: all is 0 but the last bias."""
    zero = np.zeros((products, 1), np.float32)
    tables = dict.fromkeys(("described", "own_source", "own_target", "sender", "told"), zero)
    tables |= {"key": zero, "query": zero, "weight": zero, "heard": zero[:, :, None]}
    layers = [(np.zeros((width, 1), np.float32), np.zeros(1, np.float32)) for width in (1, 3, 4, 2, 4 + 2 * numbers)]
    last = np.zeros((1, 3), np.float32), logits.astype(np.float32)
    none = Graph.of([np.zeros((products, products))])
    unscaled = Standard(np.zeros(0, np.float32), np.ones(0, np.float32))
    return Classifier(unscaled, none, False, False, np.zeros((numbers, 2), np.float32), tables, (*layers, last), 2.0)


def alone(made: Classifier) -> Committee:
    return Committee((made,))


def test_a_committee_says_what_its_members_say_on_average() -> None:
    first, second = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1])
    made = Committee(tuple(constant(2.0 * np.log(shares), 3) for shares in (first, second)))
    told = made.probabilities(PairTable.of(np.array([1, 2]), np.array([2, 1])))
    assert told == pytest.approx(np.array([[0.4, 0.3, 0.3]] * 2))


def test_members_begin_with_seeds_of_their_own(planted: Dataset, params: Callable[..., RelationsParams]) -> None:
    taught, tested = behaviour.lesson(planted, PARAMS).split(0.2, 7)
    content, once = pairs.Content(planted.products), params(batch=64, epochs=1, seed=3)
    both = behaviour.learn(taught, content, once, members=2)
    said = [member.probabilities(tested.table) for member in both.members]
    assert np.abs(said[0] - said[1]).max() > 1e-3
    other = behaviour.learn(taught, content, params(batch=64, epochs=1, seed=4), members=1)
    assert other.probabilities(tested.table) == pytest.approx(said[1], abs=1e-5)


def test_odds_are_those_of_all_pairs() -> None:
    """With a third of the neithers in the sample, one of them stands for three."""
    shares = np.array([0.2, 0.3, 0.5])
    made = constant(2.0 * np.log(shares), 3)
    pair = PairTable.of(np.array([1]), np.array([2]))
    assert made.probabilities(pair)[0] == pytest.approx(shares)
    expected = np.array([0.6, 0.3, 0.5]) / 1.4
    assert behaviour.as_frequent(made, np.array([1 / 3, 1, 1])).probabilities(pair)[0] == pytest.approx(expected)


def test_a_judgement_weighs_each_pair_by_what_it_stands_for() -> None:
    made = alone(constant(2.0 * np.log([0.5, 0.2, 0.3]), 9))
    tested = Lesson(PairTable.of(np.arange(1, 4), np.arange(4, 7)), np.array([0, 1, 2]), np.array([0.5, 1, 1]))
    found = behaviour.judge(made, tested)  # 1 neither that stands for 2, 1 complement, 1 substitute
    assert found["log_loss"] == pytest.approx(-(np.log(0.2) + np.log(0.3) + 2 * np.log(0.5)) / 4)
    assert found["log_loss_of_shares"] == pytest.approx(-(2 * 0.25 * np.log(0.25) + 0.5 * np.log(0.5)))
    assert found["calibration_error_complement"] == pytest.approx(0.25 - 0.2)
    assert found["calibration_error_substitute"] == pytest.approx(0.3 - 0.25)
    assert found["auc_complement_against_substitute"] == 0.5


def test_the_best_of_each_product_are_kept_and_of_equals_the_first() -> None:
    a, values = np.array([2, 1, 1, 1, 2, 2]), np.array([0.5, 0.1, 0.7, 0.3, 0.5, 0.9])
    assert behaviour.best(a, values, 2).tolist() == [True, False, True, True, False, True]


def test_what_is_planted_is_found_also_of_a_product_that_nobody_met(
    planted: Dataset, params: Callable[..., RelationsParams]
) -> None:
    taught, tested = behaviour.lesson(planted, PARAMS).split(0.2, 7)
    made = behaviour.learn(taught, pairs.Content(planted.products), params(batch=64, epochs=20), members=1)
    judged = behaviour.judge(made, tested)
    assert judged["log_loss"] < 0.5 * judged["log_loss_of_shares"]
    found = behaviour.find(planted, Learned(made, ("complement", "substitute")), PARAMS)
    name, number = planted.vocabulary.decode, planted.vocabulary.encode
    for need in (0, 2):
        for n in range(OF_EACH):
            (product,) = number([f"n{need}p{n}"])
            best, *_ = found.places(product, "complement")
            assert name(found.b[[best]]) == [f"n{need + 1}p{n}"]
            assert found.first[best] == 1
            like = name(found.b[found.places(product, "substitute")])
            assert {other[:2] for other in like} == {f"n{need}"}
    (new,) = number([NEW])
    assert {other[:2] for other in name(found.b[found.places(new, "substitute")])} == {"n0"}
    assert {other[:2] for other in name(found.b[found.places(new, "complement")])} <= {"n1"}


def test_a_pair_stands_in_the_list_of_its_likelier_relation(planted: Dataset) -> None:
    (asked,) = pairs.ask(planted, PARAMS)
    products, numbers = planted.vocabulary.size, asked.table.evidence.shape[1]
    for leads, name in ((COMPLEMENT, "complement"), (SUBSTITUTE, "substitute")):
        logits = np.zeros(3)
        logits[leads] = 0.5  # probabilities of about .45, .27 and .27: all above the least that is shown
        learned = Learned(alone(constant(logits, products, numbers)), ("complement", "substitute"))
        found = behaviour.find(planted, learned, PARAMS)
        assert len(found)
        assert set(found.relation.tolist()) == {RELATIONS.index(name)}
