"""The maintenance window that is open, and until when something further may begin. Pure.

Windows are in the environment's time zone, by the clock on the wall: 01:00 is 01:00 also on the day that
clocks change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from day2.control.freezes import Freeze
from day2.errors import PlanRefused
from day2.inventory.model import Environment, Window
from day2.units import utc

# More than clocks are ever put back.
CLOCKS_BACK = timedelta(hours=3)


@dataclass(frozen=True)
class Opening:
    """One opening of a window."""

    name: str
    opens: datetime
    closes: datetime
    cutoff: datetime


@dataclass(frozen=True)
class Deadline:
    """When nothing further may begin, and why: the window's cut-off, or the next freeze."""

    at: datetime
    why: str


def require_open(environment: Environment, operation: str, freezes: Iterable[Freeze], now: datetime) -> None:
    """No freeze, and a window that is open, where the operation has windows. Raises PlanRefused."""
    frozen = [each for each in freezes if each.start <= now < each.end]
    if frozen:
        last = max(frozen, key=lambda each: each.end)
        raise _refused(f"the freeze '{last.name}' lasts until {utc(last.end)}", "wait for its end")
    windows = [each.name for each in environment.windows if operation in each.operations]
    if not windows:
        return
    open_now = opening(environment, operation, now)
    if open_now is None:
        raise _refused(f"no window for {operation} is open ({', '.join(windows)})", "wait for it, or add one by review")
    if now >= open_now.cutoff:
        raise _refused(
            f"the cut-off of window '{open_now.name}' was at {utc(open_now.cutoff)}: nothing may begin any more",
            "wait for its next opening",
        )


def opening(environment: Environment, operation: str, now: datetime) -> Opening | None:
    """The operation's window that is open now; of several the one that lasts longest. None if all are shut."""
    found = [
        last_opening(each, environment.timezone, now) for each in environment.windows if operation in each.operations
    ]
    return max((each for each in found if each.opens <= now < each.closes), key=lambda each: each.cutoff, default=None)


def deadline(window: Opening | None, freezes: Iterable[Freeze], now: datetime) -> Deadline | None:
    """When nothing further may begin: the window's cut-off or the first freeze, whichever comes first."""
    found = [Deadline(max(each.start, now), f"the freeze '{each.name}'") for each in freezes if each.end > now]
    if window:
        found.append(Deadline(window.cutoff, f"the cut-off of window '{window.name}'"))
    return min(found, key=lambda each: each.at, default=None)


def last_opening(window: Window, timezone: str, now: datetime) -> Opening:
    """The newest opening of a window that is not after `now`, whether or not it has closed since."""
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


def _refused(happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(happened, left="nothing was touched", next_step=next_step, runbook="The plan was refused")
