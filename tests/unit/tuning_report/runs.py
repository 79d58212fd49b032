"""A run of tuning to tell of: small, and with a name that needs escaping."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from day2.operations.performance_tuning.effect import AFTER, BEFORE, WITH
from day2.operations.performance_tuning.model import Advice, Change, Evidence, Outcome, Recommendation
from day2.operations.performance_tuning.story import Effect, Kept, Seen, Story, Tried, Watched

NOW = datetime(2027, 3, 7, 2, 30, tzinfo=UTC)
INDEX = Recommendation(
    "missing_index",
    'shop."<b>Orders</b>" (customer)',
    "every call reads the whole table",
    (Evidence("calls", 1200.0, "", "SELECT calls FROM pg_stat_statements WHERE queryid = 1"),),
    "unknown before it is measured",
    "safe",
    "the manual, Indexes",
    0.8,
    Change("CREATE INDEX CONCURRENTLY day2_x ON shop.orders (customer)", "DROP INDEX CONCURRENTLY shop.day2_x", "none"),
)
FASTER = Effect("ms", 100.0, 40.0, -0.6, -0.65, -0.55)


def tried(outcome: Outcome = "kept", **changes: Any) -> Tried:
    """One attempt: 60 % less time a call, 600 calls in each minute."""
    seen = (
        Seen(BEFORE, 60.0, 600.0, 99.0, 800.0),
        Seen(WITH, 60.0, 600.0, 40.0, 20.0),
        Seen(AFTER, 60.0, 600.0, 101.0, 800.0),
    )
    made = Tried(
        "shop", INDEX, outcome, "60 % less; nothing else got worse", NOW.isoformat(), 180.0, (FASTER,), seen,
        (Watched("deadlocks", worse=False, says="deadlocks: 0 before, 0 with it"),),
    )  # fmt: skip
    return replace(made, **changes)


def other(kind: str = "setting", name: str = "work_mem", **changes: Any) -> Recommendation:
    """Another finding."""
    return replace(INDEX, kind=kind, object=name, **changes)


def kept(month: int, saved: float = 100.0) -> Kept:
    """What a run of that month of 2026 kept."""
    return Kept(
        f"2026-{month:02}-05T02:00:00+00:00", f"run {month}", "shop", f"setting:a_{month}", "…", "ms", -0.2, saved
    )


def story(*attempts: Tried, **changes: Any) -> Story:
    """A run of these attempts; all they are about was found."""
    found = tuple(each.recommendation for each in attempts)
    made = Story(
        "production", "platform", "apply_approved", "performance_tuning.production/r1", NOW,
        (Advice("shop", NOW.isoformat(), found),), attempts,
    )  # fmt: skip
    return replace(made, **changes)
