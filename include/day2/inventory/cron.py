"""Schedules: what we accept as cron, and the longest time a schedule leaves between two runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

WRITE = "write five fields (minute hour day-of-month month day-of-week), such as '0 2 * * *'"
DAY = timedelta(days=1)
# Any fixed start does, so that a file is judged the same every day.
_START = datetime(2027, 1, 1, tzinfo=UTC)


@cache
def check(expression: str) -> None:
    """Raise ValueError, saying what to write, unless this is five-field cron that some day fires."""
    from croniter import CroniterBadCronError, CroniterBadDateError, croniter

    parts = expression.split()
    # croniter also takes six fields (seconds), hashed and random ones: those mean something else to Airflow.
    if len(parts) != 5 or any(letter in "HR" for part in parts[:2] for letter in part.upper()):
        raise ValueError(f"'{expression}' is not cron; {WRITE}")
    try:
        croniter(expression, _START).get_next()
    except CroniterBadCronError as error:
        raise ValueError(f"'{expression}' is not cron; {WRITE}") from error
    except CroniterBadDateError as error:
        raise ValueError(f"'{expression}' never fires; choose a day that its month has") from error


@cache
def longest_gap(expression: str, timezone: str) -> timedelta:
    """The longest time between two runs, with the hour a day gains when clocks go back."""
    minutes = _minutes_of_day(expression)
    within = max((later - earlier for earlier, later in zip(minutes, minutes[1:], strict=False)), default=0)
    overnight = _longest_days(expression) * DAY - timedelta(minutes=minutes[-1] - minutes[0])
    longest = max(timedelta(minutes=within), overnight)
    return longest + clocks_go_back(timezone) if longest >= DAY else longest


@cache
def clocks_go_back(timezone: str) -> timedelta:
    """How much longer than 24 hours a day gets in this zone; zero where clocks do not change."""
    zone = ZoneInfo(timezone)
    offsets = [(_START + day * DAY).astimezone(zone).utcoffset() or timedelta(0) for day in range(0, 400, 7)]
    return max(offsets) - min(offsets)


def _minutes_of_day(expression: str) -> list[int]:
    """The minutes after midnight at which it fires on a day that it fires on."""
    from croniter import croniter

    time_of_day = " ".join(expression.split()[:2])
    runs = croniter(f"{time_of_day} * * *", _START - timedelta(minutes=1))
    minutes = []
    while (run := runs.get_next(datetime)) < _START + DAY:
        minutes.append(run.hour * 60 + run.minute)
    return minutes


def _longest_days(expression: str) -> int:
    """The most days from one day that it fires on to the next such day."""
    from croniter import croniter

    days = expression.split()[2:]
    if days == ["*", "*", "*"]:
        return 1
    # Two weeks show every gap of a weekly schedule; five years those of a yearly one and of leap days.
    weekly = days[:2] == ["*", "*"] and not set("#lL") & set(days[2])
    end = _START + DAY * (14 if weekly else 5 * 366)
    runs = croniter(f"0 0 {' '.join(days)}", _START - timedelta(minutes=1))
    longest, last = 0, runs.get_next(datetime)
    while last < end:
        run = runs.get_next(datetime)
        longest, last = max(longest, (run - last).days), run
    return longest
