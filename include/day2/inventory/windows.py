"""Whether an operation's schedule ever meets one of its windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from day2.inventory.starts import starts

if TYPE_CHECKING:
    from day2.inventory.model import Environment, Window


def never_inside(environment: Environment, operation: str, *, schedule: str, offset: timedelta) -> str | None:
    """Why no run of the schedule falls into a window for the operation; none if one does, or no window is set."""
    windows = [each for each in environment.windows if operation in each.operations]
    if not windows:
        return None
    runs = starts(schedule, offset, environment.timezone)
    if any(_inside(run, each) for each in windows for run in runs):
        return None
    names = ", ".join(f"'{each.name}' ({each.start})" for each in windows)
    first = runs[0].strftime("%A %H:%M")
    with_offset = " with its offset" if offset else ""
    return f"'{schedule}'{with_offset} starts on {first}, never inside {names}; move one of them"


def _inside(run: datetime, window: Window) -> bool:
    from croniter import croniter

    wall = run.replace(tzinfo=None)
    opened = croniter(window.start, wall + timedelta(seconds=1)).get_prev(datetime)
    return bool(wall < opened + window.duration - window.cutoff)
