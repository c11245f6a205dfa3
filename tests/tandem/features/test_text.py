"""What a product's sheet says in words."""

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
