"""The association network as a ranker: trained with TensorFlow, loaded and scored without it."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from models.association.learned import Roles
from models.association.neighbourhood import Heard
from models.association.params import AssociationParams
from tandem import files
from tandem.errors import ReleaseError
from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories

if TYPE_CHECKING:
    from models.association.fit import Trained


class Association:
    """What goes with a product, or with all of a user's history; see README.md of this folder."""

    name: str = "association"
    tasks: tuple[str, ...] = ("related", "recommend")
    params_class: Any = AssociationParams

    def __init__(self, params: AssociationParams) -> None:
        self.params = params
        first = {"popularity": params.popularity[0], "trend": params.trend[0]}
        self.choices: dict[str, float] = {"epochs": params.epochs, **first}
        self.curve: list[dict[str, float]] = []
        self.heard: Heard | None = None  # where products listen to neighbours
        self._roles: Roles | None = None

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Train; with validation, keep the best epoch and exponents by NDCG@10 and remember them."""
        from models.association.fit import train

        return self._take(train(dataset, self.params, self.choices, validation))

    def refit(self, dataset: Dataset) -> Self:
        """A new network, trained on `dataset` with the epochs and exponents that `fit` kept."""
        from models.association.fit import train

        return type(self)(self.params)._take(train(dataset, self.params, self.choices, None))

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) what goes with the history.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        return self.learned().scores(histories, demand)

    def without_recent(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) the same without recent demand.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        return self.learned().scores(histories, None)

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """(users, k) the product of the history with the largest part in the item's score, 0 where none has any.

        The score is a sum over the history; its parts are taken as they are without recent demand.
        """
        roles = self.learned()
        weights = roles.weights(histories)
        reasons = np.zeros(items.shape, np.int32)
        for user, wanted in enumerate(items):
            own = slice(weights.indptr[user], weights.indptr[user + 1])
            held, weight = weights.indices[own], weights.data[own]
            if len(held):
                parts = weight[:, None] * roles.rows(held, None)[:, wanted]  # (held, k)
                reasons[user] = np.where(parts.max(axis=0) > 0, held[parts.argmax(axis=0)], 0)
        return reasons

    def save(self, folder: Path) -> None:
        """Write roles.npz, params.json and, where products listen to neighbours, heard.npz.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        files.write_arrays(folder / "roles.npz", **_arrays(self.learned()))
        if self.heard:
            files.write_arrays(folder / "heard.npz", **_arrays(self.heard))
        files.write_json({"params": self.params.model_dump(), "choices": self.choices}, folder / "params.json")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The saved ranker; imports no TensorFlow."""
        stored = files.read_json(folder / "params.json")
        ranker = cls(AssociationParams.parse(stored["params"], str(folder / "params.json")))
        ranker.choices = stored["choices"]
        ranker._roles = Roles(**files.read_arrays(folder / "roles.npz"))
        if (folder / "heard.npz").exists():
            ranker.heard = Heard(**files.read_arrays(folder / "heard.npz"))
        return ranker

    def _take(self, trained: "Trained") -> Self:
        self.choices, self.curve = trained.choices, trained.curve
        self.heard, self._roles = trained.heard, trained.roles
        return self

    def learned(self) -> Roles:
        """What scores are made of.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        if self._roles is None:
            raise ReleaseError(f"{self.name} has learned nothing yet: fit or load it first")
        return self._roles


def _arrays(made: Roles | Heard) -> dict[str, NDArray]:
    return {f.name: np.asarray(getattr(made, f.name)) for f in fields(made)}
