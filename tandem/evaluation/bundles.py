"""Bundles as a report: how many, the strongest, and how often all came up in baskets that were not learned from."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.evaluation.significance import intervals
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
        "later": came_up(found, later, params),
    }


def came_up(found: Bundles, later: Baskets, params: EvaluateParams) -> dict[str, Any]:
    """Observed and expected baskets, summed over bundles, and the ratio with an interval over baskets.

    Baskets are resampled, as one may hold many bundles, and taken to be independent; what is expected stays as it is.
    The ratio is null where no bundle came up: every resample would say 0, however few baskets there are.

    Args:
        found: bundles as they were split before.
        later: other baskets of the same products.
    """
    held = _held(found, later)
    expected = float(Bundles.counted(found.splits, counter(later)).expected.sum())
    told = {"baskets": len(later), "observed": int(held.sum()), "expected": expected}
    if not told["observed"]:
        return told | {"ratio": None}
    ratios = (held * len(later) / expected)[:, None]  # (baskets, 1) whose mean is observed / expected
    drawn = intervals(ratios, resamples=params.bootstrap, confidence=params.confidence, seed=params.seed)
    return told | {"ratio": asdict(drawn[0])}


def _held(found: Bundles, later: Baskets) -> NDArray[np.int64]:
    """(baskets,) number of bundles that each holds whole."""
    bundle, place = np.nonzero(found.products)
    cells = np.ones(len(bundle)), (found.products[bundle, place], bundle)
    of_bundle = sp.csr_array(cells, shape=(later.content.shape[1], len(found)))
    parts = sp.coo_array(later.content @ of_bundle)  # (baskets, bundles) products of the bundle in the basket
    return np.bincount(parts.row[parts.data == found.size[parts.col]], minlength=len(later))


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
