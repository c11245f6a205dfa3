"""Turn product texts and pictures into vectors.

Reads   data/raw/<source>/                               pictures, where products.image says
        data/snapshot/products.parquet                   tandem.data.schema.PRODUCTS
        data/features/{trial,final}/                     tandem.features.dataset.Dataset
Writes  data/vectors/{trial,final}.npz                   `text`, `picture` (products, dim), NaN where there is none
        data/encoders/                                   what was learned for it
        reports/embedding.json                           whether the tuned encoder is used, which pictures were refused
Params  embed, tuning, picture                           tandem.params.EmbedParams, models.{text,image}.params

Learned from products with an event before the validation window alone. Texts are those of the product sheet as of the
export, also before a window; where events tell the titles, later ones count too. Texts that the untuned encoder has met
before are not encoded again; a tuned one is new after every training and reads all.
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
from models.text import encoder, pairs, tuning, words
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
    trial = Dataset.read(features / "trial")
    met = trial.vocabulary.decode(np.flatnonzero(trial.products.met))
    taught = every.encode(met)
    shutil.rmtree(encoders, ignore_errors=True)
    encoders.mkdir(parents=True)
    reads, tuned = _tuned(products[products["product_id"].isin(met)], trial, encoders / "text")
    texts, shared = words.vectors(text.of_products(products, every), taught, reads, EmbedParams.read())
    if shared:
        shared.save(encoders / "ngrams.npz")
    seen, refused = _pictures(raw, products, every, taught, texts, encoders / "picture")
    for window, of in windows.items():
        rows, path = np.append(0, every.encode(of.ids)), vectors / f"{window}.npz"
        files.write_arrays(path, text=texts[rows], picture=seen[rows])
        known = (int(np.isfinite(made[rows]).any(axis=1).sum()) for made in (texts, seen))
        log.info("wrote %s: of %d products %d have text, %d a picture", path, of.size - 1, *known)
    files.write_json({"tuning": tuned, "refused_pictures": refused}, report)


def _tuned(met: pd.DataFrame, trial: Dataset, folder: Path) -> tuple[TextEncoder, dict[str, Any]]:
    """The encoder of the params, tuned where that is better on products held out, and how it came to be used."""
    params, home = TuningParams.read(), Settings().home / "text"
    titles, descriptions = (text.of_products(met, trial.vocabulary, (name,)) for name in ("title", "description"))
    found = pairs.gather(trial.baskets.content, titles, descriptions, params)
    tuned = tuning.tune(encoder.load(EmbedParams.read().encoder), found, params, folder)
    return tuned.encoder if tuned.record["kept"] else Cached(tuned.encoder, home), tuned.record


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
    trial, said = rows.iloc[taught - 1], np.nan_to_num(texts[taught])
    nothing: tuple[NDArray[np.float32], dict[str, str]] = np.full((every.size, 1), np.nan, np.float32), {}
    if not trial["image"].notna().any():
        return nothing
    try:
        made = fit(raw, trial["image"].tolist(), labels.of_products(trial), said, ImageParams.read()).encoder
    except NothingToLearn as error:
        log.warning("pictures take no part: %s", error)
        return nothing
    made.save(folder)
    found = made.encode(raw, rows["image"].tolist())
    unknown = np.full((1, made.dim), np.nan, np.float32)
    vectors = np.concatenate([unknown, encoder.known(found.vectors, found.present)])
    return vectors, {every.ids[row]: reason for row, reason in found.refused.items()}


if __name__ == "__main__":
    run(main)
