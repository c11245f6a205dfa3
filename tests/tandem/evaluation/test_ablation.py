"""What each variant has more than the network as it is, in numbers worked out here and as a table."""

import numpy as np
import pytest

from tandem.evaluation import ablation
from tandem.evaluation.metrics import Ideal, Measured
from tandem.params import EvaluateParams

PARAMS = EvaluateParams(cutoffs=(10, 20), bootstrap=200, confidence=0.9, related_min_count=1, seed=1)
IDEAL = Ideal(np.ones((4, 100)), np.ones(4, np.int64), 1234)
METRICS = ("mrr", *(f"{name}_at_{k}" for k in (10, 20) for name in ("recall", "ndcg", "hit_rate")))


def measured(*by_case: float) -> Measured:
    return Measured({name: np.array(by_case) for name in METRICS}, {}, np.zeros(100))


@pytest.fixture
def told() -> dict:
    """No text is a tenth worse of every case, a mean better of one and worse of another."""
    by_name = {
        "no text": measured(0.1, 0.3, 0.5, 0.7),
        "net": measured(0.2, 0.4, 0.6, 0.8),
        "mean": measured(0.4, 0.2, 0.6, 0.8),
    }
    asked = ablation.of_view(by_name, "net", IDEAL, PARAMS)
    nothing = ablation.of_view({}, "net", Ideal(np.zeros((0, 100)), np.zeros(0, np.int64), 1234), PARAMS)
    views = {"beyond_popularity": nothing, "together": asked}
    return {"network": "net", "not_trained": {"no picture": "of no product a picture is known"}, "views": views}


def test_differences_are_paired_by_case(told: dict) -> None:
    less = told["views"]["together"]["differences"]
    assert set(less) == {"no text", "mean"}
    assert set(less["mean"]) == set(METRICS)
    for value in less["no text"]["ndcg_at_10"].values():
        assert value == pytest.approx(-0.1)  # of every case, so of every resample
    mean = less["mean"]["ndcg_at_10"]
    assert mean["mean"] == pytest.approx(0)
    assert -0.2 <= mean["low"] < 0 < mean["high"] <= 0.2
    assert told["views"]["together"]["rankers"]["net"]["ndcg_at_10"]["mean"] == pytest.approx(0.5)


def test_the_table_begins_with_the_network_in_the_view_that_decides(told: dict) -> None:
    text = ablation.table(told)
    assert text.splitlines()[1].split() == ["ndcg_at_10", "less", "net", "recall_at_20", "less", "net"]
    places = [text.index(of) for of in ("net · A · together", "\nnet ", "\nno text ", "net · A · beyond_popularity")]
    assert places == sorted(places)
    (row,) = (line for line in text.splitlines() if line.startswith("no text "))
    assert row.count("-0.100 [-0.100,-0.100]") == 2
    assert "4 products asked about, catalogue of 1,234" in text
    assert "no picture: of no product a picture is known" in text
    assert "nothing to measure" in text
    assert max(len(line) for line in text.splitlines()) <= 150
