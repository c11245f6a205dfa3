"""Texts for people: cases by hand, what holds for every text, and what real texts need."""

import gzip
import json
import unicodedata
import zipfile

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tandem.data import texts

BY_HAND = {
    "Tea &amp; Caf&eacute;": "Tea & Café",
    "  two\t spaces \n": "two spaces",
    "Cafe\u0301": "Caf\u00e9",
    "\ufeff岁": "岁",
    "<p>A <b>bold</b>ness</p><br/>of tea": "A boldness of tea",
    "&amp;amp;lt;i&amp;amp;gt;deep&lt;/i&gt;": "deep",
    "<!-- no --><script>alert(1)</script>tea<style>p {}</style>": "tea",
    "I <3 tea, 1 < 2 > 0": "I <3 tea, 1 < 2 > 0",
    "R&D &copy=2 &unknown; &#169;": "R&D &copy=2 &unknown; ©",
    "ｉＰｈｏｎｅ　１５，好！": "iPhone 15，好！",
    "5 m² ™ ½": "5 m² ™ ½",
    "a\x00b\x1fc\u200bd\u00ade\u202ef": "ab cdef",
    "👨\u200d👩\u200d👧 a\u200db \u200c": "👨\u200d👩\u200d👧 ab",
    "می\u200cخواهم": "می\u200cخواهم",
    "": "",
}


@pytest.mark.parametrize(("written", "read"), BY_HAND.items())
def test_a_text_is_made_plain(written: str, read: str) -> None:
    assert texts.clean(written) == read


HARD = st.lists(
    st.sampled_from(["<", ">", "/", "b", "i", "&", "amp;", "lt;", "gt;", "#38;", "<b>", "<!--", "-->", "script", " "])
    | st.sampled_from(
        ["\u200d", "\u200c", "\u200b", "\ufeff", "e", "\u0301", "\uff21", "\u3000", "\x00", "\r", "岁", "👩"]
    )
    | st.text(max_size=3),
    max_size=30,
).map("".join)


@given(HARD, st.none() | st.integers(1, 12))
@example("&amp;" * 3 + "lt;b>", None)
@example("<" * 40 + "b>" * 40, None)
@example("👩\u200d👩", 2)
def test_a_clean_text_stays_as_it_is(text: str, max_characters: int | None) -> None:
    once = texts.clean(text, max_characters)
    assert texts.clean(once, max_characters) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == " ".join(once.split())
    assert not [c for c in once if unicodedata.category(c) == "Cc" or c in "\u200b\ufeff"]
    assert max_characters is None or len(once) <= max_characters


@given(st.lists(st.none() | HARD, max_size=8))
def test_a_batch_is_cleaned_as_each_of_its_texts(written: list[str | None]) -> None:
    found, counts = texts.clean_texts(pa.array(written, pa.string()), 10)
    expected = [None if text is None else texts.clean(text, 10) for text in written]
    assert found.to_pylist() == [text or None for text in expected]
    changed = [old != new for old, new in zip(written, expected, strict=True) if old is not None]
    assert counts == {"changed": sum(changed), "cut": sum(len(text) > 10 for text in written if text is not None)}


def test_repeated_texts_are_counted_by_row() -> None:
    _, counts = texts.clean_texts(pa.chunked_array([["a  b", "c"], ["a  b", None]]), 3)
    assert counts == {"changed": 2, "cut": 2}


@pytest.mark.parametrize(
    "field", ["<" * 200_000 + "b>" * 200_000, "&amp;" * 100_000, "<script>" * 50_000, "<a " * 99_999]
)
@pytest.mark.timeout(20)
def test_no_gigantic_field_takes_long(field: str) -> None:
    assert len(texts.clean(field, 10_000)) <= 10_000


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("很好，五星", "zh"),
        ("iPhone 15 Pro 手机壳 透明", "zh"),
        ("made in 中国 by the friends of tea", "en"),
        ("とても良い商品です", "en"),  # Japanese is not told apart from what the source names
        ("用着挺好的呢快递也快(づ●─●)づ", "zh"),
        ("12345", "en"),
        (None, None),
    ],
)
def test_a_text_is_chinese_by_its_share_of_chinese_characters(text: str | None, language: str | None) -> None:
    assert texts.languages(pa.array([text], pa.string()), 0.2, "en").to_pylist() == [language]


def test_where_the_source_names_no_language_there_is_none() -> None:
    assert texts.languages(pa.array(["good", "很好"]), 0.2, None).to_pylist() == [None, "zh"]


@pytest.mark.real_data("chinese_reviews")
def test_chinese_reviews_are_cleaned_and_known_as_chinese(real_data) -> None:
    with zipfile.ZipFile(real_data / "online_shopping_10_cats.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".csv")]
        written = pd.read_csv(archive.open(name), keep_default_na=False)["review"]
    found, counts = texts.clean_texts(pa.array(written, pa.string()), 10_000)
    assert len(found) == 62_774
    assert found.null_count == 1  # the blank one
    assert counts["cut"] == 0
    told = texts.languages(found, 0.2, "en").to_pylist()
    assert told.count("zh") > 62_740
    assert not [text for text in found.to_pylist() if text and "\ufeff" in text]


@pytest.mark.real_data("amazon_gift_cards")
def test_english_reviews_are_not_taken_for_chinese(real_data) -> None:
    with gzip.open(real_data / "Gift_Cards_5.json.gz") as stream:
        written = pa.array([json.loads(line).get("reviewText") for line in stream], pa.string())
    assert "zh" not in texts.languages(texts.clean_texts(written, 10_000)[0], 0.2, "en").to_pylist()
