"""A release is one sealed folder: what was saved is what answers."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import pytest

from tandem import files, release
from tandem.data import schema
from tandem.errors import ReleaseError
from tandem.features import demand, histories
from tandem.features.bundles import Bundles, Held
from tandem.features.partners import Partners
from tandem.features.vocabulary import Vocabulary


class Fixed:
    """Scores every product by a stored number: the smallest thing that can be saved and ranked."""

    name = "fixed"
    tasks: ClassVar = ("recommend",)

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def fit(self, dataset, validation=None) -> Self:
        return self

    def refit(self, dataset) -> Self:
        return self

    def scores(self, histories, demand) -> np.ndarray:
        return np.tile(self.weights, (len(histories), 1))

    def because(self, histories, items) -> np.ndarray:
        return np.zeros_like(items)

    def save(self, folder: Path) -> None:
        files.write_arrays(folder / "weights.npz", weights=self.weights)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(files.read_arrays(folder / "weights.npz")["weights"])


RANKERS = {"fixed": Fixed}
FACTS = {"kind": "fixed", "data_hash": "d", "seed": 7}


def events(*rows: tuple[str | None, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame([(f"f:{i}", u, p, "purchase", t) for i, (u, p, t) in enumerate(rows)])
    frame.columns = ["event_id", "user_id", "product_id", "kind", "time"]
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame.assign(session_id=None, order_id=None, quantity=1.0, unit_price=2.0)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    vocabulary = Vocabulary.of(["b", "a"])
    as_of = pd.Timestamp("2026-01-03", tz="UTC")
    known = events(("u", "a", "2026-01-01"), ("u", "b", "2026-01-02"))
    state = (
        histories.encode(known, vocabulary, as_of),
        demand.measure(known, vocabulary, as_of, {"purchase": 1.0}),
    )
    table = pd.DataFrame({name: [None] * 2 for name in schema.PRODUCTS.names})
    table = table.assign(product_id=["b", "c"], title=["Bread", "Corn"], category=[["food"], ["food"]])
    release.write(tmp_path / "r", Fixed(np.array([0, 1, 2], np.float32)), vocabulary, table, state, FACTS)
    return tmp_path / "r"


def test_what_was_saved_is_what_answers(written: Path) -> None:
    found = release.read(written, RANKERS)
    assert found.name == "fixed"
    assert found.vocabulary.ids == ("a", "b")
    assert found.ranker.scores(found.histories, found.demand).tolist() == [[0, 1, 2]]


def test_the_catalogue_stands_in_order_of_index(written: Path) -> None:
    catalogue = release.read(written, RANKERS).catalogue
    assert catalogue["product_id"].tolist() == ["a", "b"]
    assert catalogue["title"].isna().tolist() == [True, False]
    assert [list(path) for path in catalogue["category"]] == [[], ["food"]]


def test_the_state_is_the_whole_history(written: Path) -> None:
    found = release.read(written, RANKERS)
    assert found.histories.product.tolist() == [1, 2]
    assert found.demand.last(1).tolist() == [0, 0, 1]
    assert found.demand.last(2).tolist() == [0, 1, 1]


def test_partners_and_bundles_are_shipped_and_one_without_has_none(written: Path, tmp_path: Path) -> None:
    first = release.read(written, RANKERS)
    assert (len(first.partners), len(first.bundles)) == (0, 0)
    state, one = (first.histories, first.demand), np.ones(1)
    partners = Partners.of(one, 2 * one, one, 0.5 * one, one, np.array([[3, 2, 1, 0, 0, 0]]), np.ones((1, 6)))
    bundles = Bundles.counted([((1, 2), (3,))], lambda of: Held(10 - len(of), 4, (5.0, 6.0)))
    goes_with = partners, bundles
    release.write(tmp_path / "p", first.ranker, first.vocabulary, first.catalogue, state, FACTS, goes_with)
    found = release.read(tmp_path / "p", RANKERS)
    a, b, counts = found.partners.a, found.partners.b, found.partners.counts
    assert (a.tolist(), b.tolist(), counts.tolist()) == ([1], [2], [[3, 2, 1, 0, 0, 0]])
    assert (found.bundles.products.tolist(), found.bundles.baskets.tolist()) == ([[1, 2, 3, 0, 0]], [7])


def test_an_altered_release_is_refused(written: Path) -> None:
    files.write_arrays(written / "ranker" / "weights.npz", weights=np.array([0, 2, 1], np.float32))
    with pytest.raises(ReleaseError, match="was altered"):
        release.read(written, RANKERS)


def test_an_altered_manifest_is_refused(written: Path) -> None:
    manifest = files.read_json(written / "manifest.json")
    files.write_json({**manifest, "seed": 8}, written / "manifest.json")
    with pytest.raises(ReleaseError, match="was altered"):
        release.read(written, RANKERS)


def test_a_folder_without_manifest_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"manifest\.json is missing"):
        release.read(tmp_path, RANKERS)


def test_an_unknown_kind_names_the_known_ones(written: Path) -> None:
    with pytest.raises(ReleaseError, match="'fixed' is not one of other"):
        release.read(written, {"other": Fixed})


def test_a_release_of_another_layout_says_what_to_do(written: Path) -> None:
    manifest = files.read_json(written / "manifest.json")
    del manifest["layout"]
    files.write_json(manifest, written / "manifest.json")
    with pytest.raises(ReleaseError, match=r"layout 1 of another version of Tandem; 6 can be read: `tandem retrain`"):
        release.read(written, RANKERS)


def test_equal_content_gives_an_equal_hash(written: Path, tmp_path: Path) -> None:
    first = release.read(written, RANKERS)
    state = first.histories, first.demand
    again = release.write(tmp_path / "again", first.ranker, first.vocabulary, first.catalogue, state, FACTS)
    assert again == first.content_hash
