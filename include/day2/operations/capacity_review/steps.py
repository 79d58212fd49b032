"""Steps and purges: a level that moved within a week, apart from how it grows.

Growth is a matter of the changes from week to week, not of levels: taking the steps out of these leaves the
growth between them. Whether a series then goes on as if there were no more of them (data loaded once) or
with them (partitions dropped each month) is for the rolling back-test to say; it tries both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from day2.operations.capacity_review import robust

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix

# Six standard deviations of a weekly change. A normal random walk makes one in 10^9 weeks.
FACTOR = 6.0


@dataclass(frozen=True)
class Step:
    """In the week from `since` on the level moved by `amount` more than it usually does."""

    since: date
    amount: float

    @property
    def kind(self) -> Literal["step", "purge"]:
        return "step" if self.amount > 0 else "purge"


def moved(medians: Matrix) -> Matrix:
    """By how much steps have moved each series up to each week: series × weeks, from weekly medians."""
    import numpy as np

    return np.cumsum(_steps(medians), axis=1)


def risen(medians: Matrix) -> Matrix:
    """The same of steps upward alone."""
    import numpy as np

    return np.cumsum(np.maximum(_steps(medians), 0), axis=1)


def found(medians: Matrix, *, end: date) -> list[list[Step]]:
    """The steps of each series, oldest first; `end` is the day after the last week."""
    import numpy as np

    amounts = _steps(medians)
    weeks = medians.shape[1]
    return [
        [
            Step(end - timedelta(weeks=weeks - int(week)), float(amounts[row, week]))
            for week in np.flatnonzero(amounts[row])
        ]
        for row in range(len(amounts))
    ]


def _steps(medians: Matrix) -> Matrix:
    import numpy as np

    change = np.diff(medians, axis=1, prepend=np.nan)
    unusual = change - robust.median(change)[:, None]
    spread = robust.deviation(change)[:, None]
    # Below a millionth of the level it is rounding, not a step.
    floor = 1e-6 * np.nanmax(np.abs(medians), axis=1, initial=0.0)[:, None]
    found: Matrix = np.where(np.abs(unusual) > np.maximum(FACTOR * spread, floor), unusual, 0.0)
    return found
