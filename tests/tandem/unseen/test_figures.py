from collections import Counter

import pytest

from tandem.unseen import figures


@pytest.mark.parametrize(
    ("values", "decimal", "thousands", "strip"),
    [
        (["1.5", "2", "3e2"], ".", None, ()),
        (["1.108,85", "12,50"], ",", ".", ()),
        (["12,50", "3"], ",", None, ()),
        (["$1,299.00", "$9.90"], ".", ",", ("$",)),
        (["€ 12,50", "-€ 5,00"], ",", None, ("€",)),
        (["12,50 EUR", "1 EUR"], ",", None, ("EUR",)),
        (["￥9.90", "￥12"], ".", None, ("￥",)),
        (["1 299,00", "5,5"], ",", " ", ()),
        (["1'299.50", "3.25"], ".", "'", ()),
        (["3件", "2"], ".", None, ("件",)),
    ],
)
def test_numbers_tell_how_they_are_written(values, decimal, thousands, strip) -> None:
    found = figures.of(Counter(values))
    assert (found.decimal, found.thousands, found.strip, found.unread) == (decimal, thousands, strip, 0)


def test_a_few_cells_may_be_no_numbers() -> None:
    found = figures.of(Counter({"1": 200, "2": 199, "two": 1}))
    assert (found.unread, found.odd, found.low, found.high) == (1, (("two", 1),), 1.0, 2.0)
    assert figures.of(Counter({"1": 3, "2": 3, "two": 3})) is None


@pytest.mark.parametrize("values", [["31.01.2026", "01.02.2026"], ["a", "b"], [], ["1.2.3"], ["10:30"]])
def test_what_is_no_number_has_no_figures(values) -> None:
    assert figures.of(Counter(values)) is None


def test_a_comma_before_three_digits_alone_is_ambiguous() -> None:
    assert figures.of(Counter(["1,234", "5,678"])).ambiguous
    assert not figures.of(Counter(["1,234", "5,678.50"])).ambiguous
