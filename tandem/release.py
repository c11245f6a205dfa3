"""A release: one folder with all that answering needs, sealed by its content hash.

manifest.json        layout, name, kind, params, data hash, seed, fit_until, sizes, code, content hash
vocabulary.json      product ids by index
catalogue.parquet    schema.PRODUCTS rows of the vocabulary, for titles and filters
ranker/              what the ranker saved
state/               histories and demand up to the end of the snapshot, for serving; of a ranker that says what
                     goes with a product, its complements and substitutes, and bundles
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tandem import files
from tandem.data import schema
from tandem.errors import ReleaseError
from tandem.features.bundles import Bundles
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.partners import Partners
from tandem.features.vocabulary import Vocabulary
from tandem.ranking.ranker import Ranker

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
LAYOUT = 6
"""Of the files that rankers and state write; a change that earlier ones do not fit takes the next number."""


@dataclass(frozen=True)
class Release:
    """A ranker with its vocabulary and facts; catalogue and serving state are read when asked for."""

    folder: Path
    manifest: dict[str, Any]
    vocabulary: Vocabulary
    ranker: Ranker

    @property
    def name(self) -> str:
        """Name of the ranker, e.g. `recent_ease`."""
        return str(self.manifest["name"])

    @property
    def content_hash(self) -> str:
        """What the release is known by everywhere: equal content, equal hash."""
        return str(self.manifest["content_hash"])

    @property
    def min_users(self) -> int:
        """Known users behind whatever is shown; a release made before `privacy.min_users` was known has no bound."""
        return int(self.manifest.get("min_users", 1))

    @cached_property
    def catalogue(self) -> pd.DataFrame:
        """schema.PRODUCTS rows in order of index, the first at index 1."""
        return files.read(self.folder / "catalogue.parquet", schema.PRODUCTS)

    @cached_property
    def histories(self) -> Histories:
        """Histories up to the end of the snapshot it was made from."""
        return Histories.read(self.folder / "state" / "histories.npz")

    @cached_property
    def demand(self) -> Demand:
        """Demand up to the end of the snapshot it was made from."""
        return Demand.read(self.folder / "state" / "demand.npz")

    @cached_property
    def partners(self) -> Partners:
        """Complements and substitutes of each product; none where the release answers no such question."""
        path = self.folder / "state" / "partners.npz"
        return Partners.read(path) if path.exists() else Partners.none()

    @cached_property
    def bundles(self) -> Bundles:
        """Sets of products bought together; none where the release answers no such question."""
        path = self.folder / "state" / "bundles.npz"
        return Bundles.read(path) if path.exists() else Bundles.none()


def write(
    folder: Path,
    ranker: Ranker,
    vocabulary: Vocabulary,
    catalogue: pd.DataFrame,
    state: tuple[Histories, Demand],
    facts: Mapping[str, Any],
    goes_with: tuple[Partners, Bundles] | None = None,
) -> str:
    """Write a release, replacing what was in `folder`, and return its content hash.

    Args:
        catalogue: schema.PRODUCTS rows; those of the vocabulary are kept.
        state: histories and demand up to the end of the snapshot, in the same vocabulary.
        facts: further entries of the manifest: kind, params, data_hash, seed, fit_until, source, …
        goes_with: partners and bundles in the same vocabulary, if the ranker says what goes with a product.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "ranker").mkdir(parents=True)
    ranker.save(folder / "ranker")
    vocabulary.write(folder / "vocabulary.json")
    files.write(_rows_of(vocabulary, catalogue), folder / "catalogue.parquet", schema.PRODUCTS)
    histories, demand = state
    histories.write(folder / "state" / "histories.npz")
    demand.write(folder / "state" / "demand.npz")
    if goes_with is not None:
        partners, bundles = goes_with
        partners.write(folder / "state" / "partners.npz")
        bundles.write(folder / "state" / "bundles.npz")
    manifest = {
        **facts,
        "layout": LAYOUT,
        "name": ranker.name,
        "products": len(vocabulary.ids),
        "users": len(histories),
    }
    manifest["content_hash"] = _seal(folder, manifest)
    files.write_json(manifest, folder / MANIFEST)
    log.debug("release %s: %s, %d products", folder, manifest["content_hash"][:12], len(vocabulary.ids))
    return str(manifest["content_hash"])


def read(folder: Path, rankers: Mapping[str, type[Ranker]], *, verify: bool = True) -> Release:
    """The release in `folder`.

    Args:
        rankers: class by kind (`models.rankers.RANKERS`).
        verify: recompute the content hash; costs reading every byte once.

    Raises:
        ReleaseError: no manifest, another layout, an unknown kind, or content that differs from its hash.
    """
    manifest = read_manifest(folder)
    if not fits(manifest):
        raise ReleaseError(
            f"{folder} has layout {manifest.get('layout', 1)} of another version of Tandem; {LAYOUT} can be read: "
            "`tandem retrain`, then `tandem deploy`"
        )
    if manifest["kind"] not in rankers:
        raise ReleaseError(f"{folder}: kind {manifest['kind']!r} is not one of {', '.join(sorted(rankers))}")
    if verify and _seal(folder, manifest) != manifest["content_hash"]:
        raise ReleaseError(f"{folder} was altered: its content does not match the hash in {MANIFEST}")
    ranker = rankers[manifest["kind"]].load(folder / "ranker")
    return Release(folder, manifest, Vocabulary.read(folder / "vocabulary.json"), ranker)


def fits(manifest: Mapping[str, Any]) -> bool:
    """Whether this version of Tandem can read the release."""
    return manifest.get("layout", 1) == LAYOUT


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone.

    Raises:
        ReleaseError: there is none.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ReleaseError(f"{folder} is not a release: {MANIFEST} is missing")
    return dict(files.read_json(path))


def forget(folder: Path, user_ids: Collection[str]) -> bool:
    """Take users out of a release's histories and seal it anew; return whether one was there.

    What the ranker learned from them stays, as do counts of partners and bundles, and the manifest says of how many,
    under `erased`. A call that was cut short is finished by the next one.
    """
    manifest = read_manifest(folder)
    path = folder / "state" / "histories.npz"
    histories = Histories.read(path)
    rows = np.flatnonzero(~np.isin(histories.user_ids.astype(str), list(user_ids)))
    if len(rows) < len(histories):
        histories.take(rows).write(path)
    gone = int(manifest["users"]) - len(rows)
    if gone:
        manifest |= {"users": len(rows), "erased": manifest.get("erased", 0) + gone}
        manifest["content_hash"] = _seal(folder, manifest)
        files.write_json(manifest, folder / MANIFEST)
    return bool(gone)


def _rows_of(vocabulary: Vocabulary, catalogue: pd.DataFrame) -> pd.DataFrame:
    rows = catalogue.set_index("product_id").reindex(vocabulary.ids).rename_axis("product_id").reset_index()
    rows["category"] = [path if not isinstance(path, float) else [] for path in rows["category"]]
    return rows


def _seal(folder: Path, manifest: Mapping[str, Any]) -> str:
    facts = {key: value for key, value in manifest.items() if key != "content_hash"}
    text = json.dumps(facts, sort_keys=True) + files.hash_folder(folder, ignore=frozenset({MANIFEST}))
    return hashlib.sha256(text.encode()).hexdigest()
