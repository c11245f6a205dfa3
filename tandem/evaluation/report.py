"""The evaluation as JSON for machines, tables for people and curves for plots."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tandem.evaluation.metrics import Ideal, Measured
from tandem.evaluation.significance import intervals
from tandem.params import EvaluateParams

PROTOCOLS = {
    "validation": "learned before the validation window, asked about it",
    "A": "learned before the validation window, asked about the test window",
    "B": "learned again before the test window, asked about it: what ships",
}
CASES = {"recommend": "users", "related": "products asked about"}


def of_view(measured: Mapping[str, Measured], ideal: Ideal, params: EvaluateParams) -> dict[str, Any]:
    """One protocol and view: number of cases, size of the catalogue, every ranker's metrics with intervals."""
    rankers = {}
    for name, result in measured.items():
        metrics = list(result.by_case)
        values = np.stack([result.by_case[metric] for metric in metrics], axis=1)
        found = intervals(values, resamples=params.bootstrap, confidence=params.confidence, seed=params.seed)
        rankers[name] = {metric: asdict(interval) for metric, interval in zip(metrics, found, strict=True)}
        rankers[name] |= {metric: {"mean": value} for metric, value in result.coverage.items()}
    return {"cases": len(ideal.relevant), "catalogue": ideal.products, "rankers": rankers}


def flat(view: Mapping[str, Any], ranker: str) -> dict[str, float]:
    """Means of one ranker, for `dvc metrics show`."""
    return {metric: value["mean"] for metric, value in view["rankers"][ranker].items()}


def table(report: Mapping[str, Any]) -> str:
    """The report for a terminal: what ships (B), then A, then the decision, for each task."""
    parts = [f"source {report['source']}, data {report['data_hash'][:12]}"]
    for task, of_task in report["tasks"].items():
        for protocol in ("B", "A"):
            for view, found in of_task["protocols"][protocol].items():
                parts.append(_of_view(task, protocol, view, found))
                parts += [_of_slices(task, protocol, view, found["slices"])] if "slices" in found else []
        parts.append("\n".join([f"{task}: decision", *(f"  {reason}" for reason in of_task["decision"]["reasons"])]))
    return "\n\n".join(parts)


def _of_view(task: str, protocol: str, view: str, found: Mapping[str, Any]) -> str:
    title = f"{task} · {protocol} · {view}: {found['cases']:,} {CASES[task]}, catalogue of {found['catalogue']:,}"
    if not found["rankers"]:
        return f"{title}\n  nothing to measure"
    order = sorted(found["rankers"].items(), key=lambda item: (-item[1][shown(item[1])[0]]["mean"], item[0]))
    metrics = shown(order[0][1])
    width = max(len(name) for name in found["rankers"]) + 2
    columns = [max(len(metric), 18 if "low" in order[0][1][metric] else 6) + 2 for metric in metrics]
    head = " " * width + "".join(metric.rjust(column) for metric, column in zip(metrics, columns, strict=True))
    rows = [
        name.ljust(width) + "".join(cell(of[m]).rjust(column) for m, column in zip(metrics, columns, strict=True))
        for name, of in order
    ]
    return "\n".join([f"{title} ({PROTOCOLS[protocol]})", head, *rows])


def _of_slices(task: str, protocol: str, view: str, slices: Mapping[str, Any]) -> str:
    """One line for each ranker with its NDCG by slice, in the order of the first slice."""
    first = next(iter(slices.values()))["rankers"]
    metric = shown(next(iter(first.values())))[0]
    order = sorted(first, key=lambda name: (-first[name][metric]["mean"], name))
    columns = {name: f"{name} ({of['cases']:,})" for name, of in slices.items()}
    width = max(map(len, order)) + 2
    head = " " * width + "".join(title.rjust(len(title) + 2) for title in columns.values())
    rows = [
        ranker.ljust(width)
        + "".join(
            f"{slices[name]['rankers'][ranker][metric]['mean']:.3f}".rjust(len(title) + 2)
            for name, title in columns.items()
        )
        for ranker in order
    ]
    title = f"{task} · {protocol} · {view}: {metric} by popularity, of products asked about and to what goes with them"
    return "\n".join([title, head, *rows])


def shown(metrics: Mapping[str, Any]) -> list[str]:
    """NDCG and hit rate at the cutoff nearest 10, recall and coverage at the largest, and MRR."""
    cutoffs = sorted(int(metric.removeprefix("ndcg_at_")) for metric in metrics if metric.startswith("ndcg_at_"))
    near, far = min(cutoffs, key=lambda k: abs(k - 10)), cutoffs[-1]
    return [f"ndcg_at_{near}", f"recall_at_{far}", "mrr", f"hit_rate_at_{near}", f"coverage_at_{far}"]


def cell(value: Mapping[str, float]) -> str:
    """The mean, with its interval where it has one."""
    if "low" not in value:
        return f"{value['mean']:.3f}"
    return f"{value['mean']:.3f} [{value['low']:.3f},{value['high']:.3f}]"
