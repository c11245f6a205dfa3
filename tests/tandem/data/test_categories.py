"""Category paths in one spelling."""

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data import categories
from tandem.data.categories import BETWEEN

# Ibis 12 asks DuckDB 2 for what it calls by other names now.
pytestmark = pytest.mark.filterwarnings("ignore:fetch_:DeprecationWarning")


def unified(*paths: list[str] | None) -> tuple[list[list[str] | None], dict[str, int]]:
    columns = {"category": pa.array(paths, pa.list_(pa.string())), "product_id": list(map(str, range(len(paths))))}
    products = ibis.memtable(pa.table(columns))
    found, counts = categories.unify(products, ibis.memtable)
    assert found.columns == products.columns
    return found.order_by("product_id").category.to_pyarrow().to_pylist(), counts


def test_the_spelling_of_most_products_is_taken_then_the_first_of_the_alphabet() -> None:
    found, counts = unified(["Home", "Bath"], ["Home", "BATH"], ["home", "Bath"], ["Tea"], ["TEA"])
    assert found == [["Home", "Bath"]] * 3 + [["TEA"]] * 2
    assert counts == {"changed": 3, "unified": 3}


def test_width_and_white_space_make_no_other_category() -> None:
    found, _ = unified(["手机 ＡＢＣ"], ["手机  abc"], ["手机 ABC"])
    assert found == [["手机 ABC"]] * 3


def test_a_level_that_repeats_the_one_above_is_one() -> None:
    found, counts = unified(["Gift Cards", "gift cards", "Gift Cards"], ["Gift Cards", "Cards", "Gift Cards"])
    assert found == [["Gift Cards"], ["Gift Cards", "Cards", "Gift Cards"]]
    assert counts == {"changed": 1, "unified": 0}


def test_products_without_category_stay_so() -> None:
    assert unified(None, [], ["Tea"], ["tea"], ["Tea"])[0] == [None, [], ["Tea"], ["Tea"], ["Tea"]]


def test_where_nothing_differs_nothing_is_touched() -> None:
    assert unified(["Tea"], None) == ([["Tea"], None], {"changed": 0, "unified": 0})


LEVEL = st.text(alphabet="aAbBéÉ Ａß手", min_size=1, max_size=3)


@given(st.dictionaries(st.lists(LEVEL, max_size=3).map(BETWEEN.join), st.integers(1, 5), max_size=8))
def test_unified_paths_stay_as_they_are(paths: dict[str, int]) -> None:
    once = categories.one_spelling(paths)
    products: dict[str, int] = {}
    for path, new in once.items():
        products[new] = products.get(new, 0) + paths[path]
    assert categories.one_spelling(products) == {path: path for path in products}
