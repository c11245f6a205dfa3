"""Networks as ONNX: written by Keras, compared after writing, run by onnxruntime without TensorFlow."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.errors import ReleaseError

TOLERANCE = 1e-4
CHUNK = 256
"""Rows that one call of the session gets; bounds its memory."""


class Portable:
    """An exported network with one output; rows are independent of each other."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.content = content
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._names = [put.name for put in self._session.get_inputs()]

    def __call__(self, inputs: dict[str, NDArray]) -> NDArray[np.float32]:
        """The output for (rows, …) inputs, fed by name."""
        rows = len(next(iter(inputs.values())))
        parts = [self._run(inputs, slice(n, n + CHUNK)) for n in range(0, max(rows, 1), CHUNK)]
        return np.concatenate(parts)

    def _run(self, inputs: dict[str, NDArray], rows: slice) -> NDArray[np.float32]:
        return np.asarray(self._session.run(None, {name: inputs[name][rows] for name in self._names})[0])


def export(model: Any, example: dict[str, NDArray]) -> Portable:
    """The Keras model as ONNX with any number of rows, checked against the model on `example`.

    Raises:
        ReleaseError: it cannot be exported, or the exported network answers differently by more than 1e-4.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    expected = np.asarray(model(example))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        model.export(str(path), format="onnx", verbose=False)
        content = path.read_bytes()
    try:
        portable = Portable(content)
    except Exception as error:  # onnxruntime's own errors share no base but this
        raise ReleaseError(f"the network exported to ONNX cannot be loaded: {error}") from error
    difference = np.abs(portable(example) - expected).max()
    if not difference <= TOLERANCE:
        raise ReleaseError(f"the network exported to ONNX differs from the trained one by {difference:g}")
    return portable
