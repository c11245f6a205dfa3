"""Texts to vectors with the weights of a folder.

    encode = encoder.load()                                    the packaged MiniLM, English
    encode = encoder.load("google-bert/bert-base-chinese")     a folder, or a model's id on the hub
    vectors = encode.encode(titles)                            (texts, dim) float32

A text without a token of its own (empty, blank, missing) has no direction: its vector is zero, and only its.
"""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.text import config, folders, tokens, weights
from models.text.batches import BATCH_TOKENS, BUCKET, buckets, matrix, padded
from tandem import files
from tandem.settings import Settings

if TYPE_CHECKING:
    from models.text.network import Bert

log = logging.getLogger(__name__)

Compute = Literal["float32", "bfloat16"]
Text = str | float | None
"""A text, or what tables hold where one is missing: None or NaN."""

VERSION = 1
"""Of this code's vectors; a change that alters them takes the next number, and caches begin anew."""
CHUNK = 65_536
"""Texts that are sorted by length at once."""
TELL_S = 10.0


class TextEncoder(Protocol):
    """What makes vectors of texts."""

    @property
    def dim(self) -> int:
        """Of the vectors."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal where, and only where, equal texts get equal vectors."""
        ...

    def encode(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """(texts, dim), a zero row where there is nothing to read."""
        ...


class Encoder:
    """A BERT encoder; the network is made when the first text asks for it."""

    def __init__(self, folder: Path, max_length: int | None, normalise: bool, compute: Compute) -> None:
        self.folder, self.normalise, self.compute = folder, normalise, compute
        self.config, self.pooling = config.BertConfig.read(folder), config.pooling(folder)
        self.max_length = config.max_length(folder, self.config, max_length)
        self.tokens = tokens.read(folder, self.config, self.max_length)
        weights.check(folder, self.config)

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.config.hidden_size

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the folder's files that count and of the settings, in hex."""
        names = (*folders.NEEDED, *folders.OPTIONAL)
        found = {name: files.hash_file(self.folder / name) for name in names if (self.folder / name).is_file()}
        made = [VERSION, found, self.max_length, self.normalise, self.compute]
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()

    def encode(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """(texts, dim): means of the last layer, of length 1 when normalised, zero where a text has no token.

        Equal texts are computed once. Beyond `max_length` tokens a text is not read. Markup is read as any other text.

        Raises:
            TypeError: one is neither a text nor missing.
        """
        distinct, place = np.unique(np.array([clean(text) for text in texts], object), return_inverse=True)
        vectors = np.zeros((len(distinct), self.dim), np.float32)
        began = told = time.monotonic()
        for done, rows, part in self._parts(list(distinct)):
            vectors[rows] = part
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                log.info("encoded %d of %d texts, %.0f/s", done, len(distinct), done / (told - began))
        return vectors[place]

    def _parts(self, texts: list[str]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
        """How many texts are done, and the rows and vectors of each batch."""
        done = 0
        for begin in range(0, len(texts), CHUNK):
            found = self.tokens(texts[begin : begin + CHUNK])
            lengths = np.array([len(row) for row in found], np.int64)
            read = np.flatnonzero(lengths > self.tokens.special)
            for batch in buckets(lengths[read], BATCH_TOKENS, BUCKET, self.max_length):
                rows = read[batch]
                done += len(rows)
                yield done, begin + rows, self._vectors([found[row] for row in rows], lengths[rows])

    def _vectors(self, rows: list[list[int]], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """(rows, dim) of one batch, the longest row first."""
        inputs = matrix(rows, padded(len(rows[0]), BUCKET, self.max_length))  # (rows, width)
        vectors = self.network.predict_on_batch({"tokens": inputs, "lengths": lengths.astype(np.int32)})
        return normalised(vectors) if self.normalise else vectors

    @cached_property
    def network(self) -> "Bert":
        """The network with the folder's weights."""
        from models.text import network

        return network.filled(self.config, weights.read(self.folder, self.config), self.pooling, self.compute)


def load(
    source: Path | str | None = None,
    *,
    max_length: int | None = None,
    normalise: bool = True,
    compute: Compute = "float32",
    revision: str = "main",
) -> Encoder:
    """The encoder of a folder, of a model's id on the hub, or, without a source, of the packaged MiniLM.

    Args:
        source: a folder with config.json, model.safetensors and tokenizer.json or vocab.txt; or such a model's id.
        max_length: tokens that are read of a text; as the folder says where it is not given.
        normalise: divide each vector by its length.
        compute: type of the matrix products.
        revision: branch, tag or commit on the hub.

    Raises:
        EncoderError: the folder cannot be found or does not hold what fits.
    """
    folder = folders.find(source, Settings().home / "text" / "models", revision)
    return Encoder(folder, max_length, normalise, compute)


def clean(text: Text) -> str:
    """The text, "" where it is missing, with half characters replaced: they are not Unicode and cannot be hashed.

    Raises:
        TypeError: it is neither a text nor missing.
    """
    if isinstance(text, str):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if text is None or text != text:  # NaN alone differs from itself
        return ""
    raise TypeError(f"{text!r} is a {type(text).__name__}; a text, None or NaN fits")


def present(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(texts,) False where a text had nothing to read."""
    return np.any(vectors, axis=1)


def known(vectors: NDArray[np.float32], there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(rows, dim) NaN where nothing is `there` (rows,)."""
    return np.where(there[:, None], vectors, np.float32(np.nan))


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows, dim) of length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)
