"""Bundles as a report: how many, the strongest, and how often all came up in baskets that were not learned from."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.evaluation.significance import clustered
from tandem.features.baskets import Baskets
from tandem.features.bundles import Bundles, counter
from tandem.params import EvaluateParams

STRONGEST = 10


def report(found: Bundles, later: Baskets, titles: pd.Series, params: EvaluateParams) -> dict[str, Any]:
    """Numbers of bundles, the strongest by name, and `came_up`.

    Args:
        later: what was bought after all that bundles were found in.
        titles: by index, product 0 included.
    """
    return {
        "bundles": {
            str(size): int(count) for size, count in zip(*np.unique(found.size, return_counts=True), strict=True)
        },
        "products": len(np.unique(found.products[found.products > 0])),
        "strongest": [_named(found[np.array([place])], titles) for place in range(min(len(found), STRONGEST))],
        "later": came_up(Bundles.counted(found.splits, counter(later)), len(later), params),
    }


def came_up(again: Bundles, baskets: int, params: EvaluateParams) -> dict[str, Any]:
    """Observed and expected baskets, summed over bundles, and the ratio with an interval over bundles.

    It says how sure the ratio is over bundles, given these baskets; null where chance gives none.

    Args:
        again: bundles as they were split before, counted in other baskets.
        baskets: number of these.
    """
    told = {"baskets": baskets, "observed": int(again.baskets.sum()), "expected": float(again.expected.sum())}
    if not told["expected"]:
        return told | {"ratio": None}

    def ratio(weight: NDArray[np.float64]) -> float:
        expected = weight @ again.expected
        return float(weight @ again.baskets / expected) if expected else np.nan

    drawn = {"resamples": params.bootstrap, "seed": params.seed}
    return told | {"ratio": asdict(clustered(ratio, np.arange(len(again)), confidence=params.confidence, **drawn))}


def table(told: Mapping[str, Any]) -> str:
    """The report for a terminal."""
    if not told["bundles"]:
        return "bundles: none"
    sizes = ", ".join(f"{count:,} of {size} products" for size, count in told["bundles"].items())
    lines = [f"bundles: {sizes}; {told['products']:,} products take part", _later(told["later"])]
    lines.append("  lift  baskets  by chance  the strongest")
    for of in told["strongest"]:
        lines.append(f"{of['lift']:6.1f}{of['baskets']:9,}{of['expected']:11.2f}  {' + '.join(of['titles'])}")
    return "\n".join(lines)


def _later(of: Mapping[str, Any]) -> str:
    begin = f"  {of['observed']:,} times in {of['baskets']:,} later baskets, by chance {of['expected']:.2f}"
    if not of["ratio"]:
        return begin
    return f"{begin}: {of['ratio']['mean']:.2f} [{of['ratio']['low']:.2f}, {of['ratio']['high']:.2f}] times as often"


def _named(bundle: Bundles, titles: pd.Series) -> dict[str, Any]:
    """One bundle by its products' titles."""
    return {
        "titles": titles.iloc[bundle.products[bundle.products > 0]].tolist(),
        "baskets": int(bundle.baskets[0]),
        "users": int(bundle.users[0]),
        "expected": float(bundle.expected[0]),
        "lift": float(bundle.lift[0]),
    }
