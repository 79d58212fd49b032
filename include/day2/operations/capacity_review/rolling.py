"""Rolling origins: every method forecasts from many earlier days, and is judged by what came next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from day2.operations.capacity_review import methods, robust, steps
from day2.operations.capacity_review.methods import BASELINE, SLOPES, WEEK, Line

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix

# An origin needs this many days with a value before it.
LEAST_POINTS = 21
# Origins that see the whole horizon: every second week of a quarter.
WHOLE_WEEKS, EVERY_WEEKS = 13, 2
WITHOUT_STEPS = "+deltas"


@dataclass(frozen=True)
class Grid:
    """Series of one end, as weeks: `days` is series × weeks × 7, oldest first, NaN for a gap."""

    days: Matrix
    medians: Matrix

    @classmethod
    def of(cls, values: Matrix) -> Grid:
        """From series × days; the last day is the origin of what comes."""
        import numpy as np

        missing = -values.shape[1] % WEEK
        padded = np.pad(values, ((0, 0), (missing, 0)), constant_values=np.nan)
        days = padded.reshape(len(values), -1, WEEK)
        return cls(days, robust.median(days))

    @property
    def weeks(self) -> int:
        return int(self.days.shape[1])

    @property
    def history(self) -> Matrix:
        """For each series, how many days were seen."""
        import numpy as np

        found: Matrix = np.isfinite(self.days).sum(axis=(1, 2))
        return found

    def after(self, week: int, ahead: int) -> Matrix:
        """What happened in so many days from a week on, NaN beyond the end: series × days."""
        import numpy as np

        seen = self.days[:, week:].reshape(len(self.days), -1)[:, :ahead]
        return np.pad(seen, ((0, 0), (0, ahead - seen.shape[1])), constant_values=np.nan)


def lines(grid: Grid, week: int) -> dict[str, Line]:
    """What each method says at an origin, from the weeks before it only; the simplest first.

    A method named `+deltas` sees the series without its steps, from the level that they led to.
    """
    days, medians = grid.days[:, :week], grid.medians[:, :week]
    moved = steps.moved(medians)
    found = {BASELINE: methods.seasonal_naive(days)}
    smooth, level = days[:, -methods.PROFILE_WEEKS :] - moved[:, -methods.PROFILE_WEEKS :, None], moved[:, -1]
    for name, slope in SLOPES.items():
        found[name] = methods.fit(days, slope(medians))
        if name != "flat":
            line = methods.fit(smooth, slope(medians - moved))
            found[name + WITHOUT_STEPS] = Line(line.week + level[:, None], line.slope)
    return found


def origins(weeks: int, ahead: int) -> list[int]:
    """The weeks to forecast from, newest first: some that see the whole horizon, where there are."""
    back = -(-ahead // WEEK) + WHOLE_WEEKS
    every = EVERY_WEEKS if weeks > 2 * WHOLE_WEEKS else 1
    return list(range(weeks - 1, max(weeks - back, LEAST_POINTS // WEEK) - 1, -every))


@dataclass(frozen=True)
class Judged:
    """What happened after each origin (series × origins × days ahead), and how far from that each method was.

    NaN where nothing was seen, or where too little was known at the origin.
    """

    names: list[str]
    happened: Matrix
    risen: Matrix  # how much of that was by steps upward
    missed: Matrix  # methods × series × origins × days ahead: what happened less what was said


def judge(grid: Grid, ahead: int) -> Judged:
    """Let every method forecast from every origin."""
    import numpy as np

    known = np.isfinite(grid.days).sum(axis=2).cumsum(axis=1)
    up = np.repeat(steps.risen(grid.medians), WEEK, axis=1)
    happened, missed, risen = [], [], []
    for week in origins(grid.weeks, ahead):
        enough = (known[:, week - 1] >= LEAST_POINTS)[:, None]
        happened.append(np.where(enough, grid.after(week, ahead), np.nan))
        missed.append(np.stack([happened[-1] - line.ahead(ahead) for line in lines(grid, week).values()]))
        since = up[:, week * WEEK : week * WEEK + ahead] - up[:, week * WEEK - 1, None]
        risen.append(np.pad(since, ((0, 0), (0, ahead - since.shape[1])), mode="edge"))
    names = list(lines(grid, grid.weeks))
    return Judged(names, np.stack(happened, axis=1), np.stack(risen, axis=1), np.stack(missed, axis=2))
