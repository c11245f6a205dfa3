"""Bring the champions into service: from the registry into a bento, asked a few questions, and only then deployed.

Reads   the registry's champions, the code of tandem/, models/ and services/
Writes  a bento in BentoML's store, data/serving/<task>/, <home>/deployed.json

`deployed.json` is the list of deployments in use, the present one last. A bento that fails its questions never
gets there; rolling back deploys the one before.
"""

import json
import logging
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow

from flows import bento, prepare, processes
from flows.bento import ServiceError
from flows.registry import MODELS, Registry, RegistryError, Version
from tandem import files
from tandem.features.demand import Demand
from tandem.features.vocabulary import Vocabulary
from tandem.settings import Settings

log = logging.getLogger(__name__)

SERVING = Path("data/serving")
STRANGER = "nobody-has-this-id"
TIMEOUT_S = 60


@dataclass(frozen=True)
class Exchange:
    """A question to the service and its answer."""

    path: str
    question: dict[str, Any]
    answer: dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """A bento in service and the releases it carries."""

    tag: str
    releases: dict[str, dict[str, Any]]  # by task
    time: str  # UTC, ISO 8601


@flow(name="deploy")
def deploy() -> list[Exchange]:
    """Deploy the registry's champions, and return what the service was asked and answered.

    Raises:
        RegistryError: a task has no champion yet.
        ServiceError: the bento cannot be built or does not answer; what was deployed before stays.
    """
    settings = prepare()
    processes.sweep()
    registry = Registry(settings)
    champions = {task: _champion(registry, task) for task in MODELS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for task, champion in champions.items():
            registry.download(champion, folder / SERVING / task)
        bento.assemble(folder)
        tag = bento.build(folder)
        exchanges = ask(tag, folder / SERVING)
        _replace(SERVING, folder / SERVING)
    releases = {task: champion.facts() for task, champion in champions.items()}
    made = Deployment(tag, releases, datetime.now(UTC).isoformat(timespec="seconds"))
    before = [known for known in history(settings) if known.tag != tag]
    record(settings, [*before, made])
    return exchanges


def rebuild() -> str:
    """Tag of a bento of the releases in data/serving with the present code; nothing is deployed.

    Raises:
        ServiceError: nothing was deployed yet, or BentoML cannot build it.
    """
    if not SERVING.is_dir():
        raise ServiceError(f"{SERVING} is missing: `tandem deploy` fills it")
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(SERVING, Path(scratch) / SERVING)
        bento.assemble(Path(scratch))
        return bento.build(Path(scratch))


@flow(name="rollback")
def rollback() -> Deployment:
    """Deploy what was deployed before the present deployment, after asking it the same questions.

    The registry's champion stays: the next `deploy` brings it back.

    Raises:
        ServiceError: there is nothing before, or it does not answer; then the present one stays.
    """
    settings = prepare()
    processes.sweep()
    known = history(settings)
    if len(known) < 2:
        raise ServiceError("nothing to roll back to: there is no deployment before the present one")
    before = known[-2]
    registry = Registry(settings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for task, facts in before.releases.items():
            registry.download(_registered(registry, task, facts["content_hash"]), folder / task)
        ask(before.tag, folder)
        _replace(SERVING, folder)
    record(settings, known[:-1])
    return before


def history(settings: Settings) -> list[Deployment]:
    """Deployments that can be rolled back to, and the present one last."""
    path = _file(settings)
    return [Deployment(**entry) for entry in files.read_json(path)] if path.exists() else []


def present(settings: Settings) -> Deployment:
    """The present deployment.

    Raises:
        ServiceError: nothing is deployed.
    """
    known = history(settings)
    if not known:
        raise ServiceError("nothing is deployed yet: `tandem run` or `tandem deploy` does it")
    return known[-1]


def ask(tag: str, releases: Path) -> list[Exchange]:
    """Start the bento, ask about a known product, a stranger and somebody who took a product, and stop it.

    Raises:
        ServiceError: no answer, an empty one, or one from another release than those in `releases`.
    """
    known = {task: _most_wanted(releases / task) for task in MODELS}
    event = {"product_id": known["recommend"], "kind": "purchase", "time": datetime.now(UTC).isoformat()}
    questions = [
        ("related", {"product_id": known["related"], "k": 3}),
        ("recommend", {"user_id": STRANGER, "k": 3}),
        ("recommend", {"events": [event], "k": 3}),
    ]
    with bento.serving(tag) as address:
        exchanges = [Exchange(f"/{task}", body, _post(f"{address}/{task}", body)) for task, body in questions]
    for exchange in exchanges:
        _check(exchange, files.read_json(releases / exchange.path[1:] / "manifest.json"))
    log.info("%s answered %d questions", tag, len(exchanges))
    return exchanges


def _most_wanted(folder: Path) -> str:
    """The release's product with the largest demand lately."""
    demand = Demand.read(folder / "state" / "demand.npz").daily.sum(axis=0)  # (products,)
    return Vocabulary.read(folder / "vocabulary.json").decode([demand[1:].argmax() + 1])[0]


def _check(exchange: Exchange, manifest: Mapping[str, Any]) -> None:
    answer = exchange.answer
    if not answer["items"]:
        raise ServiceError(f"{exchange.path} answered {exchange.question} with nothing")
    if answer["model_version"] != manifest["content_hash"]:
        raise ServiceError(
            f"{exchange.path} answered from release {answer['model_version'][:12]}, "
            f"{manifest['content_hash'][:12]} was to be deployed"
        )


def _post(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise ServiceError(f"{url} answered {error.code} to {dict(body)}: {error.read().decode()[:500]}") from None
    except OSError as error:
        raise ServiceError(f"{url} did not answer: {error}") from None


def _champion(registry: Registry, task: str) -> Version:
    champion = registry.named(task, "champion")
    if champion is None:
        raise RegistryError(f"{MODELS[task]} has no champion yet: run `tandem retrain`")
    if champion.needs_retraining:
        log.warning(
            "%s: %s, version %d, needs retraining (%s): `tandem retrain` replaces it",
            MODELS[task], champion.name, champion.version, champion.needs_retraining,
        )  # fmt: skip
    return champion


def _registered(registry: Registry, task: str, content_hash: str) -> Version:
    found = registry.find(task, content_hash)
    if found is None:
        raise RegistryError(f"{MODELS[task]}: release {content_hash[:12]} is not in the registry any more")
    return found


def _replace(target: Path, folder: Path) -> None:
    """Let `target` hold the content of `folder`."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def record(settings: Settings, deployments: list[Deployment]) -> None:
    """Write the list of deployments, the present one last."""
    files.write_json([asdict(entry) for entry in deployments], _file(settings))


def _file(settings: Settings) -> Path:
    return settings.home / "deployed.json"
