"""Encode what rankers may learn from, once up to the validation window and once up to the test window.

Reads   data/splits/{train,validation}.parquet   tandem.data.schema.EVENTS
        data/splits/cuts.json                    tandem.data.splits.Cuts
        data/snapshot/products.parquet           tandem.data.schema.PRODUCTS
        data/opinions.parquet                    tandem.data.schema.OPINIONS
Writes  data/features/trial/                     tandem.features.dataset.Dataset, events before validation
        data/features/final/                     tandem.features.dataset.Dataset, events before test
Params  features                                 tandem.params.FeaturesParams

Categories and brands are those of the product sheet as of the export, also before a window; the price is the one paid
before the window, and the sheet's only where nothing was.
"""

import logging
from pathlib import Path

import pandas as pd

from stages import run
from tandem import files
from tandem.data import schema
from tandem.data.splits import Cuts
from tandem.features import dataset
from tandem.params import FeaturesParams

log = logging.getLogger(__name__)


def main(splits: Path, snapshot: Path, opinions: Path, features: Path) -> None:
    """Write both datasets; events of the test window are not even read."""
    params = FeaturesParams.read()
    cuts = Cuts.read(splits / "cuts.json")
    known = [files.read(splits / f"{part}.parquet", schema.EVENTS) for part in ("train", "validation")]
    events = pd.concat(known, ignore_index=True)
    products = files.read(snapshot / "products.parquet", schema.PRODUCTS)
    reviews = files.read(opinions, schema.OPINIONS)
    for window, as_of in {"trial": cuts.validation, "final": cuts.test}.items():
        built = dataset.build(events, products, as_of, params, reviews)
        built.write(features / window)
        sizes = len(built.histories), built.vocabulary.size - 1, len(built.baskets), as_of
        log.info("wrote %s: %d users, %d products, %d baskets before %s", features / window, *sizes)


if __name__ == "__main__":
    run(main)
