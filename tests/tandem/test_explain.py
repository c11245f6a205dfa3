"""Explanations: every number can be counted again by hand, and goes when its evidence goes."""

import numpy as np
import pandas as pd
import pytest

from tandem.data import schema
from tandem.explain import Explanation, ExplanationError, explain
from tandem.features import dataset
from tandem.features.dataset import Dataset
from tandem.params import FeaturesParams
from tandem.ranking.counting import COUNTING

DAY = pd.Timestamp("2026-03-01T09:00Z")
ORDERS = 40


def events(left_out: tuple[str, ...] = ()) -> pd.DataFrame:
    """40 orders on as many days: 10 of phone and case, 10 of a phone, of which 4 are followed by the case 3 days later,
    and 20 of a lamp; each customer has three of them. Customers look at both phones, and buy the one.
    """
    rows = []
    for n in range(ORDERS):
        user, at = f"u{n % 14:02}", DAY + pd.Timedelta(days=n)
        bought = ["phone", "case"] if n < 10 else ["phone"] if n < 20 else ["lamp"]
        rows += [(user, product, "purchase", at, f"o{n:02}", None) for product in bought]
        if 10 <= n < 14:
            rows.append((user, "case", "purchase", at + pd.Timedelta(days=3), f"p{n}", None))
        if n < 20:
            rows += [(user, product, "view", at, None, f"s{n:02}") for product in ("phone", "other phone")]
        else:
            rows.append((user, "lamp", "view", at, None, f"s{n:02}"))
    table = pd.DataFrame(rows, columns=["user_id", "product_id", "kind", "time", "order_id", "session_id"])
    table = table[~table["order_id"].isin(left_out)].sort_values("time", kind="stable")
    return table.assign(
        event_id=[str(n) for n in range(len(table))],
        time=table["time"].astype("datetime64[us, UTC]"),
        quantity=1.0,
        unit_price=None,
    )


def sheet() -> pd.DataFrame:
    """Two phones of one brand, a case, a lamp."""
    rows = [
        ("phone", ["electronics", "phones"], "Acme", 400.0),
        ("other phone", ["electronics", "phones"], "Acme", 500.0),
        ("case", ["electronics", "cases"], "Bolt", 20.0),
        ("lamp", ["home"], None, 30.0),
    ]
    table = pd.DataFrame(rows, columns=["product_id", "category", "brand", "price"])
    return table.reindex(columns=schema.PRODUCTS.names).assign(currency="EUR")


def known(left_out: tuple[str, ...] = ()) -> Dataset:
    """Known sixty days later."""
    params = FeaturesParams(target_kinds=("purchase",), kind_weight={"view": 0.1, "purchase": 1.0})
    reviews = pd.DataFrame(
        {"user_id": ["u00", "u01"], "product_id": "case", "time": DAY + pd.Timedelta(days=9), "tone": [1.0, 0.5]}
    ).assign(**{aspect: float(aspect == "quality") for aspect in schema.ASPECTS})
    reviews["time"] = reviews["time"].astype("datetime64[us, UTC]")
    return dataset.build(events(left_out), sheet(), DAY + pd.Timedelta(days=60), params, reviews)


def said(found: Explanation) -> dict[str, dict]:
    """Numbers by what they are about."""
    return {statement.about: dict(statement.values) for statement in found.statements}


def test_counts_chance_people_and_span_are_those_of_the_baskets() -> None:
    found = explain(known(), sheet(), "phone", "case", min_users=5)
    together = said(found)["together: phone, case"]
    # 20 baskets with the phone, 14 with the case, 20 with the lamp; chance as among (54² - 20² - 14² - 20²) / 20 = 96
    assert (together["n"], together["rows"], together["of_a"], together["of_b"]) == (10, 96, 20, 14)
    assert together["expected"] == pytest.approx(20 * 14 / 96)
    assert together["lift"] == pytest.approx(10 * 96 / (20 * 14))
    assert (together["users"], together["span"]) == (10, ["2026-03-01", "2026-03-10"])
    sentence = next(s.sentence for s in found.statements if s.about == "together: phone, case")
    assert sentence.startswith("10 baskets hold both, 3.43 times as many as chance would give (2.9)")
    assert sentence.endswith("10 known customers, 2026-03-01 to 2026-03-10")


def test_what_too_few_people_stand_behind_is_withheld() -> None:
    """Four customers bought the case after the phone."""
    shown, all_of_it = (explain(known(), sheet(), "phone", "case", min_users=n) for n in (5, 1))
    assert "after: phone, case" not in said(shown)
    assert said(all_of_it)["after: phone, case"]["users"] == 4
    assert shown.withheld > all_of_it.withheld == 0
    nothing = explain(known(), sheet(), "phone", "case", min_users=11)
    assert (nothing.relation, nothing.first) == (None, None)
    assert not {"together: phone, case", "reviews: case"} & said(nothing).keys()


def test_what_the_sheet_and_reviewers_say_is_told() -> None:
    found = said(explain(known(), sheet(), "phone", "other phone", min_users=1))
    assert found["category"] == {"category": ["electronics", "phones"]}
    assert found["brand"] == {"brand": "Acme"}
    assert found["price"]["ratio"] == pytest.approx(1.25)
    assert found["viewed: phone, other phone"]["n"] == 20
    assert found["instead: other phone, phone"]["n"] == 20
    reviews = said(explain(known(), sheet(), "phone", "case", min_users=1))["reviews: case"]
    assert (reviews["reviews"], reviews["topics"]) == (2, ["quality"])


def test_texts_and_pictures_are_compared_where_both_are_known() -> None:
    data = known()
    text = np.full((data.vocabulary.size, 2), np.nan, np.float32)
    text[data.vocabulary.encode(["phone", "other phone"])] = [[0.6, 0.8], [1.0, 0.0]]
    data = data.with_vectors(text, data.products.picture)
    assert said(explain(data, sheet(), "phone", "other phone", 1))["text"]["cosine"] == pytest.approx(0.6)
    assert "text" not in said(explain(data, sheet(), "phone", "case", 1))


def test_without_the_cited_baskets_the_score_is_lower() -> None:
    whole, cited = known(), tuple(f"o{n:02}" for n in range(10))
    less = known(left_out=cited[:5])
    assert said(explain(less, sheet(), "phone", "case", 1))["together: phone, case"]["n"] == 5

    def score(data: Dataset) -> float:
        from tandem.params import CountingParams

        weights = COUNTING["weighted_cosine"](CountingParams.read()).fit(data).matrix
        a, b = data.vocabulary.encode(["phone", "case"])
        return float(weights[a, b])

    assert score(less) < 0.8 * score(whole)
    gone = said(explain(known(left_out=cited), sheet(), "phone", "case", 1))
    assert "together: phone, case" not in gone


def test_a_product_that_nobody_knows_or_one_named_twice_is_refused() -> None:
    with pytest.raises(ExplanationError, match="'sofa' has no event"):
        explain(known(), sheet(), "phone", "sofa", 1)
    with pytest.raises(ExplanationError, match="name two"):
        explain(known(), sheet(), "phone", "phone", 1)
