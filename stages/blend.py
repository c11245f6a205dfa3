"""Weigh what counts, what the association network learned and what content says of what goes with a product.

Reads   data/trials/, data/releases/: counting/<name>/, association/       tandem.release
        data/snapshot/, data/splits/, data/features/{trial,final}/         tandem.features.dataset.Dataset
        data/opinions.parquet                                              tandem.data.schema.OPINIONS
        data/vectors/{trial,final}.npz                                     `text`, `picture`: (products, dim)
        data/relations/final/partners.npz                                  tandem.features.partners.Partners
        data/relations/final/bundles.npz                                   tandem.features.bundles.Bundles
Writes  data/trials/blend/       the rankers of the trials, weighed by the validation window
        data/releases/blend/     the released ones, with the same weights; learned again of products without baskets
Params  blend                          tandem.params.BlendParams
        counting                       tandem.params.CountingParams, of rankers of content
        evaluate.related_min_count     tandem.params.EvaluateParams
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.association.ranker import Association
from models.blend import OF_BASKETS, ONLY_ANCHORS, BlendWithNetwork, components
from models.rankers import RANKERS
from stages import run
from stages.releasing import Workshop
from tandem import release
from tandem.params import BlendParams, CountingParams, EvaluateParams
from tandem.ranking.ranker import Ranker

log = logging.getLogger(__name__)

RELEASED = (*OF_BASKETS, *ONLY_ANCHORS)
"""Rankers that an earlier stage made."""


def main(
    snapshot: Path,
    splits: Path,
    opinions: Path,
    features: Path,
    vectors: Path,
    relations: Path,
    trials: Path,
    releases: Path,
) -> None:
    """Write a trial and a release."""
    params, counting = BlendParams.read(), CountingParams.read()
    workshop = Workshop(snapshot, splits, opinions, features, relations)
    validation = workshop.validation("related", EvaluateParams.read().related_min_count)
    trial, final = (workshop.with_vectors(window, vectors) for window in ("trial", "final"))
    network = release.read_manifest(trials / Association.name)["params"]
    parts = components(
        lambda kind: _released(trials, kind) if kind in RELEASED else kind(counting).fit(trial, validation)  # type: ignore[call-arg]
    )
    weighed = BlendWithNetwork(parts, params).weigh(trial, validation)
    sections = {"blend": params, "counting": counting}
    recipe = {name: of.model_dump(mode="json") for name, of in sections.items()} | {Association.name: network}
    workshop.write(trials / weighed.name, weighed, "trial", _facts(weighed, recipe))
    final_parts = [
        replace(part, ranker=_released(releases, kind) if kind in RELEASED else part.ranker.refit(final))
        for part, kind in ((part, type(part.ranker)) for part in weighed.in_use)
    ]
    released = weighed.over(final_parts, final)
    made = workshop.write(releases / released.name, released, "final", _facts(released, recipe))
    log.info("%s: release %s", released.name, made[:12])


def _facts(blend: BlendWithNetwork, recipe: dict[str, Any]) -> dict[str, Any]:
    """What its manifest says of it."""
    warm, cold = blend.weights["warm"], blend.weights["cold"]
    of_warm = {"anchor": warm.anchor} if warm.anchor else {"warm_l2": warm.l2, "balance": warm.balance}
    choices = {**of_warm, "cold_l2": cold.l2}
    return {"kind": blend.name, "tasks": list(blend.tasks), "params": recipe, "seed": None, "choices": choices}


def _released(folder: Path, kind: type[Ranker]) -> Ranker:
    """What an earlier stage made.

    Raises:
        ReleaseError: it is not there.
    """
    counted = folder / "counting" / kind.name
    return release.read(counted if counted.exists() else folder / kind.name, RANKERS).ranker


if __name__ == "__main__":
    run(main)
