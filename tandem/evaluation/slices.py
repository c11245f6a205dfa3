"""Whether a result is one of products that everybody buys: head, middle, tail and cold by sales in the fit period."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.evaluation.cases import Cases
from tandem.evaluation.metrics import Ideal, gains_at, ndcg_at_k, recall_at_k

PLACES = 20
"""Of a ranking that is judged by slice."""

SLICES = ("head", "middle", "tail", "cold")
OF_NEW = "of cold"
"""The part of the cases that ask about products that no basket held."""

HEAD, MIDDLE = 0.5, 0.8
"""Share of all sales that the head has, and that head and middle have together."""


def of_popularity(baskets: NDArray[np.floating]) -> NDArray[np.int8]:
    """The slice of each product, as a place in `SLICES`.

    head: the fewest products with half of all sales, most sold first; middle: the next up to four fifths; tail: the
    rest that was ever sold; cold: what was in no basket. Of equals the smaller index sells more.

    Args:
        baskets: (products,) baskets of the fit period with each product; index 0, the unknown one, is cold.
    """
    sold = np.asarray(baskets, np.float64).copy()
    sold[0] = 0.0
    order = np.argsort(-sold, kind="stable")
    before = np.cumsum(sold[order]) - sold[order]  # sales of all that sell more
    share = before / max(sold.sum(), 1.0)
    found = np.empty(len(sold), np.int8)
    found[order] = np.searchsorted([HEAD, MIDDLE], share, side="right")
    found[sold == 0] = SLICES.index("cold")
    return found


def of_consequents(truth: sp.csr_array, wanted: NDArray[np.bool_]) -> sp.csr_array:
    """The same truth with the consequents outside of `wanted` (products,) left out; a case may have none left."""
    kept = sp.csr_array(truth.multiply(wanted[None, :].astype(np.float64)))
    kept.eliminate_zeros()
    kept.sort_indices()
    return kept


def parts(asked: Cases, baskets: NDArray[np.floating]) -> dict[str, tuple[NDArray[np.int64], Cases]]:
    """The cases slice by slice, empty ones left out: which of them, and what is asked of them.

    "of tail": whose history has its best-selling product in the tail. "to tail": of whose consequents some are in the
    tail; the others are left out of their truth.

    Args:
        asked: each with a product in its history.
        baskets: as in `of_popularity`.
    """
    consequent = of_popularity(baskets)
    antecedent = np.minimum.reduceat(consequent[asked.histories.product], asked.histories.offsets[:-1])
    found = {}
    for place, name in enumerate(SLICES):
        rows = np.flatnonzero(antecedent == place)
        found[f"of {name}"] = rows, asked.take(rows)
    for place, name in enumerate(SLICES):
        truth = of_consequents(asked.truth, consequent == place)
        rows = np.flatnonzero(np.diff(truth.indptr))
        found[f"to {name}"] = rows, replace(asked, truth=truth).take(rows)
    return {name: part for name, part in found.items() if len(part[0])}


@dataclass(frozen=True)
class Slice:
    """Some of the cases, and what is asked of them."""

    rows: NDArray[np.int64]
    truth: sp.csr_array
    ideal: Ideal
    of_consequents: bool

    def judge(self, ranked: NDArray[np.integer]) -> NDArray[np.float64]:
        """(rows,) Recall@20 to a slice of consequents, NDCG@10 of a slice of antecedents.

        Args:
            ranked: (cases, at least `PLACES`) of all cases.
        """
        gains = gains_at(ranked[self.rows], self.truth)
        if self.of_consequents:
            return recall_at_k(gains, self.ideal.relevant, PLACES)
        return ndcg_at_k(gains, self.ideal.gains, 10)


def sliced(asked: Cases, baskets: NDArray[np.floating]) -> dict[str, Slice]:
    """The same slices as of `parts`, ready to judge rankings."""
    return {
        name: Slice(rows, part.truth, Ideal.of(part), name.startswith("to"))
        for name, (rows, part) in parts(asked, baskets).items()
    }
