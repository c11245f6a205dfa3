"""Turn product texts into vectors, learned from the products of the trial window alone.

Reads   data/snapshot/products.parquet                   tandem.data.schema.PRODUCTS
        data/features/{trial,final}/vocabulary.json      tandem.features.vocabulary.Vocabulary
Writes  data/vectors/{trial,final}.npz                   `text` (products, dim) float32; row 0 is zero
Params  embed                                            tandem.params.EmbedParams

Texts are those of the product sheet as of the export, also before a window; where events tell the titles, later ones
count too.
"""

import logging
from pathlib import Path

from stages import run
from tandem import files
from tandem.data import schema
from tandem.features import text
from tandem.features.vocabulary import Vocabulary
from tandem.params import EmbedParams

log = logging.getLogger(__name__)


def main(snapshot: Path, features: Path, vectors: Path) -> None:
    """Write one file of vectors per window, aligned with that window's vocabulary."""
    products = files.read(snapshot / "products.parquet", schema.PRODUCTS)
    texts = {
        window: text.of_products(products, Vocabulary.read(features / window / "vocabulary.json"))
        for window in ("trial", "final")
    }
    encoder = text.fit(texts["trial"], EmbedParams.read())
    for window, of_window in texts.items():
        encoded, path = encoder(of_window), vectors / f"{window}.npz"
        files.write_arrays(path, text=encoded)
        log.info("wrote %s: %d of %d products have text", path, encoded.any(axis=1).sum(), len(encoded) - 1)


if __name__ == "__main__":
    run(main)
