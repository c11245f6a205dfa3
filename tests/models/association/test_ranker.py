"""The association network: directed pairs, and the same answers wherever it is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.association.neighbourhood import Neighbourhood
from models.association.ranker import Association
from models.training import NothingToLearn
from tandem.features import histories
from tandem.features.dataset import Dataset
from tandem.features.histories import Histories
from tandem.features.opinions import WIDTH
from tandem.ranking.ranker import top_k

pytestmark = pytest.mark.slow


def _asked(dataset: Dataset, ids: list[str]) -> Histories:
    return histories.of_products(dataset.vocabulary.encode(ids), dataset.vocabulary.size, dataset.as_of_us)


def _share(ranker: Association, dataset: Dataset, antecedent: str, consequent: str) -> float:
    scores = ranker.scores(_asked(dataset, [antecedent]), dataset.demand)
    return float(scores[0, dataset.vocabulary.encode([consequent])[0]])


def test_the_case_comes_first_for_its_phone_and_not_the_phone_for_its_case(
    paired: Association, cases_for_phones: Dataset
) -> None:
    phones, cases = [f"p{n}" for n in range(6)], [f"c{n}" for n in range(6)]
    scores = paired.scores(_asked(cases_for_phones, phones + cases), cases_for_phones.demand)
    first = cases_for_phones.vocabulary.decode(top_k(scores, 1)[:, 0])
    assert first == [*cases, *["g"] * 6]
    for phone, case in zip(phones, cases, strict=True):
        there, back = (
            _share(paired, cases_for_phones, phone, case),
            _share(paired, cases_for_phones, case, phone),
        )
        assert there > 0.8 > 0.2 > back


def test_drawn_negatives_find_the_cases_too(make, cases_for_phones: Dataset) -> None:
    ranker = make(negatives=8).fit(cases_for_phones)
    phones = [f"p{n}" for n in range(6)]
    best = top_k(ranker.scores(_asked(cases_for_phones, phones), cases_for_phones.demand), 1)[:, 0]
    assert cases_for_phones.vocabulary.decode(best) == [f"c{n}" for n in range(6)]


def test_shares_are_a_distribution_over_other_products(paired: Association, cases_for_phones: Dataset) -> None:
    antecedents = np.arange(1, cases_for_phones.vocabulary.size)
    scores = paired.scores(_asked(cases_for_phones, list(cases_for_phones.vocabulary.ids)), cases_for_phones.demand)
    assert scores.sum(axis=1) == pytest.approx(np.ones(len(antecedents)), abs=1e-5)
    assert (scores[np.arange(len(antecedents)), antecedents] == 0).all()
    assert (scores[:, 0] == 0).all()


def test_a_history_scores_as_the_sum_of_its_products(paired: Association, shop, cases_for_phones: Dataset) -> None:
    """p0 30 days ago counts half of p1 now."""
    encode = cases_for_phones.vocabulary.encode
    now = cases_for_phones.as_of_us
    own = Histories(
        np.array(["x"], object),
        np.array([0, 2]),
        encode(["p0", "p1"]),
        np.full(2, 5, np.int8),
        np.array([now - 30 * 86_400_000_000, now]),
        np.array([0, 1], np.int32),
        np.zeros((2, WIDTH), np.float32),
        cases_for_phones.vocabulary.size,
        now,
    )
    alone = paired.scores(_asked(cases_for_phones, ["p0", "p1"]), cases_for_phones.demand)
    assert paired.scores(own, cases_for_phones.demand)[0] == pytest.approx(0.5 * alone[0] + alone[1], abs=1e-6)
    items = encode(["c0", "c1"])[None, :]
    assert paired.because(own, items).tolist() == [encode(["p0", "p1"]).tolist()]


def test_recent_demand_lifts_a_product_by_its_exponent(make, cases_for_phones: Dataset) -> None:
    plain, lifted = (make(epochs=2, trend=[exponent]).fit(cases_for_phones) for exponent in (0.0, 2.0))
    asked, demand = _asked(cases_for_phones, ["p0"]), cases_for_phones.demand
    recent = demand.daily.copy()
    recent[0, 5] = 9.0
    demand = type(demand)(recent, demand.as_of_us)
    others = [n for n in range(1, cases_for_phones.vocabulary.size) if n not in (5, asked.product[0])]
    ratio = lifted.scores(asked, demand)[0, [5, *others]] / plain.scores(asked, demand)[0, [5, *others]]
    assert ratio[0] / ratio[1:] == pytest.approx(np.full(len(others), 100.0), rel=1e-3)


def test_loaded_it_scores_exactly_as_before_and_without_tensorflow(
    paired: Association, cases_for_phones: Dataset, tmp_path: Path, root: Path
) -> None:
    (tmp_path / "ranker").mkdir()
    paired.save(tmp_path / "ranker")
    cases_for_phones.write(tmp_path / "data")
    code = """
import sys
from pathlib import Path
import numpy as np
from models.rankers import RANKERS
from tandem.features.dataset import Dataset
folder = Path(sys.argv[1])
data = Dataset.read(folder / "data")
scores = RANKERS["association"].load(folder / "ranker").scores(data.histories, data.demand)
assert not {"tensorflow", "keras", "onnxruntime"} & set(sys.modules)
np.save(folder / "scores.npy", scores)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=True)
    expected = paired.scores(cases_for_phones.histories, cases_for_phones.demand)
    assert np.array_equal(np.load(tmp_path / "scores.npy"), expected)


def test_whom_products_listen_to_is_kept_with_the_release(
    make, paired: Association, cases_for_phones: Dataset, tmp_path: Path
) -> None:
    around = Neighbourhood.of(cases_for_phones, 3)
    there = {
        (product, int(near), around.relations[relation])
        for product in range(cases_for_phones.vocabulary.size)
        for near, relation, strength in zip(
            around.near[product], around.relation, around.strength[product], strict=True
        )
        if strength
    }
    heard = {product: paired.heard.by(product) for product in range(cases_for_phones.vocabulary.size)}
    assert {(product, near, relation) for product, of in heard.items() for near, relation, _ in of} <= there
    few = [product for product, of in heard.items() if 0 < len(of) < 5]  # at most five are kept
    assert few
    for product in few:  # all its neighbours are named
        assert len(heard[product]) == len([of for of in there if of[0] == product])
        assert sum(share for *_, share in heard[product]) == pytest.approx(1, abs=1e-5)
    for ranker in (paired, make(graph="none", epochs=1).fit(cases_for_phones)):
        ranker.save(tmp_path)
        loaded = Association.load(tmp_path)
        assert (tmp_path / "heard.npz").exists() == (ranker is paired)
        assert (loaded.heard is None) == (ranker.heard is None)
        if ranker.heard:
            assert [loaded.heard.by(product) for product in heard] == list(heard.values())
            (tmp_path / "heard.npz").unlink()


def test_equal_seeds_give_equal_scores(make, cases_for_phones: Dataset) -> None:
    first, second = (make(epochs=3, dropout=0.1).fit(cases_for_phones) for _ in range(2))
    asked = _asked(cases_for_phones, ["p0"])
    assert np.array_equal(first.scores(asked, cases_for_phones.demand), second.scores(asked, cases_for_phones.demand))


def test_single_products_teach_nothing(make, shop) -> None:
    with pytest.raises(NothingToLearn, match="nothing to learn"):
        make().fit(shop([("u", "a", "purchase", 0.0, "o1"), ("w", "b", "purchase", 0.0, "o2")], 2))


def test_a_phone_that_nobody_met_finds_the_case_of_the_phones_it_looks_like(make, shop) -> None:
    """Twelve phones of each of three looks take that look's case; a thirteenth of each look was never sold."""
    looks, phones = 3, 12
    rows = [
        (f"u{look}-{phone}", product, "purchase", float(phone % 7), f"o{look}-{phone}")
        for look in range(looks)
        for phone in range(phones)
        for product in (f"p{look}-{phone:02}", f"c{look}")
    ]
    new = [f"new{look}" for look in range(looks)]
    known = shop(rows, 8, new, after_weight=0)
    ids = known.vocabulary.ids
    text = np.full((len(ids) + 1, 4), np.nan, np.float32)
    for place, name in enumerate(ids, start=1):
        if not name.startswith("c"):
            text[place] = np.eye(4)[int(name.removeprefix("new").removeprefix("p")[0])]
    ranker = make().fit(known.with_vectors(text, known.products.picture))
    best = top_k(ranker.scores(_asked(known, new), known.demand), 1)[:, 0]
    assert known.vocabulary.decode(best) == ["c0", "c1", "c2"]


def test_what_is_bought_instead_is_alike_and_what_goes_with_it_is_not(make, shop) -> None:
    """Customers look at both teas of a kind and buy one of them, with the kind's cup."""
    rows = []
    for n in range(180):
        kind, chosen = n % 3, (n // 3) % 2
        rows += [(f"u{n}", f"tea{kind}-{which}", "view", float(n % 20), None) for which in (0, 1)]
        rows += [
            (f"u{n}", product, "purchase", float(n % 20), f"o{n}") for product in (f"tea{kind}-{chosen}", f"cup{kind}")
        ]
    known = shop(rows, 21)
    roles = make(alike_weight=1.0).fit(known).learned()
    teas = known.vocabulary.encode([f"tea{kind}-{which}" for kind in range(3) for which in (0, 1)])
    cups = known.vocabulary.encode([f"cup{kind}" for kind in range(3) for _ in (0, 1)])
    others = teas[[1, 0, 3, 2, 5, 4]]
    for tea, cup, other in zip(teas.tolist(), cups.tolist(), others.tolist(), strict=True):
        assert roles.substitute(tea, other) == pytest.approx(roles.substitute(other, tea))
        assert roles.substitute(tea, other) > roles.substitute(tea, cup) + 0.5
        assert roles.complements(tea)[cup] > roles.complements(tea)[other] + 1
        assert abs(sum(roles.association(tea, other).values())) <= 1


def test_without_substitutes_nothing_is_alike(paired: Association) -> None:
    assert not paired.learned().alike.any()
