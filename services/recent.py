"""One user's history with the events of a request, built in microseconds for a ranker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from services.schemas import Event
from tandem.data.schema import KIND_CODE
from tandem.features.histories import DAY_US, Histories
from tandem.features.opinions import WIDTH

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nobody(products: int, as_of_us: int) -> Histories:
    """The history of one user of whom nothing is known."""
    none = np.zeros(0, np.int32)
    codes, times = none.astype(np.int8), none.astype(np.int64)
    opinion, user = np.zeros((0, WIDTH), np.float32), np.array([""], object)
    return Histories(user, np.zeros(2, np.int64), none, codes, times, none, opinion, products, as_of_us)


def extend(history: Histories, events: Sequence[Event], index: Mapping[str, int]) -> Histories:
    """One user's history with `events` merged in, by the rules of `tandem.features.histories.encode`.

    Without an order or session, the events of one UTC day are one basket; in it, a kind of event with a
    product counts once, the earliest. An event that the history holds already is not counted again, nor is
    one with an unknown product. The history's `as_of_us` moves behind its newest event.

    Args:
        history: of one user.
        events: in any order.
        index: product id -> index.
    """
    known = set(zip(history.product.tolist(), history.kind.tolist(), history.time_us.tolist(), strict=True))
    fresh = [cell for cell in _cells(events, index) if cell[1:] not in known]
    if not fresh:
        return history
    day, product, kind, time_us = (np.array(column, np.int64) for column in zip(*fresh, strict=True))
    days = np.unique(day, return_inverse=True)[1] + (history.basket.max(initial=-1) + 1)
    times = np.concatenate([history.time_us, time_us])
    order = np.argsort(times, kind="stable")
    return replace(
        history,
        offsets=np.array([0, len(times)], np.int64),
        product=np.concatenate([history.product, product])[order].astype(np.int32),
        kind=np.concatenate([history.kind, kind])[order].astype(np.int8),
        time_us=times[order],
        basket=_in_order(np.concatenate([history.basket, days])[order]),
        opinion=np.concatenate([history.opinion, np.zeros((len(fresh), WIDTH), np.float32)])[order],
        as_of_us=max(history.as_of_us, int(times.max()) + 1),
    )


def _cells(events: Sequence[Event], index: Mapping[str, int]) -> list[tuple[int, int, int, int]]:
    """(day, product, kind, time) of the earliest event of each (day, product, kind), in order of time."""
    earliest: dict[tuple[int, int, int], int] = {}
    for event in events:
        product = index.get(event.product_id, 0)
        time_us = (event.time - EPOCH) // timedelta(microseconds=1)
        cell = time_us // DAY_US, product, KIND_CODE[event.kind]
        if product and time_us < earliest.get(cell, time_us + 1):
            earliest.pop(cell, None)  # ties in time keep the order of the request
            earliest[cell] = time_us
    return sorted(((*cell, time_us) for cell, time_us in earliest.items()), key=lambda cell: cell[-1])


def _in_order(basket: NDArray[np.integer]) -> NDArray[np.int32]:
    """The same baskets numbered from 0 by first appearance."""
    _, first, number = np.unique(basket, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first)).astype(np.int32)[number]
