"""What each user did, oldest first, as ragged arrays: the input of every ranker."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files
from tandem.data import schema
from tandem.features.opinions import WIDTH
from tandem.features.vocabulary import Vocabulary

DAY_US = 86_400_000_000
OF_EVENTS = ("product", "kind", "time_us", "basket", "opinion")
"""The arrays of `Histories` with one row for each event."""


@dataclass(frozen=True)
class Histories:
    """Typed events of users up to `as_of_us`, reviews among them, each user's own oldest first.

    Events of user `u` are the slice `offsets[u]:offsets[u + 1]` of the event arrays.
    `basket` numbers a user's orders (or sessions) from 0, in order of time.
    """

    user_ids: NDArray[np.object_]  # (users,)
    offsets: NDArray[np.int64]  # (users + 1,)
    product: NDArray[np.int32]  # (events,) index, never 0
    kind: NDArray[np.int8]  # (events,) of schema.KIND_CODE
    time_us: NDArray[np.int64]  # (events,) microseconds since 1970, UTC
    basket: NDArray[np.int32]  # (events,)
    opinion: NDArray[np.float32]  # (events, WIDTH) of reviews: tone, and 1 for each aspect they speak of
    products: int  # size of the vocabulary, the unknown index included
    as_of_us: int

    def __len__(self) -> int:
        return len(self.user_ids)

    @property
    def user(self) -> NDArray[np.int64]:
        """(events,) row of the user of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def age_days(self) -> NDArray[np.float64]:
        """(events,) days between each event and `as_of_us`, never negative."""
        return np.maximum(self.as_of_us - self.time_us, 0) / DAY_US

    def take(self, rows: NDArray[np.integer]) -> "Histories":
        """The histories of the users at `rows`, in that order."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        picked = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return replace(self, user_ids=self.user_ids[rows], offsets=offsets, **self._events(picked))

    def keep(self, kept: NDArray[np.bool_]) -> "Histories":
        """The same users with those of their events that are `kept` (events,)."""
        before = np.concatenate([[0], np.cumsum(kept)])
        return replace(self, offsets=before[self.offsets].astype(np.int64), **self._events(kept))

    def _events(self, picked: NDArray) -> dict[str, Any]:
        return {name: getattr(self, name)[picked] for name in OF_EVENTS}

    def matrix(self, weight: NDArray) -> sp.csr_array:
        """(users, products) sum of `weight` (events,) over each user's events with a product."""
        shape = (len(self), self.products)
        return sp.csr_array((weight.astype(np.float64), (self.user, self.product)), shape=shape)

    def seen(self, kinds: tuple[str, ...]) -> sp.csr_array:
        """(users, products) 1 where the user has an event of one of `kinds` with the product."""
        codes = [schema.KIND_CODE[kind] for kind in kinds]
        counts = self.matrix(np.isin(self.kind, codes))
        counts.eliminate_zeros()
        counts.data[:] = 1
        return counts

    def last(self, length: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """The last `length` events, right-aligned and padded with 0 on the left.

        Returns:
            product, kind, basket (users, length) int32 and time_us (users, length) int64.
        """
        ends = self.offsets[1:, None]
        places = ends - np.arange(length, 0, -1)[None, :]  # (users, length)
        present = places >= self.offsets[:-1, None]
        places = np.where(present, places, 0)

        def gather(values: NDArray, dtype: type) -> NDArray:
            if not len(values):
                return np.zeros(places.shape, dtype)
            return np.where(present, values[places], 0).astype(dtype)

        columns = (self.product, np.int32), (self.kind, np.int32), (self.basket, np.int32)
        product, kind, basket = (gather(values, dtype) for values, dtype in columns)
        return product, kind, basket, gather(self.time_us, np.int64)

    def write(self, path: Path) -> None:
        """Write everything as one `.npz`."""
        arrays = {name: getattr(self, name) for name in ("offsets", *OF_EVENTS)}
        arrays["user_ids"] = self.user_ids.astype(str)
        files.write_arrays(path, **arrays, bounds=np.array([self.products, self.as_of_us], np.int64))

    @classmethod
    def read(cls, path: Path) -> "Histories":
        """The histories written by `write`."""
        stored = files.read_arrays(path)
        products, as_of_us = (int(v) for v in stored.pop("bounds"))
        stored["user_ids"] = stored["user_ids"].astype(object)
        return cls(**stored, products=products, as_of_us=as_of_us)


def to_us(time: pd.Series | pd.DatetimeIndex) -> NDArray[np.int64]:
    """Microseconds since 1970 of UTC times."""
    return np.asarray(pd.DatetimeIndex(time).as_unit("us").asi8)


def basket_key(events: pd.DataFrame) -> pd.Series:
    """(events,) a number shared by events that belong together: same order, else session, else user and UTC day.

    An event with none of these stands alone. Numbers mean nothing beyond this call.
    """
    order, session, user = (pd.factorize(events[name])[0] for name in ("order_id", "session_id", "user_id"))
    day = to_us(events["time"]) // DAY_US
    day -= day.min(initial=0)
    user_day = user * (day.max(initial=0) + 1) + day
    known = [order >= 0, session >= 0, user >= 0]
    which = np.select(known, [0, 1, 2], 3)
    place = np.select(known, [order, session, user_day], np.arange(len(events)))
    return pd.Series(place * 4 + which, index=events.index)


def encode(
    events: pd.DataFrame, vocabulary: Vocabulary, as_of: pd.Timestamp, reviews: pd.DataFrame | None = None
) -> Histories:
    """Histories of all users with an event or review of a known product before `as_of`.

    Args:
        events: a table of schema.EVENTS in its stored order (ties in time keep that order).
        vocabulary: products outside it are left out.
        as_of: events and reviews at or after it are left out.
        reviews: a table of schema.OPINIONS; those that say nothing are left out.

    Returns:
        Users in order of their id. One event per (basket, kind, product): the earliest. A review is a basket by itself.
    """
    parts = [_acts(events, vocabulary, as_of, basket_key, events["kind"])]
    if reviews is not None:
        told = reviews[reviews["tone"].notna()].fillna(dict.fromkeys(schema.ASPECTS, 0.0))
        parts.append(_acts(told, vocabulary, as_of, _apart, pd.Series("review", told.index)))
    table = pd.concat(parts, ignore_index=True)
    user, user_ids = pd.factorize(table["user_id"], sort=True)
    table = table.assign(user=user).iloc[np.lexsort((table["time_us"], user))]
    table = table.drop_duplicates(["user", "key", "kind", "product"])
    offsets = np.searchsorted(table["user"], np.arange(len(user_ids) + 1)).astype(np.int64)
    basket = table.groupby(["user", "key"], sort=False).ngroup().to_numpy()  # numbered as they first appear
    return Histories(
        np.asarray(user_ids, object),
        offsets,
        table["product"].to_numpy(np.int32),
        table["kind"].to_numpy(np.int8),
        table["time_us"].to_numpy(np.int64),
        (basket - np.repeat(basket[offsets[:-1]], np.diff(offsets))).astype(np.int32),
        table[["tone", *schema.ASPECTS]].to_numpy(np.float32),
        vocabulary.size,
        int(to_us(pd.DatetimeIndex([as_of]))[0]),
    )


def _acts(
    rows: pd.DataFrame,
    vocabulary: Vocabulary,
    as_of: pd.Timestamp,
    key: Callable[[pd.DataFrame], pd.Series],
    kind: pd.Series,
) -> pd.DataFrame:
    """What users did before `as_of` with known products; tone and aspects are 0 where the rows are no reviews."""
    product = vocabulary.encode(rows["product_id"])
    inside = (product > 0) & rows["user_id"].notna().to_numpy() & (rows["time"] < as_of).to_numpy()
    kept = rows[inside]
    return pd.DataFrame(
        {
            "user_id": kept["user_id"].to_numpy(object),
            "time_us": to_us(kept["time"]),
            "key": key(kept).to_numpy(),
            "kind": kind[inside].map(schema.KIND_CODE).to_numpy(np.int8),
            "product": product[inside],
            **{name: kept[name].to_numpy(np.float32) if name in kept else 0.0 for name in ("tone", *schema.ASPECTS)},
        }
    )


def _apart(reviews: pd.DataFrame) -> pd.Series:
    """(reviews,) numbers that `basket_key` never gives."""
    return pd.Series(-1 - np.arange(len(reviews)), reviews.index)


def of_products(indices: NDArray[np.integer], products: int, as_of_us: int, kind: str = "purchase") -> Histories:
    """One history per product, holding one event with it at `as_of_us`: asks "what goes with this?"."""
    n = len(indices)
    return Histories(
        np.array([f"product-{i}" for i in indices], object),
        np.arange(n + 1, dtype=np.int64),
        np.asarray(indices, np.int32),
        np.full(n, schema.KIND_CODE[kind], np.int8),
        np.full(n, as_of_us, np.int64),
        np.zeros(n, np.int32),
        np.zeros((n, WIDTH), np.float32),
        products,
        as_of_us,
    )
