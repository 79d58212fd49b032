"""Checks of capacity policies: what a review would pass over in silence is found when the file is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from day2.inventory.fields import nearest
from day2.inventory.model import Database, Environment, Host
from day2.inventory.problems import Finding, Location

OPERATION = "capacity_review"


def findings(environment: Environment) -> Iterator[Finding]:
    """Incidents of targets that there are none of, sizes that nobody described, and a review of nothing."""
    policy = environment.policies.capacity_review
    if policy is None:
        return
    at: Location = ("policies", OPERATION)
    if not policy.reviewed:
        yield Finding((*at, "resources"), "leaves nothing to review", value=False)
    known = sorted(environment.measured)
    for index, incident in enumerate(policy.incidents):
        for number, name in enumerate(incident.targets):
            if name not in known:
                yield Finding(
                    (*at, "incidents", index, "targets", number), f"'{name}' is unknown{nearest(name, known)}"
                )
    if policy.sizing is None:
        return
    sizes, tag = [each.name for each in policy.sizing.sizes], policy.sizing.tag
    for section, targets in (("databases", environment.databases), ("hosts", environment.hosts)):
        yield from _sizes(section, targets, sizes, tag)


def _sizes(section: str, targets: Sequence[Database | Host], sizes: list[str], tag: str) -> Iterator[Finding]:
    for index, target in enumerate(targets):
        size = target.tags.get(tag)
        if size is not None and size not in sizes:
            yield Finding((section, index, "tags", tag), f"'{size}' is no size of {OPERATION}{nearest(size, sizes)}")
