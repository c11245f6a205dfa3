"""Partners are found again: of each product, by relation, the most probable first."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.features.partners import COUNTS, Partners, PartnersError

ROW = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 2), st.floats(0, 1, width=32), st.integers(-1, 1))


def of(rows: list[tuple]) -> Partners:
    a, b, relation, probability, first = np.array(rows).reshape(-1, 5).T
    counts = np.outer(b, np.arange(len(COUNTS)))
    return Partners.of(a, b, relation, probability, first, counts, counts // 2)


def test_partners_stand_by_product_relation_and_falling_probability() -> None:
    found = of([(2, 3, 1, 0.5, 1), (1, 4, 2, 0.9, 0), (2, 5, 1, 0.7, -1), (1, 3, 1, 0.2, 1)])
    assert found.a.tolist() == [1, 1, 2, 2]
    assert found.b.tolist() == [3, 4, 5, 3]
    assert found.b[found.places(2, "complement")].tolist() == [5, 3]
    assert found.b[found.places(1, "substitute")].tolist() == [4]
    assert found.places(2, "substitute").tolist() == found.places(9, "complement").tolist() == []
    assert found.counts[2].tolist() == [0, 5, 10, 15, 20, 25]  # of b = 5, as given above
    assert found.users[2].tolist() == [0, 2, 5, 7, 10, 12]
    assert found.first.tolist() == [1, 0, -1, 1]


@given(st.lists(ROW, max_size=30))
def test_every_pair_is_found_once_and_the_best_first(rows: list[tuple]) -> None:
    found = of(rows)
    seen = []
    for a in range(7):
        for place, relation in ((1, "complement"), (2, "substitute")):
            at = found.places(a, relation)
            assert np.all(np.diff(found.probability[at]) <= 0)
            seen += [(a, b, place) for b in found.b[at].tolist()]
    assert sorted(seen) == sorted((a, b, relation) for a, b, relation, _, _ in rows)


def test_pairs_without_probability_stay_as_they_came() -> None:
    found = of([(1, b, 1, np.nan, 0) for b in (4, 2, 3)])
    assert found.b[found.places(1, "complement")].tolist() == [4, 2, 3]


def test_who_is_shown_and_what_is_told_hangs_on_the_users_behind() -> None:
    """Of 1: 2 has a count of three users and one of two, 3 only the latter, of 4 nothing was counted."""
    counts, users = np.zeros((2, 3, len(COUNTS)), int)
    counts[0, :2], counts[1, 0], users[0, :2], users[1, 0] = (7, 9), 9, (3, 2), 2
    ones = np.ones(3, int)
    found = Partners.of(ones, np.array([2, 3, 4]), ones, np.array([0.9, 0.8, 0.7]), ones, counts, users)
    for least, shown, told in ((3, [2, 4], [7, 0, 0, 0]), (2, [2, 3, 4], [7, 9, 9, 0, 0, 0]), (4, [4], [0, 0])):
        places, numbers = found.shown(1, "complement", least)
        assert found.b[places].tolist() == shown
        assert numbers[:, :2].ravel().tolist() == told
    unknown = Partners.of(*(getattr(found, f.name) for f in fields(found)[:-1]), np.zeros_like(users))
    assert len(unknown.shown(1, "complement", 2)[0]) == 1
    assert unknown.shown(1, "complement", 1)[1].tolist() == counts.tolist()  # nobody's counts are told where 1 suffices


def test_what_was_written_is_read(tmp_path: Path) -> None:
    for partners in (Partners.none(), of([(1, 4, 2, np.nan, 0), (1, 3, 1, 0.2, 1)])):
        partners.write(tmp_path / "partners.npz")
        again = Partners.read(tmp_path / "partners.npz")
        for f in fields(Partners):
            np.testing.assert_array_equal(getattr(again, f.name), getattr(partners, f.name))
            assert getattr(again, f.name).dtype == getattr(partners, f.name).dtype


def test_what_does_not_fit_is_refused() -> None:
    one, counts = np.ones(1), np.zeros((1, len(COUNTS)))
    with pytest.raises(PartnersError, match=r"shapes .* \(pairs, 6\)"):
        Partners.of(one, one, one, one, one, counts[:, :3], counts)
    with pytest.raises(PartnersError, match=r"relations \[0\]; 1 complement and 2 substitute fit"):
        Partners.of(one, one, np.zeros(1, int), one, one, counts, counts)
