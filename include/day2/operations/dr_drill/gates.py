"""What the repository says before a drill: no drill while recovery points are old or unproven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from day2.operations.dr_drill.readiness import Finding
from day2.repository import points
from day2.repository.points import Point
from day2.repository.store import Store
from day2.units import duration


def findings(
    store: Store, database: str, *, now: datetime, max_age: timedelta, max_test_age: timedelta
) -> Iterator[Finding]:
    """The age of the newest recovery point, and the result and age of the last restore test."""
    yield from judge(points.points(store, database), now=now, max_age=max_age, max_test_age=max_test_age)


def judge(having: Sequence[Point], *, now: datetime, max_age: timedelta, max_test_age: timedelta) -> Iterator[Finding]:
    """The same, of points oldest first. Pure."""
    verified = [each for each in having if each.verified]
    tested = [each for each in having if each.verified is not None]
    yield _younger("recovery point", having[-1:], now, max_age, what="newest recovery point")
    yield _younger("restore test", verified[-1:], now, max_test_age, what="newest recovery point that passed one")
    yield Finding(
        name="last restore test",
        ok=bool(tested) and tested[-1].verified is True,
        observed=f"{tested[-1].id} {'passed' if tested[-1].verified else 'FAILED'}" if tested else "there was none",
        needed="passed",
    )


def _younger(name: str, newest: Sequence[Point], now: datetime, limit: timedelta, *, what: str) -> Finding:
    age = (now - newest[0].taken_at) if newest else None
    return Finding(
        name=name,
        ok=age is not None and age <= limit,
        observed=f"{newest[0].id}, {duration(age.total_seconds())} old" if age is not None else f"no {what}",
        needed=f"not older than {duration(limit.total_seconds())}",
    )
