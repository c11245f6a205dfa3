"""What each part of a network is worth: variants of it, each held case by case against the network as it is."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from tandem.evaluation import report
from tandem.evaluation.cases import VIEWS
from tandem.evaluation.metrics import Ideal, Measured
from tandem.evaluation.significance import differences
from tandem.params import EvaluateParams

TITLE = "what each part is worth"


def of_view(
    measured: Mapping[str, Measured], network: str, ideal: Ideal, params: EvaluateParams
) -> dict[str, dict[str, Any]]:
    """What `report.of_view` says, and as `differences` each variant less what is called `network`, paired by case."""
    others = {name: result for name, result in measured.items() if name != network}
    found = {name: _less(result, measured[network], params) for name, result in others.items()}
    return report.of_view(measured, ideal, params) | {"differences": found}


def _less(variant: Measured, network: Measured, params: EvaluateParams) -> dict[str, dict[str, float]]:
    metrics = list(variant.by_case)
    values = (np.stack([of.by_case[metric] for metric in metrics], axis=1) for of in (variant, network))
    found = differences(*values, resamples=params.bootstrap, confidence=params.confidence, seed=params.seed)
    return {metric: asdict(interval) for metric, interval in zip(metrics, found, strict=True)}


def table(told: Mapping[str, Any]) -> str:
    """The report of stage `ablate` for a terminal: in each view a row for the network and one for each variant."""
    return "\n\n".join(_of_view(told, view, told["views"][view]) for view in VIEWS["related"])


def _of_view(told: Mapping[str, Any], view: str, found: Mapping[str, Any]) -> str:
    cases, catalogue = f"{found['cases']:,} {report.CASES['related']}", f"catalogue of {found['catalogue']:,}"
    title = f"{told['network']} · A · {view}: {cases}, {catalogue} ({TITLE})"
    if not found["rankers"]:
        return f"{title}\n  nothing to measure"
    metrics = report.shown(found["rankers"][told["network"]])[:2]
    rows = [["", *(head for metric in metrics for head in (metric, f"less {told['network']}"))]]
    rows += [_row(name, found, metrics) for name in (told["network"], *found["differences"])]
    return "\n".join([title, *_aligned(rows), *(f"{name}: {why}" for name, why in told["not_trained"].items())])


def _row(name: str, found: Mapping[str, Any], metrics: list[str]) -> list[str]:
    own, less = found["rankers"][name], found["differences"].get(name)
    return [name, *(text for m in metrics for text in (report.cell(own[m]), _signed(less[m]) if less else ""))]


def _signed(of: Mapping[str, float]) -> str:
    return f"{of['mean']:+.3f} [{of['low']:+.3f},{of['high']:+.3f}]"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
