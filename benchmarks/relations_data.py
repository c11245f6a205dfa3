"""Products that Amazon's lists of complements and substitutes name, and what may be known of their pairs."""

import ast
import gzip
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from models.relations.table import COMPLEMENT, SUBSTITUTE
from tandem.features.vocabulary import Vocabulary
from tandem.settings import Settings

LATENT, SEED, DAY_S, NEAR_DAYS = 64, 7, 86_400, 30
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
