"""Networks as ONNX: written by Keras, compared after writing, run by onnxruntime without TensorFlow."""

import logging
import tempfile
import warnings
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
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # tf2onnx asks NumPy 2 for np.object
        path = Path(folder) / "network.onnx"
        model.export(str(path), format="onnx", verbose=False)
        content = in_one_order(path.read_bytes())
    try:
        portable = Portable(content)
    except Exception as error:  # onnxruntime's own errors share no base but this
        raise ReleaseError(f"the network exported to ONNX cannot be loaded: {error}") from error
    difference = np.abs(portable(example) - expected).max()
    if not difference <= TOLERANCE:
        raise ReleaseError(f"the network exported to ONNX differs from the trained one by {difference:g}")
    return portable


def in_one_order(content: bytes) -> bytes:
    """The same ONNX graph, its parts ordered and named by what they are alone.

    tf2onnx orders and names them by chance, and a release is known by its bytes.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    graph = model.graph
    names = {"": ""} | {put.name: put.name for put in graph.input}
    weights = sorted(graph.initializer, key=_without_name)
    _rename(names, [weight.name for weight in weights], "weight")
    nodes = _ordered(list(graph.node), names)
    for part in [*weights, *graph.output]:
        part.name = names[part.name]
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        node.input[:], node.output[:] = [names[n] for n in node.input], [names[n] for n in node.output]
    for put in [*graph.input, *graph.output]:
        for axis, dim in enumerate(put.type.tensor_type.shape.dim):
            dim.dim_param = ("rows", "events")[axis] if dim.dim_param else ""
    inputs = sorted(graph.input, key=_name)
    ordered = onnx.helper.make_graph(nodes, "network", inputs, list(graph.output), weights)
    model.graph.CopyFrom(ordered)
    return bytes(model.SerializeToString(deterministic=True))


def _ordered(nodes: list[Any], names: dict[str, str]) -> list[Any]:
    """Nodes so that each comes after what it needs, equals by signature; `names` gains their outputs."""
    done: list[Any] = []
    while nodes:
        ready = sorted((n for n in nodes if set(n.input) <= names.keys()), key=lambda n: _signature(n, names))
        nodes = [n for n in nodes if not set(n.input) <= names.keys()]
        _rename(names, [name for node in ready for name in node.output if name], "value")
        done += ready
    return done


def _rename(names: dict[str, str], found: list[str], word: str) -> None:
    for name in found:
        names[name] = f"{word}_{len(names)}"


def _name(part: Any) -> str:
    return str(part.name)


def _without_name(weight: Any) -> bytes:
    copy = type(weight).FromString(weight.SerializeToString())
    copy.name = ""
    return bytes(copy.SerializeToString(deterministic=True))


def _signature(node: Any, names: dict[str, str]) -> tuple[str, list[str], list[bytes]]:
    attributes = sorted(node.attribute, key=_name)
    parts = [bytes(attribute.SerializeToString(deterministic=True)) for attribute in attributes]
    return node.op_type, [names[name] for name in node.input], parts
