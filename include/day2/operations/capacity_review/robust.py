"""Medians and quantiles over rows with gaps, and slopes that one wild value does not turn."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]

# From a median of absolute deviations to a standard deviation, for a normal distribution.
MAD_TO_DEVIATION = 1.4826


def quantile(values: Matrix, share: float) -> Matrix:
    """The quantile along the last axis of what is not NaN; NaN where there is nothing.

    `numpy.nanquantile` gives the same, row by row: on 2,000 rows of 60 it took ninety times as long.
    """
    import numpy as np

    ordered = np.sort(values, axis=-1)
    last = np.isfinite(ordered).sum(axis=-1) - 1
    place = share * np.maximum(last, 0)
    low = np.floor(place).astype(int)[..., None]
    high = np.minimum(low + 1, np.maximum(last, 0)[..., None])
    below, above = (np.take_along_axis(ordered, each, axis=-1)[..., 0] for each in (low, high))
    part = place - low[..., 0]
    found: Matrix = np.where(part > 0, below + part * (above - below), below)
    return found


def median(values: Matrix) -> Matrix:
    """The middle along the last axis of what is not NaN."""
    return quantile(values, 0.5)


def deviation(values: Matrix) -> Matrix:
    """How far values lie from their median: a standard deviation that outliers do not inflate."""
    import numpy as np

    return MAD_TO_DEVIATION * median(np.abs(values - median(values)[..., None]))


def theil_sen(values: Matrix) -> Matrix:
    """The median slope of all pairs, a step of the last axis; NaN where there is no pair."""
    return median(pair_slopes(values))


def pair_slopes(values: Matrix) -> Matrix:
    """The slope of every pair of each row."""
    import numpy as np

    early, late = _pairs(values.shape[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        found: Matrix = (values[..., late] - values[..., early]) / (late - early)
    return found


@cache
def _pairs(count: int) -> tuple[Matrix, Matrix]:
    import numpy as np

    return np.triu_indices(count, 1)
