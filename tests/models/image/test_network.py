"""What the network computes, by hand; what it begins with."""

import keras
import numpy as np
import pytest

from models.image.network import PictureNetwork, tensors, tower
from models.text.errors import EncoderError
from models.training import prepare

from .conftest import small


@pytest.fixture(scope="module")
def network() -> PictureNetwork:
    prepare(3)
    return PictureNetwork(small(dim=2, temperature=0.5), {"kind": 3}, text_dim=2)


def loss(network: PictureNetwork, vectors: list, labels: list, texts: list) -> float:
    x = {"labels": np.array(labels, np.int32), "text": np.array(texts, np.float32)}
    return float(network.compute_loss(x, None, np.array(vectors, np.float32)))


def test_the_loss_is_that_of_the_docstring(network: PictureNetwork) -> None:
    """Two pictures at a right angle, T the unit matrix, W zero; a label of one row is unknown."""
    network.text.set_weights([np.eye(2)])
    network.heads["kind"].set_weights([np.zeros((2, 3)), np.log([0.5, 0.25, 0.25])])
    own, other = np.exp(1 / 0.5), np.exp(0)
    aligned = -np.log(own / (own + other))  # each title is its own picture's direction
    assert loss(network, [[1, 0], [0, 1]], [[0], [-1]], [[3, 0], [0, 5]]) == pytest.approx(
        np.log(2) + aligned, abs=1e-5
    )


def test_a_row_without_title_is_in_no_softmax(network: PictureNetwork) -> None:
    network.text.set_weights([np.eye(2)])
    network.heads["kind"].set_weights([np.zeros((2, 3)), np.zeros(3)])
    with_it = loss(network, [[1, 0], [0, 1], [1, 0]], [[0], [0], [-1]], [[1, 0], [0, 1], [0, 0]])
    without = loss(network, [[1, 0], [0, 1]], [[0], [0]], [[1, 0], [0, 1]])
    assert with_it == pytest.approx(without, abs=1e-5)
    assert loss(network, [[1, 0], [0, 1]], [[-1], [-1]], [[0, 0], [0, 0]]) == 0


def test_equal_titles_share_their_pictures(network: PictureNetwork) -> None:
    """Two rows of one title and one vector: each is told from nothing, so both softmaxes are one half."""
    network.text.set_weights([np.eye(2)])
    assert loss(network, [[1, 0], [1, 0]], [[-1], [-1]], [[2, 0], [2, 0]]) == pytest.approx(np.log(2), abs=1e-5)


def test_a_tower_gives_unit_vectors_and_halves_the_side_at_each_stage() -> None:
    made = tower(small())
    shapes = {layer.name: layer.output.shape[1:] for layer in made.layers}
    assert shapes["stem_1_norm"] == shapes["stage_0_block_0_second_norm"] == (8, 8, 12)
    assert shapes["stage_1_block_0_second_norm"] == (4, 4, 32)
    vectors = np.asarray(made(np.random.default_rng(1).uniform(0, 255, (3, 32, 32, 3))))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_only_training_varies_and_takes_pictures_away(network: PictureNetwork) -> None:
    pixels = {"pixels": np.random.default_rng(1).integers(0, 256, (64, 32, 32, 3), np.uint8)}
    assert np.array_equal(network(pixels), network(pixels))
    absent = np.asarray(network.absent) / np.linalg.norm(network.absent)
    taken = np.isclose(np.asarray(network(pixels, training=True)), absent, atol=1e-6).all(axis=1)
    assert 0 < taken.sum() < 20  # 6.4 of 64 are expected
    assert not np.isclose(np.asarray(network(pixels)), absent, atol=1e-6).all(axis=1).any()


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writing a file under NumPy 2
@pytest.mark.slow  # builds a network of keras.applications three times
def test_a_published_backbone_begins_with_the_file_that_is_given(tmp_path) -> None:
    params = small(backbone="MobileNetV3Small")
    prepare(1)
    published = keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    published.save_weights(tmp_path / "published.weights.h5")
    prepare(2)
    ours = tensors(tower(params, tmp_path / "published.weights.h5"))
    for name, of in tensors(published).items():
        assert np.array_equal(ours[name], of), name
    with pytest.raises(EncoderError, match="does not fit EfficientNetB0 without its top"):
        tower(small(backbone="EfficientNetB0"), tmp_path / "published.weights.h5")
