"""Numbers of any scale as places among their quantiles, so that a network reads them as a tree would."""

import numpy as np
from numpy.typing import NDArray


def edges(values: NDArray[np.floating], bins: int) -> NDArray[np.float32]:
    """(numbers, bins + 1) quantiles of each column, NaN left out; a column without any number has edges 0."""
    levels = np.linspace(0, 1, bins + 1)
    columns = [column[np.isfinite(column)] for column in values.T]
    found = [np.quantile(column, levels) if len(column) else np.zeros(bins + 1) for column in columns]
    return np.array(found, np.float32).reshape(-1, bins + 1)


def encode(values: NDArray[np.floating], edges: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows, numbers · (bins + 1)): of each number how much of each bin lies below it, and that it is known.

    code_b(x) = clip((x - edge_b) / (edge_{b+1} - edge_b), 0, 1); of an empty bin 1 where x is at or above it; all 0
    where x is NaN.

    Args:
        values: (rows, numbers).
        edges: (numbers, bins + 1) ascending.

    Source: piecewise linear encoding, Gorishniy et al. 2022.
    """
    known = np.isfinite(values)
    x = np.where(known, values, 0).astype(np.float32)[:, :, None]  # (rows, numbers, 1)
    low, width = edges[:, :-1], np.diff(edges, axis=1)  # (numbers, bins)
    part = np.clip(x - low, 0, width) / np.where(width > 0, width, 1)  # in this order, for the sake of tiny widths
    code = np.where(width > 0, part, x >= low) * known[:, :, None]  # (rows, numbers, bins)
    return np.concatenate([code, known[:, :, None]], axis=2).reshape(len(values), -1).astype(np.float32)
