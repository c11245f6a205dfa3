"""Complements and substitutes of each product: which, how surely, in which order, and what was counted of the two."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tandem import files
from tandem.errors import TandemError
from tandem.features.relations import RELATIONS

Relation: TypeAlias = Literal["complement", "substitute"]

COUNTS = ("together", "after", "before", "viewed", "instead", "instead_of")
"""Of a pair a, b: baskets with both; b bought after a, before a; sessions with both; b bought instead of a, a of b."""


class PartnersError(TandemError, ValueError):
    """Arrays do not fit together."""


@dataclass(frozen=True, eq=False)
class Partners:
    """Pairs in order of a, relation, then falling probability; where none was learned, as they came."""

    a: NDArray[np.int32]  # (pairs,)
    b: NDArray[np.int32]  # (pairs,)
    relation: NDArray[np.int8]  # (pairs,) place in RELATIONS
    probability: NDArray[np.float32]  # (pairs,) NaN where counts alone speak
    first: NDArray[np.int8]  # (pairs,) 1 where a comes first, -1 where b does, 0 where neither
    counts: NDArray[np.int32]  # (pairs, COUNTS)
    users: NDArray[np.int32]  # (pairs, COUNTS) distinct known users behind each count

    @classmethod
    def of(
        cls,
        a: NDArray[np.integer],
        b: NDArray[np.integer],
        relation: NDArray[np.integer],
        probability: NDArray[np.floating],
        first: NDArray[np.integer],
        counts: NDArray[np.number],
        users: NDArray[np.number],
    ) -> Self:
        """Pairs in any order; those of equal probability stay as they came.

        Raises:
            PartnersError: lengths differ, or a relation is none of those that are kept.
        """
        shapes = [np.shape(of) for of in (a, b, relation, probability, first)]
        wide = {np.shape(counts), np.shape(users)}
        if set(shapes) != {(len(a),)} or wide != {(len(a), len(COUNTS))}:
            raise PartnersError(f"arrays of shapes {shapes}, counts and users {wide}; (pairs,), (pairs, {len(COUNTS)})")
        if wrong := set(np.unique(relation).tolist()) - set(range(1, len(RELATIONS))):
            raise PartnersError(f"relations {sorted(wrong)}; 1 {RELATIONS[1]} and 2 {RELATIONS[2]} fit")
        order = np.lexsort((-np.nan_to_num(probability), relation, a))
        arrays = zip(fields(cls), (a, b, relation, probability, first, counts, users), strict=True)
        return cls(**{f.name: of[order].astype(DTYPES[f.name]) for f, of in arrays})

    @classmethod
    def none(cls) -> Self:
        """No pairs."""
        none = np.zeros(0, np.int32)
        return cls.of(none, none, none, np.zeros(0), none, *np.zeros((2, 0, len(COUNTS))))

    def __len__(self) -> int:
        return len(self.a)

    def places(self, a: int, relation: Relation) -> NDArray[np.int64]:
        """(partners,) where the partners of a product stand, the best first."""
        begin, end = np.searchsorted(self.a, [a, a + 1])
        low, high = np.searchsorted(self.relation[begin:end], RELATIONS.index(relation) + np.arange(2))
        return np.arange(begin + low, begin + high)

    def shown(self, a: int, relation: Relation, min_users: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """(partners,) those of `places` that may be shown, and (partners, COUNTS) what may be told of them.

        A count is told, else 0, where `min_users` known users stand behind it, with 1 always. A partner is shown where
        a count is told, or where nothing was counted: then it rests on nobody's behaviour.
        """
        places = self.places(a, relation)
        counts, enough = self.counts[places], (self.users[places] >= min_users) | (min_users <= 1)
        told = np.where(enough, counts, 0)
        shown = told.any(axis=1) | ~counts.any(axis=1)
        return places[shown], told[shown]

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        files.write_arrays(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def read(cls, path: Path) -> Self:
        """The partners written by `write`."""
        return cls(**files.read_arrays(path))


DTYPES = {
    "a": np.int32,
    "b": np.int32,
    "relation": np.int8,
    "probability": np.float32,
    "first": np.int8,
    "counts": np.int32,
    "users": np.int32,
}
