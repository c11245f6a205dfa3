"""What is asked of the past, by hand."""

import numpy as np
import scipy.sparse as sp

from models.interest.batches import Windows
from models.interest.questions import Questions, ask, spread

ROWS = [
    ("u", "a", "purchase", 0.0, "o1"),
    ("u", "b", "purchase", 0.0, "o1"),
    ("u", "c", "view", 1.0, "s1"),
    ("u", "c", "purchase", 1.5, "o2"),
    ("u", "d", "purchase", 1.5, "o2"),
    ("u", "a", "purchase", 9.0, "o3"),
    ("w", "a", "purchase", 2.0, "o4"),
]


def test_each_basket_after_the_first_is_a_question_about_all_of_it(shop) -> None:
    questions = ask(shop(ROWS, 10).histories, ("purchase",), 1.0)
    assert questions.user.tolist() == [0, 0]
    assert questions.last.tolist() == [2, 4]  # the view before o2; the second product of o2 before o3
    assert questions.taken.toarray().tolist() == [[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]]


def test_a_longer_horizon_asks_for_later_baskets_too(shop) -> None:
    questions = ask(shop(ROWS, 10).histories, ("purchase",), 8.0)
    assert questions.taken.toarray().tolist() == [[0, 1, 0, 1, 1], [0, 1, 0, 0, 0]]


def test_products_of_one_moment_never_foretell_each_other(shop) -> None:
    """Two orders at one moment are one question, and nothing of that moment is known to it."""
    rows = [("u", "a", "purchase", 0.0, "o1"), ("u", "b", "purchase", 1.0, "o2"), ("u", "c", "purchase", 1.0, "o3")]
    questions = ask(shop(rows, 2).histories, ("purchase",), 0.5)
    assert questions.last.tolist() == [0]
    assert questions.taken.toarray().tolist() == [[0, 0, 1, 1]]


def test_every_question_reads_at_least_half_a_window_of_its_past(shop) -> None:
    rows = [("u", f"p{n % 7}", "purchase", float(n), f"o{n}") for n in range(40)]
    histories = shop(rows, 50).histories
    last = np.arange(39)
    questions = Questions(np.zeros(39, np.int64), last, last, sp.csr_array((39, 8)))
    windows = Windows.of(histories, questions, 10)
    begin = np.empty(39, np.int64)
    begin[windows.question] = np.repeat(windows.begin, np.diff(windows.offsets))
    read = last - begin + 1
    assert (read <= 10).all()
    assert (read >= np.minimum(last + 1, 6)).all()
    assert (np.repeat(windows.end, np.diff(windows.offsets)) > last[windows.question]).all()


def test_spread_lays_ranges_one_after_the_other() -> None:
    row, place = spread(np.array([5, 2, 7]), np.array([7, 2, 8]))
    assert row.tolist() == [0, 0, 2]
    assert place.tolist() == [5, 6, 7]
