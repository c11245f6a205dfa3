"""Photos of Myntra: the picture network beside colour histograms and HOG, and its speed beside torch.

    python -m benchmarks.pictures --peer-hog <python with scikit-image> --peer-torch <python with torch>

A fifth of the photos is held out, equal photos together; everything is learned and chosen on the other four. Each
baseline is linear: multinomial logistic regression for labels, ridge from features to title vectors for titles. Both
peers' Pythons are of other environments, for instance `python3.11 -m venv peer && peer/bin/pip install torch==2.13.0`.
Torch gets the same weights and the same pixels; the benchmark stops unless its vectors agree to 1e-4.
"""

import logging
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.rounds import Contender, check, race, spread
from models.image.encoder import CONFIG, PictureEncoder
from models.image.params import ImageParams
from models.image.shards import Shards
from models.text import encoder as text_encoder
from models.text.cache import Cached
from tandem import files
from tandem.evaluation.significance import intervals
from tandem.settings import Settings, quiet

WORKER = Path(__file__).with_name("pictures_worker.py")
LABELS = {"articleType": "article type", "baseColour": "base colour"}
PARAMS = ImageParams(
    side=96,
    dim=128,
    widths=(32, 64, 128, 256),
    depth=1,
    temperature=0.1,
    absent=0.05,
    shift=0.06,
    brightness=0.08,
    validation=0.1,
    batch=64,
    epochs=15,
    patience=5,
    learning_rate=0.003,
    weight_decay=0.05,
    seed=7,
)
SEED, FOLDS = 7, 5
PLACES = 10
"""Photos among which a title's own must be."""
AGREES = 1e-4
STRENGTHS = (3.0, 30.0)
"""Inverse strengths of the penalty of logistic regression, the best on validation is taken."""
PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Of ridge."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Photos:
    """Products that have a photo, in three parts."""

    raw: Path
    table: pd.DataFrame  # articleType, baseColour, title, place
    titles: Array  # (photos, 384)
    learn: NDArray[np.int64]  # rows, validation included
    validation: NDArray[np.int64]  # rows of `learn` that baselines choose by
    held_out: NDArray[np.int64]

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """Of these rows."""
        return self.table["place"].iloc[rows].tolist()


@dataclass(frozen=True)
class Found:
    """What was answered for the held-out photos: 1 where right."""

    right: Mapping[str, NDArray[np.bool_]]
    retrieved: NDArray[np.bool_]


def main(
    peer_hog: Annotated[str, typer.Option(help="a Python that has scikit-image")],
    peer_torch: Annotated[str, typer.Option(help="a Python that has torch")],
    epochs: Annotated[int, typer.Option(help="of the network, at most")] = PARAMS.epochs,
    rounds: Annotated[int, typer.Option(help="of pictures a second, at least 3 for a spread")] = 5,
    encoder: Annotated[Path | None, typer.Option(help="folder: a network that is there is not trained anew")] = None,
) -> None:
    """Print one table of quality and one of speed."""
    quiet()
    check("--peer-hog", peer_hog, "skimage")
    check("--peer-torch", peer_torch, "torch")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    photos = read()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        network = learned(photos, epochs, encoder or work / "encoder")
        quality(photos, network, peer_hog, work)
        speed(contenders(photos, network, peer_torch, work), len(photos.held_out), rounds)
        end_to_end(photos, network, rounds)


def read() -> Photos:
    """Products with a photo; equal photos fall into one part."""
    raw = Settings().data_dir / "myntra"
    table = pd.read_csv(raw / "styles.csv", dtype=str)
    table["title"] = pd.read_csv(raw / "styles_text.csv", dtype=str)["productDisplayName"]
    table["member"] = table["id"] + ".jpg"
    with zipfile.ZipFile(raw / "images.zip") as archive:
        content = {info.filename: info.CRC for info in archive.infolist()}
    table = table[table["member"].isin(content)].reset_index(drop=True)
    group = pd.factorize(table["member"].map(content))[0]
    fold = np.random.default_rng(SEED).integers(0, 4 * FOLDS, group.max() + 1)[group]  # 0 to 3 are held out
    titles = Cached(text_encoder.load(), Settings().home / "text").encode(table["title"].tolist())
    table["place"] = "images.zip!" + table["member"]
    parts = (np.flatnonzero(part) for part in (fold >= 4, np.isin(fold, (4, 5)), fold < 4))
    return Photos(raw, table, titles, *parts)


def decoded(photos: Photos, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(rows, side, side, 3)."""
    from models.image import pipeline

    places = photos.places(rows)
    with Shards(photos.raw, places) as shards:
        batches = list(pipeline.in_order(shards, places, PARAMS.side, PARAMS.batch))
    if reasons := [reason for _, _, of in batches for reason in of if reason]:
        raise SystemExit(f"{len(reasons)} photos are refused, the first: {reasons[0]}")
    return np.concatenate([part for _, part, _ in batches])


def histograms(pixels: NDArray[np.uint8]) -> Array:
    """(photos, 512) root of the share of pixels in each of 8 × 8 × 8 cells of red, green and blue."""
    cells = (pixels // 32).astype(np.int64) @ np.array([64, 8, 1])  # (photos, side, side)
    counts = np.stack([np.bincount(of.ravel(), minlength=512) for of in cells])
    return np.sqrt(counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def linear(photos: Photos, features: Array) -> Found:
    """A baseline's answers: strengths chosen on validation, then learned again from all but the held-out fifth."""
    from sklearn.linear_model import LogisticRegression, Ridge

    early = np.setdiff1d(photos.learn, photos.validation)

    def label(name: str, strength: float, learn: NDArray[np.int64], ask: NDArray[np.int64]) -> NDArray[np.bool_]:
        of = photos.table[name].fillna("").to_numpy(str)
        learn = learn[of[learn] != ""]
        model = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(features[learn], of[learn])
        return model.predict(features[ask]) == of[ask]

    def title(penalty: float, learn: NDArray[np.int64], ask: NDArray[np.int64]) -> NDArray[np.bool_]:
        mean = photos.titles[learn].mean(axis=0)
        model = Ridge(penalty).fit(features[learn], photos.titles[learn] - mean)
        return retrieved(photos.titles[ask] - mean, model.predict(features[ask]))

    first = next(iter(LABELS))
    strength = max(STRENGTHS, key=lambda one: label(first, one, early, photos.validation).mean())
    penalty = max(PENALTIES, key=lambda one: title(one, early, photos.validation).mean())
    right = {name: label(name, strength, photos.learn, photos.held_out) for name in LABELS}
    return Found(right, title(penalty, photos.learn, photos.held_out))


def learned(photos: Photos, epochs: int, folder: Path) -> PictureEncoder:
    """The network, from the same part as the baselines; a tenth of it stops the training."""
    if (folder / CONFIG).exists():
        return PictureEncoder.load(folder)
    from models.image.fit import fit

    rows = photos.learn
    labels = {name: photos.table[name].iloc[rows].tolist() for name in LABELS}
    params = PARAMS.model_copy(update={"epochs": epochs})
    began, worked = time.perf_counter(), time.process_time()
    trained = fit(photos.raw, photos.places(rows), labels, photos.titles[rows], params)
    best = min(trained.curve, key=lambda row: row["val_loss"])
    numbers = sum(tensor.size for tensor in trained.encoder.tensors.values())
    print(
        f"{len(rows)} photos, {numbers} parameters, epoch {best['epoch']:.0f} of {len(trained.curve)} kept, "
        f"{time.perf_counter() - began:.0f} s, {time.process_time() - worked:.0f} s of the processor",
        flush=True,
    )
    trained.encoder.save(folder)
    return trained.encoder


def answers(photos: Photos, encoder: PictureEncoder) -> Found:
    """The network's answers for the held-out photos."""
    vectors = encoder.encode(photos.raw, photos.places(photos.held_out)).vectors
    right = {}
    for name in LABELS:
        guessed = np.array(encoder.values[name])[encoder.probabilities(name, vectors).argmax(axis=1)]
        right[name] = guessed == photos.table[name].fillna("").to_numpy(str)[photos.held_out]
    return Found(right, retrieved(encoder.text_vectors(photos.titles[photos.held_out]), vectors))


def retrieved(titles: Array, pictures: Array) -> NDArray[np.bool_]:
    """(titles,) whether fewer than PLACES pictures have a greater cosine than the title's own."""
    unit_titles, unit_pictures = (text_encoder.normalised(of) for of in (titles, pictures))
    cosines = unit_titles @ unit_pictures.T  # (titles, pictures)
    return (cosines > np.diag(cosines)[:, None]).sum(axis=1) < PLACES


def quality(photos: Photos, network: PictureEncoder, peer_hog: str, work: Path) -> None:
    """Print shares with 95 % bootstrap intervals over the held-out photos, each row when it is there."""
    held_out = photos.table.iloc[photos.held_out]
    kinds = ", ".join(f"{held_out[name].nunique()} values of {of}" for name, of in LABELS.items())
    print(f"\n{len(held_out)} held-out photos, {kinds}\n")
    head = [*(f"{of} top-1" for of in LABELS.values()), f"title → picture Recall@{PLACES}"]
    print(f"| | {' | '.join(head)} |\n|---|{'---|' * len(head)}")
    _print("network", answers(photos, network))
    pixels = decoded(photos, np.arange(len(photos.table)))
    np.save(work / "all.npy", pixels)
    extracted = Contender(WORKER, peer_hog, "hog", work / "all.npy", work, made=work / "hog.npy")
    extracted.close()
    hog = np.load(extracted.made)
    features = {"colour histogram": histograms(pixels), "HOG": hog}
    features["both"] = np.concatenate(list(features.values()), axis=1)
    for name, of in features.items():
        _print(f"{name} + linear", linear(photos, of))


def _print(name: str, found: Found) -> None:
    values = np.stack([*found.right.values(), found.retrieved], axis=1).astype(np.float64)
    of = intervals(values, resamples=1000, confidence=0.95, seed=SEED)
    print(f"| {name} | {' | '.join(f'{i.mean:.3f} [{i.low:.3f}, {i.high:.3f}]' for i in of)} |", flush=True)


def contenders(photos: Photos, network: PictureEncoder, peer_torch: str, work: Path) -> dict[str, Contender]:
    """Processes that encode the held-out photos; torch's threads wait in a loop, so one may be faster than two."""
    pixels = work / "held_out.npy"
    np.save(pixels, decoded(photos, photos.held_out))
    network.save(work / "weights")
    files.write_arrays(work / "weights.npz", **network.tensors)
    ours, theirs = (
        (sys.executable, "tandem", pixels, work / "weights"),
        (peer_torch, "torch", pixels, work / "weights.npz"),
    )
    return {
        "Tandem": Contender(WORKER, *ours, made=work / "tandem.npy"),
        "torch, a thread a core": Contender(WORKER, *theirs, made=work / "torch.npy"),
        "torch, one thread": Contender(WORKER, *theirs, made=work / "one.npy", OMP_NUM_THREADS="1"),
    }


def speed(running: Mapping[str, Contender], pictures: int, rounds: int) -> None:
    """Print pictures a second of the network alone, from the same pixels."""
    race(running, rounds, pictures, "pictures")
    ours, *others = [np.load(worker.made) for worker in running.values()]
    apart = float(max(np.abs(ours - other).max() for other in others))
    print(f"\nvectors {apart:.1e} apart", flush=True)
    if apart > AGREES:
        raise SystemExit(f"vectors differ by {apart}; {AGREES} is allowed")


def end_to_end(photos: Photos, encoder: PictureEncoder, rounds: int) -> None:
    """Print pictures a second from the zip to vectors."""
    speeds = []
    for _ in range(rounds):
        began = time.perf_counter()
        encoder.encode(photos.raw, photos.places(photos.held_out))
        speeds.append(len(photos.held_out) / (time.perf_counter() - began))
    print(f"\nfrom the zip to vectors: {spread(speeds, 0)} pictures/s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    typer.run(main)
