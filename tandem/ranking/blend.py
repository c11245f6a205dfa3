"""One order out of many: what several rankers say of a pair, weighed by what came true in the validation window.

score(i, j) = Σ_k (w_k + v_k a_i) x_k(i, j)

x_k are the log or the plain score of each component, log counts of what the shop sold of j lately and ever, log of j's
age, and for each of these 1 where it says nothing (its x_k is 0 there). a_i tells how well i is known: log(1 + baskets
with it), standardised over the cases with baskets. So a product with few baskets leans on other components than one
with many. A product without any has weights of its own, for what needs no basket of i: learned from products that were
new within the dataset (`newcomers.py`), or, where these are too few, from cases whose baskets are hidden. They also
weigh log counts of j's company: how often any product would stand beside j by chance.

The weights are those of a conditional logit (`logit.py`) of the gains among the best candidates of each component. The
anchor is, of the components that count, weighed or not, the best on validation; if weighed, it goes almost free of the
penalty. On no slice of popularity the blend is to be worse than it; where it gains nothing, the anchor answers by
itself (`protection.py`), and what else knows products by their baskets is left out.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tandem import files
from tandem.errors import EvaluationError, ReleaseError
from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import rank
from tandem.evaluation.slices import PLACES
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import DAY_US, Histories
from tandem.params import BlendParams
from tandem.ranking.base import CountingRanker
from tandem.ranking.component import Component
from tandem.ranking.content import CosineOfLike, NearPicture, NearText, NearTitle, SameBrand, SameCategory
from tandem.ranking.ease import BasketEase
from tandem.ranking.logit import Choices, Weights, fit_weights
from tandem.ranking.neighbours import CoCount, WeightedCosine, WeightedCosineTrend
from tandem.ranking.newcomers import backtests
from tandem.ranking.protection import Asked, protected
from tandem.ranking.ranker import Ranker, top_k

log = logging.getLogger(__name__)

BLOCK = 256
"""Cases read at once."""

NO_CASES = (
    "a blend learns its weights from products that were bought together in the validation window, and there are none: "
    "lower `evaluate.related_min_count`, or widen `split.validation_days`"
)


class Blend:
    """What goes with a product by several rankers together."""

    name = "blend"
    tasks: ClassVar[tuple[str, ...]] = ("related",)
    kinds: ClassVar[Mapping[str, type[Ranker]]] = {
        kind.name: kind
        for kind in (
            *(WeightedCosine, WeightedCosineTrend, BasketEase, CoCount),
            *(CosineOfLike, NearText, NearTitle, NearPicture, SameCategory, SameBrand),
        )
    }
    """Components that `load` knows, by name; a blend with others is a subclass that names them as well."""

    def __init__(self, components: Sequence[Component], params: BlendParams) -> None:
        self.components = tuple(components)
        self.params = params
        self.learned: dict[str, NDArray] = {}
        self.weights: dict[str, Weights] = {}  # "warm" and "cold"
        self.usual = (0.0, 1.0)  # mean and deviation of log(1 + baskets) over the cases with baskets

    @property
    def in_use(self) -> tuple[Component, ...]:
        """The components that answers come from: an anchor that answers by itself, or what is weighed; and content."""
        anchor = self.weights["warm"].anchor
        return tuple(
            part for part in self.components if part.of_content or (part.name == anchor if anchor else part.weighed)
        )

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        """Fit the components, then learn the weights from validation.

        Raises:
            EvaluationError: no validation case with a relevant candidate.
        """
        if validation is None:
            raise EvaluationError(NO_CASES)
        self.components = tuple(component.fit(dataset, validation) for component in self.components)
        return self.weigh(dataset, validation)

    def weigh(self, dataset: Dataset, validation: Cases) -> Self:
        """Learn the weights of components that learned from `dataset` already.

        Raises:
            EvaluationError: no validation case with baskets and a relevant candidate.
        """
        if not len(validation):
            raise EvaluationError(NO_CASES)
        self.learned = _learn(dataset, self.params)
        cases = validation.spread(self.params.max_cases)
        evidence = self._evidence(cases.histories)
        warm = np.flatnonzero(evidence > 0)  # what the others are answered by says nothing of warm weights
        if not len(warm):
            raise EvaluationError(f"no basket held what {len(cases)} validation cases ask about: nothing to learn from")
        self.usual = float(evidence[warm].mean()), float(evidence[warm].std()) or 1.0
        cold = self._of_newcomers(dataset) or self._cold_weights(cases)
        self.weights = {"warm": self._warm_weights(cases.take(warm)), "cold": cold}
        return self

    def refit(self, dataset: Dataset) -> Self:
        """A new blend: components in use learned from `dataset` with their choices, under the weights of `over`."""
        return self.over([component.refit(dataset) for component in self.in_use], dataset)

    def over(self, components: Sequence[Component], dataset: Dataset) -> Self:
        """A new blend with these weights, over the components in use as they learned from `dataset`.

        Weights of products without baskets are learned again, their penalty too, where `dataset` has the newcomers.
        """
        again = type(self)(components, self.params)
        again.learned, again.weights, again.usual = _learn(dataset, self.params), self.weights, self.usual
        if found := again._of_newcomers(dataset):
            again.weights = {**self.weights, "cold": found}
        return again

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        """(users, products) by the weights of products with or without baskets, whichever the history holds.

        Raises:
            ReleaseError: neither fitted nor loaded.
        """
        if not self.weights:
            raise ReleaseError(f"{self.name} has learned nothing yet: fit or load it first")
        evidence = self._evidence(histories)
        scores = np.zeros((len(histories), histories.products), np.float32)
        for cold in (False, True):
            rows = np.flatnonzero((evidence == 0) == cold)
            if len(rows):
                scores[rows] = self._of(histories.take(rows), demand, cold)
        return scores

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        """(users, k) what the first component says that has something to say; of rows the anchor orders, the anchor."""
        reasons = np.zeros(items.shape, np.int32)
        anchor = self.weights["warm"].anchor
        anchored = (self._evidence(histories) > 0)[:, None] & bool(anchor)
        for component in self.in_use:
            asked = (reasons == 0) & (~anchored | (component.name == anchor))
            if asked.any():
                reasons = np.where(asked, component.ranker.because(histories, items), reasons)
        return reasons.astype(np.int32)

    def stand_ins(self, product: int) -> NDArray[np.int32]:
        """The products that are like one without baskets; of any other none."""
        rankers = [part.ranker for part in self.components if self.learned["baskets"][product] == 0]
        like = [ranker.near[[product]].indices for ranker in rankers if isinstance(ranker, CosineOfLike)]
        return np.concatenate([np.zeros(0, np.int32), *like])

    def save(self, folder: Path) -> None:
        """Write blend.json, blend.npz and a folder for each component in use."""
        arrays = {f"{of}_{name}": value for of, weights in self.weights.items() for name, value in _arrays(weights)}
        files.write_arrays(folder / "blend.npz", usual=np.array(self.usual), **arrays, **self.learned)
        told = [{"name": part.name, "logs": part.logs, "of_content": part.of_content} for part in self.in_use]
        params = self.params.model_dump(mode="json")
        files.write_json({"params": params, "components": told}, folder / "blend.json")
        for part in self.in_use:
            (folder / part.name).mkdir()
            part.ranker.save(folder / part.name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The saved blend.

        Raises:
            ReleaseError: a component that this class does not know.
        """
        told, stored = files.read_json(folder / "blend.json"), files.read_arrays(folder / "blend.npz")
        if unknown := {part["name"] for part in told["components"]} - set(cls.kinds):
            raise ReleaseError(f"{folder}: components {sorted(unknown)} are none of {sorted(cls.kinds)}")
        parts = [
            Component(cls.kinds[part["name"]].load(folder / part["name"]), part["logs"], part["of_content"])
            for part in told["components"]
        ]
        blend = cls(parts, BlendParams.parse(told["params"], str(folder / "blend.json")))
        blend.usual = float(stored["usual"][0]), float(stored["usual"][1])
        blend.learned = {name: stored[name] for name in ("kind_weight", "baskets", "first_us", "company")}
        blend.weights = {
            of: Weights(
                stored[f"{of}_plain"],
                stored[f"{of}_by_known"],
                *(stored[f"{of}_{name}"].item() for name in ("l2", "balance", "anchor")),
            )
            for of in ("warm", "cold")
        }
        return blend

    def column_names(self, cold: bool) -> list[str]:
        """What the weights are of, in their order."""
        spans = self.params.demand_days
        of_product = [*(f"demand_{days}d" for days in spans), "baskets", "age"]
        of_product += [*(f"company_{days}d" for days in spans), "company"] if cold else []
        parts = [part.name for part in self._read_of(cold)]
        return [name for part in (*parts, *of_product) for name in (part, f"no_{part}")]

    def _of(self, histories: Histories, demand: Demand, cold: bool) -> NDArray[np.float32]:
        weights = self.weights["cold" if cold else "warm"]
        if weights.anchor:
            named = {part.name: part.ranker for part in self.components}
            return named[weights.anchor].scores(histories, demand)
        blocks = []
        for start in range(0, len(histories), BLOCK):
            block = histories.take(np.arange(start, min(start + BLOCK, len(histories))))
            columns = self._columns(self._read(block, demand, cold), demand, cold)
            blocks.append(weights.scores(columns, self._known(block, cold)))
        return np.concatenate(blocks)

    def _evidence(self, histories: Histories) -> NDArray[np.float64]:
        """(users,) log(1 + baskets), mean over the products of a history by the weight of their events."""
        weight = self.learned["kind_weight"][histories.kind]
        total = np.bincount(histories.user, weight, len(histories))
        logs = np.bincount(
            histories.user, weight * np.log1p(self.learned["baskets"][histories.product]), len(histories)
        )
        return logs / np.where(total > 0, total, 1.0)

    def _known(self, histories: Histories, cold: bool) -> NDArray[np.float64]:
        if cold:
            return np.zeros(len(histories))
        return (self._evidence(histories) - self.usual[0]) / self.usual[1]

    def _read(self, histories: Histories, demand: Demand, cold: bool) -> list[tuple[Component, NDArray[np.float32]]]:
        return [(c, c.read(histories, demand)) for c in self._read_of(cold)]

    def _read_of(self, cold: bool) -> list[Component]:
        return [c for c in self.components if c.of_content or (c.weighed and not cold)]

    def _columns(
        self, read: list[tuple[Component, NDArray[np.float32]]], demand: Demand, cold: bool
    ) -> Iterator[NDArray[np.float32]]:
        """In order of `column_names`, (users, products) or (1, products) each."""
        for component, scores in read:
            yield from component.columns(scores)
        age_days = np.maximum(demand.as_of_us - self.learned["first_us"], 0) / DAY_US
        met = self.learned["first_us"] > 0
        spans = [demand.last(days) for days in self.params.demand_days]
        company = self.learned["company"] if cold else ()
        for amount in (*spans, self.learned["baskets"], np.where(met, age_days, 0.0), *company):
            yield np.log1p(amount, dtype=np.float32)[None]
            yield (amount == 0).astype(np.float32)[None]

    def newcomers(self, dataset: Dataset) -> Iterable[tuple[Dataset, Cases]]:
        """Earlier moments of the dataset, each with the cases of products that were new then."""
        return backtests(dataset, self.params.newcomers)

    def _of_newcomers(self, dataset: Dataset) -> Weights | None:
        """Weights of products without baskets; None where too few products were new within the dataset."""
        wanted, p, found = self.params.newcomers, self.params, []
        for earlier, cases in self.newcomers(dataset):
            at = type(self)([part.refit(earlier) for part in self.components if part.of_content], p)
            at.learned = _learn(earlier, p)
            found.append(at._asked(cases, True, wanted.sold).choices)
        asked = sum(len(choices) for choices in found)
        if asked < wanted.min_cases:
            if wanted.cuts:
                log.warning(
                    "%d cases of products that were new at a time are fewer than %d: what goes with new products is "
                    "learned from known ones, as if no basket had held them", asked, wanted.min_cases,
                )  # fmt: skip
            return None
        weights = fit_weights(Choices.join(found), p.l2, p.folds, p.choosing_cases, by_known=False)
        log.info("cold weights of %d newcomers, l2 %g", asked, weights.l2)
        return weights

    def _cold_weights(self, cases: Cases) -> Weights:
        choices, p = self._asked(cases, True, self.params.candidates).choices, self.params
        if not len(choices):
            log.warning("content finds nothing of what went together: products without baskets go with the most sold")
            return self._most_sold()
        weights = fit_weights(choices, p.l2, p.folds, p.choosing_cases, by_known=False)
        log.info("cold weights of %d cases, l2 %g", len(choices), weights.l2)
        return weights

    def _warm_weights(self, cases: Cases) -> Weights:
        asked = self._asked(cases, False, self.params.candidates)
        if not len(asked.cases):
            raise EvaluationError(
                f"none of {len(cases)} validation cases has a relevant product among the {self.params.candidates} best "
                "of a component: nothing to learn weights from"
            )
        weights = self._protected(asked)
        if not weights.anchor:
            log.info("warm weights of %d cases, l2 %g, balance %g", len(asked.cases), weights.l2, weights.balance)
        return weights

    def _protected(self, asked: Asked) -> Weights:
        """Held against the component that counts baskets best; where none counts, there is no anchor."""
        p = self.params
        counts = [part for part in self.components if isinstance(part.ranker, CountingRanker) and not part.of_content]
        if not counts:
            return fit_weights(asked.choices, p.l2, p.folds, p.choosing_cases, by_known=True)
        counted = {part.name: rank(part.ranker, asked.cases, PLACES) for part in counts}
        return protected(asked, counted, self.column_names(cold=False), self.learned["baskets"], p)

    def _most_sold(self) -> Weights:
        """Of products without baskets: the order of demand."""
        of = [float(name == f"demand_{max(self.params.demand_days)}d") for name in self.column_names(cold=True)]
        return Weights(np.array(of), np.zeros(len(of)), self.params.l2[0])

    def _asked(self, cases: Cases, cold: bool, sold: int) -> Asked:
        """The candidates of cases, `sold` of them as sold most lately."""
        columns, target, sizes, known, product, found = [], [], [], [], [], []
        for start in range(0, len(cases), BLOCK):
            block = cases.take(np.arange(start, min(start + BLOCK, len(cases))))
            read = self._read(block.histories, block.demand, cold)
            wanted = self._candidates(block, [scores for _, scores in read], sold)
            gain = np.where(wanted, block.truth.toarray(), 0.0)
            wanted &= (gain > 0).any(axis=1, keepdims=True)
            rows, products = np.nonzero(wanted)
            columns.append(_at(rows, products, list(self._columns(read, block.demand, cold))))
            target.append((gain / np.maximum(block.truth.sum(axis=1), 1e-30)[:, None])[rows, products])
            asked = wanted.any(axis=1)
            sizes.append(wanted.sum(axis=1)[asked])
            known.append(self._known(block.histories, cold)[asked])
            product.append(products)
            found.append(start + np.flatnonzero(asked))
        size = np.concatenate(sizes)
        choices = Choices(
            np.concatenate(columns), np.concatenate(target), np.cumsum(size) - size, np.concatenate(known)
        )
        return Asked(choices, np.concatenate(product), cases.take(np.concatenate(found)))

    def _candidates(self, block: Cases, scores: list[NDArray[np.float32]], sold: int) -> NDArray[np.bool_]:
        """(cases, products) the best of each component, and as many as `sold` of those sold most lately."""
        wanted = np.zeros(block.truth.shape, bool)
        recent = np.broadcast_to(block.demand.last(max(self.params.demand_days)), wanted.shape)
        for of, k in (*((of, self.params.candidates) for of in scores), (recent, sold)):
            np.put_along_axis(wanted, top_k(of, k, block.masked), True, axis=1)
        wanted[:, 0] = False
        return wanted


def _learn(dataset: Dataset, params: BlendParams) -> dict[str, NDArray]:
    """What is sold of each product, since when, and in what company."""
    baskets, time_us = dataset.baskets.content.tocoo(), dataset.baskets.time_us
    first_us = np.full(dataset.vocabulary.size, np.iinfo(np.int64).max)
    np.minimum.at(first_us, baskets.coords[1], time_us[baskets.coords[0]])
    return {
        "kind_weight": dataset.kind_weight,
        "baskets": np.asarray(dataset.baskets.content.sum(axis=0)).ravel().astype(np.float32),
        "first_us": np.where(first_us == np.iinfo(np.int64).max, 0, first_us),
        "company": np.stack([_company(dataset, days) for days in (*params.demand_days, np.inf)]),
    }


def _company(dataset: Dataset, days: float) -> NDArray[np.float32]:
    """(products,) Σ over the baskets with j of the last `days` of (size - 1): pairs that j is in."""
    bought = dataset.baskets
    late = dataset.as_of_us - bought.time_us <= days * DAY_US
    return ((bought.size - 1) * late @ bought.content).astype(np.float32)


def _arrays(weights: Weights) -> list[tuple[str, NDArray]]:
    return [(name, np.asarray(value)) for name, value in asdict(weights).items()]


def _at(
    rows: NDArray[np.int64], products: NDArray[np.int64], columns: list[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """(pairs, columns)."""
    found = [column[rows if len(column) > 1 else np.zeros_like(rows), products] for column in columns]
    return np.stack(found, axis=1)
