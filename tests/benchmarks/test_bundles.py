"""The shops of the bundles' benchmark: later baskets are others than those that bundles are found in."""

from pathlib import Path

import pytest

from benchmarks import bundles


@pytest.mark.real_data("groceries")
def test_goods_are_those_published_and_each_basket_stands_on_one_side(real_data: Path) -> None:
    known, later, titles, _ = bundles.groceries()
    assert len(known.baskets) + len(later) == 9_835
    milk = titles.tolist().index("whole milk")
    assert known.baskets.content[:, [milk]].sum() + later.content[:, [milk]].sum() == 2_513
    assert len(later) == pytest.approx(9_835 / 5, abs=150)
