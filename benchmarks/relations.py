"""How well complements are told from substitutes, beside logistic regression and boosted trees on the same numbers.

    python -m benchmarks.relations amazon_grocery [--table without --table edges …] [--seeds 3]
    python -m benchmarks.relations amazon_gift_cards [--table antecedents --table products] [--seeds 3]

Truth: Amazon's lists; pairs in one list alone are asked, what stands in both is shown apart. AUC: a substitute above a
complement. Intervals: 95 %, bootstrap over antecedents with all their pairs. Each row names what it knows; one with a
spread is the mean of several seeds, its other numbers are those of the first. For gift cards DROPOUT was chosen on a
third of the first split of unseen products; for groceries the section `relations` on the antecedents that split 7 asks.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks import relations_data as data
from benchmarks.relations_peers import Probabilities, auc, linear, log_loss, trees, within
from models.relations.classifier import Classifier
from models.relations.fit import fit
from models.relations.graph import Graph
from models.relations.params import RelationsParams
from models.relations.table import PairTable
from tandem.evaluation.labels import clustered, reliability, roc_auc
from tandem.features.relations import COMPLEMENT, SUBSTITUTE
from tandem.settings import quiet

SEED, SHARES = 7, (0.05, 0.2, 0.5)
TEST_SHARE, WORDS_COST, DROPOUT = 0.2, 0.001, 0.5
BOOTSTRAP: dict[str, Any] = {"resamples": 500, "confidence": 0.95, "seed": 7}
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
    label: Rows  # (pairs,) COMPLEMENT or SUBSTITUTE
    folds: Callable[[int], list[tuple[Rows, Rows]]]  # by seed, pairs to learn from and to ask
    seeds: tuple[int, ...]  # of contenders that chance has a part in

    @property
    def substitute(self) -> NDArray[np.bool_]:
        """(pairs,)."""
        return self.label == SUBSTITUTE

    def judge(self, contender: Contender, seed: int) -> tuple[Rows, Probabilities]:
        """Pairs that are asked, and what is said of them."""
        folds = self.folds(seed)
        return np.concatenate([ask for _, ask in folds]), np.concatenate([contender(*f, seed) for f in folds])

    def show(self, name: str, contender: Contender, seeds: tuple[int, ...] = (SEED,)) -> None:
        """Print one row."""
        begun = time.perf_counter()
        judged = [self.judge(contender, seed) for seed in seeds]
        taken = (time.perf_counter() - begun) / len(seeds)
        asked, p = judged[0]
        truth, source = self.substitute[asked], self.source[asked]
        print(
            f"| {name} | {self.cell(*judged)} | {within(p, truth, source):.4f} "
            f"| {log_loss(p, truth):.4f} | {reliability(truth, p).ece:.4f} | {taken:.0f} |",
            flush=True,
        )

    def cell(self, *judged: tuple[Rows, Probabilities]) -> str:
        """AUC of what is said of pairs, by one seed or more: mean and spread, and the interval of the first."""
        aucs = [auc(p, self.substitute[asked]) for asked, p in judged]
        asked, p = judged[0]
        of = clustered(roc_auc, self.substitute[asked], p, self.source[asked], **BOOTSTRAP)
        spread = f" ± {np.std(aucs):.4f}" if len(aucs) > 1 else ""
        return f"{np.mean(aucs):.4f}{spread} [{of.low:.4f}, {of.high:.4f}]"


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


def said(made: Classifier, pairs: PairTable) -> Probabilities:
    """P(substitute) of pairs that are one of the two."""
    p = made.probabilities(pairs)
    return p[:, SUBSTITUTE] / (p[:, COMPLEMENT] + p[:, SUBSTITUTE])


def peer(task: Task, numbers: NDArray, model: Callable[..., Probabilities]) -> Contender:
    """P(substitute) of scikit-learn's model."""
    return lambda learned, asked, _: model(numbers[learned], task.substitute[learned], numbers[asked])


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


@dataclass(frozen=True, eq=False)
class Trial:
    """Groceries whose lists are hidden, and what is known of all pairs without them."""

    shop: data.Grocery
    task: Task
    told: Told
    hidden: NDArray[np.bool_]  # (products,)
    known: Graph  # the lists of the others
    params: RelationsParams

    @classmethod
    def of(cls, split: int, params: RelationsParams, seeds: tuple[int, ...]) -> "Trial":
        """With a fifth of the antecedents hidden."""
        shop = data.grocery()
        source, target, label = shop.lists.pairs()
        shuffled = np.random.default_rng(split).permutation(np.unique(source))
        hidden = np.isin(np.arange(len(shop.category)), shuffled[: int(TEST_SHARE * len(shuffled))])
        fold = np.flatnonzero(~hidden[source]), np.flatnonzero(hidden[source])
        task = Task(source, target, label, lambda _: [fold], seeds)
        known = Graph.of(shop.lists.seen(~hidden))
        substitutes = task.substitute.mean()
        print(f"{len(label)} pairs, {substitutes:.1%} substitutes; {len(fold[1])} of {hidden.sum()} antecedents asked")
        return cls(shop, task, Told.of(shop, source, target), hidden, known, params)

    @property
    def one_way(self) -> Task:
        """The task without what leads to a hidden antecedent: of a pair that is asked the reverse is mostly known."""
        learned, asked = self.task.folds(0)[0]
        fold = learned[~self.hidden[self.task.target[learned]]], asked
        return replace(self.task, folds=lambda _: [fold])


def without_relations(trial: Trial) -> None:
    """Print what behaviour tells, then with what labels of other antecedents teach of each target."""
    task, shop, told = trial.task, trial.shop, trial.told
    no_edges = trial.params.model_copy(update={"paths": False})
    no_ids = no_edges.model_copy(update={"ids": ()})
    heading("amazon_grocery, no relation as input, antecedents unseen")
    few = np.column_stack([told.counts, told.categories])
    task.show("trees: counts of pairs, category", peer(task, few, trees))
    task.show("logistic regression: + products' sales and times", peer(task, told.bought, linear))
    task.show("trees: + products' sales and times", peer(task, told.everything, trees))
    only, one_way = "learned from nothing that leads to an asked antecedent", trial.one_way
    one_way.show(f"trees: counts of pairs, category, {only}", peer(one_way, few, trees))
    one_way.show(f"trees: + products' sales and times, {only}", peer(one_way, told.everything, trees))
    task.show("network: the same, vectors of behaviour", network(task, told.bought, shop.vectors, no_ids), task.seeds)
    task.show("trees: + rate of the target in lists learned from", rated(task, told.everything))
    task.show(
        "network: + vectors of targets learned from labels",
        network(task, told.bought, shop.vectors, no_edges),
        task.seeds,
    )


def with_relations(trial: Trial) -> None:
    """Print what the lists of other antecedents tell as edges."""
    task, shop, told, known = trial.task, trial.shop, trial.told, trial.known
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
    task.show("network: all of it", network(task, told.bought, shop.vectors, trial.params, known), task.seeds)


def ablations(trial: Trial) -> None:
    """Print the network with edges with fewer parts."""
    bought, vectors, nothing = trial.told.bought, trial.shop.vectors, np.zeros((len(trial.hidden), 0))
    heading("amazon_grocery, lists of the antecedents learned from as edges: less of the network")
    changed(trial, "all of it", bought, vectors)
    changed(trial, "no vectors of targets", bought, vectors, ids=())
    changed(trial, "no vectors of behaviour", bought, nothing)
    changed(trial, "no behaviour, edges alone", None, nothing)


def messages(trial: Trial) -> None:
    """Print the network with edges where it also hears the neighbours."""
    bought, vectors = trial.told.bought, trial.shop.vectors
    heard = {"messages": "attention", "epochs": EPOCHS}
    heading(f"amazon_grocery, lists of the antecedents learned from as edges: messages, at most {EPOCHS} epochs")
    changed(trial, "no messages", bought, vectors, epochs=EPOCHS)
    changed(trial, "+ messages of neighbours, mean", bought, vectors, **heard | {"messages": "mean"})
    changed(trial, "+ messages of neighbours, attention", bought, vectors, **heard)
    changed(trial, "messages, attention, for counts of paths", bought, vectors, **heard, paths=False)


def changed(trial: Trial, name: str, numbers: NDArray | None, vectors: NDArray, **change: object) -> None:
    """Print a row of the network with other inputs and params."""
    params = trial.params.model_copy(update=change)
    trial.task.show(f"network: {name}", network(trial.task, numbers, vectors, params, trial.known))


def rated(task: Task, numbers: NDArray) -> Contender:
    """Trees that also know how often the target is a substitute in other lists that are learned from."""

    def answer(learned: Rows, asked: Rows, _: int) -> Probabilities:
        own = np.zeros(len(task.label))
        own[learned] = 1
        size = task.target.max() + 1
        count = np.bincount(task.target[learned], minlength=size)[task.target] - own
        found = np.bincount(task.target[learned], task.substitute[learned], size)[task.target] - own * task.substitute
        mean = task.substitute[learned].mean()
        all_of = np.column_stack([numbers, np.log1p(count), (found + 20 * mean) / (count + 20)])
        return trees(all_of[learned], task.substitute[learned], all_of[asked])

    return answer


def learning_curve(trial: Trial) -> None:
    """Print AUC by how many antecedents are learned from, whose lists alone are edges."""
    task, shop, told = trial.task, trial.shop, trial.told
    learned, asked = task.folds(0)[0]
    sources = np.random.default_rng(data.SEED).permutation(np.unique(task.source[learned]))
    ids_alone = trial.params.model_copy(update={"paths": False})
    print("\n| antecedents learned from | trees, behaviour | trees, + edges | network, no edges | network, edges |")
    print("|---|---|---|---|---|")
    for share in SHARES:
        some = sources[: int(share * len(sources))]
        rows = learned[np.isin(task.source[learned], some)]
        graph = Graph.of(shop.lists.seen(np.isin(np.arange(len(shop.category)), some)))
        edges = np.column_stack([told.everything, graph.evidence(task.source, task.target)])
        contenders = [
            peer(task, told.everything, trees),
            rated(task, edges),
            network(task, told.bought, shop.vectors, ids_alone),
            network(task, told.bought, shop.vectors, trial.params, graph),
        ]
        cells = [task.cell((asked, contender(rows, asked, SEED))) for contender in contenders]
        print(f"| {len(some)} | {' | '.join(cells)} |", flush=True)


def in_both(trial: Trial) -> None:
    """Print what is said of pairs that stand in both lists, and how far lists agree with their reverse."""
    task, shop = trial.task, trial.shop
    learned, _ = task.folds(0)[0]
    pairs = PairTable.of(task.source, task.target, trial.told.bought)
    made = fit(pairs[learned], task.label[learned], shop.vectors, trial.params, trial.known)
    i, j = shop.lists.kinds[2].tocoo().coords
    i, j = i[trial.hidden[i]], j[trial.hidden[i]]
    p = said(made, PairTable.of(i, j, Told.of(shop, i, j).bought))
    quarters = ", ".join(f"{value:.2f}" for value in np.quantile(p, [0.25, 0.5, 0.75]))
    print(
        f"\n{len(p)} pairs of asked antecedents in both lists: P(substitute) quartiles {quarters}, mean {p.mean():.2f}"
    )
    agreement(shop.lists)


def agreement(lists: data.Lists) -> None:
    """Print where j → i stands of a pair i → j that stands in one list or in both."""
    print("\n| i → j in | j → i: complements alone | substitutes alone | both | neither |\n|---|---|---|---|---|")
    for name, kind in zip(("complements alone", "substitutes alone", "both"), lists.kinds, strict=True):
        i, j = kind.tocoo().coords
        back = [np.asarray(of[j, i]).ravel().mean() for of in lists.kinds]
        print(f"| {name} |", *(f"{value:.1%} |" for value in [*back, 1 - sum(back)]))


GROCERIES: Mapping[str, Callable[[Trial], None]] = {
    "without": without_relations,
    "edges": with_relations,
    "ablations": ablations,
    "messages": messages,
    "curve": learning_curve,
    "both": in_both,
}


def unseen_antecedents(shop: data.GiftCards, source: Rows, target: Rows, seed: int) -> list[tuple[Rows, Rows]]:
    """Five folds of pairs by their source."""
    of = np.random.default_rng(seed).integers(5, size=len(shop.brand))
    return [(np.flatnonzero(of[source] != n), np.flatnonzero(of[source] == n)) for n in range(5)]


def unseen_products(shop: data.GiftCards, source: Rows, target: Rows, seed: int) -> list[tuple[Rows, Rows]]:
    """Three folds of products: what is asked has both products in the fold, what is learned from has neither."""
    of = np.random.default_rng(seed).integers(3, size=len(shop.brand))
    one, other = ([side == n for n in range(3)] for side in (of[source], of[target]))
    return [(np.flatnonzero(~i & ~j), np.flatnonzero(i & j)) for i, j in zip(one, other, strict=True)]


CARDS = {"antecedents": unseen_antecedents, "products": unseen_products}


def cards(tables: list[str], params: RelationsParams, seeds: tuple[int, ...]) -> None:
    """Print those of CARDS."""
    shop = data.gift_cards()
    source, target, label = shop.lists.pairs()
    print(f"{len(label)} pairs, {np.mean(label == SUBSTITUTE):.1%} substitutes, {len(np.unique(source))} antecedents")
    for name in tables:
        heading(f"amazon_gift_cards, unseen: {name}")
        card_rows(Task(source, target, label, partial(CARDS[name], shop, source, target), seeds), shop, params)


def card_rows(task: Task, shop: data.GiftCards, params: RelationsParams) -> None:
    """Print one row for each contender."""
    text, sheet, numbers = (of(task.source, task.target) for of in (shop.text, shop.sheet, shop.products))
    one, other = shop.title[task.source], shop.title[task.target]
    words, everything = np.column_stack([one * other, abs(one - other)]), np.column_stack([text, sheet, numbers])
    params = params.model_copy(update={"ids": (), "paths": False, "dropout": DROPOUT})
    task.show(
        "trees: cosine of MiniLM, brand, category", peer(task, np.column_stack([text[:, :1], sheet]), trees), task.seeds
    )
    task.show(
        "logistic regression: MiniLM of the pair", peer(task, words, partial(linear, cost=WORDS_COST)), task.seeds
    )
    task.show("logistic regression: all numbers", peer(task, everything, linear), task.seeds)
    task.show("trees: all numbers", peer(task, everything, trees), task.seeds)
    task.show("network: all numbers, vectors of titles", network(task, everything, shop.vectors, params), task.seeds)
    dull = np.column_stack([sheet, numbers])
    task.show("network: no text", network(task, dull, shop.numbers, params), task.seeds)
    task.show("network: no vectors", network(task, everything, np.zeros((len(shop.brand), 0)), params), task.seeds)
    task.show("network: text alone", network(task, text, shop.vectors[:, : data.TITLE], params), task.seeds)


def main(
    dataset: Annotated[str, typer.Argument(help="amazon_grocery or amazon_gift_cards")],
    table: Annotated[list[str] | None, typer.Option(help="one or more of the dataset's tables; all of them")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="how often contenders with chance in them are asked")] = 3,
    split: Annotated[int, typer.Option(help="seed of which antecedents of amazon_grocery are asked")] = data.SEED,
) -> None:
    """Print the tables of a dataset."""
    tables = {"amazon_grocery": GROCERIES, "amazon_gift_cards": CARDS}.get(dataset)
    if tables is None:
        raise typer.BadParameter(f"{dataset}; amazon_grocery or amazon_gift_cards fits")
    if unknown := set(table or ()) - set(tables):
        raise typer.BadParameter(f"--table {', '.join(sorted(unknown))}; {', '.join(tables)} fit")
    quiet()
    logging.basicConfig(level=logging.WARNING)
    params = RelationsParams.read().model_copy(update=HERE)
    wanted, seeded = table or list(tables), tuple(range(SEED, SEED + seeds))
    if dataset == "amazon_grocery":
        trial = Trial.of(split, params, seeded)
        for name in wanted:
            GROCERIES[name](trial)
    else:
        cards(wanted, params, seeded)


if __name__ == "__main__":
    typer.run(main)
