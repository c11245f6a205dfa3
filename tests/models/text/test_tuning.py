"""Tuning learns what carries over to products held out, is kept only then, and leaves alone what is frozen."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import log_softmax

from models.text import encoder, weights
from models.text.config import BertConfig
from models.text.errors import EncoderError
from models.text.pairs import Pairs, split
from models.text.retrieval import retrieve
from models.text.tuning import Tuned, tune, write
from tandem import files

from . import small

PARAMS = small.PARAMS
WORDS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two blocks that reads the words a0 … and z0 …, with random weights."""
    made = tmp_path_factory.mktemp("frozen")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"{of}{n}" for of in "az" for n in range(WORDS))]
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"vocab_size": len(words), "max_position_embeddings": 8}
    (made / "config.json").write_text(json.dumps(sizes))
    (made / "vocab.txt").write_text("\n".join(words) + "\n")
    rng = np.random.default_rng(5)
    tensors = {name: rng.normal(0, 0.2, shape) for name, shape in weights.shapes(BertConfig(**sizes)).items()}
    norms = {name: np.full(of.shape, name.endswith("weight")) for name, of in tensors.items() if "LayerNorm" in name}
    save_file({name: of.astype(np.float32) for name, of in (tensors | norms).items()}, made / "model.safetensors")
    return made


@pytest.fixture(scope="module")
def planted() -> Pairs:
    """`a1 a5 a7` goes with `z1 z5 z7`, for 200 of the 220 choices of three words of twelve."""
    choices = np.random.default_rng(3).permutation(list(itertools.combinations(range(WORDS), 3)))[:200]
    texts = tuple(" ".join(f"{of}{n}" for n in choice) for of in "az" for choice in choices)
    return paired(texts, np.arange(200) + 200)


@pytest.fixture(scope="module")
def tuned(folder: Path, planted: Pairs, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return tune(encoder.load(folder), planted, PARAMS, tmp_path_factory.mktemp("made") / "tuned")


def paired(texts: tuple[str, ...], partner: np.ndarray) -> Pairs:
    """Text n with text `partner[n]`."""
    ends = np.stack([np.arange(len(partner)), partner], axis=1)
    return Pairs(texts, np.arange(len(texts)), ends, np.ones(len(ends)))


def test_what_carries_over_to_new_products_is_kept(tuned: Tuned) -> None:
    """Chance finds the one partner of 59 first in one of 59 cases."""
    found = tuned.record["test"]["mrr"]
    assert tuned.record["kept"]
    assert found["frozen"]["mean"] < 0.25
    assert found["tuned"]["mean"] > 0.6
    assert found["difference"]["low"] > 0.3


def test_the_folder_is_read_as_any_other_and_is_what_was_judged(tuned: Tuned, folder: Path, planted: Pairs) -> None:
    again = encoder.load(tuned.encoder.folder)
    found = retrieve(again, split(planted, PARAMS.held_out, PARAMS.seed).test)["mrr"]
    assert found.mean() == pytest.approx(tuned.record["test"]["mrr"]["tuned"]["mean"])
    assert again.fingerprint == tuned.encoder.fingerprint != encoder.load(folder).fingerprint
    assert {path.name for path in again.folder.iterdir()} == {path.name for path in folder.iterdir()}
    assert [path.name for path in again.folder.parent.iterdir()] == ["tuned"]


def test_the_record_tells_what_was_done(tuned: Tuned, tmp_path: Path) -> None:
    files.write_json(tuned.record, tmp_path / "record.json")
    record = files.read_json(tmp_path / "record.json")
    assert record["params"] == PARAMS.model_dump()
    assert record["pairs"] == {"train": 140, "validation": 30, "test": 30}
    assert [row["epoch"] for row in record["curve"]] == list(range(len(record["curve"])))
    assert max(row["mrr"] for row in record["curve"]) > record["curve"][0]["mrr"] + 0.3


def test_what_is_frozen_stays_and_the_rest_moves(tuned: Tuned, folder: Path) -> None:
    before, after = (load_file(at / "model.safetensors") for at in (folder, tuned.encoder.folder))
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    blind = {"encoder.layer.1.attention.self.key.bias"}  # adds the same to all logits of a softmax
    assert moved | blind == {name for name in before if name.startswith("encoder.layer.1.")}


@pytest.mark.slow
def test_what_does_not_carry_over_is_not_kept(folder: Path, planted: Pairs, tmp_path: Path) -> None:
    drawn = paired(planted.texts, 200 + np.random.default_rng(1).permutation(200))
    frozen = encoder.load(folder)
    found = tune(frozen, drawn, PARAMS.model_copy(update={"epochs": 3}), tmp_path / "tuned")
    assert not found.record["kept"]
    assert found.record["test"]["mrr"]["difference"]["low"] <= 0
    assert found.encoder is frozen
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"enabled": False}, "tuning.enabled is false"),
        ({"min_pairs": 141}, "140 pairs to train on; tuning.min_pairs asks for 141"),
        ({"min_queries": 61}, "60 texts with a partner for validation; tuning.min_queries asks for 61"),
    ],
)
def test_without_enough_to_learn_from_the_encoder_stays(
    folder: Path, planted: Pairs, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    """What an earlier run left is gone too: nobody takes it for this one's."""
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "config.json").write_text("{}")
    frozen = encoder.load(folder)
    found = tune(frozen, planted, PARAMS.model_copy(update=change), tmp_path / "tuned")
    assert found.encoder is frozen
    assert (found.record["kept"], found.record["reason"]) == (False, reason)
    assert "network" not in vars(frozen)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(folder: Path, planted: Pairs) -> None:
    from models.text import network
    from models.text.contrast import train

    frozen, params = encoder.load(folder), PARAMS.model_copy(update={"frozen_layers": 0, "epochs": 1})
    parts = split(planted, params.held_out, params.seed)
    one, other = (network.tensors(train(frozen, parts, params)[0].network) for _ in range(2))
    before = weights.read(folder, frozen.config)
    assert one.keys() == other.keys() == before.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert not np.array_equal(one["embeddings.word_embeddings.weight"], before["embeddings.word_embeddings.weight"])


def test_a_block_must_be_free(folder: Path, planted: Pairs, tmp_path: Path) -> None:
    params = PARAMS.model_copy(update={"frozen_layers": 2})
    with pytest.raises(EncoderError, match=r"`tuning\.frozen_layers` = 2: .* has 2 blocks, so at most 1 fit"):
        tune(encoder.load(folder), planted, params, tmp_path / "tuned")


def test_known_partners_and_equal_texts_are_no_negatives() -> None:
    """Pairs a-b, b-c, d-e. Of a, c is a negative; b is the partner of a and of c, and is itself."""
    from models.text.contrast import excluded

    pairs = Pairs(tuple("abcde"), np.arange(5), np.array([[0, 1], [1, 2], [3, 4]]), np.ones(3))
    left, right = pairs.ends.T
    assert excluded(pairs, left, right).tolist() == [
        [False, False, False],  # a: its own b; c, e
        [True, False, False],  # b: itself; its own c; e
        [False, False, False],  # d: b, c; its own e
    ]
    assert excluded(pairs, np.array([0, 0, 2]), np.array([1, 1, 1])).tolist() == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]


def test_the_loss_is_the_softmax_of_both_ways() -> None:
    from models.text.contrast import contrast

    logits = np.random.default_rng(2).normal(size=(4, 4)).astype(np.float32)
    expected = -(np.diag(log_softmax(logits, axis=1)) + np.diag(log_softmax(logits, axis=0))).mean() / 2
    assert float(contrast(logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [np.float32, ml_dtypes.bfloat16])
def test_written_under_the_names_of_the_original(
    make_folder: Callable, tensors: dict[str, np.ndarray], tmp_path: Path, kind: Any
) -> None:
    """Prefix, gamma and beta, a pooler and heads: the file is the original's, tensor by tensor."""
    before = {name: of.astype(kind) for name, of in tensors.items()}
    write(encoder.load(make_folder(with_tensors=before)), tmp_path / "again")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name].astype(np.float32), after[name].astype(np.float32)) for name in before)


@pytest.mark.slow
def test_minilm_is_written_as_it_was_published(tmp_path: Path) -> None:
    original = encoder.load()
    write(original, tmp_path / "again")
    before, after = (load_file(at / "model.safetensors") for at in (original.folder, tmp_path / "again"))
    assert {name: of.shape for name, of in before.items()} == {name: of.shape for name, of in after.items()}
    assert all(np.array_equal(before[name], after[name]) for name in before)
    header = (tmp_path / "again" / "model.safetensors").read_bytes()[:200]
    assert b'"__metadata__":{"format":"pt"}' in header
    texts = ["a cup for coffee", "cordless drill"]
    assert encoder.load(tmp_path / "again").encode(texts) == pytest.approx(original.encode(texts), abs=1e-6)
