"""How well complements are told from substitutes, beside logistic regression and boosted trees on the same numbers.

    python -m benchmarks.relations amazon_grocery
    python -m benchmarks.relations amazon_gift_cards

Truth: Amazon's lists; pairs in one list alone are asked, what stands in both is shown apart. AUC: a substitute above a
complement. Intervals: 95 %, bootstrap over antecedents with all their pairs. Each row names what it knows; one with a
spread is the mean of SEEDS, its other numbers are those of the first. For gift cards DROPOUT was chosen on a third of
the first split of unseen products; for groceries the section `relations` on the antecedents that are asked.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import relations_data as data
from benchmarks.relations_peers import Probabilities, auc, ece, interval, linear, log_loss, trees, within
from models.relations.fit import fit
from models.relations.graph import Graph
from models.relations.learned import Relations
from models.relations.params import RelationsParams
from models.relations.table import SUBSTITUTE, PairTable
from tandem.settings import quiet

SEEDS, SHARES = (7, 8, 9), (0.05, 0.2)
TEST_SHARE, WORDS_COST, DROPOUT = 0.2, 0.001, 0.5
EPOCHS = 8
"""At most, where neighbours are heard: each step sums over the whole graph."""

Rows = NDArray[np.integer]
Contender = Callable[[Rows, Rows, int], Probabilities]
"""From pairs to learn from, pairs to judge and a seed to P(substitute) of the latter."""
HERE = {"ids": ("target",), "paths": True}
"""What differs from the pipeline's params: of these products there is no sheet, and relations are edges."""


@dataclass(frozen=True)
class Task:
    """Labelled pairs and the folds in which they are asked."""

    source: Rows  # (pairs,)
    target: Rows  # (pairs,)
    label: Rows  # (pairs,)
    folds: Callable[[int], list[tuple[Rows, Rows]]]  # by seed, pairs to learn from and to ask

    def judge(self, contender: Contender, seed: int) -> tuple[Rows, Probabilities]:
        """Pairs that are asked, and what is said of them."""
        folds = self.folds(seed)
        return np.concatenate([ask for _, ask in folds]), np.concatenate([contender(*f, seed) for f in folds])

    def show(self, name: str, contender: Contender, seeds: tuple[int, ...] = SEEDS[:1]) -> None:
        """Print one row."""
        begun = time.perf_counter()
        judged = [self.judge(contender, seed) for seed in seeds]
        taken = (time.perf_counter() - begun) / len(seeds)
        aucs = [auc(p, self.label[asked]) for asked, p in judged]
        asked, p = judged[0]
        label, source = self.label[asked], self.source[asked]
        low, high = interval(lambda weight: auc(p, label, weight), source)
        spread = f" ± {np.std(aucs):.4f}" if len(seeds) > 1 else ""
        print(
            f"| {name} | {np.mean(aucs):.4f}{spread} [{low:.4f}, {high:.4f}] | {within(p, label, source):.4f} "
            f"| {log_loss(p, label):.4f} | {ece(p, label):.4f} | {taken:.0f} |",
            flush=True,
        )


def heading(title: str) -> None:
    """Print the head of a table."""
    print(f"\n{title}\n\n| knows | AUC | within antecedents | log loss | ECE | s |\n|---|---|---|---|---|---|")


def network(
    task: Task, numbers: NDArray | None, vectors: NDArray, params: RelationsParams, graph: Graph | None = None
) -> Contender:
    """P(substitute | one of the two) of a network on these numbers of pairs, vectors of products and edges."""
    pairs = PairTable.of(task.source, task.target, numbers)

    def answer(learned: Rows, asked: Rows, seed: int) -> Probabilities:
        made = fit(pairs[learned], task.label[learned], vectors, params.model_copy(update={"seed": seed}), graph)
        return said(made, pairs[asked])

    return answer


def said(relations: Relations, pairs: PairTable) -> Probabilities:
    """P(substitute) of pairs that are one of the two."""
    p = relations.probabilities(pairs)
    return p[:, SUBSTITUTE] / p[:, : SUBSTITUTE + 1].sum(axis=1)


def peer(task: Task, numbers: NDArray, model: Callable[..., Probabilities]) -> Contender:
    """P(substitute) of scikit-learn's model."""
    return lambda learned, asked, _: model(numbers[learned], task.label[learned], numbers[asked])


@dataclass(frozen=True, eq=False)
class Told:
    """What is known of the pairs of groceries without their lists."""

    counts: NDArray  # (pairs, 8) users of both
    bought: NDArray  # (pairs, 20) and sales and times of each
    everything: NDArray  # (pairs, 23) and categories

    @classmethod
    def of(cls, shop: data.Grocery, source: Rows, target: Rows) -> "Told":
        """Of these pairs."""
        counts = shop.behaviour(source, target)
        bought = np.column_stack([counts, shop.products(source, target)])
        return cls(counts, bought, np.column_stack([bought, shop.categories(source, target)]))

    @property
    def categories(self) -> NDArray:
        """(pairs, 3)."""
        return self.everything[:, self.bought.shape[1] :]


def groceries(params: RelationsParams) -> None:
    """Antecedents unseen: without relations as input, with the lists of other antecedents, with fewer of these."""
    shop = data.grocery()
    source, target, label = shop.lists.pairs()
    shuffled = np.random.default_rng(data.SEED).permutation(np.unique(source))
    hidden = np.isin(np.arange(len(shop.category)), shuffled[: int(TEST_SHARE * len(shuffled))])
    fold = np.flatnonzero(~hidden[source]), np.flatnonzero(hidden[source])
    task, told = Task(source, target, label, lambda _: [fold]), Told.of(shop, source, target)
    known = Graph.of(shop.lists.seen(~hidden))
    print(f"{len(label)} pairs, {label.mean():.1%} substitutes; {len(fold[1])} of {hidden.sum()} antecedents asked")
    without_relations(task, shop, told, params)
    with_relations(task, shop, told, known, params)
    ablations(task, shop, told, known, params)
    learning_curve(task, shop, told, params)
    in_both(task, shop, told, known, hidden, params)


def without_relations(task: Task, shop: data.Grocery, told: Told, params: RelationsParams) -> None:
    """Print what behaviour tells, then with what labels of other antecedents teach of each target."""
    no_edges = params.model_copy(update={"paths": False})
    no_ids = no_edges.model_copy(update={"ids": ()})
    heading("amazon_grocery, no relation as input, antecedents unseen")
    task.show("trees: counts of pairs, category", peer(task, np.column_stack([told.counts, told.categories]), trees))
    task.show("logistic regression: + products' sales and times", peer(task, told.bought, linear))
    task.show("trees: + products' sales and times", peer(task, told.everything, trees))
    task.show("network: the same, vectors of behaviour", network(task, told.bought, shop.vectors, no_ids), SEEDS)
    task.show("trees: + rate of the target in lists learned from", rated(task, told.everything))
    task.show(
        "network: + vectors of targets learned from labels", network(task, told.bought, shop.vectors, no_edges), SEEDS
    )


def with_relations(task: Task, shop: data.Grocery, told: Told, known: Graph, params: RelationsParams) -> None:
    """Print what the lists of other antecedents tell as edges."""
    all_back = np.stack([np.asarray(kind[task.target, task.source]).ravel() for kind in shop.lists.kinds], axis=1)
    some_back, paths = known.strength(task.target, task.source), known.evidence(task.source, task.target)
    heading("amazon_grocery, lists of the antecedents learned from as edges")
    counted = np.column_stack([told.counts, told.categories, all_back])
    task.show("trees: counts of pairs, category, all reverse lists, hidden ones too", peer(task, counted, trees))
    task.show(
        "trees: all of behaviour, reverse edges", peer(task, np.column_stack([told.everything, some_back]), trees)
    )
    task.show("trees: + degrees, paths, rate of the target", rated(task, np.column_stack([told.everything, paths])))
    task.show(
        "logistic regression: degrees, paths, behaviour", peer(task, np.column_stack([told.bought, paths]), linear)
    )
    task.show("network: all of it", network(task, told.bought, shop.vectors, params, known), SEEDS)


def ablations(task: Task, shop: data.Grocery, told: Told, known: Graph, params: RelationsParams) -> None:
    """Print the network with edges with more and fewer parts."""
    nothing = np.zeros((len(shop.category), 0))

    def changed(name: str, numbers: NDArray | None, vectors: NDArray, graph: Graph | None, **change: object) -> None:
        task.show(f"network: {name}", network(task, numbers, vectors, params.model_copy(update=change), graph))

    changed(
        "+ messages of neighbours, attention", told.bought, shop.vectors, known, messages="attention", epochs=EPOCHS
    )
    changed("+ messages of neighbours, mean", told.bought, shop.vectors, known, messages="mean", epochs=EPOCHS)
    changed(
        "messages for counts of paths",
        told.bought,
        shop.vectors,
        known,
        messages="attention",
        paths=False,
        epochs=EPOCHS,
    )
    changed("no vectors of targets", told.bought, shop.vectors, known, ids=())
    changed("no behaviour, edges alone", None, nothing, known)


def rated(task: Task, numbers: NDArray) -> Contender:
    """Trees that also know how often the target is a substitute in other lists that are learned from."""

    def answer(learned: Rows, asked: Rows, _: int) -> Probabilities:
        own = np.zeros(len(task.label))
        own[learned] = 1
        size = task.target.max() + 1
        count = np.bincount(task.target[learned], minlength=size)[task.target] - own
        found = np.bincount(task.target[learned], task.label[learned], size)[task.target] - own * task.label
        mean = task.label[learned].mean()
        all_of = np.column_stack([numbers, np.log1p(count), (found + 20 * mean) / (count + 20)])
        return trees(all_of[learned], task.label[learned], all_of[asked])

    return answer


def learning_curve(task: Task, shop: data.Grocery, told: Told, params: RelationsParams) -> None:
    """Print AUC by the share of antecedents that are learned from, whose lists alone are edges."""
    learned, asked = task.folds(0)[0]
    sources = np.random.default_rng(data.SEED).permutation(np.unique(task.source[learned]))
    ids_alone = params.model_copy(update={"paths": False})
    print("\n| antecedents learned from | trees, behaviour | trees, + edges | network, no edges | network, edges |")
    print("|---|---|---|---|---|")
    for share in SHARES:
        some = sources[: int(share * len(sources))]
        rows = learned[np.isin(task.source[learned], some)]
        graph = Graph.of(shop.lists.seen(np.isin(np.arange(len(shop.category)), some)))
        edges = np.column_stack([told.everything, graph.evidence(task.source, task.target)])
        found = [
            peer(task, told.everything, trees),
            rated(task, edges),
            network(task, told.bought, shop.vectors, ids_alone),
            network(task, told.bought, shop.vectors, params, graph),
        ]
        aucs = [auc(of(rows, asked, SEEDS[0]), task.label[asked]) for of in found]
        print(f"| {len(some)} |", *(f"{value:.4f} |" for value in aucs), flush=True)


def in_both(task: Task, shop: data.Grocery, told: Told, known: Graph, hidden: NDArray, params: RelationsParams) -> None:
    """Print what is said of pairs that stand in both lists, and how far lists agree with their reverse."""
    learned, _ = task.folds(0)[0]
    pairs = PairTable.of(task.source, task.target, told.bought)
    made = fit(pairs[learned], task.label[learned], shop.vectors, params, known)
    both = shop.lists.kinds[2].tocoo()
    one, other = (of[hidden[both.coords[0]]] for of in both.coords)
    p = said(made, PairTable.of(one, other, Told.of(shop, one, other).bought))
    quarters = ", ".join(f"{value:.2f}" for value in np.quantile(p, [0.25, 0.5, 0.75]))
    print(
        f"\n{len(p)} pairs of asked antecedents in both lists: P(substitute) quartiles {quarters}, mean {p.mean():.2f}"
    )
    print("\n| i → j in | j → i: complements alone | substitutes alone | both | neither |\n|---|---|---|---|---|")
    for name, kind in zip(("complements alone", "substitutes alone", "both"), shop.lists.kinds, strict=True):
        i, j = kind.tocoo().coords
        back = [np.asarray(of[j, i]).ravel().mean() for of in shop.lists.kinds]
        print(f"| {name} |", *(f"{value:.1%} |" for value in [*back, 1 - sum(back)]))


def cards(params: RelationsParams) -> None:
    """Antecedents unseen in five folds; both products unseen in three."""
    shop = data.gift_cards()
    source, target, label = shop.lists.pairs()
    print(f"{len(label)} pairs, {label.mean():.1%} substitutes, {len(np.unique(source))} antecedents")

    def antecedents(seed: int) -> list[tuple[Rows, Rows]]:
        of = np.random.default_rng(seed).integers(5, size=len(shop.brand))
        return [(np.flatnonzero(of[source] != n), np.flatnonzero(of[source] == n)) for n in range(5)]

    def products(seed: int) -> list[tuple[Rows, Rows]]:
        of = np.random.default_rng(seed).integers(3, size=len(shop.brand))
        outside, inside = ([(of[source] == n, of[target] == n) for n in range(3)] for _ in range(2))
        return [
            (np.flatnonzero(~i & ~j), np.flatnonzero(k & m)) for (i, j), (k, m) in zip(outside, inside, strict=True)
        ]

    for name, folds in (("antecedents unseen", antecedents), ("both products unseen", products)):
        heading(f"amazon_gift_cards, {name}")
        card_rows(Task(source, target, label, folds), shop, params)


def card_rows(task: Task, shop: data.GiftCards, params: RelationsParams) -> None:
    """Print one row for each contender."""
    text, sheet, numbers = (of(task.source, task.target) for of in (shop.text, shop.sheet, shop.products))
    one, other = shop.title[task.source], shop.title[task.target]
    words, everything = np.column_stack([one * other, abs(one - other)]), np.column_stack([text, sheet, numbers])
    params = params.model_copy(update={"ids": (), "paths": False, "dropout": DROPOUT})
    task.show(
        "trees: cosine of MiniLM, brand, category", peer(task, np.column_stack([text[:, :1], sheet]), trees), SEEDS
    )
    task.show("logistic regression: MiniLM of the pair", peer(task, words, partial(linear, cost=WORDS_COST)), SEEDS)
    task.show("logistic regression: all numbers", peer(task, everything, linear), SEEDS)
    task.show("trees: all numbers", peer(task, everything, trees), SEEDS)
    task.show("network: all numbers, vectors of titles", network(task, everything, shop.vectors, params), SEEDS)
    dull = np.column_stack([sheet, numbers])
    task.show("network: no text", network(task, dull, shop.numbers, params), SEEDS)
    task.show("network: no vectors", network(task, everything, np.zeros((len(shop.brand), 0)), params), SEEDS)
    task.show("network: text alone", network(task, text, shop.vectors[:, : data.TITLE], params), SEEDS)


def main(dataset: Annotated[str, typer.Argument(help="amazon_grocery or amazon_gift_cards")]) -> None:
    """Print the tables of a dataset."""
    asked = {"amazon_grocery": groceries, "amazon_gift_cards": cards}
    if dataset not in asked:
        raise typer.BadParameter(f"{dataset}; {' or '.join(asked)} fits")
    quiet()
    logging.basicConfig(level=logging.WARNING)
    asked[dataset](RelationsParams.read().model_copy(update=HERE))


if __name__ == "__main__":
    typer.run(main)
