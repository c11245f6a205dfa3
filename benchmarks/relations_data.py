"""Products that Amazon's lists of complements and substitutes name, and what may be known of their pairs."""

import ast
import gzip
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from models.text import encoder, ngrams
from tandem.features.relations import COMPLEMENT, SUBSTITUTE
from tandem.features.vocabulary import Vocabulary
from tandem.settings import Settings

LATENT, TITLE, SEED, DAY_S, NEAR_DAYS = 64, 32, 7, 86_400, 30
RARE = 20
"""Products that a category must have for a column of its own."""

Rows = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Lists:
    """Typed lists of each product; a pair may stand in both."""

    complement: sp.csr_array  # (products, products) 1 where listed
    substitute: sp.csr_array

    @classmethod
    def of(cls, pairs: list[list[tuple[int, int]]], products: int) -> "Lists":
        """Of complements and substitutes, as (source, target)."""
        cells = [np.array(sorted({p for p in of if p[0] != p[1]}), int).reshape(-1, 2).T for of in pairs]
        return cls(*(sp.csr_array((np.ones(of.shape[1]), tuple(of)), shape=(products,) * 2) for of in cells))

    @cached_property
    def kinds(self) -> tuple[sp.csr_array, ...]:
        """Those in the first list alone, in the second alone, in both."""
        both = sp.csr_array(self.complement.multiply(self.substitute))
        found = [sp.csr_array(of) for of in (self.complement - both, self.substitute - both, both)]
        for kind in found:
            kind.eliminate_zeros()
        return tuple(found)

    def pairs(self) -> tuple[Rows, Rows, Rows]:
        """Source, target and label of pairs in one list alone."""
        cells = [self.kinds[n].tocoo().coords for n in (0, 1)]
        label = np.repeat([COMPLEMENT, SUBSTITUTE], [len(of[0]) for of in cells])
        return *np.concatenate(cells, axis=1), label

    def seen(self, sources: NDArray[np.bool_]) -> list[sp.csr_array]:
        """By kind, the edges out of these sources."""
        found = [sp.csr_array(sp.diags_array(sources.astype(float)) @ kind) for kind in self.kinds]
        for kind in found:
            kind.eliminate_zeros()
        return found


@dataclass(frozen=True, eq=False)
class Grocery:
    """Purchases with days, categories and lists."""

    lists: Lists
    numbers: NDArray[np.float64]  # (products, 4) log buyers; first, last and mean day of a purchase, NaN of none
    category: Rows  # (products,)
    latent: NDArray[np.float64]  # (products, LATENT) of the matrix of users and products, unit length
    counts: dict[str, sp.csr_array]  # by name, (products, products) users
    users: int

    def behaviour(self, source: Rows, target: Rows) -> NDArray[np.float64]:
        """(pairs, numbers) what users did with both: counts, lift, cosines."""
        buyers = np.expm1(self.numbers[:, 0])
        counts = np.stack([np.asarray(of[source, target]).ravel() for of in self.counts.values()], axis=1)
        together, expected = counts[:, 0], buyers[source] * buyers[target]
        lift = np.log((together + 0.5) * self.users / np.maximum(expected, 1))
        alike = (self.latent[source] * self.latent[target]).sum(axis=1)
        return np.column_stack([counts, lift, together / np.sqrt(np.maximum(expected, 1)), alike])

    def products(self, source: Rows, target: Rows) -> NDArray[np.float64]:
        """(pairs, 12) how much and when each is bought, and the difference."""
        one, other = self.numbers[source], self.numbers[target]
        return np.column_stack([one, other, other - one])

    def categories(self, source: Rows, target: Rows) -> NDArray[np.float64]:
        """(pairs, 3) both, and whether they are the same."""
        one, other = self.category[source], self.category[target]
        return np.column_stack([one, other, one == other]).astype(float)

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        """(products, numbers) all that is known of each without the lists."""
        kinds = np.eye(self.category.max() + 1)[self.category]
        return np.column_stack([self.numbers, self.latent, kinds[:, kinds.sum(axis=0) > RARE]])


def grocery() -> Grocery:
    """As published: `train.csv` and `item_meta.csv`, tab separated."""
    folder = Settings().data_dir / "amazon_grocery"
    events, meta = (pd.read_csv(folder / name, sep="\t") for name in ("train.csv", "item_meta.csv"))
    products = int(max(events["item_id"].max(), meta["item_id"].max())) + 1
    listed = [
        [(i, j) for i, of in zip(meta["item_id"], meta[name], strict=True) for j in ast.literal_eval(of)]
        for name in ("r_complement", "r_substitute")
    ]
    days = events.groupby("item_id")["time"].agg(["min", "max", "mean"]).reindex(range(products)) / DAY_S
    users = sp.csr_array((np.ones(len(events)), (events["user_id"], events["item_id"])))
    bought = np.asarray(users.sum(axis=0)).ravel()
    category = np.zeros(products, int)
    category[meta["item_id"]] = meta["i_category"]
    numbers = np.column_stack([np.log1p(bought), days])
    return Grocery(
        Lists.of(listed, products), numbers, category, latent(users), counted(events, products), users.shape[0]
    )


def counted(events: pd.DataFrame, products: int) -> dict[str, sp.csr_array]:
    """Users who bought both: at all, on one day, the second later, the first later, within a month."""
    both = events.merge(events, on="user_id")
    both = both[both["item_id_x"] != both["item_id_y"]]
    gap = (both["time_y"] - both["time_x"]) / DAY_S
    chosen = {"together": gap == gap, "one day": gap == 0, "after": gap > 0, "before": gap < 0}
    chosen |= {"near": gap.abs() <= NEAR_DAYS}
    return {name: _counts(both[rows], products) for name, rows in chosen.items()}


def _counts(both: pd.DataFrame, products: int) -> sp.csr_array:
    cells = (both["item_id_x"], both["item_id_y"])
    return sp.csr_array(sp.coo_array((np.ones(len(both)), cells), shape=(products,) * 2))


def latent(users: sp.csr_array) -> NDArray[np.float64]:
    """(products, LATENT) right singular vectors of the matrix, its rows and columns of length 1, by singular value."""
    by_user, by_product = (np.maximum(np.asarray(users.sum(axis=axis)).ravel(), 1) for axis in (1, 0))
    scaled = sp.diags_array(by_user**-0.5) @ users @ sp.diags_array(by_product**-0.5)
    _, size, right = svds(scaled, k=LATENT, rng=np.random.default_rng(SEED))
    found = right.T * size
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


@dataclass(frozen=True, eq=False)
class GiftCards:
    """The sheet of products: titles as vectors, brand, category, price, sales rank; and lists."""

    lists: Lists
    title: NDArray[np.float32]  # (products, 384) of MiniLM, unit length
    ngrams: NDArray[np.float32]  # (products, dim) of characters, unit length
    brand: Rows  # (products,) 0 unknown
    category: Rows  # (products,) 0 unknown
    numbers: NDArray[np.float64]  # (products, 4) log price, log sales rank, NaN unknown; letters of the title; a brand

    def text(self, source: Rows, target: Rows) -> NDArray[np.float64]:
        """(pairs, 2) cosines of titles."""
        found = [(of[source] * of[target]).sum(axis=1) for of in (self.title, self.ngrams)]
        return np.stack(found, axis=1).astype(float)

    def sheet(self, source: Rows, target: Rows) -> NDArray[np.float64]:
        """(pairs, 2) same brand and category, NaN where one is not known."""
        known = [(of[source] > 0) & (of[target] > 0) for of in (self.brand, self.category)]
        same = [of[source] == of[target] for of in (self.brand, self.category)]
        return np.where(known, same, np.nan).T

    def products(self, source: Rows, target: Rows) -> NDArray[np.float64]:
        """(pairs, 12) numbers of both and the difference."""
        one, other = self.numbers[source], self.numbers[target]
        return np.column_stack([one, other, other - one])

    @cached_property
    def vectors(self) -> NDArray[np.float64]:
        """(products, TITLE + 4) main directions of titles, and numbers."""
        centred = self.title - self.title.mean(axis=0)
        directions = np.linalg.svd(centred, full_matrices=False)[2][:TITLE]
        return np.column_stack([centred @ directions.T, self.numbers])


def gift_cards() -> GiftCards:
    """As published: `meta_Gift_Cards.json.gz`; of the lists, what the sheet knows."""
    path = Settings().data_dir / "amazon_gift_cards" / "meta_Gift_Cards.json.gz"
    with gzip.open(path) as lines:
        sheet = [json.loads(line) for line in lines]
    place = {product["asin"]: n for n, product in enumerate(sheet)}
    listed = [
        [(n, place[other]) for n, product in enumerate(sheet) for other in product.get(name) or [] if other in place]
        for name in ("also_buy", "also_view")
    ]
    titles = [product["title"] for product in sheet]
    brands = [product.get("brand") or "" for product in sheet]
    numbers = [[_number(of.get("price"), r"^\$([\d,.]+)"), _number(of.get("rank"), r"^([\d,]+)")] for of in sheet]
    return GiftCards(
        Lists.of(listed, len(sheet)),
        encoder.load().encode(titles),
        ngrams.fit(titles).encode(titles),
        _index(brands),
        _index(["\n".join(product.get("category") or []) for product in sheet]),
        np.column_stack([np.log(numbers), [len(title) for title in titles], [bool(brand) for brand in brands]]),
    )


def _number(text: Any, pattern: str) -> float:
    """The first group; NaN where there is none or nought."""
    found = re.match(pattern, text) if isinstance(text, str) else None
    return float(found[1].replace(",", "").rstrip(".")) or np.nan if found else np.nan


def _index(values: list[str]) -> Rows:
    return Vocabulary.of(value for value in values if value).encode(values)
