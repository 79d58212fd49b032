"""The longest time that a schedule leaves between two runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.inventory import cron

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("expression", "gap"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("0 * * * *", HOUR),
        ("0 2,14 * * *", 12 * HOUR),
        ("0 8-18/2 * * *", 14 * HOUR),
        ("0 2 * * *", DAY),
        ("*/5 * * * 1-5", 2 * DAY + timedelta(minutes=5)),
        ("0 2 * * MON", 7 * DAY),
        ("0 2 1 * *", 31 * DAY),
        ("0 2 * * 1#1", 35 * DAY),
        ("0 2 29 2 *", 1461 * DAY),
    ],
)
def test_the_longest_gap_is_the_worst_case(expression: str, gap: timedelta) -> None:
    assert cron.longest_gap(expression, "UTC") == gap


@pytest.mark.parametrize(
    ("zone", "extra"),
    [("UTC", 0 * HOUR), ("Asia/Tokyo", 0 * HOUR), ("Europe/Berlin", HOUR), ("Australia/Lord_Howe", HOUR / 2)],
)
def test_a_day_is_longer_where_clocks_go_back(zone: str, extra: timedelta) -> None:
    assert cron.longest_gap("0 2 * * *", zone) == DAY + extra
    assert cron.longest_gap("0 * * * *", zone) == HOUR


minutes = st.sampled_from(["0", "*/15", "5,50", "10-20"])
hours = st.sampled_from(["*", "2", "*/7", "1,23", "9-17"])
weekdays = st.sampled_from(["*", "1-5", "0", "2,4", "6,0"])


@settings(deadline=None)  # stepping through a month of runs is slow, which is why the code does not
@given(minutes, hours, weekdays)
def test_no_gap_of_a_month_of_real_runs_is_longer(minute: str, hour: str, weekday: str) -> None:
    expression = f"{minute} {hour} * * {weekday}"
    runs = croniter(expression, datetime(2026, 11, 1, tzinfo=UTC))
    run, longest = runs.get_next(datetime), timedelta(0)
    while run < datetime(2026, 12, 1, tzinfo=UTC):
        after = runs.get_next(datetime)
        run, longest = after, max(longest, after - run)
    assert cron.longest_gap(expression, "UTC") == longest
