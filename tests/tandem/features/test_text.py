"""Text vectors: alike texts lie close, in any language, the same every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.features import text
from tandem.features.vocabulary import Vocabulary
from tandem.params import EmbedParams

PARAMS = EmbedParams(dim=6, ngram=(2, 4), max_terms=2000, seed=7)
SHOP = [
    "",
    " red ceramic tea mug ",
    " blue ceramic tea mug ",
    " phone case, leather ",
    " leather phone cover case ",
    " 红色陶瓷茶杯 ",
    " 蓝色陶瓷茶杯 ",
    " 皮革手机壳 ",
    " 手机皮革保护壳 ",
]


def _nearest(vectors: np.ndarray) -> list[int]:
    likeness = vectors[1:] @ vectors[1:].T
    np.fill_diagonal(likeness, -np.inf)
    return (likeness.argmax(axis=1) + 1).tolist()


def test_twins_find_each_other_in_english_and_chinese() -> None:
    assert _nearest(text.fit(SHOP, PARAMS)(SHOP)) == [2, 1, 4, 3, 6, 5, 8, 7]


def test_vectors_have_unit_length_and_no_text_is_zero() -> None:
    vectors = text.fit(SHOP, PARAMS)(SHOP)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([0] + [1] * 8, abs=1e-6)


def test_full_rank_keeps_the_cosines_of_tf_idf() -> None:
    """With as many directions as texts the SVD is a rotation: scikit-learn's own cosines come back."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    plain = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False, sublinear_tf=True)
    weights = plain.fit_transform(SHOP[1:])
    vectors = text.fit(SHOP, PARAMS.model_copy(update={"dim": 8}))(SHOP)[1:]
    assert vectors @ vectors.T == pytest.approx((weights @ weights.T).toarray(), abs=1e-5)


def test_the_same_texts_and_seed_give_the_same_bytes_and_fixed_signs() -> None:
    one, two = text.fit(SHOP, PARAMS), text.fit(SHOP, PARAMS)
    assert one(SHOP).tobytes() == two(SHOP).tobytes()
    largest = np.abs(one.directions).argmax(axis=0)
    assert (one.directions[largest, range(6)] > 0).all()


def test_texts_that_were_not_learned_from_are_encoded_by_what_was() -> None:
    """What was asked beside a text does not change its vector; strange characters alone give zero."""
    encoder = text.fit(SHOP, PARAMS)
    alone = encoder([" green ceramic tea mug "])
    assert encoder(["", " green ceramic tea mug ", "ЖЖЖ"])[1:].tolist() == [alone[0].tolist(), [0.0] * 6]
    assert (encoder(SHOP) @ alone[0]).argmax() in (1, 2)


@given(st.lists(st.text(max_size=12), max_size=12))
@settings(max_examples=40, deadline=None)
def test_any_texts_give_vectors_of_length_one_or_zero(texts: list[str]) -> None:
    vectors = text.fit(texts, PARAMS)(texts)
    assert vectors.shape == (len(texts), 6)
    length = np.linalg.norm(vectors, axis=1)
    assert (np.isclose(length, 1, atol=1e-5) | (length == 0)).all()


def test_a_product_is_described_by_title_description_category_and_brand(make_products) -> None:
    table = make_products(
        {
            "product_id": "b",
            "title": "Ｔea\u3000Mug",
            "description": "for  TEA",
            "category": ["Home", "茶"],
            "brand": "Oak",
        },
        {"product_id": "a"},
        {"product_id": "c", "title": "Straße"},
    )
    texts = text.of_products(table, Vocabulary.of("abcd"))
    assert texts == ["", "", " tea mug for tea home 茶 oak ", " strasse ", ""]
