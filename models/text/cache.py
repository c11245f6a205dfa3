"""Vectors of texts that were encoded before: only what is new or changed is computed.

One folder an encoder, named by its fingerprint; in it parts that are written all or nothing and never changed:
`keys` (rows, 32), the SHA-256 of each text, and `vectors` (rows, dim). A folder may be deleted at any time.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.text.encoder import Text, TextEncoder, clean
from tandem import files

log = logging.getLogger(__name__)

PARTS = 16
"""More are joined into one."""


class Cached:
    """An encoder that remembers; one process writes at a time."""

    def __init__(self, encoder: TextEncoder, home: Path) -> None:
        self.encoder, self.folder = encoder, home / encoder.fingerprint

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        """That of the encoder."""
        return self.encoder.fingerprint

    def encode(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """(texts, dim) as the encoder makes them; those it has not made yet are made and kept.

        Raises:
            TypeError: one is neither a text nor missing.
        """
        by_key = {_key(text): text for text in map(clean, texts)}
        known, vectors = self._read()
        new = [key for key in by_key if key not in known]
        if new:
            made = self.encoder.encode([by_key[key] for key in new])
            self._write(new, made)
            known |= {key: len(vectors) + n for n, key in enumerate(new)}
            vectors = np.concatenate([vectors, made])
        log.info("%d of %d texts were encoded, the others known", len(new), len(by_key))
        return vectors[[known[_key(clean(text))] for text in texts]]

    def _read(self) -> tuple[dict[bytes, int], NDArray[np.float32]]:
        """Row of each known text, and the rows."""
        parts = [part for path in self._paths() if (part := self._part(path))]
        keys = [bytes(key) for part in parts for key in part["keys"]]
        vectors = [part["vectors"] for part in parts]
        return {key: n for n, key in enumerate(keys)}, np.concatenate([np.zeros((0, self.dim), np.float32), *vectors])

    def _part(self, path: Path) -> dict[str, NDArray] | None:
        """The part, or None with a warning where a disk or a hand has damaged it."""
        try:
            part = files.read_arrays(path)
            if part["vectors"].shape == (len(part["keys"]), self.dim):
                return part
            reason = f"vectors {part['vectors'].shape} for {len(part['keys'])} keys"
        except (ValueError, KeyError) as error:
            reason = str(error)
        log.warning("left out %s, its texts are encoded anew: %s", path, reason)
        return None

    def _write(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        """A part for what is new; many parts become one."""
        self._write_part(keys, vectors)
        paths = self._paths()
        if len(paths) > PARTS:
            known, all_vectors = self._read()
            self._write_part(list(known), all_vectors[list(known.values())])
            for path in paths:
                path.unlink()

    def _write_part(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        rows = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)  # (rows, 32)
        path = self.folder / f"{hashlib.sha256(rows.tobytes()).hexdigest()}.npz"
        files.write_arrays(path, keys=rows, vectors=vectors)
        log.debug("wrote %s: %d vectors", path, len(vectors))

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.npz"))


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
