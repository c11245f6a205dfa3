"""Find every product's complements and substitutes, learned from what customers did later, and bundles of products.

Reads   data/features/{trial,final}/                 tandem.features.dataset.Dataset
        data/vectors/{trial,final}.npz               `text`, `picture`: (products, dim)
        data/snapshot/products.parquet               tandem.data.schema.PRODUCTS, for the report's titles
        data/splits/test.parquet                     tandem.data.schema.EVENTS, for the report of bundles
Writes  data/relations/final/partners.npz            tandem.features.partners.Partners
        data/relations/final/bundles.npz             tandem.features.bundles.Bundles
        reports/relations.json                       what it was learned from, how good it is, what was found
        reports/bundles.json                         tandem.evaluation.bundles.report
Params  relate                                       tandem.params.RelateParams
        relations                                    models.relations.params.RelationsParams
        bundles                                      tandem.params.BundlesParams
        privacy.min_users                            tandem.params.PrivacyParams
        evaluate.{bootstrap,confidence,seed}         tandem.params.EvaluateParams, for the same report

Learned from the trial's dataset alone: nothing of the validation and test windows. Partners and bundles are those of
the final dataset, which ships; products stand under their numbers in its vocabulary. A relation with too few labelled
pairs is not learned: its partners are then those that counts prove, without a probability.
"""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.relations import behaviour, pairs
from models.relations.behaviour import PLACES, Learned, Lesson, numbered
from models.relations.errors import RelationsError
from models.relations.params import RelationsParams
from stages import run
from tandem import files
from tandem.data import schema
from tandem.evaluation.bundles import report
from tandem.features import baskets, bundles
from tandem.features.bundles import Bundles
from tandem.features.dataset import Dataset
from tandem.features.partners import Partners, Relation
from tandem.params import BundlesParams, EvaluateParams, PrivacyParams, RelateParams

log = logging.getLogger(__name__)


def main(snapshot: Path, splits: Path, features: Path, vectors: Path, relations: Path, reports: Path) -> None:
    """Write partners, bundles and a report of each."""
    params = RelateParams.read()
    shutil.rmtree(relations, ignore_errors=True)
    trial, final = (_dataset(features, vectors, window) for window in ("trial", "final"))
    lesson = behaviour.lesson(trial, params)
    lesson = replace(lesson, table=numbered(lesson.table, _numbers(trial, final)))
    learned, told = _learned(lesson, final, params)
    found = behaviour.find(final, learned, params)
    found.write(relations / "final" / "partners.npz")
    told["final"] = {name: _sizes(found, name) for name in PLACES}
    sizes = (f"{of['pairs']} pairs for {of['products']} products as {name}" for name, of in told["final"].items())
    log.info("wrote %s: %s", relations / "final" / "partners.npz", ", ".join(sizes))
    files.write_json(told, reports / "relations.json")
    bundled = bundles.find(final, BundlesParams.read(), PrivacyParams.read().min_users)
    bundled.write(relations / "final" / "bundles.npz")
    log.info("wrote %s: %d bundles", relations / "final" / "bundles.npz", len(bundled))
    files.write_json(_of_bundles(bundled, final, snapshot, splits), reports / "bundles.json")


def _learned(lesson: Lesson, final: Dataset, params: RelateParams) -> tuple[Learned, dict[str, Any]]:
    """What tells relations, and what to report of it."""
    count = lesson[~lesson.unmet].counts()  # the others are the same once more
    names = tuple(name for name in PLACES if count[name] >= params.min_pairs)
    told: dict[str, Any] = {"pairs": count, "learned": names}
    if not names:
        log.warning("relations are not learned: %s pairs; `relate.min_pairs` is %d", count, params.min_pairs)
        return Learned(None, ()), told
    taught, tested = lesson.split(params.test_share, params.seed)
    try:
        made = behaviour.learn(taught, pairs.Content(final.products), RelationsParams.read(), params.members)
    except RelationsError as error:
        log.warning("relations are not learned: %s", error)
        return Learned(None, ()), told | {"learned": (), "because": str(error)}
    parts = {"met": tested[~tested.unmet], "never_met": tested[tested.unmet]}  # one of the two products, or both
    told["tested"] = {
        name: {"pairs": of.counts(), **(behaviour.judge(made, of) if len(of.table) else {})}
        for name, of in parts.items()
    }
    return Learned(made, names), told


def _of_bundles(bundled: Bundles, final: Dataset, snapshot: Path, splits: Path) -> dict[str, Any]:
    """The report of bundles, beside the baskets of the test window."""
    later = files.read(splits / "test.parquet", schema.EVENTS)
    bought = baskets.gather(later, final.vocabulary, final.params.target_kinds)
    titles = files.read(snapshot / "products.parquet", schema.PRODUCTS).set_index("product_id")["title"]
    ids = pd.Series(["", *final.vocabulary.ids])
    return report(bundled, bought, ids.map(titles).fillna(ids), EvaluateParams.read())


def _dataset(features: Path, vectors: Path, window: str) -> Dataset:
    return Dataset.read(features / window).with_vectors(**files.read_arrays(vectors / f"{window}.npz"))


def _numbers(known: Dataset, final: Dataset) -> NDArray[np.int64]:
    """(products,) index in the final vocabulary."""
    return np.append(0, final.vocabulary.encode(known.vocabulary.ids)).astype(np.int64)


def _sizes(found: Partners, name: Relation) -> dict[str, int]:
    of = found.relation == PLACES[name]
    return {"pairs": int(of.sum()), "products": len(np.unique(found.a[of]))}


if __name__ == "__main__":
    run(main)
