"""What an explanation cites is what a served probability rests on: without it, the model says less."""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.relations import behaviour, pairs
from models.relations.behaviour import Learned
from models.relations.params import RelationsParams
from tandem.data import schema
from tandem.explain import Served, explain
from tandem.features.dataset import Dataset
from tandem.features.partners import Partners
from tandem.params import RelateParams

MODELS, VISITS, PHONE, CASE = 6, 1200, "phone1", "case1"
PARAMS = RelateParams(
    evidence_share=0.6, folds=3, of_a_kind=20, nearest=5, linked=2, sold=6, pairs=5000, min_pairs=10, members=1,
    test_share=0.2, keep=20, min_probability=0, min_precedence=1, seed=7,
)  # fmt: skip


def visits() -> list[tuple]:
    """Who looks at two phones buys one of them, half with its case, and often some case for somebody else."""
    rng, rows = np.random.default_rng(5), []
    for visit in range(VISITS):
        seen, day = rng.choice(MODELS, 2, replace=False), 60 * visit / VISITS
        bought = {f"phone{seen[0]}", *[f"case{seen[0]}"] * (rng.random() < 0.5)}
        bought |= {f"case{rng.integers(MODELS)}"} if rng.random() < 0.7 else set()
        user, order = f"u{visit % 300:03}", f"o{visit}"
        rows += [(user, f"phone{n}", "view", day, order) for n in seen]
        rows += [(user, name, "purchase", day + 0.01, order) for name in sorted(bought)]
    return rows


def baskets_with_both(rows: list[tuple]) -> set[str]:
    """Orders with the phone and its case."""
    phone, case = ({row[4] for row in rows if row[1:3] == (name, "purchase")} for name in (PHONE, CASE))
    return phone & case


@pytest.fixture(scope="module")
def asked(shop: Callable[..., Dataset], params: Callable[..., RelationsParams]) -> Callable[..., tuple]:
    """The dataset without the purchases of some orders, and its partners by a model that learned from nothing else."""

    def ask(left_out: Collection[str] = ()) -> tuple[Dataset, Partners]:
        known = shop([row for row in visits() if row[2] == "view" or row[4] not in left_out], 60)
        need = np.array([0, *(1 + name.startswith("case") for name in known.vocabulary.ids)], np.int32)
        known = replace(known, products=replace(known.products, category=need[:, None]))
        taught = behaviour.lesson(known, PARAMS)
        made = behaviour.learn(taught, pairs.Content(known.products), params(batch=128, epochs=20), members=1)
        learned = Learned(made, ("complement", "substitute"))
        return known, behaviour.find(known, learned, PARAMS)

    return ask


def served(known: Dataset, partners: Partners, case: str) -> tuple[int, float]:
    """In how many baskets the explanation says the phone and its case are, and how probable a complement the case."""
    sheet = pd.DataFrame({"product_id": known.vocabulary.ids}).reindex(columns=schema.PRODUCTS.names)
    phone = case.replace("case", "phone")
    told = Served.not_yet(partners, known.vocabulary, min_users=1)
    found = {s.about: s.values for s in explain(known, told, sheet, phone, case, min_users=1).statements}
    together, of = found.get(f"together: {phone}, {case}", {"n": 0}), found["served"]
    return together["n"], of["probability"] if of["relation"] == "complement" else 0.0


@pytest.mark.slow
def test_without_the_cited_baskets_the_served_probability_falls(asked: Callable[..., tuple]) -> None:
    cited = baskets_with_both(visits())
    whole, less = asked(), asked(cited)
    count, probability = served(*whole, CASE)
    assert count == len(cited)
    left, fallen = served(*less, CASE)
    assert left == 0
    assert fallen < 0.1 * probability
    for other in {f"case{n}" for n in range(MODELS)} - {CASE}:  # of the others the same was counted as before
        (n, before), (same, after) = served(*whole, other), served(*less, other)
        assert same == n
        assert after > 0.5 * before
