"""One contender of `benchmarks.text`: encodes the same texts whenever it is asked to.

    python text_worker.py <tandem | sentence_transformers> <batch> <weights' folder> <texts.json> <vectors.npy>

Prints a line of JSON when it is ready and after every line that it reads; runs under any Python that has NumPy and the
library, so that torch stays out of this project's environment.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import answer

Encode = Callable[[list[str]], Any]


def tandem(folder: str, _: int) -> Encode:
    """This project's encoder."""
    from models.text import encoder

    return encoder.load(Path(folder)).encode


def sentence_transformers(folder: str, batch: int) -> Encode:
    """The peer, on torch."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    return lambda texts: model.encode(texts, batch_size=batch, show_progress_bar=False)


def main(name: str, batch: str, folder: str, texts: str, vectors: str) -> None:
    """Encode until nothing more is asked."""
    encode = {"tandem": tandem, "sentence_transformers": sentence_transformers}[name](folder, int(batch))
    asked = json.loads(Path(texts).read_text(encoding="utf-8"))
    np.save(vectors, encode(asked))  # warms up as well
    packages = {"tandem": ("tensorflow-cpu", "keras"), "sentence_transformers": ("torch", "sentence-transformers")}
    answer(lambda: encode(asked), packages[name])


if __name__ == "__main__":
    main(*sys.argv[1:])
