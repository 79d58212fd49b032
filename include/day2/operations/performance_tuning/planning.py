"""The plan of a tuning run: which changes of which databases, best first, and what is left out and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from day2.control import plan, window
from day2.control.freezes import Freeze
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.inventory.model import Database, Environment
from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning import target
from day2.operations.performance_tuning.attempt import not_to_be_tried
from day2.operations.performance_tuning.facts_frame import target_name
from day2.operations.performance_tuning.model import Advice, Recommendation, Risk
from day2.units import duration, utc

OPERATION = "performance_tuning"
RISKY: dict[str, tuple[Risk, ...]] = {"never": (), "moderate": ("moderate", "high"), "always": ("safe", "moderate")}


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    environment: Environment
    databases: tuple[Database, ...]
    trigger: Trigger
    dry_run: bool
    policy_hash: str


@dataclass(frozen=True)
class Looked:
    """One database as it was found. `advice` is none where it could not be looked at, and `why` says why.

    `patched` is when its server's host was patched last; `unfinished` are keys of changes that an earlier run
    left in the middle.
    """

    advice: Advice | None
    why: str = ""
    patched: datetime | None = None
    unfinished: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """What is to be tried, best first; and what the policy would allow, and is put off, with the reason."""

    changes: tuple[Recommendation, ...] = ()
    put_off: tuple[tuple[Recommendation, str], ...] = ()


def make(request: Request, looks: Mapping[str, Looked], *, freezes: Sequence[Freeze], now: datetime) -> dict[str, Any]:
    """Write the plan. Raises PlanRefused."""
    here = request.environment
    rules = here.policies.performance_tuning
    if rules is None:
        raise _refused("this environment has no policy for tuning", "add policies.performance_tuning to its file")
    plan.require_reason(request.trigger)
    plan.require_targets([each.name for each in request.databases], limit=rules.max_targets)
    policies = {each.name: here.tuning_policy(each) for each in request.databases}
    chosen = {name: choose(looks[name], policies[name], now=now) for name in policies}
    changing = [name for name in policies if chosen[name].changes or looks[name].unfinished]
    if changing and not request.dry_run:
        window.require_open(here, OPERATION, freezes, now)
    deadline = window.deadline(window.opening(here, OPERATION, now), freezes, now)
    asked = any(policies[name].mode == "apply_approved" for name in changing if chosen[name].changes)
    planned = {
        "schema": plan.SCHEMA,
        "operation": OPERATION,
        "environment": here.name,
        # Nobody is woken for a look, nor for what the policy calls safe.
        "change": "normal" if asked else "standard",
        "dry_run": request.dry_run,
        "trigger": plan.as_dict(request.trigger),
        "targets": [each for name in policies for each in _targets(name, looks[name], chosen[name], policies[name])],
        "put_off": [
            {"database": name, "recommendation": asdict(each), "why": why}
            for name in policies
            for each, why in chosen[name].put_off
        ],
        "deadline": {"at": utc(deadline.at), "why": deadline.why} if deadline else None,
        "policy_hash": request.policy_hash,
        "tz": here.timezone,
    }
    return planned | {"digest": plan.digest(planned), "impact": _impact(here, looks, policies)}


def choose(looked: Looked, policy: TuningPolicy, *, now: datetime) -> Chosen:
    """Of what was found, what this run tries. Two changes of one object are never tried in one run."""
    if looked.advice is None:
        return Chosen()
    allowed = [each for each in looked.advice.recommendations if not not_to_be_tried(each, policy)]
    if looked.patched is not None and now - looked.patched < policy.after_patch:
        rest = duration((looked.patched + policy.after_patch - now).total_seconds())
        return Chosen(put_off=tuple((each, f"its server was patched; not before {rest} from now") for each in allowed))
    changes: list[Recommendation] = []
    put_off: list[tuple[Recommendation, str]] = []
    about: dict[Any, str] = {}
    for each in allowed:
        assert each.change is not None  # noqa: S101 - not_to_be_tried says so
        found = target.of(each.change)
        key = (found.subject, found.label)
        if key in about:
            put_off.append((each, f"{about[key]} changes the same object, and comes first"))
        elif len(changes) == policy.max_changes:
            put_off.append((each, f"the policy lets one run try {policy.max_changes} changes, best first"))
        else:
            changes.append(each)
            about[key] = each.key
    return Chosen(tuple(changes), tuple(put_off))


def of_database(planned: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The changes of one database, in the order they are tried."""
    return [each for each in planned["targets"] if each["database"] == name and each["recommendation"]]


def databases(planned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The databases themselves."""
    return [each for each in planned["targets"] if not each["recommendation"]]


def too_late(planned: Mapping[str, Any], longest: timedelta, now: datetime) -> str:
    """Why a change that takes so long may not begin any more; empty if it may."""
    at = planned["deadline"]
    if at is None or now + longest <= datetime.fromisoformat(at["at"]):
        return ""
    return f"it would not end before {at['at']}, {at['why']}"


def _targets(name: str, looked: Looked, chosen: Chosen, policy: TuningPolicy) -> list[dict[str, Any]]:
    """The database first, which is put in order and looked at; then its changes."""
    own = {"name": name, "database": name, "recommendation": None, "blocked": looked.why or None}
    changes = [
        {
            "name": target_name(name, each.key),
            "database": name,
            "recommendation": asdict(each),
            "rehearsed": each.risk in RISKY[policy.rehearse],
        }
        for each in chosen.changes
    ]
    return [own | {"unfinished": list(looked.unfinished)}, *changes]


def _impact(here: Environment, looks: Mapping[str, Looked], policies: Mapping[str, TuningPolicy]) -> dict[str, Any]:
    """What stands on the databases, how much was found, and how long one change takes."""
    return {
        "dependents": {
            name: sorted(each.name for each in here.services if f"database/{name}" in each.depends_on) for name in looks
        },
        "found": {name: len(each.advice.recommendations) for name, each in looks.items() if each.advice},
        "not_possible": {
            name: [asdict(what) for what in each.advice.not_possible] for name, each in looks.items() if each.advice
        },
        "modes": {name: each.mode for name, each in policies.items()},
        "longest_change_seconds": {name: each.longest_change.total_seconds() for name, each in policies.items()},
    }


def _refused(happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(happened, left="nothing was touched", next_step=next_step, runbook="The plan was refused")
