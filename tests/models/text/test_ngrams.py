"""Character n-grams: nearness by shared characters, in any script, of any number of titles."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import ngrams
from models.text.encoder import present
from models.text.errors import EncoderError

TITLES = ["华为手机壳", "苹果手机壳", "小米手机膜", "女士羽绒服", "男士羽绒服", "儿童羽绒服", "red mug", "blue mug"]


@pytest.fixture(scope="module")
def learned() -> ngrams.Ngrams:
    return ngrams.fit(TITLES, dim=6)


def test_titles_that_share_characters_are_nearest(learned: ngrams.Ngrams) -> None:
    vectors = learned.encode(TITLES)
    near = vectors @ vectors.T - 2 * np.eye(len(TITLES))
    groups = [0, 0, 0, 1, 1, 1, 2, 2]
    assert [groups[n] for n in near.argmax(axis=1)] == groups


def test_all_ranks_kept_the_cosine_is_that_of_tfidf() -> None:
    """Of ab and ac, a is in both, idf 1; b and ab are in one of two, idf 1 + ln(3/2) = i: cosine 1 / (1 + 2i²)."""
    idf = 1 + np.log(3 / 2)
    one, other = ngrams.fit(["ab", "ac"], dim=4).encode(["ab", "ac"])
    assert one @ other == pytest.approx(1 / (1 + 2 * idf**2), abs=1e-6)


def test_forms_of_one_character_are_one(learned: ngrams.Ngrams) -> None:
    wide, plain = learned.encode(["ＲＥＤ　ｍｕｇ", "red mug"])
    assert np.array_equal(wide, plain)


@pytest.mark.parametrize("titles", [["手"], ["手机", ""], ["a", "a", "a"], TITLES[:3]])
def test_few_titles_suffice(titles: list[str]) -> None:
    vectors = ngrams.fit(titles, dim=128).encode(titles)
    assert vectors.shape == (len(titles), 128)
    assert present(vectors).tolist() == [bool(title) for title in titles]
    assert np.isfinite(vectors).all()


def test_titles_without_a_character_are_refused() -> None:
    with pytest.raises(EncoderError, match="3 titles came and none has a character"):
        ngrams.fit(["", None, "  "])


def test_what_no_title_had_has_no_direction(learned: ngrams.Ngrams) -> None:
    assert present(learned.encode(["電", "", None, "手机"])).tolist() == [False, False, False, True]


def test_signs_are_settled(learned: ngrams.Ngrams) -> None:
    basis = learned.basis[:, : np.linalg.matrix_rank(learned.basis)]
    assert (np.take_along_axis(basis, np.abs(basis).argmax(axis=0)[None], axis=0) > 0).all()
    again = ngrams.fit(TITLES, dim=6)
    assert np.array_equal(again.basis, learned.basis)


def test_saved_and_loaded_it_is_the_same(learned: ngrams.Ngrams, tmp_path: Path) -> None:
    learned.save(tmp_path / "ngrams.npz")
    loaded = ngrams.Ngrams.load(tmp_path / "ngrams.npz")
    assert loaded.fingerprint == learned.fingerprint != ngrams.fit(TITLES[1:], dim=6).fingerprint
    assert np.array_equal(loaded.encode(TITLES), learned.encode(TITLES))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(EncoderError, match="holds no n-grams"):
        ngrams.Ngrams.load(tmp_path / "other.npz")


@given(st.lists(st.text(max_size=20), max_size=5))
def test_every_text_gets_a_finite_vector_of_length_one_or_zero(learned: ngrams.Ngrams, texts: list[str]) -> None:
    lengths = np.linalg.norm(learned.encode(texts), axis=1)
    assert np.all((lengths == 0) | (np.abs(lengths - 1) < 1e-5))
