import pytest

from tandem.unseen import profile, words


@pytest.mark.parametrize(
    ("values", "states"),
    [
        (["paid", "Cancelled", "refunded"], {"paid": "sold", "Cancelled": "cancelled", "refunded": "returned"}),
        (["已支付", "已取消", "退款"], {"已支付": "sold", "已取消": "cancelled", "退款": "returned"}),
        (["bezahlt", "storniert"], {"bezahlt": "sold", "storniert": "cancelled"}),
        (["paid", "shipped"], {}),  # none failed
        (["red", "blue", "void"], {}),  # one word of three
    ],
)
def test_words_tell_the_states_of_orders(values, states) -> None:
    assert words.states(profile.of(values)) == states


@pytest.mark.parametrize(
    ("values", "ratings"),
    [
        (["5星", "1星"], {"5星": "5", "1星": "1"}),
        (["★★★★☆", "★☆☆☆☆"], {"★★★★☆": "4", "★☆☆☆☆": "1"}),
        (["4 stars", "1 Star"], {"4 stars": "4", "1 Star": "1"}),
        (["4/5", "5/5"], {"4/5": "4", "5/5": "5"}),
        (["4.0 out of 5 stars"], {"4.0 out of 5 stars": "4.0"}),
        (["五星", "好评"], {"五星": "5", "好评": "5"}),
        (["5", "1"], {}),  # numbers need no words
        (["5 stars", "great", "bad"], {}),
    ],
)
def test_ways_of_writing_ratings_are_known(values, ratings) -> None:
    assert words.ratings(profile.of(values)) == ratings
