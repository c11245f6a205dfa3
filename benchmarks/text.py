"""Titles a second of the text encoder beside sentence-transformers on torch: same weights, same titles, same run.

    python -m benchmarks.text --peer <python with sentence-transformers>

The peer's Python is one of another environment, for instance
`python3.11 -m venv peer && peer/bin/pip install torch==2.13.0 sentence-transformers`. Every contender is a process that
has warmed up; rounds go from one to the next in changing order. The benchmark stops unless all vectors agree.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from benchmarks.rounds import Contender, check, race
from models.text import folders
from tandem.settings import Settings, quiet

WORKER = Path(__file__).with_name("text_worker.py")
SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "text" / "sentences.json"
CONTENDERS = {"Tandem": ("tandem", 0), "peer, batch 32": ("sentence_transformers", 32)}
CONTENDERS |= {"peer, batch 128": ("sentence_transformers", 128)}
AGREES = 0.9999


def main(
    peer: Annotated[str, typer.Option(help="a Python that has sentence-transformers and torch")],
    titles: Annotated[int, typer.Option(help="of each set")] = 1000,
    rounds: Annotated[int, typer.Option(help="at least 3 for a spread")] = 3,
) -> None:
    """Print titles a second and the ratio to the peer for each set of titles."""
    quiet()
    check("--peer", peer, "torch", "sentence_transformers")
    sets = {"Online Retail": online_retail(), "Amazon": amazon(), "sentences of the test": sentences()}
    for name, texts in sets.items():
        compare(name, _drawn(texts, titles), peer, rounds)


def online_retail() -> list[str]:
    """Short ones, in capitals."""
    paths = sorted((Settings().data_dir / "online_retail" / "by-day").glob("*.csv"))
    found = pd.concat(pd.read_csv(path, usecols=["Description"], dtype=str)["Description"] for path in paths)
    return sorted(found.dropna().unique())


def amazon() -> list[str]:
    """Long ones, of electronics."""
    path = Settings().data_dir / "bundles_electronic" / "item_titles.csv"
    return sorted(pd.read_csv(path, dtype=str)["titles"].dropna().unique())


def sentences() -> list[str]:
    """All kinds of them: those of the test."""
    return [row["text"] for row in json.loads(SENTENCES.read_text(encoding="utf-8"))]


def compare(name: str, texts: list[str], peer: str, rounds: int) -> None:
    """Print one set's table."""
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        running: dict[str, Contender] = {}
        for number, of in enumerate(CONTENDERS):
            python = sys.executable if of == "Tandem" else peer
            made = Path(work) / f"{number}.npy"
            running[of] = Contender(WORKER, python, *CONTENDERS[of], folders.packaged(), path, made=made)
        print(f"\n{name}")
        race(running, rounds, len(texts), "texts")
        agreement = _agreement([np.load(of.made) for of in running.values()])
    print(f"\nleast cosine {agreement:.7f}", flush=True)
    if agreement < AGREES:
        raise SystemExit(f"vectors differ: cosine {agreement}, {AGREES} is asked for")


def _agreement(vectors: list[Any]) -> float:
    """The least cosine between the first contender's vectors and those of the others."""
    ours, *others = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]
    return float(min((ours * other).sum(axis=1).min() for other in others))


def _drawn(texts: list[str], count: int) -> list[str]:
    rng = np.random.default_rng(7)
    return [texts[n] for n in sorted(rng.permutation(len(texts))[:count])]


if __name__ == "__main__":
    typer.run(main)
