import numpy as np

from tandem.evaluation import report
from tandem.evaluation.metrics import Ideal, Measured
from tandem.params import EvaluateParams

PARAMS = EvaluateParams(cutoffs=(5, 10), bootstrap=100, confidence=0.9, related_min_count=1, seed=1)
IDEAL = Ideal(np.ones((4, 100)), np.ones(4, np.int64), 1234)


def measured(level: float) -> Measured:
    names = ["mrr", *(f"{m}_at_{k}" for k in (5, 10) for m in ("recall", "ndcg", "hit_rate"))]
    coverage = {"coverage_at_5": 0.25, "coverage_at_10": 0.5}
    return Measured({name: np.full(4, level) for name in names}, coverage, np.full(100, level))


def whole() -> dict:
    view = report.of_view({"weak": measured(0.25), "strong": measured(0.5)}, IDEAL, PARAMS)
    nothing = report.of_view({}, Ideal(np.zeros((0, 100)), np.zeros(0, np.int64), 1234), PARAMS)
    protocols = {"A": {"all": view, "new": nothing}, "B": {"all": view, "new": nothing}}
    tasks = {"recommend": {"protocols": protocols, "decision": {"reasons": ["Because so."]}}}
    return {"source": "shop", "data_hash": "abc", "tasks": tasks}


def test_every_metric_has_a_mean_and_bounds() -> None:
    view = report.of_view({"strong": measured(0.5)}, IDEAL, PARAMS)
    assert (view["cases"], view["catalogue"]) == (4, 1234)
    assert view["rankers"]["strong"]["ndcg_at_10"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert view["rankers"]["strong"]["coverage_at_10"] == {"mean": 0.5}


def test_the_table_puts_the_best_first_and_names_cases_and_catalogue() -> None:
    text = report.table(whole())
    assert text.index("strong") < text.index("weak")
    assert "recommend · B · all: 4 users, catalogue of 1,234" in text
    assert "0.500 [0.500,0.500]" in text
    assert "nothing to measure" in text
    assert "Because so." in text
    assert max(len(line) for line in text.splitlines()) <= 150


def test_flat_metrics_are_the_means() -> None:
    view = report.of_view({"strong": measured(0.5)}, IDEAL, PARAMS)
    assert report.flat(view, "strong") == {
        "mrr": 0.5, "recall_at_5": 0.5, "ndcg_at_5": 0.5, "hit_rate_at_5": 0.5, "recall_at_10": 0.5,
        "ndcg_at_10": 0.5, "hit_rate_at_10": 0.5, "coverage_at_5": 0.25, "coverage_at_10": 0.5,
    }  # fmt: skip
