"""A BERT small enough to make, with random weights in the layout of bert-base-chinese."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

CONFIG = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 8,
    "intermediate_size": 12,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 21,
    "directionality": "bidi",
}
VOCABULARY = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY += ["手", "机", "壳", "电", "话", "##机", "a", "##b", "A", "!", "。", "华", "为", "e", "café"]


@pytest.fixture(scope="session")
def tensors() -> dict[str, np.ndarray]:
    """By the names of google-bert/bert-base-chinese: prefix `bert.`, gamma and beta, a pooler and heads beside it."""
    rng = np.random.default_rng(3)
    hidden, wide = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {"cls.predictions.bias": (21,), "cls.seq_relationship.weight": (2, hidden)}
    for name, rows in (("word", 21), ("position", 16), ("token_type", 2)):
        shapes[f"bert.embeddings.{name}_embeddings.weight"] = (rows, hidden)
    norms, dense = ["bert.embeddings"], {"bert.pooler.dense": (hidden, hidden)}
    for n in range(2):
        block = f"bert.encoder.layer.{n}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense[f"{block}.attention.{part}"] = (hidden, hidden)
        dense |= {f"{block}.intermediate.dense": (wide, hidden), f"{block}.output.dense": (hidden, wide)}
        norms += [f"{block}.attention.output", f"{block}.output"]
    for name in norms:
        shapes |= {f"{name}.LayerNorm.gamma": (hidden,), f"{name}.LayerNorm.beta": (hidden,)}
    for name, (out, into) in dense.items():
        shapes |= {f"{name}.weight": (out, into), f"{name}.bias": (out,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def make_folder(tmp_path: Path, tensors: dict[str, np.ndarray]) -> Callable[..., Path]:
    """Write the small BERT: `make_folder(name, tensors, settings, **changes of config.json)`."""

    def make(
        name: str = "bert",
        with_tensors: dict[str, np.ndarray] | None = None,
        settings: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        save_file(tensors if with_tensors is None else with_tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(CONFIG | changes))
        (folder / "tokenizer_config.json").write_text(json.dumps(settings or {"do_lower_case": False}))
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
        return folder

    return make
