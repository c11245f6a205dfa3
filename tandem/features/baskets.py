"""What was taken together: baskets of products, with or without a known user."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.features.histories import basket_key, to_us
from tandem.features.vocabulary import Vocabulary


@dataclass(frozen=True)
class Baskets:
    """Distinct products of each basket, baskets in order of time."""

    content: sp.csr_array  # (baskets, products) 0 or 1, the unknown product's column empty
    time_us: NDArray[np.int64]  # (baskets,) time of the first event

    def __len__(self) -> int:
        return len(self.time_us)

    @property
    def size(self) -> NDArray[np.int64]:
        """(baskets,) number of distinct products."""
        return np.diff(self.content.indptr).astype(np.int64)


def gather(events: pd.DataFrame, vocabulary: Vocabulary, kinds: tuple[str, ...]) -> Baskets:
    """Baskets of the events of `kinds`; products outside the vocabulary are left out."""
    kept = events[events["kind"].isin(kinds)]
    table = pd.DataFrame(
        {
            "product": vocabulary.encode(kept["product_id"]),
            "time_us": to_us(kept["time"]),
            "key": basket_key(kept).to_numpy(),
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
    return Baskets(content, time_us)
