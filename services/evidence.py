"""How many people stand behind an association: one that rests on too few of them is not shown to anybody."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.data import schema
from tandem.release import Release


@dataclass(frozen=True)
class Evidence:
    """Who took what, up to the end of the release's snapshot. Orders without a known user count for nobody.

    Where `min_users` is 1, every association is shown, also those that no known user stands behind.
    """

    taken: sp.csr_array  # (users, products) 1 where the user took the product
    takers: sp.csc_array  # the same, by product
    min_users: int

    @classmethod
    def of(cls, found: Release) -> "Evidence":
        """The evidence in a release's histories, and its bound."""
        kinds = tuple(found.manifest.get("target_kinds", schema.KINDS))
        taken = sp.csr_array(found.histories.seen(kinds))
        return cls(taken, sp.csc_array(taken), found.min_users)

    def users(self, item: int) -> NDArray[np.int64]:
        """(products,) how many users took both the product and `item`."""
        begin, end = self.takers.indptr[item : item + 2]
        both = self.taken[self.takers.indices[begin:end]]
        return np.bincount(both.indices, minlength=self.taken.shape[1])

    def enough(self, item: int) -> NDArray[np.bool_]:
        """(products,) True where enough users took both the product and `item`."""
        if self.min_users <= 1:
            return np.ones(self.taken.shape[1], bool)
        return self.users(item) >= self.min_users
