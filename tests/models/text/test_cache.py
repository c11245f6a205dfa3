"""What was encoded once is not encoded again."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from models.text import cache, encoder
from models.text.cache import Cached


class Counting:
    """An encoder whose vector is the text's length and first character; remembers what it was asked."""

    dim, fingerprint = 2, "counting"

    def __init__(self) -> None:
        self.asked: list[list] = []

    def encode(self, texts: Sequence) -> np.ndarray:
        self.asked.append(list(texts))
        return np.array([[len(text), ord(text[0]) if text else 0] for text in texts], np.float32).reshape(-1, 2)


def test_a_second_time_nothing_is_encoded_and_a_change_only_itself(tmp_path: Path) -> None:
    counting = Counting()
    first = Cached(counting, tmp_path).encode(["cup", "plate", "cup", None])
    assert first.tolist() == [[3, 99], [5, 112], [3, 99], [0, 0]]
    assert counting.asked == [["cup", "plate", ""]]
    assert Cached(counting, tmp_path).encode(["plate", None, "cup"]).tolist() == [[5, 112], [0, 0], [3, 99]]
    assert len(counting.asked) == 1
    assert Cached(counting, tmp_path).encode(["cups", "plate"]).tolist() == [[4, 99], [5, 112]]
    assert counting.asked[1:] == [["cups"]]


def test_another_encoder_shares_nothing(tmp_path: Path) -> None:
    one, other = Counting(), Counting()
    other.fingerprint = "other"
    Cached(one, tmp_path).encode(["cup"])
    Cached(other, tmp_path).encode(["cup"])
    assert other.asked == [["cup"]]


def test_many_parts_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PARTS", 3)
    counting, texts = Counting(), [f"text {n}" for n in range(10)]
    for n in range(10):
        Cached(counting, tmp_path).encode(texts[: n + 1])
    assert len(list((tmp_path / "counting").iterdir())) <= 3
    asked = len(counting.asked)
    assert np.array_equal(Cached(counting, tmp_path).encode(texts), Counting().encode(texts))
    assert len(counting.asked) == asked == 10


def test_nothing_is_kept_of_a_call_that_fails(tmp_path: Path) -> None:
    class Failing(Counting):
        def encode(self, texts: Sequence) -> np.ndarray:
            raise MemoryError

    with pytest.raises(MemoryError):
        Cached(Failing(), tmp_path).encode(["cup"])
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("content", [b"", b"PK half a file"])
def test_a_damaged_part_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    counting = Counting()
    Cached(counting, tmp_path).encode(["cup"])
    next(tmp_path.rglob("*.npz")).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert Cached(counting, tmp_path).encode(["cup"]).tolist() == [[3, 99]]
    assert "its texts are encoded anew" in caplog.text
    Cached(counting, tmp_path).encode(["cup"])
    assert len(counting.asked) == 2


def test_known_texts_make_no_network(tmp_path: Path, make_folder: Callable) -> None:
    folder, titles = make_folder(), ["手机壳", "手机", ""]
    made = Cached(encoder.load(folder), tmp_path).encode(titles)
    later = encoder.load(folder)
    assert np.array_equal(Cached(later, tmp_path).encode(titles), made)
    assert "network" not in vars(later)
    assert Cached(later, tmp_path).encode([]).shape == (0, 8)
