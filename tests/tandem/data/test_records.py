"""Users' ids become pseudonyms batch by batch, each computed once, whatever came before."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data import records
from tandem.data.records import Pseudonyms
from tandem.privacy import pseudonyms

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
