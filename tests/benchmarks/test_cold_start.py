"""The benchmark of new products: what is hidden is nowhere in what is learned from or chosen on."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from benchmarks.cold_start import Shop, only
from tandem.data import schema
from tandem.evaluation.cases import Cases
from tandem.features import histories
from tandem.features.demand import Demand


@pytest.fixture
def shop() -> Shop:
    """Products a to j, launched a day after each other; each sells with all that were launched before."""
    names = "abcdefghij"
    rows = [(name, n, f"o{n}") for n in range(10) for name in names[: n + 1]]
    events = pd.DataFrame(rows, columns=["product_id", "day", "order_id"])
    events["time"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(events.pop("day"), unit="D")
    events = events.assign(user_id="u", kind="purchase", session_id=None, quantity=1.0, unit_price=None)
    table = pd.DataFrame({"product_id": list(names)}).reindex(columns=schema.PRODUCTS.names)
    return Shop("letters", events, table.assign(category=[[]] * 10), None, by_launch=True, min_count=1)


def test_the_last_launched_fifth_is_hidden_and_known_by_its_sheet_alone(shop: Shop) -> None:
    assert shop.hidden == {"i", "j"}
    assert not shop.visible["product_id"].isin(shop.hidden).any()
    known = shop.known(pd.Timestamp("2026-02-01", tz="UTC"))
    assert known.vocabulary.ids == tuple("abcdefghij")
    assert known.vocabulary.decode(np.flatnonzero(known.products.met)) == list("abcdefgh")
    assert not known.baskets.content[:, [9, 10]].sum()


def test_only_cases_with_an_allowed_answer_are_asked_and_nothing_else_may_be_answered() -> None:
    truth = sp.csr_array(np.array([[0, 2, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0]], float))
    asked = Cases(
        histories.of_products(np.array([3, 3, 3]), 4, 0), Demand(np.zeros((1, 4), np.float32), 0), truth, truth
    )
    found = only(asked, np.array([False, True, False, True]))
    assert found.candidates == 2
    assert found.cases.truth.toarray().tolist() == [[0, 2, 0, 0], [0, 1, 0, 0]]
    assert found.cases.masked.toarray().tolist() == [[1, 0, 1, 0]] * 2
