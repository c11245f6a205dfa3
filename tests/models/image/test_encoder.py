"""What was planted in painted products is found again; what cannot be seen is told and marked."""

import io
import logging
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models.image.encoder import PictureEncoder
from models.image.fit import Trained, fit
from models.image.params import Backbone
from models.text.errors import EncoderError
from models.training import NothingToLearn
from tandem.data import pictures
from tandem.errors import ParamsError

from .conftest import SMALL, Shop, small

HELD_OUT = 80


def same(one: PictureEncoder, other: PictureEncoder) -> bool:
    """Whether all their weights are equal."""
    return one.tensors.keys() == other.tensors.keys() and all(
        np.array_equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items()
    )


@pytest.fixture(scope="module")
def order() -> np.ndarray:
    return np.random.default_rng(3).permutation(400)


@pytest.fixture(scope="module")
def trained(shop: Shop, order: np.ndarray) -> Trained:
    return fit(*shop.take(order[HELD_OUT:]), small())


@pytest.fixture(scope="module")
def encoder(trained: Trained) -> PictureEncoder:
    return trained.encoder


def png(colour: str = "red", size: tuple[int, int] = (32, 32)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def of_shops_own_zip(folder: Path, *contents: bytes) -> list[str]:
    with zipfile.ZipFile(folder / "own.zip", "w") as archive:
        for n, content in enumerate(contents):
            archive.writestr(f"{n}.png", content)
    return [f"own.zip!{n}.png" for n in range(len(contents))]


@pytest.mark.parametrize(("label", "least"), [("department", 0.8), ("colour", 0.8)])
def test_labels_of_unseen_products_are_recovered(
    shop: Shop, encoder: PictureEncoder, order: np.ndarray, label: str, least: float
) -> None:
    """Six grounds and seven colours: by chance one in six or seven is right."""
    found = encoder.encode(*shop.take(order[:HELD_OUT])[:2])
    assert found.present.all()
    shares = encoder.probabilities(label, found.vectors)
    assert shares.sum(axis=1) == pytest.approx(np.ones(HELD_OUT), abs=1e-5)
    guessed = [encoder.values[label][n] for n in shares.argmax(axis=1)]
    right = np.mean([a == shop.labels[label][n] for a, n in zip(guessed, order[:HELD_OUT], strict=True)])
    assert right > least


def test_a_title_finds_its_picture_among_unseen_products(
    shop: Shop, encoder: PictureEncoder, order: np.ndarray
) -> None:
    """By chance a picture is among the first 10 of 80 in 1 of 8 cases."""
    raw, places, _, texts = shop.take(order[:HELD_OUT])
    scores = encoder.text_vectors(texts) @ encoder.encode(raw, places).vectors.T  # (titles, pictures)
    better = (scores > np.diag(scores)[:, None]).sum(axis=1)
    assert np.mean(better < 10) > 0.7


def test_saved_and_loaded_it_gives_the_same_vectors(shop: Shop, encoder: PictureEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "encoder")
    loaded = PictureEncoder.load(tmp_path / "encoder")
    assert np.array_equal(
        loaded.encode(shop.raw, shop.places[:9]).vectors, encoder.encode(shop.raw, shop.places[:9]).vectors
    )
    assert loaded.dim == 16
    assert same(loaded, encoder)
    assert np.array_equal(loaded.absent, encoder.absent)
    assert np.array_equal(
        loaded.probabilities("colour", loaded.absent[None]), encoder.probabilities("colour", encoder.absent[None])
    )


def test_the_no_picture_vector_is_learned_as_what_products_are_on_average(
    shop: Shop, encoder: PictureEncoder, order: np.ndarray
) -> None:
    """Its departments come near those of the products that taught it; those of its beginning do not."""
    learned = pd.Series(shop.labels["department"]).iloc[order[HELD_OUT:]].value_counts(normalize=True).sort_index()
    begun = np.asarray(keras.initializers.RandomNormal(stddev=0.1, seed=SMALL["seed"])((1, SMALL["dim"])))
    vectors = np.concatenate([encoder.absent[None], begun / np.linalg.norm(begun)])
    distance = np.abs(encoder.probabilities("department", vectors) - learned.to_numpy()).sum(axis=1) / 2
    assert distance[0] < 0.25 < distance[1]


def test_rows_without_a_usable_picture_get_the_no_picture_vector_and_say_why(
    shop: Shop, encoder: PictureEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, broken, pixel = of_shops_own_zip(tmp_path, png(), b"<html>", png(size=(1, 1)))
    with caplog.at_level(logging.WARNING):
        found = encoder.encode(tmp_path, [broken, good, None, float("nan"), good, pixel, "own.zip!9.png"])
    assert found.present.tolist() == [False, True, False, False, True, False, False]
    assert sorted(found.refused) == [0, 5, 6]
    assert found.refused[5] == "1 × 1 pixels, fewer than 8 on a side"
    assert "3 of 5 pictures were refused" in caplog.text
    absent = encoder.tensors["absent"] / np.linalg.norm(encoder.tensors["absent"])
    for row in (0, 2, 3, 5, 6):
        assert found.vectors[row] == pytest.approx(absent, abs=1e-6)
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(np.ones(7), abs=1e-5)
    assert np.array_equal(found.vectors[1], found.vectors[4])
    assert found.vectors[1] @ absent < 0.99


@pytest.mark.parametrize("places", [[], [None, None]])
def test_where_no_picture_is_named_no_shard_is_needed(encoder: PictureEncoder, tmp_path: Path, places: list) -> None:
    found = encoder.encode(tmp_path, places)
    assert (found.vectors.shape, found.present.any(), found.refused) == ((len(places), 16), False, {})


def test_packed_shards_are_read_as_well(encoder: PictureEncoder, tmp_path: Path) -> None:
    pictures.pack([pictures.Offered("a", png("red")), pictures.Offered("b", png("blue"))], tmp_path)
    table = pictures.index(tmp_path)
    found = encoder.encode(tmp_path, table["place"].to_pylist())
    assert found.present.all()
    own = encoder.encode(tmp_path, of_shops_own_zip(tmp_path, png("red"), png("blue")))
    assert found.vectors == pytest.approx(own.vectors, abs=1e-5)


def test_equal_pictures_and_seed_give_equal_weights_and_refused_pictures_teach_nothing(tmp_path: Path) -> None:
    places = of_shops_own_zip(tmp_path, *[png(colour) for colour in ("red", "blue") * 10], b"no picture")
    params, kinds = small(epochs=1, widths=[8]), ["warm", "cold"] * 10
    once = fit(tmp_path, places[:20], {"kind": kinds}, None, params)
    again = fit(tmp_path, [*places, None], {"kind": [*kinds, "warm", "cold"]}, None, params)
    assert (list(once.refused), list(again.refused)) == ([], [20])
    assert all(np.array_equal(once.encoder.tensors[name], of) for name, of in again.encoder.tensors.items())
    assert same(once.encoder, again.encoder)
    assert [row["epoch"] for row in again.curve] == [1]


def test_too_little_to_learn_from_is_refused(shop: Shop) -> None:
    with pytest.raises(NothingToLearn, match="0 usable pictures"):
        fit(shop.raw, [None], {"colour": ["red"]}, None, small())
    with pytest.raises(NothingToLearn, match="3 usable pictures"):
        fit(shop.raw, shop.places[:3], {"colour": ["red", "blue", "red"]}, None, small())
    with pytest.raises(NothingToLearn, match="20 usable pictures with labels \\[\\] and no titles"):
        fit(shop.raw, shop.places[:20], {"colour": ["red"] * 20}, None, small())


@pytest.mark.parametrize("different", [0, 1])
def test_titles_that_tell_no_two_pictures_apart_teach_nothing(shop: Shop, different: int) -> None:
    """Zero rows are no titles, nor is what a picture that cannot be used is called; one title is not told apart."""
    texts = np.zeros((22, 8), np.float32)
    texts[:different, 0] = texts[20:, 1] = 1
    places = [*shop.places[:20], None, "pictures.zip!gone.png"]
    with pytest.raises(NothingToLearn, match="20 usable pictures with labels \\[\\] and no titles"):
        fit(shop.raw, places, {}, texts, small())


def test_where_no_title_is_known_labels_teach_alone(shop: Shop) -> None:
    rows = np.arange(20)
    raw, places, labels, texts = shop.take(rows)
    params = small(epochs=1, widths=[8])
    silent = fit(raw, places, labels, np.zeros_like(texts), params).encoder
    assert same(silent, fit(raw, places, labels, None, params).encoder)


def test_what_was_not_learned_cannot_be_asked(encoder: PictureEncoder) -> None:
    with pytest.raises(EncoderError, match=r"text vectors \(1, 3\) came; .* titles of 64 numbers"):
        encoder.text_vectors(np.ones((1, 3), np.float32))
    with pytest.raises(EncoderError, match="'brand' was not learned; known: department, colour"):
        encoder.probabilities("brand", encoder.absent[None])
    wordless = replace(encoder, tensors={name: of for name, of in encoder.tensors.items() if name != "text"})
    with pytest.raises(EncoderError, match="trained with no titles"):
        wordless.text_vectors(np.ones((1, 64), np.float32))
    assert not encoder.text_vectors(np.zeros((1, 64), np.float32)).any()


@pytest.mark.parametrize("name", ["picture.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_a_folder_that_holds_no_encoder_is_refused(
    encoder: PictureEncoder, tmp_path: Path, name: str, content: bytes | None
) -> None:
    encoder.save(tmp_path)
    (tmp_path / name).unlink() if content is None else (tmp_path / name).write_bytes(content)
    with pytest.raises(EncoderError, match=str(tmp_path)):
        PictureEncoder.load(tmp_path)


def test_tensors_that_do_not_fit_their_params_are_refused(encoder: PictureEncoder, tmp_path: Path) -> None:
    less = {name: of for name, of in encoder.tensors.items() if name != "stem_0_norm/gamma"}
    replace(encoder, tensors=less).save(tmp_path / "less")
    with pytest.raises(EncoderError, match="stem_0_norm/gamma"):
        PictureEncoder.load(tmp_path / "less").encode(tmp_path, of_shops_own_zip(tmp_path, png()))
    replace(encoder, tensors=encoder.tensors | {"stem_0_norm/gamma": np.ones(3, np.float32)}).save(tmp_path / "other")
    with pytest.raises(EncoderError, match=r"stem_0_norm/gamma has shape \[3\]; .* \[12\]"):
        PictureEncoder.load(tmp_path / "other").encode(tmp_path, of_shops_own_zip(tmp_path, png()))


@pytest.mark.parametrize("changes", [{"side": 8}, {"backbone": "VGG16"}, {"absent": 0}, {"widths": []}, {"colour": 1}])
def test_params_out_of_range_are_named(changes: dict) -> None:
    with pytest.raises(ParamsError, match=rf"`picture\.{next(iter(changes))}`"):
        small(**changes)


def test_every_backbone_named_is_one_of_keras() -> None:
    assert [name for name in get_args(Backbone) if not hasattr(keras.applications, name)] == ["compact"]


def test_importing_it_loads_no_network_library(root: Path) -> None:
    code = (
        "import sys, models.image.encoder, models.image.params;"
        "sys.exit(bool({'tensorflow', 'keras', 'sklearn', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.full  # trains a network of keras.applications
def test_a_published_backbone_learns_and_is_saved_and_loaded_too(shop: Shop, tmp_path: Path) -> None:
    rows = np.arange(40)
    made = fit(*shop.take(rows), small(backbone="MobileNetV3Small", epochs=2)).encoder
    made.save(tmp_path)
    loaded = PictureEncoder.load(tmp_path)
    assert same(loaded, made)
    vectors = loaded.encode(shop.raw, shop.places[:40]).vectors
    assert np.array_equal(vectors, made.encode(shop.raw, shop.places[:40]).vectors)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(40), abs=1e-5)


@pytest.mark.full  # learns from 400 photos
@pytest.mark.real_data("myntra")
def test_photos_of_shoes_and_watches_are_told_apart(real_data: Path) -> None:
    """Five frequent kinds; by chance one in five is right."""
    styles = pd.read_csv(real_data / "styles.csv", dtype=str)
    with zipfile.ZipFile(real_data / "images.zip") as archive:
        styles = styles[(styles["id"] + ".jpg").isin(archive.namelist())]
    kinds = ("Shirts", "Tshirts", "Watches", "Casual Shoes", "Handbags")
    drawn = pd.concat(styles[styles["articleType"] == kind].head(100) for kind in kinds).sample(frac=1, random_state=7)
    places = [f"images.zip!{name}.jpg" for name in drawn["id"]]
    kind = drawn["articleType"].tolist()
    made = fit(real_data, places[:400], {"kind": kind[:400]}, None, small(side=48, epochs=20)).encoder
    found = made.encode(real_data, places[400:])
    guessed = made.probabilities("kind", found.vectors).argmax(axis=1)
    assert found.present.all()
    assert np.mean([made.values["kind"][n] == of for n, of in zip(guessed, kind[400:], strict=True)]) > 0.6
