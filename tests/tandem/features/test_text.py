"""What a product's sheet says in words."""

import numpy as np
import pytest

from tandem.features import text
from tandem.features.vocabulary import Vocabulary


def test_title_and_description_are_one_text_in_order_of_index(make_products) -> None:
    table = make_products(
        {"product_id": "b", "title": " Mug ", "description": "For tea", "brand": "Oak", "category": ["cups"]},
        {"product_id": "a", "title": None, "description": "Blank"},
        {"product_id": "d", "title": "Tea", "description": "  "},
    )
    vocabulary = Vocabulary.of(["a", "b", "c", "d"])
    assert text.of_products(table, vocabulary) == ["", "Blank", "Mug. For tea", "", "Tea"]
    assert text.of_products(table, vocabulary, ("title",)) == ["", "", "Mug", "", "Tea"]


def test_titles_are_as_near_as_the_ngrams_that_they_share(make_products) -> None:
    """Of " ab " there are 3 + 2 + 1 n-grams, of " cd " as many; the second title has both, the third one's is empty."""
    table = make_products(
        {"product_id": "a", "title": "Ab", "description": "cd"},
        {"product_id": "b", "title": "ab CD"},
        {"product_id": "c", "title": None},
    )
    found = text.ngrams(table, Vocabulary.of(["a", "b", "c"]))
    assert found.shape == (4, text.HASHES)
    ab, cd = 1 + np.log(5 / 3), 1 + np.log(5 / 2)  # idf: two of four rows have it, and one
    near = ab / np.hypot(ab, cd)
    expected = [[0, 0, 0, 0], [0, 1, near, 0], [0, near, 1, 0], [0, 0, 0, 0]]
    assert (found @ found.T).toarray() == pytest.approx(np.array(expected))


def test_without_any_title_there_are_no_ngrams(make_products) -> None:
    assert not text.ngrams(make_products({"product_id": "a", "title": None}), Vocabulary.of(["a"])).nnz
