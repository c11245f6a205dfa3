"""Pictures to vectors.

    encoder = PictureEncoder.load(folder)
    found = encoder.encode(raw, products["image"])      vectors (rows, dim), present (rows,), refused {row: reason}
    asked = encoder.text_vectors(titles)                (titles, dim), to be compared with found.vectors

A row without a usable picture gets the no-picture vector that training made: it stands for an average product, and
`present` says which rows have it.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.special import softmax

from models.image.params import ImageParams
from models.image.shards import Shards
from models.text.encoder import normalised
from models.text.errors import EncoderError
from tandem import files

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

Place = str | float | None
"""`shard!member` below a source's raw files, or what tables hold where there is none: None or NaN."""

VERSION = 1
"""Of what `save` writes; a change that makes other vectors of the same weights takes the next number."""
CONFIG, WEIGHTS = "picture.json", "model.safetensors"
BATCH = 64
TELL_S = 10.0


class Encoded(NamedTuple):
    """What became of each row."""

    vectors: NDArray[np.float32]  # (rows, dim) of length 1
    present: NDArray[np.bool_]  # (rows,) False: the no-picture vector
    refused: dict[int, str]  # why a row's picture cannot be used; rows that name no picture are not in it


@dataclass(frozen=True)
class PictureEncoder:
    """What was learned; the network is made when the first picture asks for it."""

    params: ImageParams
    values: Mapping[str, tuple[str, ...]]  # of each label, ascending
    tensors: Mapping[str, NDArray[np.float32]]  # the tower's by path; `absent`; `text`; `label.<name>.kernel`, `.bias`

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.params.dim

    @property
    def absent(self) -> NDArray[np.float32]:
        """(dim,) the no-picture vector, of length 1."""
        return normalised(self.tensors["absent"][None, :])[0]

    def encode(self, folder: Path, places: Sequence[Place]) -> Encoded:
        """A vector for each row; equal places are computed once.

        Args:
            folder: a source's raw files, which `places` are relative to.
            places: as `tandem.data.pictures.index` gives them.

        Raises:
            SourceError: a shard is absent or no zip.
        """
        named = [row for row, place in enumerate(places) if isinstance(place, str)]
        distinct, at = np.unique(np.array([places[row] for row in named], object), return_inverse=True)
        found, reasons = self._usable(folder, distinct.tolist())
        refused = {row: reasons[n] for row, n in zip(named, at, strict=True) if n in reasons}
        if refused:
            first = next(iter(refused.values()))
            log.warning("%d of %d pictures were refused, the first: %s", len(refused), len(named), first)
        vectors, present = np.tile(self.absent, (len(places), 1)), np.zeros(len(places), np.bool_)
        vectors[named], present[named] = found[at], True
        vectors[list(refused)], present[list(refused)] = self.absent, False
        return Encoded(vectors, present, refused)

    def _usable(self, folder: Path, places: Sequence[str]) -> tuple[NDArray[np.float32], dict[int, str]]:
        """(places, dim) with zero rows for pictures that are refused, and why."""
        vectors = np.zeros((len(places), self.dim), np.float32)
        refused: dict[int, str] = {}
        if not places:
            return vectors, refused
        from models.image import pipeline

        began = told = time.monotonic()
        with Shards(folder, places) as shards:
            for rows, pixels, reasons in pipeline.in_order(shards, places, self.params.side, BATCH):
                good = np.array([not reason for reason in reasons])
                refused |= {int(row): reason for row, reason in zip(rows, reasons, strict=True) if reason}
                if good.any():
                    vectors[rows[good]] = self._network.predict_on_batch(pixels[good])
                if time.monotonic() - told > TELL_S:
                    told = time.monotonic()
                    done = int(rows[-1]) + 1
                    log.info("encoded %d of %d pictures, %.0f/s", done, len(places), done / (told - began))
        return vectors, refused

    def text_vectors(self, texts: NDArray[np.float32]) -> NDArray[np.float32]:
        """(texts, dim) of length 1 for (texts, text_dim) as they were learned with; zero rows stay zero.

        Raises:
            EncoderError: titles were not learned, or have another number of dimensions.
        """
        learned = self.tensors.get("text")
        if learned is None or texts.shape[1:] != learned.shape[:1]:
            fits = "no titles" if learned is None else f"titles of {len(learned)} numbers"
            raise EncoderError(f"text vectors {texts.shape} came; this encoder was trained with {fits}")
        return normalised(texts @ learned)

    def probabilities(self, label: str, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, values) of each value of the label, in order of `values[label]`.

        Raises:
            EncoderError: no such label was learned.
        """
        if label not in self.values:
            raise EncoderError(f"label {label!r} was not learned; known: {', '.join(self.values) or 'none'}")
        kernel, bias = (self.tensors[f"label.{label}.{part}"] for part in ("kernel", "bias"))
        logits = vectors @ kernel / self.params.temperature + bias  # (rows, values)
        return np.asarray(softmax(logits, axis=1), np.float32)

    def save(self, folder: Path) -> None:
        """Write the weights and, last, what they are weights of; nothing in either is executed."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}, folder / WEIGHTS)
        config = {
            "params": self.params.model_dump(mode="json", exclude={"weights"}),
            "values": self.values,
            "version": VERSION,
        }
        files.write_json(config, folder / CONFIG)
        log.info("wrote %s: %d tensors", folder, len(self.tensors))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            EncoderError: a file is absent, broken, or not of this version of the code.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            config: dict[str, Any] = files.read_json(folder / CONFIG)
            if config["version"] != VERSION:
                raise EncoderError(f"{folder} is of version {config['version']}; {VERSION} can be read: train it anew")
            values = {label: tuple(of) for label, of in config["values"].items()}
            return cls(ImageParams.model_validate(config["params"]), values, load_file(folder / WEIGHTS))
        except EncoderError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ValidationError, SafetensorError) as error:
            raise EncoderError(f"{folder} holds no picture encoder: {error}") from error

    @cached_property
    def _network(self) -> "keras.Model":
        from models.image import network

        return network.filled(self.params, self.tensors)
