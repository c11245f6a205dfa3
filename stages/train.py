"""Train one network, once for its choices and once for shipping.

Reads   data/snapshot/, data/splits/, data/features/{trial,final}/    tandem.features.dataset.Dataset
        data/opinions.parquet                                         tandem.data.schema.OPINIONS
        data/vectors/{trial,final}.npz                                `text`, `picture`: (products, dim)
        data/relations/final/partners.npz                             tandem.features.partners.Partners
        data/relations/final/bundles.npz                              tandem.features.bundles.Bundles
Writes  data/trials/<name>/       learned before the validation window, epochs chosen on it
        data/releases/<name>/     learned again before the test window, with those choices
        reports/curves/<name>.csv loss and validation metric of each epoch of the trial
Params  networks.<name>              models.*.params
        evaluate.related_min_count   tandem.params.EvaluateParams
"""

import logging
import time
from pathlib import Path

import pandas as pd

from models.rankers import NETWORKS
from stages import run
from stages.releasing import Workshop
from tandem.errors import ParamsError
from tandem.params import EvaluateParams

log = logging.getLogger(__name__)


def main(
    name: Path,
    snapshot: Path,
    splits: Path,
    opinions: Path,
    features: Path,
    vectors: Path,
    relations: Path,
    trial_to: Path,
    release_to: Path,
    curve: Path,
) -> None:
    """Write trial, release and curve of the network called `name`.

    Raises:
        ParamsError: no such network.
    """
    if str(name) not in NETWORKS:
        raise ParamsError(f"params.yaml: `networks.{name}`: no such network. Known: {', '.join(NETWORKS)}.")
    kind = NETWORKS[str(name)]
    params = kind.params_class.read()
    workshop = Workshop(snapshot, splits, opinions, features, relations)
    facts = {
        "kind": kind.name,
        "tasks": list(kind.tasks),
        "params": params.model_dump(mode="json"),
        "seed": params.seed,
    }
    began = time.monotonic()
    validation = workshop.validation(kind.tasks[0], EvaluateParams.read().related_min_count)
    trial = kind(params).fit(workshop.with_vectors("trial", vectors), validation)
    facts["choices"] = trial.choices
    workshop.write(trial_to, trial, "trial", facts)
    _write_curve(trial.curve, curve)
    log.info("%s: trial %.1f s, choices %s", kind.name, time.monotonic() - began, trial.choices)
    began = time.monotonic()
    made = workshop.write(release_to, trial.refit(workshop.with_vectors("final", vectors)), "final", facts)
    log.info("%s: release %s, %.1f s", kind.name, made[:12], time.monotonic() - began)


def _write_curve(rows: list[dict[str, float]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
    log.info("wrote %s: %d epochs", path, len(rows))


if __name__ == "__main__":
    run(main)
