"""How far off a forecast may be, from how far off the same method was at earlier origins (split conformal).

Nothing is assumed of the noise. A horizon is judged by the residuals of horizons near it; where fewer than
three origins saw so far ahead, the last interval that was measured grows in proportion to the horizon.

Residuals flatter: origins share most of their history, and the method was chosen because it did well on
them. The more so the further ahead for the history there is, so an interval widens by that share.
`bench/forecasts.py` says what coverage comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from day2.operations.capacity_review import robust

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix
    from day2.operations.capacity_review.rolling import Judged

COVERAGE = 0.8
# Residuals of this share of a horizon before and after it are pooled.
NEAR = 0.15
FEWEST_ORIGINS = 3


def offsets(residuals: Matrix, history: Matrix, coverage: float = COVERAGE) -> tuple[Matrix, Matrix]:
    """What to add to the forecast for its lower and upper bound: series × days ahead.

    From series × origins × days ahead, and days of history. The interval never narrows as the horizon grows.
    """
    import numpy as np

    low, high = _bounds(residuals, history, coverage)
    # Even where a method was always wrong to one side, the interval holds what it says.
    return np.minimum(low, 0), np.maximum(high, 0)


def peak_offsets(
    residuals: Matrix, judged: Judged, history: Matrix, coverage: float = COVERAGE
) -> tuple[Matrix, Matrix, Matrix]:
    """What to add to the highest forecast so far for the highest value so far: low, middle, high.

    A limit is reached by the highest value, not by the usual one: where there is noise, sooner than the
    forecast itself gets there. How much higher it was at earlier origins is known, so nothing is assumed.
    That a step may come again widens the interval; it is not what the middle expects.
    """
    import numpy as np

    said = np.fmax.accumulate(judged.happened - residuals, axis=-1)
    seen = np.isfinite(residuals)
    above, usual = (
        np.where(seen, np.fmax.accumulate(each, axis=-1) - said, np.nan)
        for each in (judged.happened, judged.happened - judged.risen)
    )
    middle = _bound(usual, 0.5)
    last = np.take_along_axis(middle, _measured(above)[:, None] - 1, axis=1)
    middle = np.where(np.isfinite(middle), middle, last)
    low, high = _bounds(above - middle[:, None], history, coverage)
    return middle + np.minimum(low, 0), middle, middle + np.maximum(high, 0)


def _bounds(residuals: Matrix, history: Matrix, coverage: float) -> tuple[Matrix, Matrix]:
    import numpy as np

    tail = (1 - coverage) / 2
    measured = _measured(residuals)
    wider = 1 + np.arange(1, residuals.shape[-1] + 1) / history[:, None]
    low, high = (wider * _beyond(_bound(residuals, share), measured) for share in (tail, 1 - tail))
    return np.minimum.accumulate(low, axis=1), np.maximum.accumulate(high, axis=1)


def slope_offsets(residuals: Matrix, coverage: float = COVERAGE) -> tuple[Matrix, Matrix]:
    """What to add to the slope a day for its bounds, from the slope of each origin's residuals."""
    import numpy as np

    day = np.arange(1, residuals.shape[-1] + 1)
    seen = np.isfinite(residuals)
    reach = np.where(seen, day, 0).max(axis=-1, initial=0)
    # An origin that saw much less of the horizon than others knows little of the slope.
    far = reach >= 0.5 * reach.max(axis=1, initial=1, keepdims=True)
    weight = np.where(seen & far[..., None], day, 0.0)
    square = (weight**2).sum(axis=-1)
    off = np.where(square > 0, (np.nan_to_num(residuals) * weight).sum(axis=-1) / np.maximum(square, 1), np.nan)
    tail = (1 - coverage) / 2
    return np.minimum(robust.quantile(off, tail), 0), np.maximum(robust.quantile(off, 1 - tail), 0)


def _bound(residuals: Matrix, share: float) -> Matrix:
    import numpy as np

    rows, _, ahead = residuals.shape
    found = np.full((rows, ahead), np.nan)
    for day in range(1, ahead + 1):
        near = residuals[:, :, max(int(day * (1 - NEAR)) - 2, 0) : int(np.ceil(day * (1 + NEAR))) + 1]
        found[:, day - 1] = robust.quantile(near.reshape(rows, -1), share)
    return found


def _measured(residuals: Matrix) -> Matrix:
    """For each series, the furthest horizon that three origins saw, or as many as there are: at least 1."""
    import numpy as np

    seen = np.isfinite(residuals).sum(axis=1)
    enough = seen >= np.minimum(FEWEST_ORIGINS, np.maximum(seen.max(axis=1, initial=1, keepdims=True), 1))
    found: Matrix = np.where(enough, np.arange(1, seen.shape[1] + 1), 1).max(axis=1)
    return found


def _beyond(bound: Matrix, measured: Matrix) -> Matrix:
    import numpy as np

    day = np.arange(1, bound.shape[1] + 1)
    last = np.take_along_axis(bound, measured[:, None] - 1, axis=1)
    found: Matrix = np.where(day[None, :] <= measured[:, None], bound, last * day / measured[:, None])
    return found
