"""When a schedule with an offset starts a run, by the clock on the wall.

The offset is added to the clock, not to the world's time: two days after Tuesday 03:00 is Thursday 03:00,
also when clocks change in between. All times here are naive local ones; whoever asks knows the zone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

# Any fixed start does, so that a file is judged the same every day; two years show every nth weekday.
_START = datetime(2027, 1, 1)  # noqa: DTZ001 - the clock on the wall
_RUNS = 24


def following(schedule: str, offset: timedelta, wall: datetime) -> datetime:
    """The first start after this moment."""
    from croniter import croniter

    start: datetime = croniter(schedule, wall - offset).get_next(datetime) + offset
    return start


def preceding(schedule: str, offset: timedelta, wall: datetime) -> datetime:
    """The last start before this moment."""
    from croniter import croniter

    start: datetime = croniter(schedule, wall - offset).get_prev(datetime) + offset
    return start


@cache
def starts(schedule: str, offset: timedelta, timezone: str) -> tuple[datetime, ...]:
    """The first starts of a schedule with its offset, in local time, from a fixed day on."""
    zone, found = ZoneInfo(timezone), [following(schedule, offset, _START + offset)]
    while len(found) < _RUNS:
        found.append(following(schedule, offset, found[-1]))
    return tuple(each.replace(tzinfo=zone) for each in found)
