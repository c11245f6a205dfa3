"""The benchmark of related products: what is asked, and how it is counted."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from benchmarks.related import View, judged
from benchmarks.related_rankers import unit
from benchmarks.related_shops import features, left_out
from tandem.data import schema
from tandem.evaluation.cases import Cases
from tandem.evaluation.slices import sliced
from tandem.features import dataset, histories
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.ranking.newcomers import known_products

AS_OF = pd.Timestamp("2026-02-01", tz="UTC")


@pytest.fixture
def known() -> Dataset:
    """a to d in three baskets; e stands on the sheet alone."""
    return sold(["ab", "abc", "ad"], list("abcde"))


def sold(baskets: list[Sequence[str]], products: list[str]) -> Dataset:
    rows = [(name, f"o{n}") for n, basket in enumerate(baskets) for name in basket]
    events = pd.DataFrame(rows, columns=["product_id", "order_id"])
    events = events.assign(time=AS_OF - pd.Timedelta(days=1), user_id="u", kind="purchase", session_id=None)
    events = events.assign(quantity=1.0, unit_price=None)
    sheet = pd.DataFrame({"product_id": products}).reindex(columns=schema.PRODUCTS.names)
    return dataset.build(events, sheet.assign(category=[[]] * len(products)), AS_OF, features(new_products=True))


def test_every_product_of_a_bundle_is_left_out_once_and_the_others_ask_for_it(known: Dataset) -> None:
    bundles = pd.Series([["a", "b", "c"], ["d", "unheard of"], ["e", "a"]])
    cases, group = left_out(bundles, known)
    assert group.tolist() == [0, 0, 0, 2, 2]
    held = [known.vocabulary.decode(cases.histories.product[a:b]) for a, b in zip(*bounds(cases), strict=True)]
    assert held == [["b", "c"], ["a", "c"], ["a", "b"], ["a"], ["e"]]
    assert known.vocabulary.decode(cases.truth.indices) == ["a", "b", "c", "e", "a"]
    assert cases.masked.toarray().astype(bool).tolist() == [
        [known.vocabulary.ids[n - 1] in of if n else False for n in range(6)] for of in held
    ]


def bounds(cases: Cases) -> tuple[np.ndarray, np.ndarray]:
    return cases.histories.offsets[:-1], cases.histories.offsets[1:]


def test_slices_ask_each_for_its_own() -> None:
    """Product 1 is of the head, 2 of the tail; of its two consequents 1 finds that of the tail alone."""
    truth = sp.csr_array(np.array([[0, 0, 1, 1.0], [0, 1, 0, 0]]))
    asked = Cases(histories.of_products(np.array([1, 2]), 4, 0), Demand(np.zeros((60, 4), np.float32), 0), truth, truth)
    view = View(asked, sliced(asked, np.array([0, 50, 10, 40])), np.arange(2))
    found = view.by_slice(np.array([[2, 0, 0], [3, 2, 1]]))
    ideal = 1 + 1 / np.log2(3)
    assert {name: values.tolist() for name, values in found.items()} == {
        "of head": [pytest.approx(1 / ideal)], "of tail": [0.5], "to head": [1], "to middle": [0], "to tail": [1],
    }  # fmt: skip


def test_cases_of_a_group_count_as_one() -> None:
    view = View.__new__(View)
    object.__setattr__(view, "group", np.array([4, 7, 4]))
    assert view.grouped(np.array([[1.0], [5.0], [3.0]])).tolist() == [[2.0], [5.0]]
    assert view.grouped(np.array([5.0, 3.0]), np.array([1, 2])).tolist() == [3, 5]  # groups 7 and 4


def test_hits_discounted_gains_and_shares() -> None:
    """Of gains 3 and 1 the ranking finds 1 at place 2."""
    found = judged(np.array([[3, 2, 4]]), sp.csr_array(np.array([[0, 3.0, 1, 0, 0]])))
    assert found[0] == pytest.approx([1, (1 / np.log2(3)) / (3 + 1 / np.log2(3)), 0.5])


def test_only_products_sold_before_may_answer_for_new_ones(known: Dataset) -> None:
    """b or e go with e's question; e itself, never sold, is no answer, and a case with no other answer is dropped."""
    truth = sp.csr_array(np.array([[0, 0, 2.0, 0, 0, 1], [0, 0, 0, 0, 0, 1]]))
    asking = histories.of_products(np.array([5, 1]), 6, known.as_of_us)
    own = sp.csr_array((np.ones(2), (np.arange(2), [5, 1])), shape=(2, 6))
    found = known_products(Cases(asking, known.demand, truth, own), known.products.met)
    assert found.histories.product.tolist() == [5]
    assert found.truth.toarray().tolist() == [[0, 0, 2, 0, 0, 0]]
    assert (found.masked.toarray()[0, 1:] > 0).tolist() == [False, False, False, False, True]


def test_unit_vectors_keep_nothing_as_nothing() -> None:
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(np.array([[0.6, 0.8], [0.0, 0.0]]))
