"""Change freezes: when the environment's calendar says that an operation may not run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from day2.inventory import calendars_folder
from day2.inventory.calendars import read
from day2.inventory.model import Environment


@dataclass(frozen=True)
class Freeze:
    """A time in which nothing may change: from `start` until before `end`."""

    name: str
    start: datetime
    end: datetime


def freezes(
    environment: Environment, *, start: datetime, end: datetime, operation: str = "security_patching"
) -> tuple[Freeze, ...]:
    """Every freeze for this operation that touches the time from `start` until before `end`, the first first.

    Raises BrokenInventory when the calendar cannot be read: no answer is not "no freeze".
    """
    if environment.calendar is None:
        return ()
    found = [
        Freeze(event.name, *times)
        for event in read(calendars_folder() / environment.calendar, environment.timezone)
        if event.stops(operation)
        for times in event.occurrences(start, end)
    ]
    return tuple(sorted(found, key=lambda each: (each.start, each.end, each.name)))
