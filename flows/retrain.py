"""Make new releases, compare them with the champion, register them, and move the champion if they are better.

Reads   data/raw (through `dvc repro`), the registry's champions
Writes  everything that dvc.yaml names, data/champion/<task>/, data/versions/, the registry, the DVC remote

The same stages as `dvc repro`, in the same order; only the champion comes from outside.
"""

import logging
import shutil
from pathlib import Path

from prefect import flow, task

from flows import prepare, snapshots, versions
from flows.promote import OUTCOME
from flows.registry import MODELS, Registry
from tandem import files, release
from tandem.params import read_source
from tandem.settings import Settings

log = logging.getLogger(__name__)

CHAMPION = Path("data/champion")
RELEASING = ("count", "train", "blend")
"""Stages of dvc.yaml that end in releases."""


@flow(name="retrain")
def retrain() -> None:
    """Run what changed, with the registry's champions as rivals, and store data and outputs in the DVC remote.

    Raises:
        PipelineError: a stage failed; says which and with what message.
        RegistryError: the model registry cannot be reached.
    """
    prepare()
    versions.repro(*RELEASING)
    fetch_champions()
    versions.repro()
    snapshots.record()
    ensure_registered()
    store()


@task
def fetch_champions() -> None:
    """Put the registry's champions where `stages.evaluate` compares with them.

    One that is there already stays as it is, so that a rerun finds the same inputs. One of another source, or that
    the registry does not know any more, or that learned from somebody who was erased, is no rival and leaves.
    """
    registry = Registry(Settings())
    source = read_source()
    for name in MODELS:
        folder = CHAMPION / name
        champion = registry.named(name, "champion")
        if champion is None or champion.source != source or champion.needs_retraining:
            shutil.rmtree(folder, ignore_errors=True)
        elif champion.content_hash != _fact(folder, "content_hash"):
            registry.download(champion, folder)
            log.info("%s: comparing with champion %s, version %d", name, champion.name, champion.version)


@task
def ensure_registered() -> None:
    """Register again where DVC had nothing to run but the registry is another one, or was lost or moved on."""
    registry = Registry(Settings())
    for name, outcome in files.read_json(OUTCOME)["tasks"].items():
        champion = registry.named(name, "champion")
        if outcome["champion"] and (champion is None or champion.content_hash != outcome["champion"]["content_hash"]):
            log.info("%s: the registry does not hold what %s says; registering again", name, OUTCOME)
            versions.repro("register", force=True)
            return


@task(retries=2, retry_delay_seconds=10)
def store() -> None:
    """Push raw data and outputs to the DVC remote."""
    versions.push(Settings())


def _fact(folder: Path, key: str) -> str | None:
    """An entry of the manifest of the release in `folder`, if there is one."""
    manifest = folder / release.MANIFEST
    return str(files.read_json(manifest)[key]) if manifest.exists() else None
