"""Samples become a frame with one value a day, its maximum. What was not seen is a gap, never a zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from day2.operations.capacity_review.robust import Matrix

DAY = 86400.0
# A source whose clock is further ahead than this is not believed.
SKEW = timedelta(minutes=5)
# Nor one that fell back to 1970: years of gaps would be made of one wrong sample.
LONGEST_HISTORY = timedelta(days=3 * 366)
# A rate over a longer silence would say nothing of the day it is written to.
LONGEST_STEP = 1.5 * DAY


@dataclass(frozen=True, eq=False)
class Samples:
    """What a source gave for one series, in any order: seconds since 1970 in UTC, and values."""

    seconds: Matrix
    values: Matrix

    @classmethod
    def of(cls, pairs: Iterable[tuple[datetime, float | None]]) -> Samples:
        """From aware times and values; a missing value is a gap."""
        import numpy as np

        known = [(at.timestamp(), value) for at, value in pairs if value is not None]
        made = np.array(known, dtype=float).reshape(-1, 2)
        return cls(made[:, 0], made[:, 1])


@dataclass(frozen=True)
class Incident:
    """A time that says nothing of normal growth: its days are marked and left out."""

    start: datetime
    end: datetime
    why: str


@dataclass(frozen=True)
class Rules:
    """How the samples of one series are to be read."""

    is_counter: bool = False
    incidents: tuple[Incident, ...] = ()


@dataclass(frozen=True, eq=False)
class Daily:
    """The daily maxima from `start` on; a NaN is a gap. `dropped` counts what was not believed, by why."""

    start: date
    values: Matrix
    incidents: tuple[Incident, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Days with a value."""
        import numpy as np

        return int(np.isfinite(self.values).sum())

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.start + timedelta(days=len(self.values))

    @property
    def current(self) -> float | None:
        """The newest value there is."""
        import numpy as np

        known = self.values[np.isfinite(self.values)]
        return float(known[-1]) if len(known) else None

    def days(self) -> list[date]:
        """The date of each value."""
        return [self.start + timedelta(days=number) for number in range(len(self.values))]


def daily(samples: Samples, *, now: datetime, rules: Rules | None = None) -> Daily:
    """The daily frame up to yesterday: today's maximum is not known yet. Days are those of UTC."""
    import numpy as np

    rules = rules or Rules()
    seconds, values, dropped = _believed(samples, now)
    if rules.is_counter:
        seconds, values, resets = rates(seconds, values)
        dropped |= {"counter resets": resets}
    today = int(now.timestamp() // DAY)
    day = np.floor(seconds / DAY).astype(int)
    whole = day < today
    day, values = day[whole], values[whole]
    first = int(day[0]) if len(day) else today
    frame = np.full(today - first, np.nan)
    np.fmax.at(frame, day - first, values)
    start = date(1970, 1, 1) + timedelta(days=first)
    _leave_out(frame, start, rules.incidents)
    return Daily(start, frame, rules.incidents, {why: count for why, count in dropped.items() if count})


def rates(seconds: Matrix, values: Matrix) -> tuple[Matrix, Matrix, int]:
    """A counter's increase a second, at the end of each step, and how often it was reset.

    After a reset it counts from zero, so what it shows is what was added since.
    """
    import numpy as np

    step, change = np.diff(seconds), np.diff(values)
    reset = change < 0
    change = np.where(reset, values[1:], change)
    known = step <= LONGEST_STEP
    return seconds[1:][known], change[known] / step[known], int(reset.sum())


def _believed(samples: Samples, now: datetime) -> tuple[Matrix, Matrix, dict[str, int]]:
    """In order of time, one value a moment: of several the highest, because that much was needed."""
    import numpy as np

    number, past = np.isfinite(samples.values), samples.seconds <= (now + SKEW).timestamp()
    recent = samples.seconds >= (now - LONGEST_HISTORY).timestamp()
    believed = number & past & recent
    seconds, values = samples.seconds[believed], samples.values[believed]
    order = np.lexsort((values, seconds))
    seconds, values = seconds[order], values[order]
    newest = np.append(seconds[1:] != seconds[:-1], True)[: len(seconds)]
    dropped = {
        "not a number": int((~number).sum()),
        "from the future": int((number & ~past).sum()),
        "from long ago": int((number & ~recent).sum()),
        "duplicates": int((~newest).sum()),
    }
    return seconds[newest], values[newest], dropped


def _leave_out(frame: Matrix, start: date, incidents: Iterable[Incident]) -> None:
    """Every day that an incident touched becomes a gap."""
    import numpy as np

    for each in incidents:
        first = (each.start.astimezone(UTC).date() - start).days
        last = (each.end.astimezone(UTC).date() - start).days
        frame[max(first, 0) : max(last + 1, 0)] = np.nan
