"""The plan of a restore: which point, to where, and what that would end or replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from day2.control import plan
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.operations.database_backup.job import Job
from day2.operations.database_restore import preflight
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.preflight import Destination
from day2.operations.database_restore.staged import Target
from day2.units import duration, size, utc

OPERATION = "database_restore"


@dataclass(frozen=True)
class Request:
    """What was asked for, resolved: the point in `order`, and where it goes. Scratch has no target."""

    job: Job
    order: Order
    destination: Destination
    target: Target | None
    trigger: Trigger
    dry_run: bool
    timezone: str
    dependents: tuple[str, ...]


def new_name(destination: Destination, wanted: str | None, dbname: str) -> str | None:
    """The database's name at its destination. Raises PlanRefused for a choice that does not fit."""
    if destination == "new_database":
        if not wanted:
            raise _unfit("a new database needs a name", "fill in `new_name`")
        return wanted
    if wanted:
        raise _unfit(f"`new_name` says {wanted!r}, and the destination is {destination}", "leave `new_name` empty")
    return dbname if destination == "in_place" else None


def make(request: Request, *, now: datetime) -> dict[str, Any]:
    """Look at the point and its destination and write the plan. Raises PlanRefused with all that is in the way."""
    plan.require_reason(request.trigger)
    job, described = request.job, request.order.origin.described
    seen = preflight.inspect(request.order, destination=request.destination, target=request.target)
    plan.refuse({job.name: seen.problems})
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": job.environment,
        "change": "normal" if request.destination == "in_place" else "standard",
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "targets": [
            {
                "name": job.name,
                "point": described.point,
                "snapshot_at": utc(described.snapshot_at),
                "engine": described.engine,
                "bytes": described.source.bytes,
                "destination": request.destination,
                "server": request.target.label if request.target else "a scratch server on the worker",
                "database": request.target.name if request.target else None,
            }
        ],
        "policy_hash": job.policy_hash,
        "tz": request.timezone,
    }
    impact = {
        "dependents": list(request.dependents),
        "sessions_ended": seen.facts.get("sessions", 0) if request.destination == "in_place" else 0,
        "age_seconds": (now - described.snapshot_at).total_seconds(),
        "roles_missing": seen.facts.get("roles_missing", []),
    }
    return planned | {"digest": plan.digest(planned), "impact": {job.name: impact}}


def lines(planned: Mapping[str, Any]) -> list[str]:
    """The plan as an operator, and an approver, reads it."""
    target, trigger = planned["targets"][0], planned["trigger"]
    impact = planned["impact"][target["name"]]
    text = [
        f"plan {planned['digest'][:12]}: restore {target['name']} of {planned['environment']}"
        f" from recovery point {target['point']}",
        f"asked for by {trigger['user'] or trigger['type']}; reason: {trigger['reason'] or '-'};"
        f" ticket: {trigger['ticket'] or '-'}",
        f"{target['name']}: {target['engine']} copy of {size(target['bytes'])}, as of {target['snapshot_at']}"
        f" ({duration(impact['age_seconds'])} ago), to {target['server']}",
    ]
    if target["destination"] == "in_place":
        text += [
            f"{target['name']}: everything written since {target['snapshot_at']} leaves the living database;"
            " a verified recovery point of it as it is now is taken first, and the old data is kept under another name",
            f"{target['name']}: {impact['sessions_ended']} sessions would be ended now;"
            f" depended on by {', '.join(impact['dependents']) or 'nothing'}",
        ]
    if impact["roles_missing"]:
        missing = ", ".join(impact["roles_missing"])
        text.append(f"{target['name']}: roles the target lacks are made, without login: {missing}")
    if planned["dry_run"]:
        text.append("dry run: nothing will be touched")
    return text


def _unfit(happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(happened, left="nothing was touched", next_step=next_step, runbook="The plan was refused")
