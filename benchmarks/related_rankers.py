"""Who takes part in the benchmark of related products: rankers of this project and the methods of others."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar, Self, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.related_shops import SEED, Shop, reads
from models.association.params import AssociationParams, variants
from models.association.ranker import Association
from models.blend import BlendWithNetwork, components
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import choose_best, mean_ndcg
from tandem.features import strength
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.graph import edges
from tandem.features.histories import Histories
from tandem.params import BlendParams, CountingParams
from tandem.ranking.base import CountingRanker, decayed, with_recent
from tandem.ranking.blend import Blend
from tandem.ranking.counting import COUNTING
from tandem.ranking.ease import scaled
from tandem.ranking.neighbours import CHOOSE_ON, ItemToItem, WeightedCosine, Weights

WORKER = Path(__file__).with_name("item2vec_worker.py")
MIX = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Weights of the text in the mix, the best of which on validation is taken."""

Encode = Callable[[list[str]], NDArray | sp.csr_array]
LIFT_SUPPORT = 20  # as in the reference row


def rankers(shop: Shop, peers: str | None) -> dict[str, Callable[[], CountingRanker | Association | Blend]]:
    """By name, what makes each ranker; a new one is one more line. Without a Python for it item2vec has no row."""
    params, network, blend = CountingParams.read(), AssociationParams.read(), BlendParams.read()
    supported = params.model_copy(update={"min_support": LIFT_SUPPORT})
    made = {
        name: lambda kind=kind, name=name: kind(supported if name == "lift" else params)
        for name, kind in COUNTING.items()
        if "related" in kind.tasks
    }
    made |= {"confidence": lambda: Confidence(params), "jaccard": lambda: Jaccard(params)}
    made |= {"item2vec": lambda: Item2Vec(params, peers)} if peers else {}
    if any(shop.texts(shop.final)):
        made["tfidf"] = lambda: TextCosine(params, shop, tfidf)
        made["minilm"] = lambda: TextCosine(params, shop, reads().encode)
        made["weighted_cosine + minilm"] = lambda: Mix(params, shop, reads().encode)
    made["association"] = lambda: TrainedOnce(network)
    others = {name: of for name, of in variants(network).items() if of != network}
    made |= {f"association, {name}": lambda of=of: TrainedOnce(of) for name, of in others.items()}
    made["blend"] = lambda: BlendWithNetwork(
        components(lambda kind: TrainedOnce(network) if kind is Association else kind(params)), blend
    )
    return made


class TrainedOnce(Association):
    """The network, which two rows of the table need: its own and the blend's."""

    trained: ClassVar[dict[tuple[object, ...], Association]] = {}

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Trained, or remembered."""
        key = dataset, id(validation), self.params.model_dump_json()
        return self._once(key, partial(super().fit, dataset, validation))

    def refit(self, dataset: Dataset) -> Self:
        """Trained, or remembered."""
        return self._once((self, dataset), partial(super().refit, dataset))

    def _once(self, key: tuple[object, ...], train: Callable[[], Self]) -> Self:
        if key not in self.trained:
            self.trained[key] = train()
        return cast(Self, self.trained[key])


class Confidence(ItemToItem):
    """n_ij / n_i: of one antecedent the order of the count."""

    name = "confidence"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """Share of the antecedent's baskets."""
        found = edges(dataset, "together")
        return found.matrix(strength.confidence(found))


class Jaccard(ItemToItem):
    """n_ij / (n_i + n_j - n_ij + shrinkage), with the shrinkage of the cosine."""

    name = "jaccard"
    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def weights(self, dataset: Dataset) -> Weights:
        """Shrunk."""
        found = edges(dataset, "together")
        return found.matrix(found.n / (found.of_a + found.of_b - found.n + self.params.cosine_shrinkage))


class OfVectors(CountingRanker):
    """Cosine of products' vectors, summed over the history."""

    tasks: ClassVar[tuple[str, ...]] = ("related",)

    def near(self, histories: Histories) -> NDArray[np.float32]:
        """(users, products)."""
        own = decayed(histories, self.learned["kind_weight"], self.params.half_life_days).astype(np.float32)
        vectors = self.learned["vectors"]
        return np.asarray((own @ vectors) @ vectors.T, np.float32)

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """Then recent demand."""
        return with_recent(self.near(histories), demand)


class Item2Vec(OfVectors):
    """Of a Python that has gensim."""

    name = "item2vec"

    def __init__(self, params: CountingParams, python: str = "") -> None:
        super().__init__(params)
        self.python = python

    def refit(self, dataset: Dataset) -> Self:
        """Trained anew."""
        again = type(self)(self.params, self.python)
        again.learned = again.learn(dataset)
        return again

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Nothing is chosen, so nothing is trained before `refit`."""
        return self

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """Unit vectors."""
        return {"kind_weight": dataset.kind_weight, "vectors": item2vec(dataset, self.python)}


@lru_cache(maxsize=1)
def item2vec(dataset: Dataset, python: str) -> NDArray[np.float32]:
    """(products, dim) unit vectors, remembered for the next view."""
    content = dataset.baskets.content
    with tempfile.TemporaryDirectory() as work:
        asked, made = Path(work) / "baskets.npz", Path(work) / "vectors.npz"
        np.savez(asked, indptr=content.indptr, indices=content.indices, products=content.shape[1], seed=SEED)
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": ""}
        subprocess.run([python, str(WORKER), str(asked), str(made)], check=True, env=environment)
        return unit(np.load(made)["vectors"])


class TextCosine(OfVectors):
    """Of the titles."""

    name = "text_cosine"

    def __init__(self, params: CountingParams, shop: Shop, encode: Encode) -> None:
        super().__init__(params)
        self.shop, self.encode = shop, encode

    def refit(self, dataset: Dataset) -> Self:
        """Other products' titles."""
        again = type(self)(self.params, self.shop, self.encode)
        again.choices = dict(self.choices)
        again.learned = again.learn(dataset)
        return again

    def learn(self, dataset: Dataset) -> dict[str, NDArray]:
        """Unit vectors."""
        return {"kind_weight": dataset.kind_weight, "vectors": unit(self.encode(self.shop.texts(dataset)))}


class Mix(TextCosine):
    """Weighted cosine over its largest of the row, plus ω times the text cosine; α, then ω chosen on validation."""

    name = "mix"

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Choose, then learn."""
        self.counts = WeightedCosine(self.params).fit(dataset, validation)
        self.learned = self.learn(dataset)
        if validation is not None and len(validation):
            cases = validation.spread(CHOOSE_ON)
            parts = scaled(self.counts.linear(cases.histories)), self.near(cases.histories)
            self.choices = {"text": choose_best(lambda w: mean_ndcg(parts[0] + w * parts[1], cases, 10), MIX)}
        return self

    def refit(self, dataset: Dataset) -> Self:
        """Both learned anew."""
        again = super().refit(dataset)
        again.counts = self.counts.refit(dataset)
        return again

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """Of both."""
        text = self.choices.get("text", MIX[0]) * self.near(histories)
        return with_recent(scaled(self.counts.linear(histories)) + text, demand)


def tfidf(texts: list[str]) -> NDArray[np.float32]:
    """Of words, sublinear."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True).fit_transform(texts).astype(np.float32).toarray()


def unit(vectors: NDArray) -> NDArray[np.float32]:
    """Rows of length 1, or 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1.0)).astype(np.float32)
