"""Pairs of texts that belong together, and their division by product.

Two titles make a pair when they are bought together, a title and a description when they are one product's. Products of
equal title are one: its text is what the encoder sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.text.encoder import Text, clean
from models.text.errors import EncoderError
from models.text.params import TuningParams


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct texts, and which of them belong together."""

    texts: tuple[str, ...]
    owner: NDArray[np.int64]  # (texts,) of a description the title of its product, else the text itself
    ends: NDArray[np.int64]  # (pairs, 2) different texts, no pair twice
    weight: NDArray[np.float64]  # (pairs,) in proportion to which they are drawn

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def partners(self) -> sp.csr_array:
        """(texts, texts) symmetric, 1 where two texts are a pair."""
        left, right = self.ends.T
        cells = np.ones(2 * len(self), np.float32), (np.append(left, right), np.append(right, left))
        return sp.csr_array(cells, shape=(len(self.texts),) * 2)

    @property
    def queries(self) -> int:
        """Texts that have a partner."""
        return len(np.unique(self.ends))

    @cached_property
    def known(self) -> sp.csr_array:
        """(texts, texts) the same with every text beside itself: what cannot be a negative."""
        return (self.partners + sp.eye_array(len(self.texts), dtype=np.float32)).tocsr()

    def among(self, texts: NDArray[np.bool_]) -> "Pairs":
        """The marked texts (texts,) and the pairs whose ends are both marked."""
        place = np.cumsum(texts) - 1
        kept = texts[self.ends].all(axis=1)
        chosen = tuple(text for text, marked in zip(self.texts, texts, strict=True) if marked)
        return Pairs(chosen, place[self.owner[texts]], place[self.ends[kept]], self.weight[kept])


class Parts(NamedTuple):
    """Pairs of different products: to learn from, to choose the epoch, to judge."""

    train: Pairs
    validation: Pairs
    test: Pairs


def gather(
    baskets: sp.csr_array,
    titles: Sequence[Text],
    descriptions: Sequence[Text] | None,
    params: TuningParams,
) -> Pairs:
    """Titles bought together, and titles with their descriptions.

    together(i, j) = Σ_{baskets b ∋ i, j} 1 / (|b| - 1), so that a title counts once in each of its baskets;
    weight(i, j) = together(i, j) / √(mass_i · mass_j), mass_i = Σ_j together(i, j), so that best sellers do not lead.
    Of these each title's `partners` heaviest are pairs, where `min_baskets` baskets hold both. A description is a pair
    with its title, unless several titles have it. Both kinds weigh together as many as the titles they speak of.

    Args:
        baskets: (baskets, products) above 0 where a basket holds a product.
        titles: (products,); where one is blank the product is left out.
        descriptions: (products,) or None.
        params: `partners` and `min_baskets`.

    Raises:
        EncoderError: titles or descriptions are not as many as products.
        TypeError: one is neither a text nor missing.

    Source: Newman 2001 (the share of a basket), Salton's cosine (the divisor).
    """
    products = baskets.shape[1]
    for name, texts in (("titles", titles), ("descriptions", descriptions)):
        if texts is not None and len(texts) != products:
            raise EncoderError(f"{len(texts)} {name} came for baskets of {products} products; one for each fits")
    numbers, title = _numbered(titles)
    described = _described(numbers, title, [None] * products if descriptions is None else descriptions)
    owner = np.array([*range(len(numbers)), *described.values()], np.int64)
    bought, strength = _together(_merged(baskets, title, len(numbers)), params)
    told = np.stack([owner, np.arange(len(owner))], axis=1)[len(numbers) :]
    weight = np.concatenate([_weighed(strength, owner[bought]), _weighed(np.ones(len(told)), owner[told])])
    return Pairs((*numbers, *described), owner, np.concatenate([bought, told]), weight)


def split(pairs: Pairs, held_out: float, seed: int) -> Parts:
    """Three parts without a product in common; pairs between two parts are in none.

    Pairs are drawn at random and their products held out, until half of `held_out` of all titles are in the test and
    half in the validation part: random titles would seldom be each other's partners. So a title with more pairs is
    held out more often. A description is where its title is.
    """
    rng = np.random.default_rng(seed)
    part = np.zeros(len(pairs.texts), np.int64)  # of owners: 0 train, 1 validation, 2 test
    owners = pairs.owner[pairs.ends]  # (pairs, 2)
    quota = round(held_out / 2 * len(np.unique(pairs.owner)))
    free = {1: quota, 2: quota}
    for pair in rng.permutation(len(pairs)):
        new = np.unique(owners[pair])
        into = max(free, key=lambda name: free[name])
        if free[into] < len(new):
            break
        if not part[new].any():
            part[new] = into
            free[into] -= len(new)
    return Parts(*(pairs.among(part[pairs.owner] == name) for name in range(3)))


def _numbered(titles: Sequence[Text]) -> tuple[dict[str, int], NDArray[np.int64]]:
    """Distinct titles, numbered, and (products,) the number of each, -1 where it is blank."""
    numbers: dict[str, int] = {}
    found = [clean(title).strip() for title in titles]
    return numbers, np.array([numbers.setdefault(text, len(numbers)) if text else -1 for text in found], np.int64)


def _described(numbers: dict[str, int], title: NDArray[np.int64], descriptions: Sequence[Text]) -> dict[str, int]:
    """Title of each description; without blank ones, those of several titles, and those that are a title."""
    titles: dict[str, set[int]] = {}
    for number, description in zip(title.tolist(), descriptions, strict=True):
        text = clean(description).strip()
        if number >= 0 and text and text not in numbers:
            titles.setdefault(text, set()).add(number)
    return {text: of.pop() for text, of in titles.items() if len(of) == 1}


def _merged(baskets: sp.csr_array, title: NDArray[np.int64], titles: int) -> sp.csr_array:
    """(baskets, titles) 1 where a basket holds a product of the title; baskets of one title are left out."""
    product = np.flatnonzero(title >= 0)
    cells = np.ones(len(product)), (product, title[product])
    merged = sp.csr_array(sp.csr_array(baskets) @ sp.csr_array(cells, shape=(len(title), titles)))
    merged.eliminate_zeros()
    merged.data[:] = 1
    return merged[np.diff(merged.indptr) > 1]


def _together(baskets: sp.csr_array, params: TuningParams) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(pairs, 2) titles, the smaller first, and (pairs,) their weight."""
    share = 1 / (np.diff(baskets.indptr) - 1)  # (baskets,)
    together = sp.triu(baskets.T @ baskets.multiply(share[:, None]), 1).tocsr()  # (titles, titles)
    counts = sp.triu(baskets.T @ baskets, 1).tocsr()  # (titles, titles)
    together = together.multiply(counts >= params.min_baskets).tocoo()
    left, right = together.coords
    mass = baskets.sum(axis=0)  # (titles,) Σ_j together(i, j) is the number of its baskets
    strength = together.data / np.sqrt(mass[left] * mass[right])
    kept = _foremost(left, right, strength, params.partners)
    return np.stack([left, right], axis=1)[kept].astype(np.int64), strength[kept]


def _foremost(
    left: NDArray[np.integer], right: NDArray[np.integer], strength: NDArray[np.float64], partners: int
) -> NDArray[np.bool_]:
    """(pairs,) True where a pair is among the strongest of either end; ties go to the partner that came first."""
    end, other = np.append(left, right), np.append(right, left)
    order = np.lexsort((other, -np.append(strength, strength), end))
    first = np.searchsorted(end[order], end[order])  # where the rows of the same end begin
    kept = np.zeros(len(end), bool)
    kept[order] = np.arange(len(end)) - first < partners
    return kept[: len(left)] | kept[len(left) :]


def _weighed(weight: NDArray[np.float64], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """(pairs,) the weights, made to sum to the number of titles among the owners (pairs, 2)."""
    return weight * (len(np.unique(owners)) / weight.sum()) if len(weight) else weight
