"""The plan: what a run would do, to what, decided before anything is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from day2.errors import PlanRefused

SCHEMA = 1
SHORTEST_REASON = 3


@dataclass(frozen=True)
class Trigger:
    """Who or what asked for the run. `type` is Airflow's run type; `user` is empty for a schedule."""

    type: str
    user: str
    reason: str
    ticket: str

    @property
    def by_hand(self) -> bool:
        return self.type == "manual"


def require_reason(trigger: Trigger) -> None:
    """A run by hand says why. Raises PlanRefused."""
    if trigger.by_hand and len(trigger.reason.strip()) < SHORTEST_REASON:
        raise PlanRefused(
            "a run by hand needs a reason",
            left="nothing was touched",
            next_step=f"trigger it again and fill in `reason` ({SHORTEST_REASON} characters or more)",
            runbook="The plan was refused",
        )


def require_targets(names: Sequence[str], *, limit: int) -> None:
    """At least one target, and no more than the blast radius. Raises PlanRefused."""
    if not names:
        raise PlanRefused(
            "no target is selected: a run that does nothing must not look like one that succeeded",
            left="nothing was touched",
            next_step="choose at least one target, or add one to the inventory",
            runbook="The plan was refused",
        )
    if len(names) > limit:
        raise PlanRefused(
            f"{len(names)} targets exceed the blast radius of {limit}",
            left="nothing was touched",
            next_step="choose fewer `targets`, or raise `max_targets` in the policy by review",
            runbook="The plan was refused",
        )


def refuse(problems: Mapping[str, Sequence[str]]) -> None:
    """Raise one PlanRefused for everything found wrong with the targets, if anything was."""
    found = [f"{target}: {problem}" for target, each in problems.items() for problem in each]
    if found:
        raise PlanRefused(
            " ; ".join(found),
            left="nothing was touched",
            next_step="mend what is named, or leave those targets out of this run",
            runbook="The plan was refused",
        )


def digest(plan: Mapping[str, Any]) -> str:
    """sha256 of the plan's canonical JSON; approvals are bound to it."""
    text = json.dumps(plan, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def as_dict(trigger: Trigger) -> dict[str, str]:
    return asdict(trigger)
