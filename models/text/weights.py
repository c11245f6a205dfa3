"""Tensors of a folder's model.safetensors by the names of a Hugging Face BERT, checked before any is read."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.text.config import BertConfig
from models.text.errors import EncoderError

FILE = "model.safetensors"
PREFIX = "bert."
"""Before every name where the file also holds heads, as in bert-base-chinese."""
OLD = {".LayerNorm.weight": ".LayerNorm.gamma", ".LayerNorm.bias": ".LayerNorm.beta"}
"""Endings of the first published weights, which such files keep."""
FLOATS = ("F32", "F16", "BF16")

Shapes = dict[str, tuple[int, ...]]


def shapes(config: BertConfig) -> Shapes:
    """Every tensor that the encoder needs, by name, as PyTorch lays it out: dense weights are (out, in)."""
    hidden, wide = config.hidden_size, config.intermediate_size
    tables = {
        "word": config.vocab_size,
        "position": config.max_position_embeddings,
        "token_type": config.type_vocab_size,
    }
    found: Shapes = {f"embeddings.{name}_embeddings.weight": (rows, hidden) for name, rows in tables.items()}
    found |= _norm("embeddings.LayerNorm", hidden)
    for n in range(config.num_hidden_layers):
        block = f"encoder.layer.{n}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            found |= _dense(f"{block}.attention.{part}", hidden, hidden)
        found |= _norm(f"{block}.attention.output.LayerNorm", hidden)
        found |= _dense(f"{block}.intermediate.dense", wide, hidden) | _dense(f"{block}.output.dense", hidden, wide)
        found |= _norm(f"{block}.output.LayerNorm", hidden)
    return found


def check(folder: Path, config: BertConfig) -> None:
    """Look at names, shapes and types without reading the tensors.

    Raises:
        EncoderError: the file is absent or broken, or a tensor is missing, has another shape or is no float.
    """
    with _opened(folder) as stored:
        _names(folder, stored, config)


def read(folder: Path, config: BertConfig) -> dict[str, NDArray[np.float32]]:
    """The tensors of `shapes(config)` as float32, by those names.

    Raises:
        EncoderError: as `check`.
    """
    import ml_dtypes  # noqa: F401  NumPy learns bfloat16 by it

    with _opened(folder) as stored:
        names = _names(folder, stored, config)
        return {name: np.asarray(stored.get_tensor(own), np.float32) for name, own in names.items()}


def write(tensors: dict[str, NDArray[np.float32]], folder: Path, like: Path, config: BertConfig) -> None:
    """Write the tensors of `shapes(config)` in the place of those of `like`, under its names.

    What else that file holds, such as a pooler or heads, stays as it is.

    Raises:
        EncoderError: as `check`, of `like`.
    """
    import ml_dtypes  # noqa: F401  NumPy learns bfloat16 by it
    from safetensors.numpy import save_file

    with _opened(like) as stored:
        names = _names(like, stored, config)
        others = {own: stored.get_tensor(own) for own in sorted(set(stored.keys()) - set(names.values()))}
    tuned = {names[name]: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(others | tuned, folder / FILE, metadata={"format": "pt"})  # without it transformers refuses the file


def _names(folder: Path, stored: Any, config: BertConfig) -> dict[str, str]:
    """The file's own name of each tensor."""
    own = set(stored.keys())
    names = {}
    for name, shape in shapes(config).items():
        names[name] = _own_name(folder, name, shape, own)
        _fits(folder, names[name], stored.get_slice(names[name]), shape)
    return names


def _own_name(folder: Path, name: str, shape: tuple[int, ...], own: Iterable[str]) -> str:
    older = name
    for ending, old in OLD.items():
        older = older.replace(ending, old)
    fitting = [known for known in (name, PREFIX + name, older, PREFIX + older) if known in own]
    if not fitting:
        near = difflib.get_close_matches(name, list(own), n=3)
        raise EncoderError(
            f"{folder / FILE} misses tensor {name} {list(shape)}, also as {PREFIX}{name}; "
            f"{len(list(own))} tensors came, nearest: {near or 'none'}"
        )
    return fitting[0]


def _fits(folder: Path, name: str, tensor: Any, shape: tuple[int, ...]) -> None:
    came, kind = tuple(tensor.get_shape()), tensor.get_dtype()
    if came != shape:
        raise EncoderError(f"{folder / FILE}: tensor {name} has shape {list(came)}; config.json asks for {list(shape)}")
    if kind not in FLOATS:
        raise EncoderError(f"{folder / FILE}: tensor {name} is of type {kind}; {', '.join(FLOATS)} can be read")


def _opened(folder: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if not (folder / FILE).is_file():
        found = sorted(p.name for p in folder.glob("*"))[:20]
        raise EncoderError(f"{folder / FILE} is missing; the folder holds {found}. Other formats are not read")
    try:
        return safe_open(folder / FILE, framework="np")
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{folder / FILE} cannot be read: {error}") from error


def _dense(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
