"""When nobody is told: while an operation works on a target, and while the policy says so. Silence always ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from day2.inventory.health import HealthPolicy
from day2.ledger import Ledger, leases

# Says why a target is silent; empty where it is not.
Silent = Callable[[str], str]


def at_work(ledger: Ledger, environment: str) -> dict[str, str]:
    """Targets, as kind/name, that an operation has a lease on, and which operation."""
    return {
        each.target.partition("/")[2]: each.reason.partition(" ")[0]
        for each in leases.held(ledger)
        if each.target.startswith(f"{environment}/") and not each.expired
    }


def of(policy: HealthPolicy, working: Mapping[str, str], *, now: datetime) -> Silent:
    """Both kinds of silence as one question. Pure."""
    planned = {
        target: f"{each.reason} (until {each.until.isoformat()})"
        for each in policy.silences
        if each.since <= now < each.until
        for target in each.targets
    }

    def why(target: str) -> str:
        # A database's standby is worked on together with it.
        name = f"database/{target.partition('/')[2]}" if target.startswith("standby/") else target
        return f"{working[name]} is at work on it" if name in working else planned.get(target, "")

    return why
