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
from collections.abc import Mapping
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
Vectors = Mapping[str, NDArray[np.float32]]
"""By window, (products, dim), NaN for products that have none."""


def main(raw: Path, snapshot: Path, features: Path, vectors: Path, encoders: Path, report: Path) -> None:
    """Write one file of vectors per window, aligned with that window's vocabulary."""
    products = files.read(snapshot / "products.parquet", schema.PRODUCTS)
    vocabularies = {window: Vocabulary.read(features / window / "vocabulary.json") for window in WINDOWS}
    shutil.rmtree(encoders, ignore_errors=True)
    words, tuned = _tuned(products, Dataset.read(features / "trial"), encoders / "text")
    texts = _texts(products, vocabularies, words)
    seen, refused = _pictures(raw, products, vocabularies, texts["trial"], encoders / "picture")
    for window, vocabulary in vocabularies.items():
        path = vectors / f"{window}.npz"
        files.write_arrays(path, text=texts[window], picture=seen[window])
        known = (int(np.isfinite(of[window]).any(axis=1).sum()) for of in (texts, seen))
        log.info("wrote %s: of %d products %d have text, %d a picture", path, vocabulary.size - 1, *known)
    encoders.mkdir(parents=True, exist_ok=True)
    files.write_json({"tuning": tuned, "refused_pictures": refused}, report)


def _tuned(products: pd.DataFrame, trial: Dataset, folder: Path) -> tuple[TextEncoder, dict[str, Any]]:
    """The encoder of the params, tuned where that is better on products held out, and how it came to be used."""
    params, home = TuningParams.read(), Settings().home / "text"
    titles, descriptions = (text.of_products(products, trial.vocabulary, (name,)) for name in ("title", "description"))
    found = pairs.gather(trial.baskets.content, titles, descriptions, params)
    tuned = tuning.tune(encoder.load(EmbedParams.read().encoder), found, params, folder)
    return tuned.encoder if tuned.record["kept"] else Cached(tuned.encoder, home), tuned.record


def _texts(products: pd.DataFrame, vocabularies: Mapping[str, Vocabulary], words: TextEncoder) -> Vectors:
    """What words mean beside the characters that they share, which tells of languages that the encoder cannot read."""
    params = EmbedParams.read()
    texts = {window: text.of_products(products, vocabulary) for window, vocabulary in vocabularies.items()}
    if not any(texts["trial"]):
        return {window: np.full((len(of), 1), np.nan, np.float32) for window, of in texts.items()}
    shared = ngrams.fit(texts["trial"], params.ngrams_dim, params.seed)
    both = {w: np.concatenate([words.encode(of), shared.encode(of)], axis=1) for w, of in texts.items()}
    return {w: _or_nothing(encoder.normalised(of), encoder.present(of)) for w, of in both.items()}


def _pictures(
    raw: Path, products: pd.DataFrame, vocabularies: Mapping[str, Vocabulary], texts: NDArray[np.float32], folder: Path
) -> tuple[Vectors, dict[str, str]]:
    """Vectors of pictures, and why some were refused, by product."""
    rows = {window: products.set_index("product_id").reindex(of.ids) for window, of in vocabularies.items()}
    from models.image.fit import fit

    nothing = {window: np.full((len(of) + 1, 1), np.nan, np.float32) for window, of in rows.items()}
    if not rows["trial"]["image"].notna().any():
        return nothing, {}
    try:
        trial = rows["trial"]
        made = fit(
            raw, trial["image"].tolist(), labels.of_products(trial), np.nan_to_num(texts[1:]), ImageParams.read()
        )
    except NothingToLearn as error:
        log.warning("pictures take no part: %s", error)
        return nothing, {}
    made.encoder.save(folder)
    found = {window: made.encoder.encode(raw, of["image"].tolist()) for window, of in rows.items()}
    refused = {rows["final"].index[row]: reason for row, reason in found["final"].refused.items()}
    unknown = np.full((1, made.encoder.dim), np.nan, np.float32)
    vectors = {w: np.concatenate([unknown, _or_nothing(of.vectors, of.present)]) for w, of in found.items()}
    return vectors, refused


def _or_nothing(vectors: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(present[:, None], vectors, np.float32(np.nan))


if __name__ == "__main__":
    run(main)
