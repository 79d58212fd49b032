"""The forecast of each series: the method that would have been best so far, with an interval. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

from day2.operations.capacity_review import intervals, rolling, steps
from day2.operations.capacity_review.intervals import COVERAGE
from day2.operations.capacity_review.methods import BASELINE, WEEK
from day2.operations.capacity_review.rolling import Grid
from day2.operations.capacity_review.series import Daily
from day2.operations.capacity_review.steps import Step

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix

LEAST_POINTS = 30
STALE_DAYS = 14
AHEAD_DAYS = 90
# Series in one go: what they need at a time stays below 100 MB.
CHUNK = 200
LONG_WEEKS = 26
# A method has to be a tenth better than the baseline: on a random walk one of many always seems better.
MARGIN = 0.9
PATHS = ("low", "median", "high", "peak_low", "peak", "peak_high")


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is to come of one series, a value a day from `start` on.

    `why` says why there is none. `slope` is a day, with its bounds; `error` is what the method missed by at
    earlier origins, a day on average, and `baseline_error` what seasonal-naive did; `baseline` is the week
    that seasonal-naive repeats, kept for the next review to compare with. The `peak` paths are the same for
    the highest value so far, which is what reaches a limit.
    """

    name: str
    kind: Literal["trend", "no_trend", "refused"]
    start: date
    points: int
    why: str = ""
    method: str = ""
    coverage: float = COVERAGE
    low: tuple[float, ...] = ()
    median: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    peak_low: tuple[float, ...] = ()
    peak: tuple[float, ...] = ()
    peak_high: tuple[float, ...] = ()
    slope: float = 0.0
    slope_low: float = 0.0
    slope_high: float = 0.0
    error: float = 0.0
    baseline_error: float = 0.0
    baseline: tuple[float, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def beats_baseline(self) -> bool:
        """Whether it would have been better than repeating the last week."""
        return self.kind != "refused" and self.error < self.baseline_error

    @property
    def horizon(self) -> date:
        """The day after the last one it speaks of."""
        return self.start + timedelta(days=len(self.median))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the record and for the next review."""
        plain = asdict(self) | {"start": self.start.isoformat()}
        return plain | {"steps": [{"since": each.since.isoformat(), "amount": each.amount} for each in self.steps]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Forecast:
        """The inverse of `as_dict`, also after JSON."""
        moves = tuple(Step(date.fromisoformat(each["since"]), each["amount"]) for each in plain["steps"])
        rows = {name: tuple(plain[name]) for name in (*PATHS, "baseline")}
        return cls(**{**plain, **rows, "start": date.fromisoformat(plain["start"]), "steps": moves})


def forecasts(
    frames: Mapping[str, Daily], *, ahead: int = AHEAD_DAYS, coverage: float = COVERAGE
) -> dict[str, Forecast]:
    """A forecast for each frame, in their order. One that cannot be made says why.

    A series' forecast does not depend on which others are asked for.
    """
    done = {name: refused for name, frame in frames.items() if (refused := _refused(name, frame))}
    able = [(name, frame) for name, frame in frames.items() if name not in done]
    for is_long in (False, True):
        rows = [each for each in able if (len(each[1].values) > LONG_WEEKS * WEEK) is is_long]
        for first in range(0, len(rows), CHUNK):
            some = rows[first : first + CHUNK]
            done |= {each.name: each for each in _together(some, ahead, coverage)}
    return {name: done[name] for name in frames}


def _refused(name: str, frame: Daily) -> Forecast | None:
    import numpy as np

    known = np.flatnonzero(np.isfinite(frame.values))
    why = ""
    if len(known) < LEAST_POINTS:
        days = f"{len(known)} day{'' if len(known) == 1 else 's'}"
        why = f"not enough: {days} of history, {LEAST_POINTS} are needed"
    elif len(frame.values) - known[-1] > STALE_DAYS:
        why = f"nothing was seen since {frame.start + timedelta(days=int(known[-1]))}"
    return Forecast(name=name, kind="refused", start=frame.end, points=len(known), why=why) if why else None


def _together(rows: Sequence[tuple[str, Daily]], ahead: int, coverage: float) -> Iterator[Forecast]:
    """One matrix of all the series: each divided by its greatest value, so that none overflows."""
    import numpy as np

    length = max(len(frame.values) for _, frame in rows)
    values = np.full((len(rows), length), np.nan)
    for row, (_, frame) in enumerate(rows):
        values[row, length - len(frame.values) :] = frame.values
    scale = np.nanmax(np.abs(values), axis=1)
    scale[scale == 0] = 1.0
    grid = Grid.of(values / scale[:, None])
    chosen = _choose(grid, ahead, coverage)
    moves = steps.found(grid.medians, end=date.max)
    for row, (name, frame) in enumerate(rows):
        yield _forecast(name, frame, _Row(chosen, row, float(scale[row])), moves[row])


@dataclass(frozen=True)
class _Chosen:
    """For each series the method that was best, and what it says."""

    method: list[str]
    paths: Mapping[str, Matrix]  # PATHS: series × days ahead
    numbers: Mapping[str, Matrix]  # slope and errors: series
    baseline: Matrix  # series × 7


@dataclass(frozen=True)
class _Row:
    """One series of the chosen, in its own unit."""

    chosen: _Chosen
    row: int
    scale: float

    def path(self, name: str, days: int) -> tuple[float, ...]:
        return tuple((self.scale * self.chosen.paths[name][self.row, :days]).tolist())

    def number(self, name: str) -> float:
        return self.scale * float(self.chosen.numbers[name][self.row])


def _choose(grid: Grid, ahead: int, coverage: float) -> _Chosen:
    import numpy as np

    judged = rolling.judge(grid, ahead)
    error = _mean_error(judged.missed)
    best, each = _best(judged.names, error), np.arange(len(grid.days))
    final = rolling.lines(grid, grid.weeks)
    slope = np.stack([line.slope for line in final.values()])[best, each]
    median = np.stack([line.ahead(ahead) for line in final.values()])[best, each]
    own = judged.missed[best, each]
    slope_low, slope_high = intervals.slope_offsets(own, coverage)
    low, high = intervals.offsets(own, grid.history, coverage)
    peaks = intervals.peak_offsets(own, judged, grid.history, coverage)
    highest = np.maximum.accumulate(median, axis=1)
    said = (median + low, median, median + high, *(np.maximum.accumulate(highest + off, axis=1) for off in peaks))
    # What was never below zero will not be.
    least = np.where(np.nanmin(grid.days, axis=(1, 2)) >= 0, 0, -np.inf)[:, None]
    paths = {name: np.maximum(path, least) for name, path in zip(PATHS, said, strict=True)}
    numbers = {"slope": slope, "slope_low": slope + slope_low, "slope_high": slope + slope_high}
    numbers |= {"error": error[best, each], "baseline_error": error[judged.names.index(BASELINE)]}
    return _Chosen([judged.names[number] for number in best], paths, numbers, final[BASELINE].week)


def _best(names: Sequence[str], error: Matrix) -> Matrix:
    """For each series the number of the method to use; of equals the first, which is the simplest."""
    import numpy as np

    handicap = np.array([MARGIN if name == BASELINE else 1.0 for name in names])
    found: Matrix = (error * handicap[:, None]).argmin(axis=0)
    return found


def _mean_error(missed: Matrix) -> Matrix:
    """Methods × series: the mean over origins and days of what was missed; infinite where nothing was judged."""
    import numpy as np

    judged = np.isfinite(missed).sum(axis=(2, 3))
    total = np.nansum(np.abs(missed), axis=(2, 3))
    found: Matrix = np.where(judged > 0, total / np.maximum(judged, 1), np.inf)
    return found


def _forecast(name: str, frame: Daily, row: _Row, moves: Sequence[Step]) -> Forecast:
    import numpy as np

    # No further ahead than days were seen: a lone old value is no history.
    days = frame.points
    if not np.isfinite(row.number("error")):
        why = "not enough: the gaps leave no earlier day to forecast from"
        return Forecast(name=name, kind="refused", start=frame.end, points=days, why=why)
    low, high = row.number("slope_low"), row.number("slope_high")
    paths: dict[str, Any] = {path: row.path(path, days) for path in PATHS}
    grows_or_shrinks = low > 0 or high < 0
    return Forecast(
        name=name,
        kind="trend" if grows_or_shrinks else "no_trend",
        start=frame.end,
        points=days,
        method=row.chosen.method[row.row],
        **paths,
        slope=row.number("slope"),
        slope_low=low,
        slope_high=high,
        error=row.number("error"),
        baseline_error=row.number("baseline_error"),
        baseline=tuple((row.scale * row.chosen.baseline[row.row]).tolist()),
        steps=tuple(Step(frame.end - (date.max - each.since), row.scale * each.amount) for each in moves),
    )  # fmt: skip
