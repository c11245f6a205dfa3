"""Vectors of pictures that were encoded before: only what is new or changed is computed.

Pictures are known by the SHA-256 of their bytes, whatever their place; refused ones are looked at again, to say why.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.image.encoder import Encoded, PictureEncoder, Place, complete
from models.image.shards import Shards
from models.text import cache
from models.text.encoder import Text


class Cached:
    """An encoder that remembers; one process writes at a time."""

    def __init__(self, encoder: PictureEncoder, home: Path) -> None:
        self.encoder, self.home = encoder, home

    def encode(self, folder: Path, places: Sequence[Place]) -> Encoded:
        """As the encoder does; pictures that it has not seen yet are computed and kept.

        Raises:
            SourceError: a shard is absent or no zip.
        """
        return complete(places, self.encoder.absent, lambda distinct: self._usable(folder, distinct))

    def _usable(self, folder: Path, places: Sequence[str]) -> tuple[NDArray[np.float32], dict[int, str]]:
        with Shards(folder, places) as shards:
            digests = [hashlib.sha256(shards.read(place)[0]).hexdigest() for place in places]
        by_digest = _ByDigest(self.encoder, folder, dict(zip(digests, places, strict=True)))
        vectors = cache.Cached(by_digest, self.home).encode(digests)
        missing = np.flatnonzero(~vectors.any(axis=1)).tolist()
        vectors[missing], reasons = self.encoder.usable(folder, [places[n] for n in missing])
        return vectors, {missing[n]: reason for n, reason in reasons.items()}


@dataclass(frozen=True)
class _ByDigest:
    """Pictures as the cache of texts knows them: by a text, with a zero row where there is nothing to see."""

    encoder: PictureEncoder
    folder: Path
    places: Mapping[str, str]  # by digest

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        """That of the encoder."""
        return self.encoder.fingerprint

    def encode(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """(digests, dim), zero for pictures that are refused."""
        return self.encoder.usable(self.folder, [self.places[str(digest)] for digest in texts])[0]
