"""SnowNLP for `benchmarks.sentiment`: reads texts, writes what it takes for the probability that each is good.

    python sentiment_worker.py <texts.json> <probabilities.npz>

Runs under any Python that has NumPy and SnowNLP.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
from snownlp import sentiment


def main(texts: str, probabilities: str) -> None:
    """Judge each text by the model that SnowNLP ships."""
    asked = json.loads(Path(texts).read_text(encoding="utf-8"))
    np.savez(probabilities, good=np.array([sentiment.classify(text) for text in asked]))
    print("snownlp", importlib.metadata.version("snownlp"))


if __name__ == "__main__":
    main(*sys.argv[1:])
