"""Windows go by the clock on the wall, also on the two odd days of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.control import window
from day2.control.freezes import Freeze
from tests.unit.patching.making import NOW, environment

PATCHING = "security_patching"
BERLIN = environment(timezone="Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        (utc(2027, 3, 14, 0, 0), utc(2027, 3, 14, 0), utc(2027, 3, 14, 4)),  # winter: 01:00 is 00:00 UTC
        (utc(2027, 3, 28, 0, 30), utc(2027, 3, 28, 0), utc(2027, 3, 28, 4)),  # clocks go forward at 02:00
        (utc(2027, 7, 3, 23, 0), utc(2027, 7, 3, 23), utc(2027, 7, 4, 3)),  # summer
        (utc(2027, 10, 30, 23, 30), utc(2027, 10, 30, 23), utc(2027, 10, 31, 3)),  # clocks go back at 03:00
    ],
)
def test_a_window_opens_at_its_hour_and_lasts_its_length(now, opens, closes):
    found = window.opening(BERLIN, PATCHING, now)
    assert (found.opens, found.closes, found.cutoff) == (opens, closes, closes - timedelta(hours=1))
    assert window.opening(BERLIN, PATCHING, closes) is None
    assert window.opening(BERLIN, PATCHING, opens - timedelta(seconds=1)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 366 * 24 * 60))
def test_what_is_open_is_open_now(minutes):
    now = utc(2027, 1, 1) + timedelta(minutes=minutes)
    if found := window.opening(BERLIN, PATCHING, now):
        assert found.opens <= now < found.closes
        assert found.closes - found.opens == timedelta(hours=4)


NIGHTLY = {"name": "night", "duration": "PT1H", "cutoff": "PT20M", "operations": ["security_patching"]}


@pytest.mark.parametrize("start", ["30 2 * * *", "0 2 * * *", "0 3 * * *", "45 1 * * *", "0 0 * * 0"])
@pytest.mark.parametrize("day", [utc(2027, 3, 27, 12), utc(2027, 10, 30, 12)])
def test_on_the_days_that_clocks_change_it_is_open_for_its_length_after_each_opening(start, day):
    made = environment(timezone="Europe/Berlin", windows=[NIGHTLY | {"start": start}])
    moments = [day + timedelta(minutes=each) for each in range(0, 3 * 24 * 60, 5)]
    is_open = [each for each in moments if window.opening(made, PATCHING, each)]
    nights = 1 if start.endswith("0") else 3
    assert len(is_open) == nights * 60 / 5
    opened = {window.opening(made, PATCHING, each).opens for each in is_open}
    assert len(opened) == nights
    hour, minute = int(start.split()[1]), int(start.split()[0])
    for each in opened:
        # The hour that is skipped in March: what should open in it opens when it is over.
        local = each.astimezone(ZoneInfo("Europe/Berlin"))
        skipped = (local.month, local.day, hour) == (3, 28, 2)
        assert (local.hour, local.minute) == (hour + skipped, minute)


def test_a_window_is_open_when_it_opens_and_shut_when_it_closes():
    made, opens = environment(), utc(2027, 3, 14, 1)
    assert window.opening(made, PATCHING, opens).opens == opens
    assert window.opening(made, PATCHING, opens - timedelta(microseconds=1)) is None
    assert window.opening(made, PATCHING, opens + timedelta(hours=4, microseconds=-1)) is not None
    assert window.opening(made, PATCHING, opens + timedelta(hours=4)) is None


def test_of_two_open_windows_the_one_with_the_later_cut_off_counts():
    long = NIGHTLY | {"name": "long", "start": "0 1 * * 0", "duration": "PT3H", "cutoff": "PT2H30M"}
    short = NIGHTLY | {"name": "short", "start": "30 1 * * 0", "duration": "PT2H", "cutoff": "PT0S"}
    found = window.opening(environment(windows=[long, short]), PATCHING, utc(2027, 3, 14, 2))
    assert (found.name, found.cutoff) == ("short", utc(2027, 3, 14, 3, 30))


def test_a_window_of_another_operation_is_none_for_patching():
    other = NIGHTLY | {"start": "* * * * *", "operations": ["dr_drill"]}
    assert window.opening(environment(windows=[other]), PATCHING, NOW) is None


def test_a_window_that_opens_again_before_it_closes_is_one_that_never_shuts():
    always = NIGHTLY | {"start": "0 * * * *", "duration": "PT2H", "cutoff": "PT30M"}
    found = window.opening(environment(windows=[always]), PATCHING, utc(2027, 3, 14, 5, 59))
    assert (found.opens, found.cutoff) == (utc(2027, 3, 14, 5), utc(2027, 3, 14, 6, 30))


def test_without_a_window_for_patching_nothing_is_bound_to_one():
    made = environment(windows=[])
    window.require_open(made, PATCHING, [], NOW)
    assert window.opening(made, PATCHING, NOW) is None
    assert window.deadline(None, [], NOW) is None


def test_a_freeze_that_is_over_changes_nothing_and_one_that_lasts_ends_it_now():
    over = Freeze("old", NOW - timedelta(days=2), NOW - timedelta(days=1))
    lasting = Freeze("now", NOW - timedelta(days=1), NOW + timedelta(days=1))
    opening = window.opening(environment(), PATCHING, NOW)
    assert window.deadline(opening, [over], NOW).why == "the cut-off of window 'sunday'"
    assert window.deadline(opening, [over, lasting], NOW) == window.Deadline(NOW, "the freeze 'now'")


@pytest.mark.parametrize(("seconds", "why"), [(-1, "the cut-off of window 'sunday'"), (0, "the freeze 'sale'")])
def test_whichever_comes_first_is_the_deadline_and_the_freeze_where_both_come_at_once(seconds, why):
    opening = window.opening(environment(), PATCHING, NOW)
    begins = opening.cutoff - timedelta(seconds=seconds)
    freezes = [Freeze(name, at, at + timedelta(days=1)) for name, at in (("later", opening.closes), ("sale", begins))]
    assert window.deadline(opening, freezes, NOW) == window.Deadline(opening.cutoff, why)


def test_a_freeze_that_begins_now_ends_it_now_and_one_that_ends_now_is_over():
    opening = window.opening(environment(), PATCHING, NOW)
    begins = Freeze("begins", NOW, NOW + timedelta(days=1))
    ends = Freeze("ends", NOW - timedelta(days=1), NOW)
    assert window.deadline(opening, [begins], NOW).at == NOW
    assert window.deadline(opening, [ends], NOW).why == "the cut-off of window 'sunday'"
