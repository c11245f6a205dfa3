"""What was taken, or looked at, together: baskets of products, with or without a known user."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files
from tandem.features.histories import basket_key, to_us
from tandem.features.vocabulary import Vocabulary


@dataclass(frozen=True)
class Baskets:
    """Distinct products of each basket, baskets in order of time."""

    content: sp.csr_array  # (baskets, products) 0 or 1, the unknown product's column empty
    time_us: NDArray[np.int64]  # (baskets,) time of the first event
    user: NDArray[np.int64]  # (baskets,) row of the user among the known ones, -1 where nobody is known

    def __len__(self) -> int:
        return len(self.time_us)

    @property
    def size(self) -> NDArray[np.int64]:
        """(baskets,) number of distinct products."""
        return np.diff(self.content.indptr).astype(np.int64)

    def take(self, rows: NDArray[np.integer]) -> "Baskets":
        """The baskets at `rows`, in that order."""
        return Baskets(self.content[rows], self.time_us[rows], self.user[rows])

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        arrays = {"indptr": self.content.indptr.astype(np.int64), "indices": self.content.indices.astype(np.int32)}
        files.write_arrays(path, **arrays, time_us=self.time_us, user=self.user)

    @classmethod
    def read(cls, path: Path, products: int) -> "Baskets":
        """The baskets written by `write`, of a vocabulary of that size."""
        stored = files.read_arrays(path)
        cells = np.ones(len(stored["indices"])), stored["indices"], stored["indptr"]
        content = sp.csr_array(cells, shape=(len(stored["time_us"]), products))
        return cls(content, stored["time_us"], stored["user"])


def gather(
    events: pd.DataFrame, vocabulary: Vocabulary, kinds: tuple[str, ...], user_ids: NDArray[np.object_] | None = None
) -> Baskets:
    """Baskets of the events of `kinds`; products outside the vocabulary are left out.

    Args:
        user_ids: the known users, in order of their id; a basket of several belongs to the first of them.
    """
    kept = events[events["kind"].isin(kinds)]
    table = pd.DataFrame(
        {
            "product": vocabulary.encode(kept["product_id"]),
            "time_us": to_us(kept["time"]),
            "key": basket_key(kept).to_numpy(),
            "user": _rows(kept["user_id"], user_ids),
        }
    )
    table = table[table["product"] > 0].sort_values("time_us", kind="stable")
    row, keys = pd.factorize(table["key"])
    cells = table.assign(row=row).drop_duplicates(["row", "product"])
    ones = np.ones(len(cells), np.float64)
    shape = (len(keys), vocabulary.size)
    content = sp.csr_array((ones, (cells["row"].to_numpy(), cells["product"].to_numpy())), shape=shape)
    content.sort_indices()
    time_us = table["time_us"].to_numpy(np.int64)[np.unique(row, return_index=True)[1]]
    users = len(user_ids) if user_ids is not None else 0
    user = np.full(len(keys), users)
    np.minimum.at(user, row, np.where(table["user"] < 0, users, table["user"]))
    return Baskets(content, time_us, np.where(user == users, -1, user))


def _rows(ids: pd.Series, user_ids: NDArray[np.object_] | None) -> NDArray[np.int64]:
    """(events,) places of the ids among the known ones, -1 where there is none."""
    codes, distinct = pd.factorize(ids)
    places = pd.Index([] if user_ids is None else user_ids, dtype=object).get_indexer(pd.Index(distinct, dtype=object))
    return np.append(places, -1)[codes].astype(np.int64)
