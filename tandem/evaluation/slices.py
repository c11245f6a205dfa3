"""Whether a result is one of products that everybody buys: head, middle, tail and cold by sales in the fit period."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

SLICES = ("head", "middle", "tail", "cold")
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
