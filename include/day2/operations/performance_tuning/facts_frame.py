"""From what a run of tuning measured to the rows its suites judge: one a database, one a change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning.goals import NOT_FOR_STATEMENTS
from day2.operations.performance_tuning.model import Advice
from day2.operations.performance_tuning.story import Tried

SUITE = "performance_tuning"
CHANGE_SUITE = "performance_tuning_changes"
# Outcomes of what changed nothing: there is nothing to judge.
UNTRIED = frozenset({"advised", "deferred"})
# Of these kinds the statement puts something in order: there is no earlier state that anybody wants back.
NOTHING_TO_TAKE_BACK = frozenset({"index_bloat", "table_bloat", "invalid_index", "stale_statistics", "vacuum_lag"})


@dataclass(frozen=True)
class Afterwards:
    """What a look at the database says once everything is done. None is what nobody looked at.

    `as_meant`, by the finding's key, is whether its object is there if it was kept, and as before if it was not.
    """

    invalid_indexes: int | None = None
    restarted: bool | None = None
    pending_restart: int | None = None
    interrupted: int | None = None
    put_in_order: int | None = None
    as_meant: Mapping[str, bool] | None = None


def target_name(database: str, key: str) -> str:
    """What a plan calls a change: a check of it must not read as one of its database."""
    return f"{key} in {database}"


def database_row(
    name: str, advice: Advice | None, tried: Sequence[Tried], *, afterwards: Afterwards, policy: TuningPolicy
) -> dict[str, Any]:
    """One database: was it looked at, and is it whole?"""
    return {
        "target": name,
        "looked_at": advice is not None,
        "not_possible": None if advice is None else len(advice.not_possible),
        "changes_tried": sum(each.outcome not in UNTRIED for each in tried),
        "changes_allowed": 0 if policy.mode == "advise" else policy.max_changes,
        "interrupted": afterwards.interrupted,
        "put_in_order": afterwards.put_in_order,
        "invalid_indexes": afterwards.invalid_indexes,
        "restarted": afterwards.restarted,
        "pending_restart": afterwards.pending_restart,
    }


def change_rows(
    tried: Iterable[Tried], *, afterwards: Afterwards, policy: TuningPolicy, allowed: Mapping[str, bool]
) -> list[dict[str, Any]]:
    """One row a change that was tried; what was only advised or put off changed nothing and has none.

    `allowed`, by key, is what the policy said of it when it was tried.
    """
    least = policy.measure.minimum_gain_percent / 100
    return [
        _row(each, least, as_meant=(afterwards.as_meant or {}).get(each.recommendation.key), allowed=allowed)
        for each in tried
        if each.outcome not in UNTRIED
    ]


def _row(tried: Tried, least: float, *, as_meant: bool | None, allowed: Mapping[str, bool]) -> dict[str, Any]:
    item = tried.recommendation
    kept = tried.outcome == "kept"
    return {
        "target": target_name(tried.database, item.key),
        "outcome": tried.outcome,
        "allowed": allowed.get(item.key),
        "done": tried.outcome != "failed",
        "measured": tried.outcome != "unmeasured",
        "kept": kept,
        "gain_shown": gained(tried, least),
        "guards_worse": sum(each.worse for each in tried.guards) if kept else 0,
        "way_back": item.change is not None and (bool(item.change.reverse) or item.kind in NOTHING_TO_TAKE_BACK),
        "needs_restart": item.change is not None and item.change.needs_restart,
        "as_meant": as_meant,
    }


def gained(tried: Tried, least: float) -> bool:
    """Whether the figures alone, whatever was decided, show what the change is for.

    A statement's cost: surely less, and by at least so much. Space, or a table in order: that is looked at when
    it is done, and what is left to show is that nothing got worse.
    """
    if tried.recommendation.kind in NOT_FOR_STATEMENTS:
        return not any(each.worse for each in tried.guards)
    return any(
        each.share is not None and each.share <= -least and each.high is not None and each.high < 0
        for each in tried.effects
    )
