"""The charter and the plan of a drill: scenario, scope, roles, objectives, and how ready everything is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from day2.control import plan
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.inventory.model import Database, Environment
from day2.operations.database_backup.planning import dependents
from day2.operations.dr_drill import readiness
from day2.operations.dr_drill.finding import Finding
from day2.operations.dr_drill.strategy import ACT_STEPS, Mode
from day2.units import duration

OPERATION = "dr_drill"
WHAT = {
    "drill": "rehearse the loss of",
    "live": "FAIL OVER, for real,",
    "failback": "take back to the primary region",
}


@dataclass(frozen=True)
class Request:
    """What was asked for. `declared_at` is when an emergency was declared, if that was before the run."""

    environment: Environment
    databases: tuple[Database, ...]
    mode: Mode
    trigger: Trigger
    dry_run: bool
    declared_at: datetime | None
    policy_hash: str


def make(
    request: Request, findings: Mapping[str, Sequence[Finding]], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Write the plan from what was asked for and what was found. Raises PlanRefused with all that is red.

    Readiness forbids a drill. An emergency is not stopped by it, because that is when it is red; and neither
    is a failback, whose first step is to look at what state the servers are in. `known` is what a strategy
    must still know of each target at the end.
    """
    _require(request)
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": request.environment.name,
        "change": change(request),
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "mode": request.mode,
        "act_steps": list(ACT_STEPS[request.mode]),
        "declared_at": request.declared_at.isoformat() if request.declared_at else None,
        "charter": charter(request),
        "targets": [_target(request.environment, each) | dict(known[each.name]) for each in request.databases],
        "policy_hash": request.policy_hash,
        "tz": request.environment.timezone,
    }
    if request.mode == "drill":
        for each in findings.values():
            readiness.red(list(each))
    impact = {
        each.name: {
            "dependents": dependents(request.environment, f"database/{each.name}"),
            "readiness": [asdict(finding) for finding in findings[each.name]],
        }
        for each in request.databases
    }
    return planned | {"digest": plan.digest(planned), "impact": impact}


def change(request: Request) -> str:
    """A drill asks a person. An emergency may be break-glass, where the policy says so: reason now, review after."""
    policy = request.environment.policies.dr_drill
    return "emergency" if request.mode == "live" and policy and policy.live_approval == "break_glass" else "normal"


def charter(request: Request) -> dict[str, Any]:
    """What everybody agreed on before: shown in the approval, and on the scorecard."""
    policies = [request.environment.drill_policy(each) for each in request.databases]
    first = policies[0]
    return {
        "scenario": first.scenario,
        "scope": [each.name for each in request.databases],
        "roles": dict(first.roles),
        "abort_criteria": list(first.abort_criteria),
        "objectives": {
            each.name: {"rto_seconds": policy.rto.total_seconds(), "rpo_seconds": policy.rpo.total_seconds()}
            for each, policy in zip(request.databases, policies, strict=True)
        },
        "manual_steps": [each.model_dump(mode="json") for each in first.manual_steps],
    }


def lines(planned: Mapping[str, Any]) -> list[str]:
    """The charter as an operator, and an approver, reads it."""
    trigger, agreed = planned["trigger"], planned["charter"]
    names = ", ".join(each["name"] for each in planned["targets"])
    text = [
        f"plan {planned['digest'][:12]}: {WHAT[planned['mode']]} {names} of {planned['environment']}",
        f"asked for by {trigger['user'] or trigger['type']}; reason: {trigger['reason'] or '-'};"
        f" ticket: {trigger['ticket'] or '-'}",
        f"scenario: {agreed['scenario']}; abort when: {'; or '.join(agreed['abort_criteria'])}",
        "roles: " + (", ".join(f"{role}: {who}" for role, who in agreed["roles"].items()) or "none are named"),
    ]
    for each in planned["targets"]:
        text += _target_lines(planned, each)
    if planned["dry_run"]:
        text.append("dry run: nothing will be touched")
    return text


def _target_lines(planned: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    name, impact = target["name"], planned["impact"][target["name"]]
    goal = planned["charter"]["objectives"][name]
    yield (
        f"{name}: {target['strategy']}: {target['from']} → {target['to']}; objectives: RTO"
        f" {duration(goal['rto_seconds'])}, RPO {duration(goal['rpo_seconds'])};"
        f" depended on by {', '.join(impact['dependents']) or 'nothing'}"
    )
    yield f"{name}: {target['costs']}"
    bad = [each for each in impact["readiness"] if not each["ok"]]
    yield f"{name}: readiness: {len(impact['readiness']) - len(bad)} of {len(impact['readiness'])} as needed"
    for each in bad:
        yield f"{name}: NOT as needed: {each['name']}: {each['observed']} (needed: {each['needed']})"


def _target(environment: Environment, database: Database) -> dict[str, Any]:
    policy = environment.drill_policy(database)
    owner = database.owner or environment.owner
    if policy.strategy == "restore":
        return {
            "name": database.name,
            "owner": owner,
            "strategy": policy.strategy,
            "from": f"repository {policy.recovery_repository}",
            "to": f"{policy.recovery_connection} in {environment.regions.recovery}",
            "costs": "production goes on untouched; what is rebuilt is dropped at the end of a drill",
        }
    standby = database.standby
    return {
        "name": database.name,
        "owner": owner,
        "strategy": policy.strategy,
        "from": f"{database.connection} in {database.region}",
        "to": f"{standby.connection} in {standby.region}" if standby else "",
        "costs": f"clients are cut off from the fence ({policy.fence}) to the route, and again at the failback;"
        " going back is free until the standby is promoted",
    }


def _require(request: Request) -> None:
    plan.require_reason(request.trigger)
    policy = request.environment.policies.dr_drill
    plan.require_targets([each.name for each in request.databases], limit=policy.max_targets if policy else 0)
    if request.mode != "drill" and not request.trigger.by_hand:
        raise _unfit("only a drill runs by schedule", "trigger it by hand")
    if request.mode == "live" and not request.trigger.ticket.strip():
        raise _unfit("an emergency needs the incident's number", "trigger it again and fill in `ticket`")
    if request.declared_at and request.mode != "live":
        raise _unfit("`declared_at` is for an emergency; a drill is declared when it starts", "leave it empty")


def _unfit(happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(happened, left="nothing was touched", next_step=next_step, runbook="The plan was refused")
