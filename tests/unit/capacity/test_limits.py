"""Limits that are not metrics are series of what is used, beside a limit that may change."""

from __future__ import annotations

from datetime import timedelta

from day2.operations.capacity_review import limits
from day2.operations.capacity_review.limits import Pair
from tests.unit.capacity.frames import NOW


def pair(days_ago, used, limit):
    return Pair(NOW - timedelta(days=days_ago), used, limit)


def test_the_newest_limit_counts_and_its_changes_are_told():
    found = limits.series([pair(1, 90, 200), pair(3, 80, 100), pair(2, 85, 100)], now=NOW)
    assert found.limit == 200
    assert found.used.values.tolist() == [80, 85, 90]
    assert [(each.at, each.before, each.after) for each in found.changes] == [(NOW - timedelta(days=1), 100, 200)]


def test_no_limit_is_none():
    assert limits.series([pair(1, 90, None)], now=NOW).limit is None
    assert limits.series([], now=NOW).limit is None


def test_a_limit_from_the_future_is_not_believed():
    assert limits.series([pair(1, 90, 100), pair(-1, 90, 900)], now=NOW).limit == 100
