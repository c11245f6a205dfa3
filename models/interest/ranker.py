"""The interest networks as rankers: trained with TensorFlow, loaded and scored without it."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from models.interest.learned import Weights, inputs
from models.interest.params import LstmParams, TransformerParams
from models.portable import Portable
from tandem import files
from tandem.errors import ReleaseError
from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories

if TYPE_CHECKING:
    from models.interest.fit import Trained


class Interest:
    """What a user wants next; see README.md of this folder."""

    name: str
    tasks: tuple[str, ...] = ("recommend",)
    params_class: Any

    def __init__(self, params: TransformerParams | LstmParams) -> None:
        self.params = params
        self.choices: dict[str, float] = {"epochs": params.epochs}
        self.curve: list[dict[str, float]] = []
        self._weights: Weights | None = None
        self._encoder: Portable | None = None

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Train; with validation, keep the epoch of the best NDCG@10 and remember how many epochs it took."""
        from models.interest.fit import train

        return self._take(train(dataset, self.params, self.params.epochs, validation))

    def refit(self, dataset: Dataset) -> Self:
        """A new network, trained on `dataset` for as many epochs as `fit` kept."""
        from models.interest.fit import train

        return type(self)(self.params)._take(train(dataset, self.params, int(self.choices["epochs"]), None))

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) logits of the next purchases.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        weights, encoder = self._learned()
        return weights.scores(encoder(inputs(histories, int(weights.length))), histories, demand)

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """(users, k) the item itself where the user has it already, else 0: the network names no single event."""
        past = histories.matrix(np.ones(len(histories.product))).tocsr()
        had = np.asarray(past[np.arange(len(histories))[:, None], items].todense()) > 0
        return np.where(had, items, 0).astype(np.int32)

    def save(self, folder: Path) -> None:
        """Write encoder.onnx, weights.npz and params.json.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        weights, encoder = self._learned()
        (folder / "encoder.onnx").write_bytes(encoder.content)
        files.write_arrays(folder / "weights.npz", **{f.name: getattr(weights, f.name) for f in fields(weights)})
        files.write_json({"params": self.params.model_dump(), "choices": self.choices}, folder / "params.json")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The saved ranker; imports no TensorFlow."""
        stored = files.read_json(folder / "params.json")
        ranker = cls(cls.params_class.parse(stored["params"], str(folder / "params.json")))
        ranker.choices = stored["choices"]
        ranker._weights = Weights(**files.read_arrays(folder / "weights.npz"))
        ranker._encoder = Portable((folder / "encoder.onnx").read_bytes())
        return ranker

    def _take(self, trained: "Trained") -> Self:
        self.choices, self.curve = {"epochs": trained.epochs}, trained.curve
        self._weights, self._encoder = trained.weights, trained.encoder
        return self

    def _learned(self) -> tuple[Weights, Portable]:
        if self._weights is None or self._encoder is None:
            raise ReleaseError(f"{self.name} has learned nothing yet: fit or load it first")
        return self._weights, self._encoder


class Transformer(Interest):
    """A causal Transformer over the user's typed events."""

    name: str = "transformer"
    params_class: Any = TransformerParams


class Lstm(Interest):
    """LSTM → Conv1D → dense over the same events."""

    name: str = "lstm"
    params_class: Any = LstmParams
