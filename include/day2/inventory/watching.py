"""Checks of the policy of health checks: names of nothing, which would silence nobody and watch nothing."""

from __future__ import annotations

from collections.abc import Iterator

from day2.inventory.fields import nearest
from day2.inventory.health import HealthPolicy
from day2.inventory.model import Environment
from day2.inventory.problems import Finding, Location

AT: Location = ("policies", "health_check")


def findings(environment: Environment) -> Iterator[Finding]:
    """What cannot work as written."""
    policy = environment.policies.health_check
    if policy is None:
        return
    yield from _targets(policy, list(environment.watched))
    yield from _receipts(policy)


def _targets(policy: HealthPolicy, known: list[str]) -> Iterator[Finding]:
    named = {
        "silences": [each.targets for each in policy.silences],
        "differently": [each.targets for each in policy.differently],
    }
    for name, some in named.items():
        for index, targets in enumerate(some):
            for number, target in enumerate(targets):
                if target not in known:
                    text = f"'{target}' is nothing that health_check looks at{nearest(target, known)}"
                    yield Finding((*AT, name, index, "targets", number), text)


def _receipts(policy: HealthPolicy) -> Iterator[Finding]:
    told = list(dict.fromkeys(name for each in policy.routes for name in each.notifiers))
    for index, each in enumerate(policy.alert_drill.receipts if policy.alert_drill else ()):
        at = (*AT, "alert_drill", "receipts", index)
        if each.notifier not in told:
            yield Finding((*at, "notifier"), f"'{each.notifier}' is on no route{nearest(each.notifier, told)}")
        if "{token}" not in each.path:
            yield Finding((*at, "path"), "has no {token}: the receiver is not asked for the test's own word")
