"""The methods that compete for each series: each gives a line and a weekday profile. Vectorised over series.

They see weekly medians: a weekly pattern, a spike of three days or a gap of three does not bend them, and a
fleet of a thousand series is a small matrix. A line looks ahead from the last day, its origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from day2.operations.capacity_review import robust

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix

WEEK = 7
BASELINE = "seasonal_naive"
# Weeks that say what a Monday is above the line.
PROFILE_WEEKS = 6


@dataclass(frozen=True)
class Line:
    """For each series the level of the next seven days at the origin, and the slope a day."""

    week: Matrix  # series × 7
    slope: Matrix  # series

    def ahead(self, days: int) -> Matrix:
        """The values of the next days: series × days."""
        import numpy as np

        day = np.arange(days)
        found: Matrix = self.week[:, day % WEEK] + self.slope[:, None] * (day + 1)
        return found


def window(weeks: int) -> Callable[[Matrix], Matrix]:
    """Theil-Sen over the last so many weeks, or as many as there are: slopes a week."""
    return lambda medians: robust.theil_sen(medians[:, -weeks:])


def holt(level_share: float, slope_share: float) -> Callable[[Matrix], Matrix]:
    """Double exponential smoothing: how far the newest week moves level and slope. A gap moves nothing."""

    def slope(medians: Matrix) -> Matrix:
        import numpy as np

        level = medians[:, 0]
        slope = np.zeros_like(level)
        for now in medians.T[1:]:
            expected = level + slope
            seen = np.isfinite(now)
            known = np.isfinite(level)
            surprise = np.where(seen & known, now - expected, 0.0)
            level = np.where(known, expected + level_share * surprise, now)
            slope = slope + level_share * slope_share * surprise
        return slope

    return slope


def flat(medians: Matrix) -> Matrix:
    """No growth: the level of the last weeks stays."""
    import numpy as np

    return np.zeros(len(medians))


SLOPES: Mapping[str, Callable[[Matrix], Matrix]] = {
    "theil_sen_45": window(7),
    "theil_sen_90": window(13),
    "theil_sen_180": window(26),
    "holt": holt(0.5, 0.2),
    "flat": flat,
}


def fit(days: Matrix, slope: Matrix) -> Line:
    """The line with this slope a week through the last weeks of the days (series × weeks × 7)."""
    import numpy as np

    last = days[:, -PROFILE_WEEKS:]
    daily = slope / WEEK
    back = np.arange(-last.shape[1] * WEEK + 1, 1).reshape(last.shape[1:])
    rest = last - daily[:, None, None] * back
    profile = robust.median(rest.swapaxes(1, 2))
    # A weekday that was never seen in these weeks lies on the line.
    level = robust.median(rest.reshape(len(rest), -1))[:, None]
    # back = 0 is the last day; the profile is as of that day, and `ahead` adds the slope from there.
    return Line(np.where(np.isfinite(profile), profile, level), daily)


def seasonal_naive(days: Matrix) -> Line:
    """Next week is as the last one, and so are all after it: what any other method has to beat."""
    import numpy as np

    week = days[:, -1].copy()
    for earlier in range(2, min(days.shape[1], PROFILE_WEEKS) + 1):
        week = np.where(np.isfinite(week), week, days[:, -earlier])
    level = robust.median(days[:, -PROFILE_WEEKS:].reshape(len(days), -1))[:, None]
    return Line(np.where(np.isfinite(week), week, level), np.zeros(len(days)))
