"""The maintenance window that is open, and until when a further host may start. Pure.

Windows are in the environment's time zone, by the clock on the wall: 01:00 is 01:00 also on the day that
clocks change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from day2.control.freezes import Freeze
from day2.inventory.model import Environment, Window
from day2.operations.security_patching.waves import Deadline

OPERATION = "security_patching"
# More than clocks are ever put back.
CLOCKS_BACK = timedelta(hours=3)


@dataclass(frozen=True)
class Opening:
    """One opening of a window."""

    name: str
    opens: datetime
    closes: datetime
    cutoff: datetime


def required(environment: Environment) -> bool:
    """Whether patching is bound to windows at all."""
    return any(OPERATION in each.operations for each in environment.windows)


def opening(environment: Environment, now: datetime) -> Opening | None:
    """The window for patching that is open now; of several the one that lasts longest. None if all are shut."""
    found = [
        _last_opening(each, environment.timezone, now) for each in environment.windows if OPERATION in each.operations
    ]
    return max((each for each in found if each.opens <= now < each.closes), key=lambda each: each.cutoff, default=None)


def deadline(window: Opening | None, freezes: Iterable[Freeze], now: datetime) -> Deadline | None:
    """When no further host may start: the window's cut-off or the first freeze, whichever comes first."""
    found = [Deadline(max(each.start, now), f"the freeze '{each.name}'") for each in freezes if each.end > now]
    if window:
        found.append(Deadline(window.cutoff, f"the cut-off of window '{window.name}'"))
    return min(found, key=lambda each: each.at, default=None)


def _last_opening(window: Window, timezone: str, now: datetime) -> Opening:
    from croniter import croniter

    zone = ZoneInfo(timezone)
    # From later than now, because clocks that went back show a time before an opening which was already.
    wall = now.astimezone(zone).replace(tzinfo=None) + CLOCKS_BACK
    before = croniter(window.start, wall + timedelta(seconds=1))
    opens = now + CLOCKS_BACK
    while opens > now:
        opens = before.get_prev(datetime).replace(tzinfo=zone).astimezone(UTC)
    closes = opens + window.duration
    return Opening(window.name, opens, closes, closes - window.cutoff)
