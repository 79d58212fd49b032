"""The plan of a review: which targets, how much history there is of each, and who is asked to sign. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from day2.control import plan
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.inventory.capacity import CapacityPolicy
from day2.inventory.fields import nearest
from day2.inventory.model import Environment
from day2.ledger.metric_days import Days, Question
from day2.operations.capacity_review.forecast import LEAST_POINTS

OPERATION = "capacity_review"
# Leases of a review keep two reviews apart, and nothing else: it only reads.
TARGET_KIND = "capacity"


@dataclass(frozen=True)
class Request:
    """What was asked for; `requested` is the names as they came."""

    environment: Environment
    requested: tuple[str, ...]
    trigger: Trigger
    dry_run: bool
    policy_hash: str


def policy(environment: Environment) -> CapacityPolicy:
    """The environment's policy. Raises KeyError where there is none, and then there is no DAG."""
    if environment.policies.capacity_review is None:
        raise KeyError(OPERATION)
    return environment.policies.capacity_review


def question(environment: Environment, now: datetime) -> Question:
    """Which samples a review reads."""
    rules = policy(environment)
    return Question(environment.name, rules.metrics, now - rules.history, now)


def make(request: Request, seen: Sequence[Days], *, last: date | None) -> dict[str, Any]:
    """The plan. `last` is when the review was made whose forecast is compared. Raises PlanRefused."""
    here, rules = request.environment, policy(request.environment)
    plan.require_reason(request.trigger)
    names = _chosen(here, request.requested)
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": here.name,
        "change": "standard",
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "target_kind": TARGET_KIND,
        "targets_requested": list(request.requested),
        "targets": [_target(name, seen, rules) for name in names],
        "policy_hash": request.policy_hash,
        "tz": here.timezone,
        "last_made_on": last.isoformat() if last else None,
    }
    others = sorted({each.series.target for each in seen} - here.measured.keys())
    return planned | {"digest": plan.digest(planned), "impact": {"touched": [], "not_in_the_inventory": others}}


def lines(planned: Mapping[str, Any]) -> list[str]:
    """The plan as people read it in the log."""
    trigger = planned["trigger"]
    asked = f"{trigger['type']}" + (f" by {trigger['user']}" if trigger["user"] else "")
    targets = planned["targets"]
    text = [
        f"plan {planned['digest'][:12]}: review the capacity of {len(targets)} targets of {planned['environment']}",
        f"asked for: {asked}; reason: {trigger['reason'] or '-'}; ticket: {trigger['ticket'] or '-'}",
        "it reads samples that are kept already, and changes nothing but the record",
    ]
    text += [_told(each) for each in targets]
    if others := planned["impact"]["not_in_the_inventory"]:
        text.append(f"samples of what the inventory does not have are left out: {', '.join(others)}")
    last = planned["last_made_on"]
    text.append(f"the forecast of {last} is compared with what happened" if last else "no earlier forecast to compare")
    if planned["dry_run"]:
        text.append("dry run: nothing will be forecast")
    return text


def _chosen(here: Environment, requested: Sequence[str]) -> list[str]:
    known = list(here.measured)
    if unknown := sorted(set(requested) - set(known)):
        listed = "; ".join(f"'{name}' is no target{nearest(name, known)}" for name in unknown)
        raise PlanRefused(
            listed,
            target=here.name,
            left="nothing was touched",
            next_step="choose from the inventory as it is now",
            runbook="The plan was refused",
        )
    names = [name for name in known if name in requested]
    # It only reads: there is no number of targets that would be too many to touch.
    plan.require_targets(names, limit=len(known))
    return names


def _target(name: str, seen: Sequence[Days], rules: CapacityPolicy) -> dict[str, Any]:
    days = [each.seconds for each in seen if each.series.target == name and each.series.metric in rules.reviewed]
    since = min((each[0] for each in days), default=None)
    return {
        "name": name,
        "series": len(days),
        "enough": sum(len(each) > LEAST_POINTS for each in days),
        "days": max(map(len, days), default=0),
        "since": None if since is None else datetime.fromtimestamp(since, UTC).date().isoformat(),
    }


def _told(each: Mapping[str, Any]) -> str:
    if not each["series"]:
        return f"{each['name']}: no samples at all: it will fail"
    few = each["series"] - each["enough"]
    short = f"; {few} of them have too few days to forecast from" if few else ""
    return f"{each['name']}: {each['series']} series, up to {each['days']} days since {each['since']}{short}"
