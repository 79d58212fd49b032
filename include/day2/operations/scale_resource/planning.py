"""The plan of a scaling run: what becomes of each resource and why, and whether a person is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from day2.control import plan, window
from day2.control.freezes import Freeze
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.inventory.model import Environment
from day2.inventory.scaling import Resource
from day2.operations.scale_resource.choose import Choice, Looked, choose

OPERATION = "scale_resource"
RUNBOOK = "The plan was refused"


@dataclass(frozen=True)
class Request:
    """What was asked for. `size` is asked for by hand, of one resource; empty: by use and hours."""

    environment: Environment
    resources: tuple[Resource, ...]
    trigger: Trigger
    dry_run: bool
    policy_hash: str
    size: str = ""


def make(request: Request, looks: Mapping[str, Looked], *, freezes: Sequence[Freeze], now: datetime) -> dict[str, Any]:
    """Write the plan. Every chosen resource is a target: one that stays is verified to be there. Raises PlanRefused."""
    here = request.environment
    policy = here.policies.scale_resource
    if policy is None:
        raise _refused("this environment has no policy for scaling", "add policies.scale_resource to its file")
    plan.require_reason(request.trigger)
    if request.size and len(request.resources) != 1:
        raise _refused("a size was asked for, and of more than one resource", "choose one in `targets`")
    chosen = [
        (each, choose(each, looks[each.name], timezone=here.timezone, at=now, by_hand=request.size))
        for each in request.resources
    ]
    changing = [each.name for each, choice in chosen if choice.direction != "stay"]
    if changing:
        plan.require_targets(changing, limit=policy.max_targets)
        if not request.dry_run:
            window.require_open(here, OPERATION, freezes, now)
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": here.name,
        "change": "normal" if any(choice.ask for _, choice in chosen) else "standard",
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "target_kind": "resource",
        "by_hand": bool(request.size),
        "targets": [_target(each, choice, looks[each.name]) for each, choice in chosen],
        "policy_hash": request.policy_hash,
        "tz": here.timezone,
    }
    return planned | {"digest": plan.digest(planned), "impact": _impact(here, [each for each, _ in chosen])}


def asked_for(environment: Environment, events: Sequence[Mapping[str, Any]], *, field: str) -> list[str]:
    """The resources that the extra of asset events names, in the inventory's order.

    Raises PlanRefused where they name none that is there: nothing to do must not look like something done.
    """
    named = {str(name) for each in events for name in each.get(field, ())}
    known = [each.name for each in environment.resources]
    if not (found := [name for name in known if name in named]):
        told = ", ".join(sorted(named)) or "no resource"
        raise _refused(f"whoever asked for it named {told}, and the inventory has none of that", "look who asked")
    return found


def lines(planned: Mapping[str, Any]) -> list[str]:
    """The plan in words, for the log and the approver."""
    told = [_line(each) for each in planned["targets"]]
    changes = sum(each["direction"] != "stay" for each in planned["targets"])
    head = f"Scale in {planned['environment']}: {changes} of {len(told)} resources change"
    return [head, *told]


def _target(resource: Resource, choice: Choice, looked: Looked) -> dict[str, Any]:
    costs = {each.name: each.cost for each in resource.sizes}
    return asdict(choice) | {
        "name": resource.name,
        "driver": resource.driver.kind,
        "used": looked.used,
        "cost": costs.get(choice.size),
        "cost_before": costs.get(choice.before),
    }


def _line(target: Mapping[str, Any]) -> str:
    name = target["name"]
    if target["blocked"]:
        return f"{name}: cannot be judged: {target['blocked']}"
    if target["direction"] == "stay":
        return f"{name}: stays {target['size']}: {target['why']}"
    cost = f"costs {target['cost']:g} an hour instead of {target['cost_before']:g}"
    asks = "; a person has to approve" if target["ask"] else ""
    return f"{name}: {target['before']} → {target['size']} ({target['direction']}): {target['why']}; {cost}{asks}"


def _impact(here: Environment, resources: Sequence[Resource]) -> dict[str, Any]:
    """What the measured targets carry, and who answers for each resource."""
    followed = {each.name: each.follows.target for each in resources if each.follows}
    return {
        "owners": {each.name: each.owner or here.owner for each in resources},
        "dependents": {
            name: sorted(each.name for each in here.services if of in each.depends_on) for name, of in followed.items()
        },
    }


def _refused(happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(happened, left="nothing was touched", next_step=next_step, runbook=RUNBOOK)
