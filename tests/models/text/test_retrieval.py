"""Ranks of partners, worked by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.text.pairs import Pairs
from models.text.retrieval import retrieve


class Circle:
    """An encoder whose vectors are directions: the text is the angle in degrees; of any length."""

    dim, fingerprint = 2, "circle"

    def encode(self, texts: Sequence) -> np.ndarray:
        angles = np.radians([float(text) for text in texts])
        lengths = 1 + np.arange(len(texts))[:, None]
        return (lengths * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def pairs(texts: list[str], ends: list[tuple[int, int]]) -> Pairs:
    return Pairs(tuple(texts), np.arange(len(texts)), np.array(ends), np.ones(len(ends)))


def test_the_first_partner_counts_for_the_rank_and_all_for_recall() -> None:
    """From 0 the others stand in the order 10, 25, 70, 120; its partners 25 and 120 are second and fourth: 1/2.

    From 25 it is 10, 0, 70, 120 and the partner 0 second; from 120 it is 70, 25, 10, 0 and the partner last: 1/4.
    """
    found = retrieve(Circle(), pairs(["0", "10", "25", "70", "120"], [(0, 2), (0, 4)]))
    assert found["mrr"].tolist() == [1 / 2, 1 / 2, 1 / 4]
    assert found["recall_at_10"].tolist() == [1, 1, 1]


def test_recall_looks_at_ten() -> None:
    """From 0 upwards in steps of one degree: of the partners 3, 10 and 11 the last is eleventh."""
    found = retrieve(Circle(), pairs([str(n) for n in range(13)], [(0, 3), (0, 10), (0, 11)]))
    assert found["recall_at_10"][0] == pytest.approx(2 / 3)
    assert found["mrr"][0] == pytest.approx(1 / 3)
