"""Windows go by the clock on the wall, also on the two odd days of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.control.freezes import Freeze
from day2.operations.security_patching import window
from tests.unit.patching.making import NOW, environment

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
    found = window.opening(BERLIN, now)
    assert (found.opens, found.closes, found.cutoff) == (opens, closes, closes - timedelta(hours=1))
    assert window.opening(BERLIN, closes) is None
    assert window.opening(BERLIN, opens - timedelta(seconds=1)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 366 * 24 * 60))
def test_what_is_open_is_open_now(minutes):
    now = utc(2027, 1, 1) + timedelta(minutes=minutes)
    if found := window.opening(BERLIN, now):
        assert found.opens <= now < found.closes
        assert found.closes - found.opens == timedelta(hours=4)


def test_without_a_window_for_patching_nothing_is_bound_to_one():
    made = environment(windows=[])
    assert not window.required(made)
    assert window.opening(made, NOW) is None
    assert window.deadline(None, [], NOW) is None


def test_a_freeze_that_is_over_changes_nothing_and_one_that_lasts_ends_it_now():
    over = Freeze("old", NOW - timedelta(days=2), NOW - timedelta(days=1))
    lasting = Freeze("now", NOW - timedelta(days=1), NOW + timedelta(days=1))
    opening = window.opening(environment(), NOW)
    assert window.deadline(opening, [over], NOW).why == "the cut-off of window 'sunday'"
    assert window.deadline(opening, [over, lasting], NOW) == window.Deadline(NOW, "the freeze 'now'")
