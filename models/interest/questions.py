"""Questions that the past answers: at the start of each basket, what will this user take?"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.data import schema
from tandem.features.histories import DAY_US, Histories


@dataclass(frozen=True)
class Questions:
    """Moments in users' pasts, each with what was known before it and what was taken from it on."""

    user: NDArray[np.int64]  # (questions,) row of the histories
    last: NDArray[np.int64]  # (questions,) place of the last event strictly before the moment
    moment_us: NDArray[np.int64]  # (questions,)
    taken: sp.csr_array  # (questions, products) 1 where the user took the product from the moment on

    def __len__(self) -> int:
        return len(self.user)


def ask(histories: Histories, kinds: tuple[str, ...], horizon_days: float) -> Questions:
    """One question per basket with an event of `kinds`, at its first such event, when something came before.

    Known is what has an earlier time: products of one basket never foretell each other by their order.
    To be foretold is everything of `kinds` taken within `horizon_days` of the moment, in any order.
    """
    target = np.isin(histories.kind, [schema.KIND_CODE[kind] for kind in kinds])
    start = _starts(histories, target)
    user, moment_us = histories.user[start], histories.time_us[start]
    known_to = _place(histories, user, moment_us)
    until = _place(histories, user, moment_us + int(horizon_days * DAY_US))
    taken = _between(histories, target, known_to, until)
    kept = np.flatnonzero(known_to > histories.offsets[user])
    return Questions(user[kept], known_to[kept] - 1, moment_us[kept], taken[kept])


def _starts(histories: Histories, target: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Places of the first targeted event of each basket, one for each moment of a user."""
    places = np.flatnonzero(target)
    keys = np.stack([histories.user[places], histories.basket[places]], axis=1)
    first = places[np.unique(keys, axis=0, return_index=True)[1]]
    moments = np.stack([histories.user[first], histories.time_us[first]], axis=1)
    return first[np.unique(moments, axis=0, return_index=True)[1]]


def _place(histories: Histories, user: NDArray[np.int64], time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) place of the first event of each user that is not earlier than the time."""
    place = histories.offsets[user]
    edges = np.searchsorted(user, np.arange(len(histories) + 1))
    for row in np.unique(user):
        asked = slice(edges[row], edges[row + 1])
        own = histories.time_us[histories.offsets[row] : histories.offsets[row + 1]]
        place[asked] += np.searchsorted(own, time_us[asked], side="left")
    return place


def _between(
    histories: Histories, target: NDArray[np.bool_], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> sp.csr_array:
    """(n, products) 1 where a targeted event with the product lies in places begin…end - 1."""
    row, place = spread(begin, end)
    row, place = row[target[place]], place[target[place]]
    cells = np.ones(len(row)), (row, histories.product[place])
    taken = sp.csr_array(cells, shape=(len(begin), histories.products))
    taken.sum_duplicates()
    taken.data[:] = 1
    return taken


def spread(begin: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and places of the ranges begin…end - 1 laid one after the other."""
    length = end - begin
    row = np.repeat(np.arange(len(begin)), length)
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - begin, length)
    return row, place
