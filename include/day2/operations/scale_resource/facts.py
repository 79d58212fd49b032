"""One row of facts a resource: what was decided, what is there, and whether every bound was kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from day2.inventory.scaling import Resource
from day2.operations.scale_resource.choose import distance
from day2.operations.scale_resource.drivers.driver import Seen
from day2.operations.scale_resource.history import CHANGED_AT

SUITE = "scale_resource"


def row(
    resource: Resource,
    target: Mapping[str, Any],
    measures: Mapping[str, Any],
    *,
    seen: Seen | None,
    before_that: datetime | None,
    by_hand: bool,
) -> dict[str, Any]:
    """The facts. `seen` is the resource as it is after the run; `before_that` its last change before this run.

    What could not be measured is None, and fails.
    """
    there, planned = _rung(resource, seen.size if seen else None), _rung(resource, measures.get("before"))
    lowest, highest = _rung(resource, target["lowest"]), _rung(resource, target["highest"])
    known = None not in (there, planned, lowest, highest)
    facts: dict[str, Any] = {
        "target": resource.name,
        "size_decided": measures.get("decided"),
        "size_present": seen.size if seen else None,
        "in_service": seen.settled if seen else None,
        "use_needed": resource.follows is not None and not by_hand,
        "use_known": target["used"] is not None,
        "sizes_moved": None,
        "sizes_at_once": resource.step,
        "out_of_bounds": None,
        "out_of_bounds_allowed": None,
        "cost_an_hour": None,
        "cost_allowed": None,
        "cooldown_left_seconds": None,
    }
    if not known:
        return facts
    assert there is not None and planned is not None and lowest is not None and highest is not None  # noqa: S101, PT018
    outside = distance(planned, lowest, highest)
    costs = [each.cost for each in resource.sizes]
    return facts | {
        "sizes_moved": abs(there - planned),
        "out_of_bounds": distance(there, lowest, highest),
        # What was out of bounds comes back a step at a time.
        "out_of_bounds_allowed": max(outside - resource.step, 0),
        "cost_an_hour": costs[there],
        "cost_allowed": max(
            costs[planned] if outside else 0.0, costs[-1] if resource.budget is None else resource.budget
        ),
        "cooldown_left_seconds": _cooldown_left(resource, measures, before_that, free=bool(outside) or by_hand),
    }


def _rung(resource: Resource, size: str | None) -> int | None:
    names = [each.name for each in resource.sizes]
    return names.index(size) if size in names else None


def _cooldown_left(
    resource: Resource, measures: Mapping[str, Any], before_that: datetime | None, *, free: bool
) -> float:
    """How much of its cooldown was left when it was changed. Bounds, hours and persons need not wait."""
    if CHANGED_AT not in measures or before_that is None or free:
        return 0.0
    passed = datetime.fromisoformat(measures[CHANGED_AT]) - before_that
    return max((resource.cooldown - passed).total_seconds(), 0.0)
