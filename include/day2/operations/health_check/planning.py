"""What a look is going to do: read, keep, tell. It changes nothing, so it needs neither lock nor approval. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from day2.control import plan
from day2.inventory.model import Environment

OPERATION, DRILL = "health_check", "alert_drill"


def make(
    here: Environment, targets: Sequence[str], *, trigger: plan.Trigger, dry_run: bool, policy_hash: str
) -> dict[str, Any]:
    """Write the plan. The environment is its one target: what a look found of each is in its samples and gaps.

    Raises PlanRefused.
    """
    plan.require_reason(trigger)
    plan.require_targets(targets, limit=len(targets))
    return _plan(here, OPERATION, [here.name], trigger, dry_run, policy_hash) | {"impact": {"looks at": list(targets)}}


def drill(
    here: Environment, notifiers: Sequence[str], *, trigger: plan.Trigger, dry_run: bool, policy_hash: str
) -> dict[str, Any]:
    """The plan of a drill of the way that alerts go: its targets are the notifiers. Raises PlanRefused."""
    plan.require_reason(trigger)
    plan.require_targets(notifiers, limit=len(notifiers))
    impact = {"receive a test": list(notifiers)}
    return _plan(here, DRILL, notifiers, trigger, dry_run, policy_hash) | {"impact": impact}


def _plan(
    here: Environment, operation: str, targets: Sequence[str], trigger: plan.Trigger, dry_run: bool, policy_hash: str
) -> dict[str, Any]:
    planned = {
        "schema": plan.SCHEMA,
        "operation": operation,
        "environment": here.name,
        "change": "standard",
        "dry_run": dry_run,
        "trigger": plan.as_dict(trigger),
        "targets": [{"name": each} for each in targets],
        "policy_hash": policy_hash,
        "tz": here.timezone,
    }
    return planned | {"digest": plan.digest(planned)}
