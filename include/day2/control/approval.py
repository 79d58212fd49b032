"""Approvals: given ahead by policy for a standard change, by a person for a normal one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from day2.errors import PlanRefused


@dataclass(frozen=True)
class Approval:
    """Who said yes or no to which plan. `kind` is `standing` (by policy) or `person`."""

    plan_digest: str
    kind: str
    decision: str
    who: str
    when: str
    comment: str = ""
    policy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def separate(requester: str, approver: str) -> str | None:
    """Why this person may not approve, or None. Nobody approves their own request."""
    if requester and requester == approver:
        return f"{approver} triggered this run and may not approve it"
    return None


def require(approval: Mapping[str, Any] | None, plan_digest: str) -> None:
    """Check an approval as data, again, just before acting. Raises PlanRefused."""
    if approval is None or approval.get("decision") != "approved":
        raise PlanRefused(
            "this plan is not approved",
            left="nothing was touched",
            next_step="clear `plan` to ask again",
            runbook="Approval refused or missing",
        )
    if approval.get("plan_digest") != plan_digest:
        raise PlanRefused(
            f"the approval is for another plan ({str(approval.get('plan_digest'))[:12]}…, not {plan_digest[:12]}…)",
            left="nothing was touched",
            next_step="clear `plan` to ask again for the plan as it is now",
            runbook="Approval refused or missing",
        )
