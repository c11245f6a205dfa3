"""Turn product texts and pictures into vectors.

Reads   data/raw/<source>/                               pictures, where products.image says
        data/snapshot/products.parquet                   tandem.data.schema.PRODUCTS
        data/features/{trial,final}/                     tandem.features.dataset.Dataset
Writes  data/vectors/{trial,final}.npz                   `text`, `picture` (products, dim), NaN where there is none
        data/encoders/                                   what was learned for it
        reports/embedding.json                           whether the tuned encoder is used, which pictures were refused
Params  embed, tuning, picture                           tandem.params.EmbedParams, models.{text,image}.params

Learned from products of the trial window alone. Texts are those of the product sheet as of the export, also before a
window; where events tell the titles, later ones count too. Texts that the untuned encoder
has met before are not encoded again.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.image import labels
from models.image.params import ImageParams
from models.text import encoder, ngrams, pairs, tuning
from models.text.cache import Cached
from models.text.encoder import TextEncoder
from models.text.params import TuningParams
from models.training import NothingToLearn
from stages import run
from tandem import files
from tandem.data import schema
from tandem.features import text
from tandem.features.dataset import Dataset
from tandem.features.vocabulary import Vocabulary
from tandem.params import EmbedParams
from tandem.settings import Settings

log = logging.getLogger(__name__)

WINDOWS = ("trial", "final")


def main(raw: Path, snapshot: Path, features: Path, vectors: Path, encoders: Path, report: Path) -> None:
    """Write one file of vectors per window, aligned with that window's vocabulary; each product is encoded once."""
    products = files.read(snapshot / "products.parquet", schema.PRODUCTS)
    windows = {window: Vocabulary.read(features / window / "vocabulary.json") for window in WINDOWS}
    every = Vocabulary.of(name for of in windows.values() for name in of.ids)
    taught = every.encode(windows["trial"].ids)
    shutil.rmtree(encoders, ignore_errors=True)
    encoders.mkdir(parents=True)
    words, tuned = _tuned(products, Dataset.read(features / "trial"), encoders / "text")
    texts = _texts(text.of_products(products, every), taught, words, encoders / "ngrams.npz")
    seen, refused = _pictures(raw, products, every, taught, texts, encoders / "picture")
    for window, of in windows.items():
        rows, path = np.append(0, every.encode(of.ids)), vectors / f"{window}.npz"
        files.write_arrays(path, text=texts[rows], picture=seen[rows])
        known = (int(np.isfinite(made[rows]).any(axis=1).sum()) for made in (texts, seen))
        log.info("wrote %s: of %d products %d have text, %d a picture", path, of.size - 1, *known)
    files.write_json({"tuning": tuned, "refused_pictures": refused}, report)


def _tuned(products: pd.DataFrame, trial: Dataset, folder: Path) -> tuple[TextEncoder, dict[str, Any]]:
    """The encoder of the params, tuned where that is better on products held out, and how it came to be used."""
    params, home = TuningParams.read(), Settings().home / "text"
    titles, descriptions = (text.of_products(products, trial.vocabulary, (name,)) for name in ("title", "description"))
    found = pairs.gather(trial.baskets.content, titles, descriptions, params)
    tuned = tuning.tune(encoder.load(EmbedParams.read().encoder), found, params, folder)
    return tuned.encoder if tuned.record["kept"] else Cached(tuned.encoder, home), tuned.record


def _texts(texts: list[str], taught: NDArray[np.integer], words: TextEncoder, learned: Path) -> NDArray[np.float32]:
    """(products, dim): what words mean beside the characters that they share, which tells of languages that the encoder
    cannot read; n-grams are learned from the products at `taught`.
    """
    params = EmbedParams.read()
    known = [texts[n] for n in taught]
    if not any(known):
        return np.full((len(texts), 1), np.nan, np.float32)
    shared = ngrams.fit(known, params.ngrams_dim, params.seed)
    shared.save(learned)
    both = np.concatenate([words.encode(texts), shared.encode(texts)], axis=1)
    return _or_nothing(encoder.normalised(both), encoder.present(both))


def _pictures(
    raw: Path,
    products: pd.DataFrame,
    every: Vocabulary,
    taught: NDArray[np.integer],
    texts: NDArray[np.float32],
    folder: Path,
) -> tuple[NDArray[np.float32], dict[str, str]]:
    """(products, dim) vectors of pictures, and why some were refused, by product."""
    from models.image.fit import fit

    rows = products.set_index("product_id").reindex(every.ids)
    trial, words = rows.iloc[taught - 1], np.nan_to_num(texts[taught])
    nothing: tuple[NDArray[np.float32], dict[str, str]] = np.full((every.size, 1), np.nan, np.float32), {}
    if not trial["image"].notna().any():
        return nothing
    try:
        made = fit(raw, trial["image"].tolist(), labels.of_products(trial), words, ImageParams.read()).encoder
    except NothingToLearn as error:
        log.warning("pictures take no part: %s", error)
        return nothing
    made.save(folder)
    found = made.encode(raw, rows["image"].tolist())
    unknown = np.full((1, made.dim), np.nan, np.float32)
    vectors = np.concatenate([unknown, _or_nothing(found.vectors, found.present)])
    return vectors, {every.ids[row]: reason for row, reason in found.refused.items()}


def _or_nothing(vectors: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(present[:, None], vectors, np.float32(np.nan))


if __name__ == "__main__":
    run(main)
