"""Complements and substitutes told by counts alone, and by the network that learns them, against what is planted in
the demo shop.

    python -m benchmarks.evidence [--customers 1500] [--seeds 7,8,9] [--learned]

Of each seed a shop is made and everything it sold is counted. All pairs of products that were bought in at least
`WARM` baskets each are ranked, also those that nothing joins; complements are the planted pairs, either way round,
substitutes two products of one narrowest category. The last rows are of the same shops without their views.

With `--learned` the network of stage `relate` learns each shop, words included and pictures left out, and ranks the
same pairs; then a fifth of the products is hidden, as if nobody had met them, it learns again, and the pairs of a
hidden product with another one are ranked. Nothing of the truth is learned from.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from models.relations import behaviour, pairs
from models.relations.params import RelationsParams
from models.relations.table import PairTable
from tandem import demo, files
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.evaluation.labels import reliability
from tandem.features import dataset, text
from tandem.features.dataset import Dataset
from tandem.features.pairs import Pairs
from tandem.features.relations import (
    COMPLEMENT,
    SUBSTITUTE,
    Evidence,
    Relations,
    evidence,
    label,
    mirrored,
    precedence,
    surprise,
)
from tandem.features.vocabulary import Vocabulary
from tandem.params import EmbedParams, FeaturesParams, IngestParams, RelateParams
from tandem.settings import quiet

KEY = hashlib.sha256(b"benchmark").digest()
WARM, SEED = 5, 7

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Shop:
    """What was counted, and what is planted, of one seed."""

    known: Dataset
    found: Evidence
    relations: Relations
    complements: NDArray[np.bool_]  # (products, products) directed
    substitutes: NDArray[np.bool_]  # (products, products)

    @property
    def warm(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each two products with enough baskets, once."""
        baskets = np.asarray(self.known.baskets.content.sum(axis=0)).ravel()
        a, b = np.triu_indices(len(baskets), 1)
        kept = (baskets[a] >= WARM) & (baskets[b] >= WARM)
        return a[kept], b[kept]

    def directed(self, at: tuple[NDArray, NDArray], first: Values) -> float:
        """Share of the complements among pairs whose antecedent is told, a half where nothing tells.

        Args:
            first: (products, products) above 0 where the first comes before the second.
        """
        (a, b), planted = at, self.complements
        told = np.concatenate([first[a, b][planted[a, b]], first[b, a][planted[b, a]]])
        return float(np.mean((told > 0) + 0.5 * (told == 0)))

    def spread(self, values: Values, least: float) -> Values:
        """(warm pairs,) the larger value of the two directions, `least` where nothing was counted."""
        pairs = self.relations
        full = np.full(self.complements.shape, least)
        full[pairs.a, pairs.b] = values
        a, b = self.warm
        return np.maximum(full[a, b], full[b, a])


def main(customers: int = 1500, seeds: str = "7,8,9", learned: bool = False) -> None:
    """Print the tables: mean over seeds [least, most]."""
    quiet()
    with tempfile.TemporaryDirectory() as work:
        made = [read(Path(work) / seed, customers, int(seed)) for seed in seeds.split(",")]
        if learned:
            _print_learned([count(*parts, None) for parts in made], [products for _, products, _ in made])
            return
        for name, kinds in (("all events", None), ("purchases alone", ["purchase"])):
            shops = [count(*parts, kinds) for parts in made]
            print(f"\n{name}, {customers} customers, {len(shops)} shops of {len(shops[0].warm[0]):,} pairs and more")
            print("| score | complement: AUC, AP | substitute: AUC, AP | complement before substitute: AUC |")
            print("|---|---|---|---|")
            for score in (*KINDS, "complement", "substitute"):
                print(f"| {score} | {' | '.join(quality(shops, score))} |")
            for line in (*believed(shops), *directions(shops)):
                print(line)


def read(folder: Path, customers: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    """Events and products of the shop of that seed, and the folder of its truth."""
    demo.generate(folder / "raw", folder / "truth", demo.DemoSize(customers=customers), seed)
    source, params = Source.read(Path("sources/demo.yaml")), IngestParams.read()
    canonical.make(source, folder / "raw", KEY, folder / "made", folder / "parts", params)
    tables = (
        files.read(folder / "made" / f"{table.name}.parquet", table) for table in (schema.EVENTS, schema.PRODUCTS)
    )
    return *tables, folder / "truth"


def count(events: pd.DataFrame, products: pd.DataFrame, truth: Path, kinds: list[str] | None) -> Shop:
    """What the events of these kinds tell, beside the truth."""
    kept = events if kinds is None else events[events["kind"].isin(kinds)].reset_index(drop=True)
    until = kept["time"].max() + pd.Timedelta(days=1)
    known = dataset.build(kept, products, until, FeaturesParams.read())
    return Shop(known, evidence(known), label(known), *planted(truth, known.vocabulary))


def planted(truth: Path, vocabulary: Vocabulary) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(products, products) complements as antecedent → consequent, and substitutes."""
    pairs, tree = (pd.read_csv(truth / f"{name}.csv", dtype=str) for name in ("complements", "substitutes"))
    complements = np.zeros((vocabulary.size,) * 2, bool)
    complements[vocabulary.encode(pairs["antecedent"]), vocabulary.encode(pairs["consequent"])] = True
    category = np.zeros(vocabulary.size, int)
    category[vocabulary.encode(tree["article"])] = pd.factorize(tree["category"])[0] + 1
    substitutes = (category[:, None] == category[None, :]) & ~np.eye(vocabulary.size, dtype=bool)
    for table in (complements, substitutes):
        table[0] = table[:, 0] = False
    return complements, substitutes


KINDS = ("together", "after", "viewed", "instead")


def scored(shop: Shop, score: str) -> Values:
    """(warm pairs,) a kind's surprise, or the score of a relation."""
    if score in KINDS:
        return shop.spread(surprise(shop.found[score]), 0.0)
    values = getattr(shop.relations, score)
    return shop.spread(np.maximum(values, -1e6), -1e6 if score == "substitute" and np.isinf(values).any() else 0.0)


def quality(shops: list[Shop], score: str) -> Iterator[str]:
    """The cells of a score's line."""
    rows = []
    for shop in shops:
        values, (a, b) = scored(shop, score), shop.warm
        goes, like = (shop.complements | shop.complements.T)[a, b], shop.substitutes[a, b]
        typed = goes | like
        rows.append(
            (
                roc_auc_score(goes, values), average_precision_score(goes, values),
                roc_auc_score(like, values), average_precision_score(like, values),
                roc_auc_score(goes[typed], values[typed]),
            )
        )  # fmt: skip
    columns = [f"{np.mean(of):.3f} [{min(of):.3f}, {max(of):.3f}]" for of in zip(*rows, strict=True)]
    yield from (f"{columns[0]}, {columns[1]}", f"{columns[2]}, {columns[3]}", columns[4])


def believed(shops: list[Shop]) -> Iterator[str]:
    """What the pairs are that are believed, each two products once, over all shops."""
    for place, name in ((COMPLEMENT, "complement"), (SUBSTITUTE, "substitute")):
        told = np.zeros(5, int)
        for shop in shops:
            pairs = shop.relations
            kept = (pairs.kind == place) & ((pairs.a < pairs.b) | ~_both_ways(pairs, place))
            a, b = np.minimum(pairs.a, pairs.b)[kept], np.maximum(pairs.a, pairs.b)[kept]
            goes, like = shop.complements | shop.complements.T, shop.substitutes
            truth, against = (goes, like) if place == COMPLEMENT else (like, goes)
            called = (shop.complements.T.astype(int) @ shop.complements)[a, b] > 0  # by one antecedent
            neither = ~truth[a, b] & ~against[a, b]
            missed = truth.sum() // 2 - truth[a, b].sum()
            told += [
                truth[a, b].sum(),
                against[a, b].sum(),
                (neither & called).sum(),
                (neither & ~called).sum(),
                missed,
            ]
        words = "planted", "of the other kind", "called for by one antecedent", "neither", "planted but not believed"
        yield f"{name}s: " + ", ".join(f"{n:,} {word}" for n, word in zip(told, words, strict=True))


def _both_ways(pairs: Relations, place: int) -> NDArray[np.bool_]:
    """(pairs,) whether the pair is believed in the other direction as well."""
    size = int(max(pairs.a.max(), pairs.b.max())) + 1
    believed = pairs.kind == place
    return np.isin(pairs.b.astype(np.int64) * size + pairs.a, (pairs.a.astype(np.int64) * size + pairs.b)[believed])


def directions(shops: list[Shop]) -> Iterator[str]:
    """Share of the planted pairs with enough baskets whose antecedent is told."""
    ways: dict[str, Callable[[Evidence], Values]] = {
        "order in time": lambda found: found["after"].n - mirrored(found["after"], found["after"].n),
        "confidence": lambda found: _confidence(found["together"]),
        "precedence, of both": lambda found: precedence(found, mirrored(found["after"], found["after"].n)),
    }
    for name, way in ways.items():
        shares = []
        for shop in shops:
            full = np.zeros(shop.complements.shape)
            full[shop.relations.a, shop.relations.b] = way(shop.found)
            shares.append(shop.directed(shop.warm, full))
        yield f"direction by {name}: {np.mean(shares):.3f} [{min(shares):.3f}, {max(shares):.3f}]"


HIDDEN = 0.2
"""Of the products, where those are asked about that nobody met."""

Scores = tuple[Values, Values]
"""(pairs,) how much speaks for a complement, and for a substitute."""


def _print_learned(shops: list[Shop], sheets: list[pd.DataFrame]) -> None:
    rows: dict[tuple[str, str], list[list[float]]] = {}
    for shop, sheet in zip(shops, sheets, strict=True):
        known = replace(shop, known=shop.known.with_vectors(*_vectors(shop.known, sheet)))
        hidden = np.random.default_rng(SEED).random(known.known.vocabulary.size) < HIDDEN
        for name, asked in (("both met", None), ("one of the two never met", hidden)):
            for way, figures in _ranked(known, asked):
                rows.setdefault((name, way), []).append(figures)
    typed = "complement before substitute: AUC"
    print(f"| pairs | by | complement: AUC, AP | substitute: AUC, AP | {typed} | direction | ECE |")
    print("|---|---|---|---|---|---|---|")
    for (name, way), found in rows.items():
        cells = [_cell(of) for of in zip(*found, strict=True)]
        print(f"| {name} | {way} | {cells[0]}, {cells[1]} | {cells[2]}, {cells[3]} | {' | '.join(cells[4:])} |")


def _cell(figures: tuple[float, ...]) -> str:
    return f"{np.mean(figures):.3f} [{min(figures):.3f}, {max(figures):.3f}]" if np.isfinite(figures).all() else "–"


def _vectors(known: Dataset, sheet: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(products, dim) of words, and no pictures."""
    from models.text import encoder, words

    texts = text.of_products(sheet, known.vocabulary)
    params = EmbedParams.read()
    said, _ = words.vectors(texts, np.flatnonzero(known.products.met), encoder.load(params.encoder), params)
    return said, np.full((len(said), 1), np.nan, np.float32)


def _ranked(shop: Shop, hidden: NDArray[np.bool_] | None) -> Iterator[tuple[str, list[float]]]:
    """Names and figures of each way to rank the warm pairs, or those of a hidden product and another one."""
    known = shop.known if hidden is None else behaviour.without(shop.known, hidden)
    a, b = shop.warm
    if hidden is not None:
        a, b = (of[hidden[a] ^ hidden[b]] for of in (a, b))
    alike = np.einsum("pd,pd->p", *(np.nan_to_num(known.products.text)[of] for of in (a, b)))
    unsaid = np.full(shop.complements.shape, np.nan)
    yield "nearness of words", _figures(shop, (a, b), (alike, alike), unsaid, False)
    counted = label(known)
    like = np.maximum(counted.substitute, -1e6)
    for name, places, (goes, stands), forward in (
        ("counts", (counted.a, counted.b), (counted.complement, like), counted.forward),
        ("the network", *_learned(known)),
    ):
        first = np.zeros(shop.complements.shape)
        first[places] = forward
        scores = (_spread(first.shape, places, values, (a, b)) for values in (goes, stands))
        yield name, _figures(shop, (a, b), (next(scores), next(scores)), first, name == "the network")


def _learned(known: Dataset) -> tuple[tuple[NDArray, NDArray], Scores, NDArray[np.float32]]:
    """The pairs that are asked about, their probabilities, and which product comes first."""
    params = RelateParams.read()
    made = behaviour.learn(
        behaviour.lesson(known, params), pairs.Content(known.products), RelationsParams.read(), params.members
    )
    asked = list(pairs.ask(known, params))
    table, forward = PairTable.joined([of.table for of in asked]), np.concatenate([of.forward for of in asked])
    p = made.probabilities(table)
    return (table.source, table.target), (p[:, COMPLEMENT], p[:, SUBSTITUTE]), forward


def _spread(
    shape: tuple[int, ...], places: tuple[NDArray, NDArray], values: Values, at: tuple[NDArray, NDArray]
) -> Values:
    """(pairs,) the larger value of the two directions; 0 where nothing was said."""
    full = np.zeros(shape)
    full[places] = values
    return np.maximum(full[at], full[at[::-1]])


def _figures(shop: Shop, at: tuple[NDArray, NDArray], scores: Scores, first: Values, calibrated: bool) -> list[float]:
    """AUC and AP of both relations, AUC of one against the other, share of directions, mean calibration error."""
    (goes, like), directed = scores, shop.complements
    completes, replaces = (directed | directed.T)[at], shop.substitutes[at]
    typed = completes | replaces
    told = np.isfinite(first).all()
    return [
        roc_auc_score(completes, goes), average_precision_score(completes, goes),
        roc_auc_score(replaces, like), average_precision_score(replaces, like),
        roc_auc_score(completes[typed], (goes - like)[typed]) if told else np.nan,
        shop.directed(at, first) if told else np.nan,
        float(np.mean([reliability(completes, goes).ece, reliability(replaces, like).ece])) if calibrated else np.nan,
    ]  # fmt: skip


def _confidence(pairs: Pairs) -> Values:
    return np.where(pairs.n > 0, pairs.of_b - pairs.of_a, 0.0)


if __name__ == "__main__":
    typer.run(main)
