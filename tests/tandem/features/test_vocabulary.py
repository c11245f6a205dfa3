"""Ids to indices and back."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.features.vocabulary import Vocabulary

IDS = st.lists(st.text(min_size=1, max_size=6), max_size=20)


def test_ids_are_numbered_from_one_in_sorted_order() -> None:
    vocabulary = Vocabulary.of(["b", "a", "b", "c"])
    assert vocabulary.ids == ("a", "b", "c")
    assert vocabulary.size == 4
    assert vocabulary.encode(["c", "a", "b"]).tolist() == [3, 1, 2]


def test_unknown_and_missing_ids_are_zero() -> None:
    vocabulary = Vocabulary.of(["a", "b"])
    assert vocabulary.encode(["?", "a", None]).tolist() == [0, 1, 0]
    assert vocabulary.encode(pd.Series(["b", None, "?"], dtype="str")).tolist() == [2, 0, 0]


@given(known=IDS, asked=IDS)
def test_decoding_what_was_encoded_gives_the_known_ids_back(known: list[str], asked: list[str]) -> None:
    vocabulary = Vocabulary.of(known)
    indices = vocabulary.encode(asked)
    assert indices.dtype == "int32"
    assert indices.tolist() == vocabulary.encode(pd.Series(asked, dtype="str")).tolist()
    assert vocabulary.decode(indices[indices > 0]) == [i for i in asked if i in known]


@pytest.mark.parametrize("index", [0, 3, -1])
def test_an_index_that_names_no_product_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="1…2"):
        Vocabulary.of(["a", "b"]).decode([1, index])


def test_a_vocabulary_comes_back_from_its_file(tmp_path) -> None:
    vocabulary = Vocabulary.of(["手机壳", "B-7", "a"])
    vocabulary.write(tmp_path / "v.json")
    assert Vocabulary.read(tmp_path / "v.json") == vocabulary
