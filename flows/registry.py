"""MLflow: runs, model versions and their aliases. The only place that calls it.

A release is known by its content hash: a run, and a version of each model it can stand for, carry it as a tag, so
that logging or registering the same release again finds what is there.
"""

import csv
import math
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tandem import release
from tandem.errors import ReleaseError, TandemError
from tandem.settings import Settings

MODELS = {"recommend": "tandem-recommend", "related": "tandem-related"}
"""Registered model of each task."""

EXPERIMENT = "tandem"
RELEASE = "release"  # the release's folder among a run's artefacts
BATCH = 100  # entries MLflow takes at once
LONGEST = 500  # characters of a parameter that every store takes


class RegistryError(TandemError, RuntimeError):
    """The model registry cannot be reached, or lacks what is asked for."""


@dataclass(frozen=True)
class Version:
    """A registered version of a model: one release, for one task."""

    task: str
    version: int
    name: str
    content_hash: str
    source: str
    data_hash: str = ""
    needs_retraining: str = ""  # why its release has to be made anew; empty where it has not

    def facts(self) -> dict[str, Any]:
        """What reports say of it."""
        return {"version": self.version, "name": self.name, "content_hash": self.content_hash}


@dataclass(frozen=True)
class Record:
    """What a run keeps beside the release: how well it did, how it learned, where it came from."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Path | None = None  # CSV: epoch, then one column per curve
    tags: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


@contextmanager
def mapped() -> Iterator[None]:
    """MLflow's errors become `RegistryError`."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise RegistryError(f"model registry: {error.message}") from error


class Registry:
    """The registry at `Settings.tracking_uri`, by default a SQLite file and a folder in `Settings.home`."""

    def __init__(self, settings: Settings) -> None:
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        from mlflow import MlflowClient

        home = settings.home.resolve()
        home.mkdir(parents=True, exist_ok=True)
        self.uri = settings.tracking_uri or f"sqlite:///{home / 'mlflow.db'}"
        local = None if settings.tracking_uri else (home / "mlartifacts").as_uri()
        self._artifacts = settings.artifacts_uri or local
        with mapped():
            self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def find(self, task: str, content_hash: str) -> Version | None:
        """The version that holds the release of this hash."""
        wanted = f"name = '{MODELS[task]}' and tags.content_hash = '{content_hash}'"
        with mapped():
            found = self._client.search_model_versions(wanted, max_results=1)
        return _version(task, found[0]) if found else None

    def named(self, task: str, alias: str) -> Version | None:
        """The version that `alias` points to."""
        from mlflow.exceptions import MlflowException

        try:
            return _version(task, self._client.get_model_version_by_alias(MODELS[task], alias))
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise RegistryError(f"model registry: {error.message}") from error

    def register(self, task: str, folder: Path, record: Record) -> Version:
        """The version that holds the release in `folder`, made now if there is none; logs its run once."""
        manifest = release.read_manifest(folder)
        known = self.find(task, manifest["content_hash"])
        if known:
            return known
        tags = _tags(manifest)
        with mapped():
            run_id = self._run(folder, manifest, record)
            self._ensure_model(MODELS[task])
            location = f"{self._client.get_run(run_id).info.artifact_uri}/{RELEASE}"
            made = self._client.create_model_version(MODELS[task], location, run_id, tags=tags)
        return _version(task, made, tags)

    def point(self, alias: str, version: Version) -> None:
        """Let `alias` point to `version`."""
        with mapped():
            self._client.set_registered_model_alias(MODELS[version.task], alias, str(version.version))

    def follow(self, erased: Collection[str]) -> list[Version]:
        """Let versions follow their stored releases where people were taken out, and mark them for retraining.

        Args:
            erased: content hashes, by now, of releases that people were taken out of.

        Returns:
            The versions that are marked.
        """
        marked = []
        for task, name in MODELS.items():
            with mapped():
                for found in self._client.search_model_versions(f"name = '{name}'"):
                    content_hash = self._stored(found)
                    if content_hash in erased:
                        tags = {"content_hash": str(content_hash), "needs_retraining": "erasure"}
                        for key, value in tags.items():
                            self._client.set_model_version_tag(name, found.version, key, value)
                            self._client.set_tag(str(found.run_id), key, value)
                        marked.append(_version(task, found, {**found.tags, **tags}))
        return marked

    def artifacts(self) -> list[str]:
        """Addresses below which runs keep their artefacts."""
        with mapped():
            found = self._client.get_experiment_by_name(EXPERIMENT)
            runs = self._client.search_runs([found.experiment_id]) if found else []
            return sorted({str(run.info.artifact_uri).rpartition(f"/{run.info.run_id}/")[0] for run in runs})

    def _stored(self, version: Any) -> str | None:
        """Content hash of a version's release as it lies on this machine; None where it lies elsewhere."""
        address = self._client.get_model_version_download_uri(version.name, version.version)
        folder = local(address)
        return str(release.read_manifest(folder)["content_hash"]) if folder and folder.is_dir() else None

    def download(self, version: Version, folder: Path) -> None:
        """Put the release of `version` into `folder`, replacing what was there; all or nothing.

        Raises:
            ReleaseError: what was stored is not the release that the registry names.
        """
        from mlflow.artifacts import download_artifacts

        name = MODELS[version.task]
        with tempfile.TemporaryDirectory() as scratch, mapped():
            got = Path(scratch) / RELEASE
            got.mkdir()
            address = self._client.get_model_version_download_uri(name, str(version.version))
            got = Path(download_artifacts(address, dst_path=str(got), tracking_uri=self.uri))
            found = release.read_manifest(got)["content_hash"]
            if found != version.content_hash:
                raise ReleaseError(
                    f"{address} holds release {found[:12]}, not {version.content_hash[:12]} as registered"
                )
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(got, folder)

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found:
            return str(found.experiment_id)
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=self._artifacts))

    def _ensure_model(self, name: str) -> None:
        if not self._client.search_registered_models(f"name = '{name}'", max_results=1):
            self._client.create_registered_model(name)

    def _run(self, folder: Path, manifest: Mapping[str, Any], record: Record) -> str:
        """The id of the release's finished run; a run that was killed half-way is closed and made anew."""
        experiment = self._experiment()
        wanted = f"tags.content_hash = '{manifest['content_hash']}'"
        for run in self._client.search_runs([experiment], wanted):
            if run.info.status == "FINISHED":
                return str(run.info.run_id)
            self._client.set_terminated(run.info.run_id, "KILLED")
        run_id = str(
            self._client.create_run(
                experiment, run_name=manifest["name"], tags={**_tags(manifest), **record.tags}
            ).info.run_id
        )
        self._log(run_id, manifest, record)
        self._client.log_artifacts(run_id, str(folder), RELEASE)
        for path in record.files:
            self._client.log_artifact(run_id, str(path))
        self._client.set_terminated(run_id)
        return run_id

    def _log(self, run_id: str, manifest: Mapping[str, Any], record: Record) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        params = [Param(key, value) for key, value in _flat(manifest).items()]
        metrics = [Metric(key, value, now, 0) for key, value in record.metrics.items()]
        metrics += [Metric(key, value, now, step) for key, value, step in _curves(record.curves)]
        for start in range(0, len(params), BATCH):
            self._client.log_batch(run_id, params=params[start : start + BATCH])
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def local(address: str) -> Path | None:
    """The folder of an address of artefacts, if it is one of this machine."""
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        return Path(url2pathname(parts.path))
    return None


def _version(task: str, found: Any, tags: Mapping[str, str] | None = None) -> Version:
    tags = tags or found.tags
    known = {key: tags.get(key, "") for key in ("name", "content_hash", "source", "data_hash", "needs_retraining")}
    return Version(task, int(found.version), **known)


def _tags(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: str(manifest[key]) for key in ("name", "kind", "content_hash", "data_hash", "source") if key in manifest
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as `outer.inner: text`, each text as long as MLflow takes."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)[:LONGEST]
    return flat


def _curves(path: Path | None) -> Iterator[tuple[str, float, int]]:
    """(curve, value, epoch) of a CSV of curves; places without a number are left out."""
    if path is None:
        return
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            step = int(float(row.pop("epoch")))
            for name, text in row.items():
                if text and math.isfinite(float(text)):
                    yield f"curve/{name}", float(text), step
