"""Search by title in the benchmark of pictures."""

import numpy as np

from benchmarks.pictures import retrieved


def test_a_title_is_answered_where_fewer_than_ten_pictures_are_nearer() -> None:
    """All titles point to 0°, the n-th picture to n°: it is the n-th nearest, however long the vectors are."""
    angles = np.radians(np.arange(12))
    lengths = np.arange(1, 13)[:, None]
    pictures = (lengths * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)
    titles = np.tile(np.array([[3.0, 0.0]], np.float32), (12, 1))
    assert retrieved(titles, pictures).tolist() == [True] * 10 + [False] * 2
