"""The plan of a backup run: which databases, how, where to, and what stands around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from day2.control import plan
from day2.control.plan import Trigger
from day2.inventory.model import Environment
from day2.operations.database_backup import preflight
from day2.operations.database_backup.job import Job
from day2.repository import points
from day2.units import duration, size

OPERATION = "database_backup"


@dataclass(frozen=True)
class Request:
    """What was asked for. `requested` is the names as they came; `jobs` the ones that resolved."""

    environment: Environment
    requested: tuple[str, ...]
    trigger: Trigger
    dry_run: bool
    policy_hash: str


def make(request: Request, jobs: Sequence[Job], *, now: datetime) -> dict[str, Any]:
    """Look at every target and write the plan. Raises PlanRefused with everything in the way at once."""
    plan.require_reason(request.trigger)
    plan.require_targets([job.name for job in jobs], limit=request.environment.policies.database_backup.max_targets)
    seen = {job.name: preflight.inspect(job) for job in jobs}
    plan.refuse({name: each.problems for name, each in seen.items()})
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": request.environment.name,
        "change": "standard",
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "targets_requested": list(request.requested),
        "targets": [target(job, seen[job.name].facts) for job in jobs],
        "policy_hash": request.policy_hash,
        "tz": request.environment.timezone,
    }
    impact = {job.name: around(request.environment, job, now=now) for job in jobs}
    return planned | {"digest": plan.digest(planned), "impact": impact}


def target(job: Job, facts: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the plan."""
    return {
        "name": job.name,
        "dbname": job.server.dbname,
        "server": f"{job.server.host}:{job.server.port}",
        "engine": job.policy.engine,
        "server_version": facts["version"],
        "bytes": facts["cluster_bytes"] if job.policy.engine == "physical" else facts["database_bytes"],
        "scratch_bytes": facts["scratch_bytes"],
        "repository": job.primary.store.url,
        "copies": [place.store.url for place in job.copies],
        "encrypted": bool(job.recipients),
    }


def around(environment: Environment, job: Job, *, now: datetime) -> dict[str, Any]:
    """The impact preview: who depends on it, and how old its newest verified recovery point is."""
    verified = [each for each in points.points(job.primary.store, job.name) if each.verified]
    return {
        "dependents": dependents(environment, f"database/{job.name}"),
        "last_verified_point": verified[-1].id if verified else None,
        "last_verified_age_seconds": (now - verified[-1].taken_at).total_seconds() if verified else None,
    }


def dependents(environment: Environment, target: str) -> list[str]:
    """Everything that depends on a target, directly or through something else, nearest first. Pure."""
    found: list[str] = []
    frontier = [target]
    named = [(f"service/{each.name}", each.depends_on) for each in environment.services]
    named += [(f"database/{each.name}", each.depends_on) for each in environment.databases]
    named += [(f"host/{each.name}", each.depends_on) for each in environment.hosts]
    while frontier:
        frontier = [name for name, needs in named if name not in found and set(needs) & set(frontier)]
        found += frontier
    return found


def lines(planned: Mapping[str, Any]) -> list[str]:
    """The plan as an operator reads it in the log."""
    trigger = planned["trigger"]
    asked = f"{trigger['type']}" + (f" by {trigger['user']}" if trigger["user"] else "")
    text = [f"plan {planned['digest'][:12]}: back up {len(planned['targets'])} databases of {planned['environment']}"]
    text.append(f"asked for: {asked}; reason: {trigger['reason'] or '-'}; ticket: {trigger['ticket'] or '-'}")
    for each in planned["targets"]:
        copies = ", ".join(each["copies"]) or "none"
        text.append(
            f"{each['name']}: {each['engine']} copy of {size(each['bytes'])} from {each['server']}"
            f" (PostgreSQL {each['server_version']}) to {each['repository']}, copies: {copies},"
            f" {'encrypted with age' if each['encrypted'] else 'NOT encrypted'}"
        )
        impact = planned["impact"][each["name"]]
        age = impact["last_verified_age_seconds"]
        before = f"{impact['last_verified_point']}, {duration(age)} old" if age is not None else "none yet"
        text.append(
            f"{each['name']}: depended on by {', '.join(impact['dependents']) or 'nothing'};"
            f" newest verified recovery point: {before}"
        )
    if planned["dry_run"]:
        text.append("dry run: nothing will be touched")
    return text
