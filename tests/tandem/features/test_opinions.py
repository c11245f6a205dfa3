"""Opinions: what reviews speak of, and shrunk tones worked by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem import files
from tandem.data import schema
from tandem.data.schema import ASPECTS
from tandem.demo.opinions import REMARKS
from tandem.features import opinions
from tandem.features.opinions import OpinionError, gather

AS_OF = pd.Timestamp("2026-02-01T00:00Z")
ROWS = st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abc"), st.sampled_from([-1.0, 0.0, 0.5, 1.0])))


def reviewed(*rows: tuple[str | None, str], text: str | None = None, days: int = -1) -> pd.DataFrame:
    """Reviews by (user, product), all at one time."""
    table = pd.DataFrame(rows, columns=["user_id", "product_id"]).reindex(columns=schema.REVIEWS.names)
    table["text"] = table["text"].astype(object)
    return table.assign(time=AS_OF + pd.Timedelta(days=days), title=None, text=text)


def told(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    """Opinions by (user, product, tone)."""
    return gather(reviewed(*((user, product) for user, product, _ in rows)), np.array([tone for *_, tone in rows]))


def found(text: str) -> set[str]:
    return {aspect for aspect, there in zip(ASPECTS, opinions.aspects([text])[0], strict=True) if there}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Poor packaging and SLOW DELIVERY.", {"packaging", "delivery"}),
        ("包装差,物流慢。", {"packaging", "delivery"}),
        ("包裝差，價格太貴", {"packaging", "price"}),
        ("质量不错", {"quality"}),
        ("很好good价格price低", {"price"}),
        ("the price了", {"price"}),
        ("not cheap", {"price"}),  # whether it is denied, is not read
        ("priceless, unboxed, a bagel", set()),  # words end where words end
        ("<p>refund</p>", {"service"}),
        ("🎁🎁", set()),
        ("", set()),
    ],
)
def test_an_aspect_is_found_by_its_words(text: str, expected: set[str]) -> None:
    assert found(text) == expected


def test_the_demo_speaks_of_delivery_and_packaging_in_both_languages() -> None:
    for language in ("en", "zh"):
        assert found(REMARKS[language]["negative"][2]) == {"delivery", "packaging"}


def test_a_long_text_is_read_to_its_end() -> None:
    assert found("word " * 20_000 + "refund") == {"service"}


def test_no_text_gives_no_row() -> None:
    assert opinions.aspects([]).shape == (0, len(ASPECTS))


def test_headline_and_body_are_the_words() -> None:
    table = pd.DataFrame({"title": ["a", None, np.nan, None], "text": ["b", "c", "", None]})
    assert opinions.words(table) == ["a b", "c", "", ""]


def test_opinions_are_a_table_that_can_be_written(tmp_path) -> None:
    """Without words nothing is known of aspects; that is not the same as speaking of none."""
    reviews = reviewed(("u", "a"), ("v", "b")).assign(review_id=["r0", "r1"], text=["物流慢", None])
    files.write(gather(reviews, np.array([-0.5, np.nan])), tmp_path / "opinions.parquet", schema.OPINIONS)
    read = files.read(tmp_path / "opinions.parquet", schema.OPINIONS)
    assert read["delivery"].tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert read["tone"].tolist() == pytest.approx([-0.5, np.nan], nan_ok=True)
    assert read["price"].tolist() == pytest.approx([0, np.nan], nan_ok=True)
    assert opinions.WIDTH == 6


def test_tones_of_products_shrink_towards_the_mean_of_all() -> None:
    """Tones a: 1, 1; b: -1; mean 1/3. With k = 2, a is (2 + 2/3) / 4 = 2/3 and b (-1 + 2/3) / 3 = -1/9."""
    reviews = reviewed(("u", "a"), ("v", "a"), ("u", "b"), ("w", "c"))
    said = opinions.of_products(gather(reviews, np.array([1, 1, -1, np.nan])), ["b", "a", "c", "d"], AS_OF, 2)
    assert said.tone == pytest.approx([-1 / 9, 2 / 3, 1 / 3, 1 / 3])
    assert said.count.tolist() == [1, 2, 0, 0]
    assert said.known.tolist() == [True, True, False, False]


def test_reviews_without_user_tell_of_products() -> None:
    reviews = reviewed((None, "a"), (None, "a"), ("u", "a"))
    assert opinions.of_products(gather(reviews, np.array([1.0, -1, 0.5])), ["a"], AS_OF, 0).count.tolist() == [3]


def test_topics_are_shares_of_the_reviews_with_words() -> None:
    reviews = reviewed(("u", "a"), ("v", "a"), ("v", "b"))
    reviews["text"] = ["快递 and a refund", "nice", None]
    said = opinions.of_products(gather(reviews, np.full(3, np.nan)), ["a", "b"], AS_OF, 0)
    assert dict(zip(ASPECTS, said.topics[0].tolist(), strict=True)) == {
        "delivery": 0.5,
        "quality": 0,
        "price": 0,
        "service": 0.5,
        "packaging": 0,
    }
    assert not said.topics[1].any()
    assert said.count.tolist() == [0, 0]


def test_reviews_at_the_moment_or_later_are_left_out() -> None:
    early, late = reviewed(("u", "a"), text="delivery"), reviewed(("u", "a"), ("v", "b"), text="refund", days=0)
    both = pd.concat([late, early], ignore_index=True)
    alone = opinions.of_products(gather(early, np.array([1.0])), ["a", "b"], AS_OF, 1)
    beside = opinions.of_products(gather(both, np.array([-1.0, -1, 1])), ["a", "b"], AS_OF, 1)
    assert np.array_equal(alone.tone, beside.tone)
    assert np.array_equal(alone.topics, beside.topics)
    assert beside.count.tolist() == [1, 0]


def test_the_prior_strength_is_that_of_the_variance_components() -> None:
    """Groups 0, 2 | 4, 6: σ² = (1+1+1+1)/2 = 2, between = 2·(4+4) = 16, n₀ = 4 - 8/4 = 2, τ² = 7, k = 2/7."""
    tone, group = pd.Series([0.0, 2, 4, 6]), pd.Series(["a", "a", "b", "b"])
    assert opinions.prior_strength(tone, group) == pytest.approx(2 / 7)


def test_a_planted_prior_strength_is_found() -> None:
    """σ = 1, τ = 0.5: k = 4, from 2,000 groups of one to nine."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(2000), rng.integers(1, 10, 2000))
    tone = rng.normal(0, 0.5, 2000)[group] + rng.normal(size=len(group))
    assert opinions.prior_strength(pd.Series(tone), pd.Series(group)) == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(
    ("tone", "group"),
    [([1.0, -1], "ab"), ([1.0, -1], "aa"), ([1.0, -1, 1, -1], "aabb"), ([], ""), ([0.5, 0.5], "ab")],
)
def test_where_nothing_tells_groups_apart_only_the_prior_is_left(tone: list[float], group: str) -> None:
    assert opinions.prior_strength(pd.Series(tone, dtype=float), pd.Series(list(group), dtype=object)) == np.inf


def test_fitted_where_groups_are_all_there_is_nothing_shrinks() -> None:
    reviews, tone = reviewed(*[("u", "a")] * 2, *[("v", "b")] * 2), np.array([1.0, 1, -1, -1])
    assert opinions.of_products(gather(reviews, tone), ["a", "b"], AS_OF, "fit").tone.tolist() == [1, -1]
    assert opinions.of_products(gather(reviews, tone * 0), ["a", "b"], AS_OF, "fit").tone.tolist() == [0, 0]


def test_without_reviews_all_is_unknown() -> None:
    said = opinions.of_products(gather(reviewed(), np.zeros(0)), ["a"], AS_OF, "fit")
    assert (said.tone.tolist(), said.known.tolist(), said.topics.sum()) == ([0], [False], 0)


@pytest.mark.parametrize("tone", [[0.0], [0.0, 1.5], [0.0, -np.inf]])
def test_tones_that_do_not_fit_are_refused(tone: list[float]) -> None:
    with pytest.raises(OpinionError, match="tones"):
        gather(reviewed(("u", "a"), ("v", "b")), np.array(tone))


@settings(max_examples=30)
@given(ROWS, st.sampled_from([0.0, 1.0, 7.0, "fit"]), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, strength, random) -> None:
    mixed = random.sample(rows, len(rows))
    one, other = (opinions.of_products(told(these), list("abcd"), AS_OF, strength) for these in (rows, mixed))
    assert one.tone == pytest.approx(other.tone, abs=1e-6)
    assert np.array_equal(one.count, other.count)


@settings(max_examples=30)
@given(ROWS, st.sampled_from([0.0, 1.0, 7.0, "fit"]))
def test_products_keep_within_what_was_said(rows, strength) -> None:
    tone = [t for *_, t in rows]
    said = opinions.of_products(told(rows), list("abcd"), AS_OF, strength)
    assert np.all(said.tone >= min(tone, default=0) - 1e-6)
    assert np.all(said.tone <= max(tone, default=0) + 1e-6)
    assert said.count.sum() == len(rows)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 100), st.integers(1, 20))
def test_more_equal_reviews_move_the_tone_towards_theirs(tone, prior, strength, count) -> None:
    counts = np.arange(1, count + 2)
    distance = np.abs(opinions.shrunk(counts * tone, counts, prior, strength) - tone)
    assert np.all(np.diff(distance) <= 1e-9)
    assert distance[0] <= abs(prior - tone) + 1e-9
