import pytest

from tandem.unseen import profile


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "30"], "integer"),
        (["17850.0", "13047.0", ""], "whole"),
        (["1.5", "2", "3e2"], "number"),
        (["1.234,50", "2,5", "3,00"], "decimal_comma"),
        (["£1.50", "£12", "£3.25"], "money"),
        (["12,50 EUR", "1,00 EUR"], "money"),
        (["true", "False", "true"], "boolean"),
        (["2026-01-31", "2026-02-01"], "time"),
        (["31.01.2026 10:00", "01.02.2026 11:30"], "time"),
        (["31.01.2026", "01.02.2026"], "time"),  # no number with points
        (["[1, 2]", "[]"], "list"),
        (['{"id": 1}', '{"id": 2}'], "object"),
        (["https://a.b/c.jpg"], "url"),
        (["10000.jpg", "b/2.PNG"], "picture"),
        (["Home > Garden > Tools", "Home > Toys"], "path"),
        (["white mug", "red box"], "text"),
        (["1", "2", "x3"], "text"),
        (["", "NULL", "\\N"], "empty"),
    ],
)
def test_values_tell_their_type(values, kind) -> None:
    assert profile.of(values).type == kind


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["2026-01-31 10:00:00", "2026-02-01 11:00:00"], ("iso",)),
        (["12/31/2010 8:26", "1/2/2011 9:00"], ("%m/%d/%Y %H:%M",)),  # 31 is no month
        (["31/12/2010 8:26", "1/2/2011 9:00"], ("%d/%m/%Y %H:%M",)),
        (["01/02/2010 8:26", "03/04/2011 9:00"], ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M")),  # nothing decides
        (["06 17, 2018", "12 1, 2018"], ("%m %d, %Y",)),
        (["2026年1月31日", "2026年12月1日"], ("%Y年%m月%d日",)),
        (["20260131", "20261231"], ("%Y%m%d",)),
        (["1405987200", "1405036800"], ("unix_s",)),
        (["1405987200000", "1405036800123"], ("unix_ms",)),
        (["1405987200000000"], ("unix_us",)),
    ],
)
def test_times_tell_their_format_and_unit(values, formats) -> None:
    assert profile.of(values).time.formats == formats


def test_small_numbers_are_no_times() -> None:
    assert profile.of(["1", "2", "178711"]).time is None


def test_times_know_their_zone_and_order() -> None:
    rising = profile.of(["2026-01-31 10:00:00", "2026-02-01 11:00:00"]).time
    assert (rising.zoned, rising.rising) == (False, True)
    falling = profile.of(["2026-02-01T11:00:00+01:00", "2026-01-31T10:00:00Z"]).time
    assert (falling.zoned, falling.rising) == (True, False)
    assert profile.of(["1405987200"]).time.zoned


def test_figures_are_those_of_the_values() -> None:
    found = profile.of(["3", "1", "1", "", "nan"])
    assert (found.count, found.missing, found.distinct) == (5, 2, 2)
    assert found.share_missing == pytest.approx(0.4)
    assert found.uniqueness == pytest.approx(2 / 3)
    assert (found.low, found.high, found.top, found.spelled) == (1.0, 3.0, (("1", 2), ("3", 1)), ("nan",))
    assert not found.unique
    assert profile.of(["3", "1"]).unique


@pytest.mark.parametrize("value", ["a.b@shop.com", "+44 20 7946 0958", "13812345678", "11010519491231002X"])
def test_samples_with_somebody_in_them_are_not_shown(value) -> None:
    assert profile.of([value] * 3).shown() == []
    mostly = profile.of(["white mug"] * 200 + [value])
    assert mostly.shown() == ["white mug"]


def test_values_are_shared_however_whole_numbers_are_written() -> None:
    assert profile.shared(profile.of(["1.0", "2.0", "5.0", "6.0"]), profile.of(["1", "2", "3"])) == pytest.approx(0.5)


@pytest.mark.parametrize(("text", "depth"), [("[1, 2]", 1), ("[[1], [2]]", 2), ("['a']", 1), ("x", 0), ("[a, b]", 0)])
def test_lists_tell_their_depth(text, depth) -> None:
    assert profile.depth(text) == depth
