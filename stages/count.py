"""Fit every ranker that counts, once for the choices and once for shipping.

Reads   data/features/{trial,final}/, data/snapshot/, data/splits/, data/opinions.parquet
        data/relations/final/partners.npz              tandem.features.partners.Partners
        data/relations/final/bundles.npz               tandem.features.bundles.Bundles
Writes  data/trials/counting/<name>/       learned before the validation window, choices made on it
        data/releases/counting/<name>/     learned again before the test window, with those choices
Params  counting                           tandem.params.CountingParams
        evaluate.related_min_count         tandem.params.EvaluateParams
"""

import logging
import time
from pathlib import Path

from stages import run
from stages.releasing import Workshop
from tandem.params import CountingParams, EvaluateParams
from tandem.ranking.counting import COUNTING

log = logging.getLogger(__name__)


def main(
    snapshot: Path, splits: Path, opinions: Path, features: Path, relations: Path, trials: Path, releases: Path
) -> None:
    """Write a trial and a release for each."""
    params, min_count = CountingParams.read(), EvaluateParams.read().related_min_count
    workshop = Workshop(snapshot, splits, opinions, features, relations)
    validation = {task: workshop.validation(task, min_count) for task in ("recommend", "related")}
    for name, kind in COUNTING.items():
        began = time.monotonic()
        trial = kind(params).fit(workshop.trial, validation[kind.tasks[0]])
        facts = {"kind": name, "tasks": list(kind.tasks), "params": params.model_dump(mode="json"), "seed": None}
        facts["choices"] = trial.choices
        workshop.write(trials / name, trial, "trial", facts)
        made = workshop.write(releases / name, trial.refit(workshop.final), "final", facts)
        log.info(
            "%s: release %s, %.1f s, choices %s", name, made[:12], time.monotonic() - began, trial.choices or "none"
        )


if __name__ == "__main__":
    run(main)
