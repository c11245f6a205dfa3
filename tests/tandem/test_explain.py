"""Explanations: every number can be counted again by hand, and goes when its evidence goes."""

from dataclasses import fields

import numpy as np
import pytest

from tandem.explain import Explanation, ExplanationError, Served, explain, rounded
from tandem.features import graph, strength
from tandem.features.dataset import Dataset
from tandem.features.graph import KINDS
from tandem.features.partners import Partners
from tandem.features.vocabulary import Vocabulary
from tandem.ranking.counting import COUNTING

from ..phones import known, partners, sheet


def asked(a: str, b: str, min_users: int, data: Dataset | None = None) -> Explanation:
    data = data or known()
    return explain(data, Served.not_yet(partners(data), data.vocabulary, min_users), sheet(), a, b, min_users)


def said(found: Explanation) -> dict[str, dict]:
    """Numbers by what they are about."""
    return {statement.about: dict(statement.values) for statement in found.statements}


def sentences(found: Explanation) -> dict[str, str]:
    return {statement.about: statement.sentence for statement in found.statements}


def test_counts_chance_people_and_span_are_those_of_the_baskets() -> None:
    found = asked("phone", "case", min_users=5)
    together = said(found)["together: phone, case"]
    # 20 baskets with the phone, 14 with the case, 20 with the lamp; chance as among (54² - 20² - 14² - 20²) / 20 = 96
    assert (together["n"], together["rows"], together["of_a"], together["of_b"]) == (10, 96, 20, 14)
    assert together["expected"] == pytest.approx(20 * 14 / 96)
    assert together["lift"] == pytest.approx(10 * 96 / (20 * 14))
    assert (together["users"], together["span"]) == (10, ["2026-03-01", "2026-03-10"])
    assert sentences(found)["together: phone, case"] == (
        "10 baskets hold both, 3.4 times as many as by chance (2.9); 10 known customers, 2026-03-01 to 2026-03-10"
    )


def test_chance_is_that_of_all_pairs_though_only_one_is_counted() -> None:
    data, ids = known(), ("phone", "other phone", "case", "lamp")
    told = {name: of for a in ids for b in ids if a != b for name, of in said(asked(a, b, 1, data)).items()}
    counted = 0
    for kind in KINDS:
        edges = strength.given_sizes(graph.edges(data, kind))
        names = zip(data.vocabulary.decode(edges.a), data.vocabulary.decode(edges.b), strict=True)
        for place, (a, b) in enumerate(names):
            of = told[f"{kind}: {a}, {b}"]
            assert (of["n"], of["rows"]) == (edges.n[place], edges.rows)
            assert of["expected"] == pytest.approx(strength.expected(edges)[place])
            assert of["chance"] == pytest.approx(strength.chance_of_more(edges)[place])
            counted += 1
    assert counted == len([name for name in told if name.split(":")[0] in KINDS]) > 5


def test_what_is_served_is_cited_with_its_place_probability_and_order() -> None:
    case, other = (asked("phone", b, min_users=5) for b in ("case", "other phone"))
    assert said(case)["served"] == {
        "relation": "complement", "probability": pytest.approx(0.8), "first": "phone", "place": 2, "of": 2,
    }  # fmt: skip
    assert sentences(case)["served"] == (
        "/related shows case as a complement of phone, in place 2 of 2; probability 80%; phone is bought first"
    )
    assert sentences(other)["served"] == (
        "/related shows other phone as the only substitute of phone; counts prove it, no probability was learned"
    )
    nothing = said(asked("case", "phone", min_users=5))["served"]
    assert set(nothing.values()) == {None}


def test_what_is_served_is_read_in_the_numbers_of_who_serves() -> None:
    """The release knows the lamp alone beside the phone and the case, and shows a case from 11 known users on."""
    data = known()
    ids = Vocabulary.of(["case", "lamp", "phone"])
    found = partners(data)
    arrays = {
        field.name: getattr(found, field.name)[found.b != data.vocabulary.encode(["other phone"])]
        for field in fields(found)
    }
    arrays |= {name: ids.encode(data.vocabulary.decode(arrays[name])) for name in ("a", "b")}
    of_release = Partners(**arrays)

    def served(b: str, min_users: int) -> str:
        told = Served.not_yet(of_release, ids, min_users)
        return sentences(explain(data, told, sheet(), "phone", b, min_users=5))["served"]

    assert "in place 2 of 2; probability 80%" in served("case", 5)
    neither = "/related shows {} neither as complement nor as substitute of phone"
    assert served("case", 11) == neither.format("case")
    assert served("other phone", 5) == neither.format("other phone") + ": it does not know other phone yet"


def test_what_too_few_people_stand_behind_is_withheld() -> None:
    """Four customers bought the case after the phone."""
    shown, all_of_it = (asked("phone", "case", min_users=n) for n in (5, 1))
    assert "after: phone, case" not in said(shown)
    assert said(all_of_it)["after: phone, case"]["users"] == 4
    assert shown.withheld > all_of_it.withheld == 0
    nothing = asked("phone", "case", min_users=11)
    assert sentences(nothing)["served"] == "/related shows case neither as complement nor as substitute of phone"
    assert not {"together: phone, case", "reviews: case"} & said(nothing).keys()
    assert (nothing.private, shown.private, asked("phone", "lamp", 5).private) == (True, False, False)


def test_two_that_nobody_took_together_are_said_to_be_apart() -> None:
    found = sentences(asked("other phone", "lamp", min_users=1))
    assert found["counts"] == "nothing was counted of the two together"
    assert "counts" not in said(asked("phone", "case", min_users=11))  # they were; who they were is withheld


def test_what_the_sheet_and_reviewers_say_is_told() -> None:
    found = asked("phone", "other phone", min_users=1)
    assert said(found)["category"] == {"category": ["electronics", "phones"]}
    assert said(found)["brand"] == {"brand": "Acme"}
    assert sentences(found)["price"] == "other phone costs 500.00 EUR, 1.2 times as much as phone (400.00)"
    assert said(found)["viewed: phone, other phone"]["n"] == 20
    assert said(found)["instead: other phone, phone"]["n"] == 20
    reviews = said(asked("phone", "case", min_users=1))["reviews: case"]
    assert (reviews["reviews"], reviews["topics"]) == (2, {"quality": 1.0})
    assert sentences(asked("phone", "case", min_users=1))["reviews: case"] == (
        f"2 reviews of case are good on the whole ({reviews['tone']:+.2f}, from -1 bad to 1 good); "
        "they speak most often of quality (100%)"
    )


def test_texts_and_pictures_are_compared_where_both_are_known() -> None:
    data = known()
    text = np.full((data.vocabulary.size, 2), np.nan, np.float32)
    text[data.vocabulary.encode(["phone", "other phone", "lamp"])] = [[0.6, 0.8], [1.0, 0.0], [0.8, 0.6]]
    data = data.with_vectors(text, data.products.picture)
    found = asked("phone", "other phone", 1, data)
    assert said(found)["text"] == {"cosine": pytest.approx(0.6), "nearer": 1, "of": 1}  # the lamp's is 0.96
    assert sentences(found)["text"] == (
        "their texts are alike by 0.60 (1 is the same); 1 of 1 other products are nearer to phone"
    )
    assert said(asked("phone", "lamp", 1, data))["text"]["nearer"] == 0
    assert "text" not in said(asked("phone", "case", 1, data))


def test_without_the_cited_baskets_the_score_is_lower() -> None:
    whole, cited = known(), tuple(f"o{n:02}" for n in range(10))
    less = known(left_out=cited[:5])
    assert said(asked("phone", "case", 1, less))["together: phone, case"]["n"] == 5

    def score(data: Dataset) -> float:
        from tandem.params import CountingParams

        weights = COUNTING["weighted_cosine"](CountingParams.read()).fit(data).matrix
        a, b = data.vocabulary.encode(["phone", "case"])
        return float(weights[a, b])

    assert score(less) < 0.8 * score(whole)
    gone = said(asked("phone", "case", 1, known(left_out=cited)))
    assert "together: phone, case" not in gone


def test_numbers_are_written_as_people_write_them() -> None:
    numbers = 0.0434, 0.5, 1, 2.34, 23.4, 170.4, 1234, 1_250_000
    assert [rounded(n) for n in numbers] == ["0.043", "0.5", "1", "2.3", "23", "170", "1,200", "1,200,000"]


def test_a_product_that_nobody_knows_or_one_named_twice_is_refused() -> None:
    with pytest.raises(ExplanationError, match="'sofa' has no event"):
        asked("phone", "sofa", 1)
    with pytest.raises(ExplanationError, match="name two"):
        asked("phone", "phone", 1)
