"""Exported networks: compared after writing, equal bytes for equal networks."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from models.portable import CHUNK, export
from tandem.errors import ReleaseError

pytestmark = pytest.mark.slow


class Twofaced(keras.layers.Layer):
    """Adds 1 when run directly and 0 when traced, as an operation does whose export is wrong."""

    def call(self, x: Any) -> Any:
        return x + float(tf.executing_eagerly())


class Unsupported(keras.layers.Layer):
    """Uses an operation that ONNX does not have."""

    def call(self, x: Any) -> Any:
        return ops.log1p(x)


def _doubling(*further: keras.layers.Layer) -> keras.Model:
    """x ↦ 2x, then what further layers do."""
    x = keras.Input((3,), name="x")
    y = keras.layers.Dense(3, use_bias=False, kernel_initializer=lambda shape, dtype: 2 * np.eye(3))(x)
    for layer in further:
        y = layer(y)
    return keras.Model({"x": x}, y)


def test_any_number_of_rows_is_answered() -> None:
    portable = export(_doubling(), {"x": np.ones((2, 3), np.float32)})
    for rows in (0, 1, CHUNK, CHUNK + 1):
        x = np.arange(3 * rows, dtype=np.float32).reshape(rows, 3)
        assert portable({"x": x}) == pytest.approx(2 * x)


@pytest.mark.parametrize(
    ("layer", "message"), [(Twofaced, "differs from the trained one by 1"), (Unsupported, "cannot be loaded")]
)
def test_an_export_that_is_wrong_is_refused(layer: type[keras.layers.Layer], message: str) -> None:
    with pytest.raises(ReleaseError, match=message):
        export(_doubling(layer()), {"x": np.ones((2, 3), np.float32)})


def test_equal_networks_give_equal_bytes() -> None:
    first, second = (export(_doubling(), {"x": np.ones((2, 3), np.float32)}).content for _ in range(2))
    assert first == second
