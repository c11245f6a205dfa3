"""What every stage that makes releases shares: the data of each window, the state to serve, the facts to record."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

import models
import tandem
from tandem import files, release
from tandem.data import schema
from tandem.data.splits import Cuts
from tandem.evaluation import cases
from tandem.evaluation.cases import Cases
from tandem.features import demand, histories
from tandem.features.bundles import Bundles
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.partners import Partners
from tandem.params import PrivacyParams
from tandem.ranking.ranker import Ranker

Window = Literal["trial", "final"]


@dataclass(frozen=True)
class Workshop:
    """The folders a training stage reads, and what is in them, read when asked for."""

    snapshot: Path
    splits: Path
    opinions: Path
    features: Path
    relations: Path

    @cached_property
    def trial(self) -> Dataset:
        """Everything before the validation window."""
        return Dataset.read(self.features / "trial")

    @cached_property
    def final(self) -> Dataset:
        """Everything before the test window."""
        return Dataset.read(self.features / "final")

    def with_vectors(self, window: Window, vectors: Path) -> Dataset:
        """The window's dataset with the vectors of its products' texts and pictures."""
        dataset = self.trial if window == "trial" else self.final
        return dataset.with_vectors(**files.read_arrays(vectors / f"{window}.npz"))

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The snapshot's manifest."""
        return dict(files.read_json(self.snapshot / "manifest.json"))

    @cached_property
    def catalogue(self) -> pd.DataFrame:
        """schema.PRODUCTS."""
        return files.read(self.snapshot / "products.parquet", schema.PRODUCTS)

    @cached_property
    def cuts(self) -> Cuts:
        """When the windows begin."""
        return Cuts.read(self.splits / "cuts.json")

    @cached_property
    def to_serve(self) -> tuple[Histories, Demand]:
        """Histories and demand up to the end of the snapshot, in the final vocabulary."""
        events = files.read(self.snapshot / "events.parquet", schema.EVENTS)
        reviews = files.read(self.opinions, schema.OPINIONS)
        vocabulary, weight = self.final.vocabulary, self.final.params.kind_weight
        return (
            histories.encode(events, vocabulary, self.cuts.end, reviews),
            demand.measure(events, vocabulary, self.cuts.end, weight),
        )

    def validation(self, task: str, min_count: int) -> Cases:
        """What came true in the validation window, seen from the trial dataset, in the view that decides."""
        later = files.read(self.splits / "validation.parquet", schema.EVENTS)
        return cases.views(task, self.trial, later, min_count=min_count)[cases.VIEWS[task][0]]

    def write(self, folder: Path, ranker: Ranker, window: Window, facts: dict[str, Any]) -> str:
        """Write a trial or a release and return its content hash.

        Args:
            facts: kind, tasks, params and seed of the ranker.
        """
        dataset = self.trial if window == "trial" else self.final
        state = (dataset.histories, dataset.demand) if window == "trial" else self.to_serve
        fit_until = self.cuts.validation if window == "trial" else self.cuts.test
        known = {
            "data_hash": self.manifest["data_hash"],
            "source": self.manifest["source"],
            "key_id": self.manifest["key_id"],
            "window": window,
            "fit_until": fit_until.isoformat(),
            "code": code_hash(),
            "target_kinds": list(dataset.params.target_kinds),
            "min_users": PrivacyParams.read().min_users,
        }
        return release.write(
            folder,
            ranker,
            dataset.vocabulary,
            self.catalogue,
            state,
            {**known, **facts},
            self._goes_with(window, facts),
        )

    def _goes_with(self, window: Window, facts: dict[str, Any]) -> tuple[Partners, Bundles] | None:
        """Partners and bundles, for what ships and says what goes with a product."""
        if window != "final" or "related" not in facts["tasks"]:
            return None
        folder = self.relations / "final"
        return Partners.read(folder / "partners.npz"), Bundles.read(folder / "bundles.npz")


def code_hash() -> str:
    """SHA-256 over the sources of `tandem` and `models`, in hex: what the rankers were made by."""
    names = {}
    for package in (tandem, models):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            names[path.relative_to(folder.parent).as_posix()] = files.hash_file(path)
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()
