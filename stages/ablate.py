"""Ask what each part of the association network is worth: train it without them, and compare.

Reads   data/trials/association/          tandem.release; its params, the epochs and exponents that validation chose
        data/splits/test.parquet          tandem.data.schema.EVENTS
        data/features/trial/              tandem.features.dataset.Dataset
        data/vectors/trial.npz            `text`, `picture`: (products, dim)
Writes  reports/ablations.json            protocol A of `related`: every variant, and what it has more than the trial
Params  evaluate                          tandem.params.EvaluateParams
"""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from models.association.params import AssociationParams, variants
from models.association.ranker import Association
from stages import run
from tandem import files, release
from tandem.data import schema
from tandem.evaluation import ablation, cases
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, measure
from tandem.features.dataset import Dataset
from tandem.features.products import ProductFeatures
from tandem.params import EvaluateParams

log = logging.getLogger(__name__)


def main(trial: Path, splits: Path, features: Path, vectors: Path, to: Path) -> None:
    """Train on the trial dataset what differs from the trial in one part, ask all the same, and write the report."""
    params, found = EvaluateParams.read(), release.read(trial, {Association.name: Association})
    known = Dataset.read(features / "trial").with_vectors(**files.read_arrays(vectors / "trial.npz"))
    later = files.read(splits / "test.parquet", schema.EVENTS)
    rankers, not_trained = trained(cast(Association, found.ranker), known)
    views = cases.views("related", known, later, min_count=params.related_min_count)
    told = {key: found.manifest[key] for key in ("source", "data_hash", "content_hash", "choices", "seed")}
    told |= {"network": Association.name, "not_trained": not_trained}
    files.write_json(told | {"views": {name: compared(rankers, asked, params) for name, asked in views.items()}}, to)


def compared(rankers: Mapping[str, Association], asked: Cases, params: EvaluateParams) -> dict[str, dict[str, Any]]:
    """One view: every ranker on the same cases, and the variants less the network as it is."""
    ideal = Ideal.of(asked)
    measured = {name: measure(ranker, asked, ideal, params.cutoffs) for name, ranker in rankers.items() if len(asked)}
    return ablation.of_view(measured, Association.name, ideal, params)


def trained(network: Association, known: Dataset) -> tuple[dict[str, Association], dict[str, str]]:
    """The network as it is, then every variant with its choices and seed; and which are not trained, and why."""
    rankers, not_trained = {Association.name: network}, {}
    for name, params in variants(network.params).items():
        if reason := why_equal(params, network.params, known.products):
            not_trained[name] = reason
            continue
        began = time.monotonic()
        variant = Association(params)
        variant.choices = dict(network.choices)
        rankers[name] = variant.refit(known)
        log.info("%s: %.1f s", name, time.monotonic() - began)
    return rankers, not_trained


def why_equal(variant: AssociationParams, own: AssociationParams, products: ProductFeatures) -> str | None:
    """Why the variant would be the network as it is, if it would."""
    if variant == own:
        return "so it is, by params.yaml"
    lost = set(own.modalities) - set(variant.modalities)
    if lost and not any(products.known(name).any() for name in lost):
        return f"of no product a {', '.join(lost)} is known"
    return None


if __name__ == "__main__":
    run(main)
