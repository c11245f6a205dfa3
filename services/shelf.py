"""A release made ready to answer: its catalogue as arrays, its users by pseudonym, its popular products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services import recent
from services.catalogue import Catalogue
from services.evidence import Evidence
from services.schemas import Event
from tandem import release
from tandem.errors import ReleaseError
from tandem.features.histories import Histories
from tandem.privacy import pseudonyms
from tandem.ranking.ranker import Ranker, WithStandIns, top_k
from tandem.release import Release

POPULAR = {"popular_7d": 7, "popular_60d": 60}
"""The fallback's sources and the days they count; the second orders what the first leaves alike."""


@dataclass(frozen=True)
class Pick:
    """A product chosen for an answer."""

    item: int
    score: float
    source: str
    why: int = 0  # the product of the history that speaks most for it, 0 where none does


@dataclass(frozen=True)
class Shelf:
    """What one task answers from; built once, read by every request."""

    release: Release
    catalogue: Catalogue
    user_row: Mapping[str, int]  # pseudonym -> row of the release's histories
    popular: NDArray[np.float32]  # (windows, products) demand over each window of POPULAR
    popular_order: NDArray[np.int32]  # products with any such demand, most wanted first
    evidence: Evidence

    @classmethod
    def of(cls, found: Release) -> "Shelf":
        """The shelf of a release; reads its catalogue and state."""
        popular = np.stack([found.demand.last(days) for days in POPULAR.values()])
        order = np.lexsort(-popular[::-1])
        wanted = order[(popular[-1, order] > 0) & (order > 0)]
        user_row = {user_id: row for row, user_id in enumerate(found.histories.user_ids)}
        return cls(found, Catalogue.of(found.catalogue), user_row, popular, wanted.astype(np.int32), Evidence.of(found))

    def __str__(self) -> str:
        """One line for the log."""
        found = self.release
        size = f"{len(self.catalogue) - 1} products, {len(self.user_row)} users"
        return f"{found.name} {found.content_hash[:12]}, {size}, snapshot {found.manifest['data_hash'][:12]}"

    def history(self, user_id: str | None, events: list[Event] | None) -> Histories:
        """What the user of this pseudonym did, and then `events`; one empty history where nothing is known."""
        kept = self.release.histories
        row = self.user_row.get(user_id) if user_id is not None else None
        known = recent.nobody(kept.products, kept.as_of_us) if row is None else kept.take(np.array([row]))
        return recent.extend(known, events or [], self.catalogue.index)

    def ranked(self, history: Histories, allowed: NDArray[np.bool_], k: int) -> list[Pick]:
        """At most k allowed products, the ranker's best first.

        A product that scores no higher than the ranker's lowest is left out: of it, the ranker knows nothing.
        """
        scores = self.release.ranker.scores(history, self.release.demand)[0]  # (products,)
        told = allowed & np.isfinite(scores) & (scores > scores[1:].min())
        best = top_k(np.where(told, scores, -np.inf)[None], k)  # (1, k)
        best = best[:, best[0] > 0]
        why = self.release.ranker.because(history, best) if best.size else best
        return [
            Pick(item, float(scores[item]), self.release.name, speaks)
            for item, speaks in zip(best[0].tolist(), why[0].tolist(), strict=True)
        ]

    def stand_ins(self, item: int) -> list[int]:
        """The products by whose baskets the ranker tells of one that has none."""
        ranker = self.release.ranker
        return ranker.stand_ins(item).tolist() if isinstance(ranker, WithStandIns) else []

    def wanted(self, allowed: NDArray[np.bool_], k: int) -> list[Pick]:
        """At most k allowed products that the shop's customers took lately, most wanted first."""
        items = self.popular_order[allowed[self.popular_order]][:k]
        windows = np.argmax(self.popular[:, items] > 0, axis=0)
        sources = list(POPULAR)
        return [
            Pick(item, float(self.popular[window, item]), sources[window])
            for item, window in zip(items.tolist(), windows.tolist(), strict=True)
        ]


def load(folder: Path, task: str, key_id: str, rankers: Mapping[str, type[Ranker]]) -> Shelf:
    """The shelf of the release in `folder`/`task`.

    Raises:
        ReleaseError: no release there, or an altered one, or one made for another task or with another
            pseudonym key.
    """
    found = release.read(folder / task, rankers)
    made_with, tasks = found.manifest["key_id"], found.manifest["tasks"]
    if made_with != key_id:
        raise ReleaseError(
            f"{found.folder} was made with pseudonym key {made_with}, the key at hand is {key_id}: it would know "
            "no user. Set TANDEM_PSEUDONYM_KEY or TANDEM_PSEUDONYM_KEY_FILE to the key its data was made with"
        )
    if task not in tasks:
        raise ReleaseError(f"{found.folder}: {found.name} answers {', '.join(tasks)}, not {task}")
    return Shelf.of(found)


def with_key(
    folder: Path, task: str, keys: Sequence[bytes], rankers: Mapping[str, type[Ranker]]
) -> tuple[bytes, Shelf]:
    """The shelf of the release in `folder`/`task`, and the one of the pseudonym keys that it was made with.

    Args:
        keys: the present one, then those that were retired and are not forgotten yet.

    Raises:
        ReleaseError: as `load`; it was made with none of the keys.
    """
    key = pseudonyms.key_for(keys, release.read_manifest(folder / task)["key_id"]) or keys[0]
    return key, load(folder, task, pseudonyms.key_id(key), rankers)
