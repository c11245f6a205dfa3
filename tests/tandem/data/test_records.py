"""Users' ids become pseudonyms batch by batch, each computed once; reviews get the language that their source names."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data import records
from tandem.data.records import Pseudonyms
from tandem.data.sources import Source
from tandem.privacy import pseudonyms

from .conftest import PARAMS

KEY = bytes(range(32))
IDS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "17850", "ü", "c", "d"])), max_size=8)


@given(st.lists(IDS, max_size=4))
def test_every_batch_gets_the_pseudonyms_of_its_ids_and_missing_ones_stay_missing(batches) -> None:
    people = Pseudonyms(KEY, None)
    for ids in batches:
        expected = [None if id is None else pseudonyms.of(KEY, id) for id in ids]
        assert people.of(pa.array(ids, pa.string())).to_pylist() == expected


def test_each_id_is_computed_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    people = Pseudonyms(KEY, lambda ids, made: told.extend(zip(ids.to_pylist(), made.to_pylist(), strict=True)))
    for ids in (["a", "b", "a", None], ["b", "c"], ["a"]):
        people.of(pa.array(ids, pa.string()))
    assert told == [(id, pseudonyms.of(KEY, id)) for id in "abc"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "REMEMBERED", 2)
    people = Pseudonyms(KEY, None)
    ids = pa.array([str(place) for place in range(9)])
    for _ in range(3):
        found = people.of(ids)
    assert pc.count_distinct(found).as_py() == 9


def test_a_review_is_in_the_language_that_its_block_names_unless_it_is_chinese(tmp_path: Path, make: Callable) -> None:
    """Parts read before are there each time: another language makes them read again."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "said.csv").write_text(
        "item,when,said\na1,2026-03-01,Great cup\na2,2026-03-02,很好用\n", "utf-8"
    )
    block = {"files": "said.csv", "format": "csv", "columns": {"product_id": "item", "time": "when", "text": "said"}}
    shop = {"name": "shop", "title": "a shop", "timezone": "UTC"}
    expected = {
        (True, "en"): ["en", "zh"],
        (True, None): [None, "zh"],
        (False, "en"): ["en", "en"],
        (False, None): [None, None],
    }
    for (enabled, language), found in expected.items():
        told = PARAMS.cleaning.language.model_copy(update={"enabled": enabled})
        params = PARAMS._replace(cleaning=PARAMS.cleaning.model_copy(update={"language": told}))
        source = Source.model_validate(shop | {"reviews": [block | {"language": language}]})
        reviews = make(source, tmp_path / "raw", KEY, tmp_path, params).tables["reviews"].sort_values("product_id")
        assert reviews["language"].astype(object).where(reviews["language"].notna(), None).tolist() == found
