"""Learn relations from what customers did later, and find every product's complements and substitutes with them.

What is known is cut in time: the earlier part is evidence, the later one says which pairs are complements and which
are substitutes (`tandem.features.relations.label`). In turn a fold of the products is hidden from the evidence once
more, so that products that nobody met yet are judged by what they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.relations import pairs
from models.relations.classifier import Classifier, Committee
from models.relations.params import RelationsParams
from models.relations.table import PairTable
from tandem.evaluation.labels import Ordered, reliability, roc_auc
from tandem.features import relations
from tandem.features.baskets import Baskets
from tandem.features.dataset import Dataset
from tandem.features.graph import DIRECTED, KINDS, edges, rows, users
from tandem.features.pairs import strongest
from tandem.features.partners import Partners, Relation
from tandem.features.relations import COMPLEMENT, NEITHER, RELATIONS, SUBSTITUTE, at
from tandem.params import RelateParams

PLACES: Mapping[Relation, int] = {"complement": COMPLEMENT, "substitute": SUBSTITUTE}
"""Those that partners have."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """Labelled pairs of the earlier part."""

    table: PairTable
    label: NDArray[np.int64]  # (pairs,)
    rate: NDArray[np.float64]  # (relations,) share of the pairs with a label that is here

    def __getitem__(self, rows: NDArray) -> "Lesson":
        return Lesson(self.table[rows], self.label[rows], self.rate)

    @property
    def unmet(self) -> NDArray[np.bool_]:
        """(pairs,) whether nobody met one of the two, as far as the evidence goes."""
        return np.isnan(self.table.evidence[:, 0])

    def counts(self) -> dict[str, int]:
        """Pairs by label."""
        return dict(zip(RELATIONS, np.bincount(self.label, minlength=len(RELATIONS)).tolist(), strict=True))

    def split(self, share: float, seed: int) -> tuple["Lesson", "Lesson"]:
        """Pairs to learn from, without products to test on, and pairs from those: `share` of the sources, by chance.

        What is said of a → b tells much of b → a.
        """
        sources = np.unique(self.table.source)
        drawn = np.random.default_rng(seed).permutation(sources)[: int(share * len(sources))]
        tested, led_to = (np.isin(of, drawn) for of in (self.table.source, self.table.target))
        return self[~tested & ~led_to], self[tested]


def lesson(known: Dataset, params: RelateParams) -> Lesson:
    """What the later part says of pairs that the earlier part asks about; of each label at most `pairs`, by chance.

    Of a product that nobody met in the later part it says nothing.
    """
    rng = np.random.default_rng(params.seed)
    cut = int(np.quantile(known.baskets.time_us, params.evidence_share)) if len(known.baskets) else known.as_of_us
    early, late = between(known, 0, cut), between(known, cut, known.as_of_us)
    told, there = labels(relations.label(late), known.vocabulary.size), pairs.met(late)
    fold = rng.integers(params.folds, size=known.vocabulary.size)
    lots = Lots(told, there, params, rng)
    whole = lots.draw(early, np.ones(len(fold), bool))
    unmet = (lots.draw(without(early, fold == n), fold == n) for n in range(params.folds))
    table, label, lot, count = (list(of) for of in zip(whole, *unmet, strict=True))
    found = Lesson(
        PairTable.joined(table), np.concatenate(label), np.minimum(params.pairs / np.maximum(sum(count), 1), 1)
    )
    return found[np.flatnonzero(best(found.label, np.concatenate(lot), params.pairs))]


Drawn = tuple[PairTable, NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Lots:
    """How pairs are drawn by chance: of each label those with the largest lots."""

    told: sp.csr_array  # (products, products) `labels`
    there: NDArray[np.bool_]  # (products,) met later
    params: RelateParams
    rng: np.random.Generator

    def draw(self, known: Dataset, asked: NDArray[np.bool_]) -> Drawn:
        """The pairs of products in `asked` with another: at most `pairs` of a label, their labels and lots, and how
        many there are of each label.
        """
        parts, count = [], np.zeros(len(RELATIONS), np.int64)
        for a, b in pairs.blocks(pairs.candidates(known, self.params)):
            kept = self.there[a] & self.there[b] & (asked[a] | asked[b])
            a, b = a[kept], b[kept]
            label = np.asarray(self.told[a, b]).astype(np.int64) if len(a) else np.zeros(0, np.int64)  # SciPy's of none
            count += np.bincount(label, minlength=len(RELATIONS))
            parts.append(self._fewer(a, b, label, self.rng.random(len(a))))
        a, b, label, lot = self._fewer(*map(np.concatenate, zip(*parts, strict=True)))
        return pairs.Told.of(known).asked(a, b).table, label, lot, count

    def _fewer(self, a: NDArray, b: NDArray, label: NDArray, lot: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        kept = best(label, lot, self.params.pairs)
        return a[kept], b[kept], label[kept], lot[kept]


def labels(told: relations.Relations, products: int) -> sp.csr_array:
    """(products, products) what was told of each pair; NEITHER, which is 0, where nothing was believed."""
    believed = np.flatnonzero(told.kind != NEITHER)
    cells = told.kind[believed], (told.a[believed], told.b[believed])
    return sp.csr_array(cells, shape=(products, products))


def between(known: Dataset, begin_us: int, end_us: int) -> Dataset:
    """The dataset of the events of that time alone; of products it knows the same."""

    def part(of: Baskets) -> Baskets:
        return of.take(np.flatnonzero((of.time_us >= begin_us) & (of.time_us < end_us)))

    past = known.histories
    kept = past.keep((past.time_us >= begin_us) & (past.time_us < end_us))
    return replace(
        known, histories=replace(kept, as_of_us=end_us), baskets=part(known.baskets), views=part(known.views)
    )


def without(known: Dataset, hidden: NDArray[np.bool_]) -> Dataset:
    """The dataset as if nobody had met the hidden products."""
    shown = sp.diags_array((~hidden).astype(np.float64))

    def rest(of: Baskets) -> Baskets:
        content = sp.csr_array(of.content @ shown)
        content.eliminate_zeros()
        return replace(of, content=content)

    past = known.histories
    kept = past.keep(~hidden[past.product])
    return replace(known, histories=kept, baskets=rest(known.baskets), views=rest(known.views))


def learn(taught: Lesson, content: pairs.Content, params: RelationsParams, members: int) -> Committee:
    """Networks of relations, `members` of them; their probabilities are those of all pairs and not of the sample.

    What products are is in memory of those that are taught, of the others block by block.

    Raises:
        RelationsError: the pairs do not suffice.
    """
    from models.relations.fit import fit  # TensorFlow

    table = taught.table
    products, place = np.unique(np.concatenate([table.source, table.target]), return_inverse=True)
    source, target = np.split(place, 2)
    own = PairTable.of(source, target, table.evidence)
    vectors, made = content[products], []
    for n in range(members):
        one = fit(own, taught.label, vectors, params.model_copy(update={"seed": params.seed + n}))
        made.append(as_frequent(one.over(products, content), taught.rate))
    return Committee(tuple(made))


def as_frequent(made: Classifier, rate: NDArray[np.float64]) -> Classifier:
    """The same where pairs with a label are 1 / rate times as many: odds as Bayes has them."""
    *layers, (kernel, bias) = made.dense
    bias = (bias - made.temperature * np.log(rate)).astype(np.float32)
    return replace(made, dense=(*layers, (kernel, bias)))


def judge(made: Committee, tested: Lesson) -> dict[str, float]:
    """How good probabilities are on pairs that were not learned from, each weighing as many as it stands for.

    Log loss beside that of the labels' shares, the expected calibration error of each relation, and how often a
    complement has higher odds of being one against a substitute than a substitute has.
    """
    p, weight = made.probabilities(tested.table), 1 / tested.rate[tested.label]
    share = np.bincount(tested.label, weight, len(RELATIONS)) / weight.sum()
    errors = {name: reliability(tested.label == n, p[:, n], weight).ece for name, n in PLACES.items()}
    found = {
        "log_loss": float(np.average(-np.log(p[np.arange(len(p)), tested.label]), weights=weight)),
        "log_loss_of_shares": float(-np.sum(share[share > 0] * np.log(share[share > 0]))),
        **{f"calibration_error_{name}": error for name, error in errors.items()},
    }
    typed = np.flatnonzero(tested.label != NEITHER)
    if len(np.unique(tested.label[typed])) == 2:
        odds = np.log(p[typed, COMPLEMENT]) - np.log(p[typed, SUBSTITUTE])
        ordered = Ordered.of(tested.label[typed] == COMPLEMENT, odds)
        found["auc_complement_against_substitute"] = roc_auc(ordered, weight[typed])
    return found


@dataclass(frozen=True, eq=False)
class Learned:
    """What tells relations: the networks for those in `names`, counts alone for the others."""

    relations: Committee | None
    names: tuple[Relation, ...]


def find(known: Dataset, learned: Learned, params: RelateParams) -> Partners:
    """The most probable partners of each product; of relations that were not learned those that counts prove."""
    told = [_counted(known, name, params) for name in PLACES if name not in learned.names]
    if learned.relations:
        told += _probable(known, learned, learned.relations, params)
    parts = [Partners.none(), *told]
    return Partners.of(*(np.concatenate([getattr(of, f.name) for of in parts]) for f in fields(Partners)))


def _probable(known: Dataset, learned: Learned, made: Committee, params: RelateParams) -> Iterator[Partners]:
    found: dict[Relation, list[tuple[NDArray, ...]]] = {name: [] for name in learned.names}
    for asked in pairs.ask(known, params):  # all pairs of a source are in one block
        a, b, p = asked.table.source, asked.table.target, made.probabilities(asked.table)
        for name, of in ((name, p[:, PLACES[name]]) for name in learned.names):
            likelier = of >= p[:, [PLACES[other] for other in learned.names]].max(axis=1)  # a pair stands in one list
            kept = best(a, of * likelier, params.keep) & likelier & (of >= params.min_probability)
            found[name].append((a[kept], b[kept], of[kept], first(asked.forward[kept], params)))
    for name, parts in found.items():
        yield _partners(known, name, *map(np.concatenate, zip(*parts, strict=True)))


def _counted(known: Dataset, name: Relation, params: RelateParams) -> Partners:
    told = relations.label(known)
    believed = np.flatnonzero(told.kind == PLACES[name])
    score = getattr(told, name)[believed]
    kept = believed[best(told.a[believed], score, params.keep)]
    kept = kept[np.argsort(-getattr(told, name)[kept], kind="stable")]
    unsaid = np.full(len(kept), np.nan)
    return _partners(known, name, told.a[kept], told.b[kept], unsaid, first(told.forward[kept], params))


def first(forward: NDArray[np.floating], params: RelateParams) -> NDArray[np.int8]:
    """(pairs,) 1 where a surely comes first, -1 where b does, 0 where it is not sure enough."""
    return np.where(np.abs(forward) >= params.min_precedence, np.sign(forward), 0).astype(np.int8)


def numbered(table: PairTable, number: NDArray[np.integer]) -> PairTable:
    """The same pairs with other numbers for their products."""
    return PairTable.of(number[table.source], number[table.target], table.evidence)


def best(a: NDArray[np.integer], values: NDArray[np.floating], count: int) -> NDArray[np.bool_]:
    """(pairs,) whether a pair is one of the `count` of the highest value with its a."""
    kept = np.zeros(len(a), bool)
    kept[strongest(a, values, count)] = True
    return kept


def _partners(
    known: Dataset, name: Relation, a: NDArray, b: NDArray, probability: NDArray[np.floating], leads: NDArray[np.int8]
) -> Partners:
    ways = {kind: [(a, b), (b, a)] if kind in DIRECTED else [(a, b)] for kind in KINDS}
    counts = [at(edges(known, kind), *way).n for kind in KINDS for way in ways[kind]]
    behind = [users(rows(known, kind), *way) for kind in KINDS for way in ways[kind]]
    relation, leads = np.full(len(a), PLACES[name]), leads * (name == "complement")
    return Partners.of(a, b, relation, probability, leads, np.stack(counts, axis=1), np.stack(behind, axis=1))
