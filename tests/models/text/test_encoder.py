"""Vectors equal the original model's, whatever the text is and however it is batched."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy.special import erf, softmax

from models.text import encoder, weights
from models.text.config import BertConfig
from models.text.encoder import Encoder
from models.text.errors import EncoderError
from models.text.folders import packaged
from tandem import files

SENTENCES = Path(__file__).with_name("sentences.json")
TEXTS = [row["text"] for row in json.loads(SENTENCES.read_text(encoding="utf-8"))]
VECTORS = SENTENCES.with_suffix(".npz")
"""`vectors` (sentences, 384) by sentence-transformers 6.2.0 on torch 2.13.0, of the same weights, in float16."""


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return encoder.load()


@pytest.fixture(scope="module")
def vectors(minilm: Encoder) -> np.ndarray:
    return minilm.encode(TEXTS)


def by_the_book(w: dict[str, np.ndarray], tokens: list[int], heads: int, layers: int) -> np.ndarray:
    """(tokens, hidden) last states of one text, head after head, by Devlin et al. 2019 and Vaswani et al. 2017."""
    w = {name.removeprefix("bert.").replace("gamma", "weight").replace("beta", "bias"): of for name, of in w.items()}

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return z * w[f"{name}.LayerNorm.weight"] + w[f"{name}.LayerNorm.bias"]

    words, places, kinds = (w[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type"))
    x = norm("embeddings", words[tokens] + places[: len(tokens)] + kinds[0])
    for n in range(layers):
        block = f"encoder.layer.{n}"
        parts = [np.split(dense(f"{block}.attention.self.{p}", x), heads, axis=1) for p in ("query", "key", "value")]
        seen = [softmax(q @ k.T / math.sqrt(q.shape[1]), axis=1) @ v for q, k, v in zip(*parts, strict=True)]
        x = norm(f"{block}.attention.output", x + dense(f"{block}.attention.output.dense", np.concatenate(seen, 1)))
        wide = dense(f"{block}.intermediate.dense", x)
        x = norm(f"{block}.output", x + dense(f"{block}.output.dense", wide * (1 + erf(wide / math.sqrt(2))) / 2))
    return x


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_fifty_sentences_are_those_of_the_original_on_torch(vectors: np.ndarray) -> None:
    expected = files.read_arrays(VECTORS)["vectors"].astype(np.float64)
    assert expected.shape == (50, 384)
    assert cosine(vectors, expected).min() >= 0.9999


def test_what_means_the_same_is_nearer(minilm: Encoder) -> None:
    cup, mug, drill = minilm.encode(["a cup for coffee", "mug", "cordless drill"])
    assert cup @ mug > cup @ drill + 0.2


def test_one_by_one_gives_the_vectors_of_the_buckets(minilm: Encoder, vectors: np.ndarray) -> None:
    alone = np.concatenate([minilm.encode([text]) for text in TEXTS[::5]])
    assert vectors[::5] == pytest.approx(alone, abs=1e-5)


def test_order_and_repetition_change_nothing(minilm: Encoder, vectors: np.ndarray) -> None:
    again = minilm.encode([*TEXTS[::-1], *TEXTS[:3]])
    assert np.array_equal(again, np.concatenate([vectors[::-1], vectors[:3]]))


def test_bfloat16_is_near(vectors: np.ndarray) -> None:
    near = encoder.load(compute="bfloat16").encode(TEXTS[::5])
    assert near.dtype == np.float32
    assert cosine(near, vectors[::5]).min() > 1 - 1e-3
    assert not np.array_equal(near, vectors[::5])


@pytest.mark.parametrize("nothing", ["", " \n\t ", None, float("nan"), "\u200b\ufeff", "\x00\x01", "\ud83d"])
def test_where_nothing_is_to_read_the_vector_is_zero(minilm: Encoder, nothing: Any) -> None:
    found = minilm.encode([nothing, "word"])
    assert not found[0].any()
    assert encoder.present(found).tolist() == [False, True]


@pytest.mark.parametrize(
    "text", ["x", "书", "🎁", "🎁" * 400, "word " * 20_000, "<p>a</p>" * 300, "مصباح", "\ud83d half"]
)
def test_every_other_text_gets_a_unit_vector(minilm: Encoder, text: str) -> None:
    found = minilm.encode([text])
    assert (found.shape, found.dtype) == ((1, 384), np.float32)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_what_lies_beyond_the_length_is_not_read(minilm: Encoder) -> None:
    word = "cup "  # one token
    short, long, longer = minilm.encode([word * 253, word * 254, word * 254 + "and a drill"])
    assert np.array_equal(long, longer)
    assert not np.array_equal(short, long)


def test_no_text_gives_no_vector(minilm: Encoder) -> None:
    assert minilm.encode([]).shape == (0, 384)


def test_a_number_is_no_text(minilm: Encoder) -> None:
    with pytest.raises(TypeError, match="7 is a int; a text, None or NaN fits"):
        minilm.encode(["a", 7])


def test_the_layout_of_bert_base_chinese_is_read(make_folder: Callable, tensors: dict) -> None:
    """Prefix, gamma and beta, heads that nobody needs, vocab.txt; each Chinese character is a token."""
    found = encoder.load(make_folder(), normalise=False).encode(["华为手机壳 abX!", "手", "ab"])
    tokens = [[3, 17, 18, 6, 7, 8, 2, 15, 4], [3, 6, 4], [3, 12, 13, 4]]  # [CLS] 华 为 手 机 壳 [UNK] ! [SEP]; …
    expected = [by_the_book(tensors, ids, heads=2, layers=2).mean(axis=0) for ids in tokens]
    assert found == pytest.approx(np.stack(expected), abs=1e-4)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_short_floats_are_read_as_they_are(make_folder: Callable, tensors: dict, kind: Any) -> None:
    folder = make_folder(with_tensors={name: of.astype(kind) for name, of in tensors.items()})
    found = weights.read(folder, BertConfig.read(folder))["embeddings.word_embeddings.weight"]
    rounded = tensors["bert.embeddings.word_embeddings.weight"].astype(kind)
    assert found.dtype == np.float32
    assert np.array_equal(found, rounded.astype(np.float32))


def test_names_without_prefix_are_the_same_model(make_folder: Callable, tensors: dict) -> None:
    bare = {
        name.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias"): of
        for name, of in tensors.items()
    }
    folders = [make_folder("with"), make_folder("without", bare)]
    one, other = (weights.read(folder, BertConfig.read(folder)) for folder in folders)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"do_lower_case": False}, [3, 14, 2, 4]),  # A [UNK]
        ({"do_lower_case": True}, [3, 12, 2, 4]),  # a, and cafe without its accent is unknown
        ({"do_lower_case": True, "strip_accents": False}, [3, 12, 20, 4]),  # a café
    ],
)
def test_tokenizer_config_is_obeyed(make_folder: Callable, settings: dict, tokens: list[int]) -> None:
    assert encoder.load(make_folder(settings=settings)).tokens(["A Café"]) == [tokens]


def test_pooling_is_that_of_the_folder(make_folder: Callable, tensors: dict) -> None:
    folder = make_folder()
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    first = by_the_book(tensors, [3, 6, 7, 4], heads=2, layers=2)[0]  # [CLS] 手 机 [SEP]
    assert encoder.load(folder, normalise=False).encode(["手机"])[0] == pytest.approx(first, abs=1e-4)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(EncoderError, match="max_tokens"):
        encoder.load(folder)


def test_the_fingerprint_changes_with_all_that_changes_a_vector(make_folder: Callable, tensors: dict) -> None:
    folder, same = make_folder("one"), make_folder("two")
    other = make_folder("three", tensors | {"bert.embeddings.LayerNorm.beta": np.ones(8, np.float32)})
    loads = [(folder, {}), (other, {}), (folder, {"normalise": False}), (folder, {"max_length": 8})]
    loads.append((folder, {"compute": "bfloat16"}))
    found = {encoder.load(source, **how).fingerprint for source, how in loads}
    assert len(found) == len(loads)
    assert encoder.load(same).fingerprint == encoder.load(folder).fingerprint


def test_a_missing_tensor_is_named(make_folder: Callable, tensors: dict) -> None:
    less = {name: of for name, of in tensors.items() if name != "bert.encoder.layer.1.attention.self.key.weight"}
    folder = make_folder(with_tensors=less)
    with pytest.raises(EncoderError) as caught:
        encoder.load(folder)
    said = str(caught.value)
    assert f"{folder / 'model.safetensors'} misses tensor encoder.layer.1.attention.self.key.weight [8, 8]" in said
    assert f"{len(less)} tensors came" in said
    assert "bert.encoder.layer.0.attention.self.key.weight" in said


def test_a_wrong_shape_and_a_wrong_type_are_named(make_folder: Callable, tensors: dict) -> None:
    name = "bert.encoder.layer.0.output.dense.weight"
    with pytest.raises(EncoderError, match=r"dense\.weight has shape \[12, 8\]; config.json asks for \[8, 12\]"):
        encoder.load(make_folder("shape", tensors | {name: np.zeros((12, 8), np.float32)}))
    with pytest.raises(EncoderError, match=r"dense\.weight is of type I8; F32, F16, BF16 can be read"):
        encoder.load(make_folder("type", tensors | {name: np.zeros((8, 12), np.int8)}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "roberta"}, "model_type = 'roberta'"),
        ({"hidden_act": "gelu_new"}, "hidden_act = 'gelu_new'"),
        ({"num_attention_heads": 3}, "3 must divide 8"),
        ({"hidden_size": None}, "hidden_size = None"),
        ({"vocab_size": 20}, "knows 21 tokens; config.json says 20"),
        ({"num_hidden_layers": 3}, r"misses tensor encoder.layer.2.attention.self.query.weight"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(make_folder: Callable, change: dict, said: str) -> None:
    with pytest.raises(EncoderError, match=said):
        encoder.load(make_folder(**change))


@pytest.mark.parametrize("absent", ["config.json", "model.safetensors", "vocab.txt"])
def test_an_absent_file_is_named_beside_what_is_there(make_folder: Callable, absent: str) -> None:
    folder = make_folder()
    (folder / absent).unlink()
    with pytest.raises(EncoderError, match=absent.replace(".", r"\.")) as caught:
        encoder.load(folder)
    assert "tokenizer_config.json" in str(caught.value)


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_broken_file_is_named(make_folder: Callable, broken: str) -> None:
    folder = make_folder()
    (folder / broken).write_text("{")
    with pytest.raises(EncoderError) as caught:
        encoder.load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("length", [2, 17])
def test_a_length_without_positions_is_refused(make_folder: Callable, length: int) -> None:
    with pytest.raises(EncoderError, match=f"max_length = {length}: .* 3 to 16"):
        encoder.load(make_folder(), max_length=length)


def test_the_packaged_weights_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.text.folders.PACKAGE_SHA256", "00")
    with pytest.raises(EncoderError, match="00 was published"):
        packaged()
