"""What the network says of two products, against vectors small enough to work out by hand."""

import numpy as np
import pytest

from models.association.explain import statements
from models.association.learned import Roles
from models.association.neighbourhood import Heard, Neighbourhood
from models.association.ranker import Association
from tandem.features.dataset import Dataset

IDS = ("case", "lamp", "phone", "tablet")  # with the places 1 to 4


@pytest.fixture
def known(shop) -> Dataset:
    """Six users buy the phone and its case at once, two the phone and the tablet; the lamp is sold alone."""
    rows = [(f"u{n}", product, "purchase", 1.0, f"o{n}") for n in range(6) for product in ("phone", "case")]
    rows += [(f"v{n}", product, "purchase", 2.0, f"p{n}") for n in range(2) for product in ("phone", "tablet")]
    return shop([*rows, ("w", "lamp", "purchase", 3.0, "q")], 4)


def network(make, alike: float = 1.0, heard: Heard | None = None) -> Association:
    """Vectors of two numbers in each role; index 0 is the unknown product."""
    source = [[0, 0], [0, 1], [1, 0], [3, 4], [1, 1]]
    target = [[9, 9], [4, 3], [0, 1], [9, 9], [5, 5]]
    replaced = [[0, 0], [0, 2], [1, 0], [0, 0], [3, 4]]
    vectors = {name: np.array(of, np.float32) for name, of in (("source", source), ("target", target))}
    zeros, one = np.zeros(5, np.float32), np.array(1.0)
    made = make()
    made._roles = Roles(**vectors, alike=alike * np.array(replaced, np.float32), log_share=zeros, new_demand=zeros,
                        kind_weight=one, half_life_days=one, trend_days=one, popularity=one, trend=one)  # fmt: skip
    made.heard = heard
    return made


def said(made: Association, known: Dataset, a: str, b: str, min_users: int = 1) -> dict[str, dict]:
    return {of.about: dict(of.values) for of in statements(made, known.vocabulary, known, (a, b), min_users)}


def test_the_rank_is_among_all_other_products(make, known: Dataset) -> None:
    """Of (3, 4): the tablet scores 35, the case 24, the lamp 4; the phone itself and the unknown one would have 63."""
    assert tuple(known.vocabulary.ids) == IDS
    found = said(network(make), known, "phone", "case")["network: complement"]
    assert found == {"score": 24.0, "place": 2, "of": 3}
    assert said(network(make), known, "phone", "tablet")["network: complement"]["place"] == 1


def test_likeness_is_told_role_by_role(make, known: Dataset) -> None:
    """Case (0 1 | 4 3 | 0 2) and tablet (1 1 | 5 5 | 3 4): products 1, 35 and 8, squares 30 and 77."""
    found = said(network(make), known, "case", "tablet")
    assert found["network: substitute"]["cosine"] == pytest.approx(8 / (2 * 5))
    whole = np.sqrt(30 * 77)
    assert found["network: association"] == pytest.approx(
        {"cosine": 44 / whole, "source": 1 / whole, "target": 35 / whole, "alike": 8 / whole}
    )
    assert found.keys() == {"network: complement", "network: substitute", "network: association"}


def test_a_shop_without_substitutes_hears_nothing_of_them(make, known: Dataset) -> None:
    assert "network: substitute" not in said(network(make, alike=0.0), known, "case", "tablet")


def test_neighbours_are_named_by_what_they_are_and_how_much_they_are_heard(make, known: Dataset) -> None:
    around = Neighbourhood.of(known, 2)
    assert around.relations == ("together",)
    share = np.zeros(around.near.shape, np.float32)
    share[3] = [0.25, 0.75]  # the phone's neighbours: the case, then the tablet
    made = network(make, heard=Heard.of(around, share, 5))
    told = said(made, known, "phone", "lamp")["network: neighbours"]["heard"]
    assert told == [
        {"product": "tablet", "relation": "together", "share": 0.75},
        {"product": "case", "relation": "together", "share": 0.25},
    ]
    assert "network: neighbours" not in said(made, known, "lamp", "phone")
    few = said(made, known, "phone", "lamp", min_users=5)["network: neighbours"]
    assert [of["product"] for of in few["heard"]] == ["case"]  # two users alone took the tablet
    assert few["withheld"] == 1


def test_who_is_behind_an_edge_is_counted_the_way_it_points(make, shop) -> None:
    """Five users take the case two days after the phone."""
    rows = [(f"u{n}", p, "purchase", day, f"o{n}-{p}") for n in range(5) for p, day in (("phone", 0.0), ("case", 2.0))]
    known = shop([*rows, ("w", "lamp", "purchase", 3.0, "q")], 4)
    around = Neighbourhood.of(known, 1)
    made = make()
    made._roles = network(make)._roles
    made.heard = Heard.of(around, (around.strength > 0).astype(np.float32), 5)
    for name, other, relation in (("phone", "case", "after"), ("case", "phone", "after, reversed")):
        told = said(made, known, name, "lamp", min_users=5)["network: neighbours"]["heard"]
        assert told == [{"product": other, "relation": relation, "share": 1.0}]


def test_a_product_that_the_release_does_not_know_is_not_spoken_of(make, known: Dataset) -> None:
    assert said(network(make), known, "phone", "sofa") == {}
