"""Exported networks: compared after writing, equal bytes for equal networks."""

import keras
import numpy as np
import pytest

from models.portable import CHUNK, export
from tandem.errors import ReleaseError


def _doubling(noise: float = 0.0) -> keras.Model:
    """x ↦ 2x, with noise that never rests when asked for."""
    x = keras.Input((3,), name="x")
    y = keras.layers.Dense(3, use_bias=False, kernel_initializer=lambda shape, dtype: 2 * np.eye(3))(x)
    return keras.Model({"x": x}, keras.layers.GaussianNoise(noise)(y, training=True) if noise else y)


def test_any_number_of_rows_is_answered() -> None:
    portable = export(_doubling(), {"x": np.ones((2, 3), np.float32)})
    for rows in (0, 1, CHUNK, CHUNK + 1):
        x = np.arange(3 * rows, dtype=np.float32).reshape(rows, 3)
        assert portable({"x": x}) == pytest.approx(2 * x)


def test_an_export_that_answers_differently_is_refused() -> None:
    with pytest.raises(ReleaseError, match="differs from the trained one by"):
        export(_doubling(noise=1.0), {"x": np.ones((2, 3), np.float32)})


def test_equal_networks_give_equal_bytes() -> None:
    first, second = (export(_doubling(), {"x": np.ones((2, 3), np.float32)}).content for _ in range(2))
    assert first == second
