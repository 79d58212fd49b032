"""Checks of resources and of the scaling policy: sizes out of order, names of nothing, hours nobody could keep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from day2.inventory.fields import nearest
from day2.inventory.model import Environment
from day2.inventory.problems import Finding, Location
from day2.inventory.scaling import COUNTED, Command, Hours, Resource
from day2.inventory.windows import never_inside

OPERATION = "scale_resource"


def findings(environment: Environment) -> Iterator[Finding]:
    """What cannot work as written."""
    for index, each in enumerate(environment.resources):
        at: Location = ("resources", index)
        wrong_sizes = list(_sizes(each, at))
        yield from wrong_sizes
        yield from _references(environment, each, at)
        yield from _limits(each, at)
        if not wrong_sizes:  # the hours name sizes
            yield from _hours(each, at)
    yield from _same_thing(environment)
    yield from _policy(environment)


def _sizes(resource: Resource, at: Location) -> Iterator[Finding]:
    kind = resource.driver.kind
    if bool(resource.ladder) == (resource.count is not None):
        yield Finding((*at, "name"), f"'{resource.name}' needs its sizes: either ladder or count")
        return
    if kind in COUNTED and resource.count is None:
        yield Finding((*at, "ladder"), f"has names; a driver of kind {kind} counts: give it count")
    if kind == "rds_class" and resource.count is not None:
        yield Finding((*at, "count"), "counts; a driver of kind rds_class has names: give it ladder")
    names = [each.name for each in resource.ladder]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Finding((*at, "ladder", number, "name"), f"'{name}' is already a size of this ladder")
    for number, (before, after) in enumerate(pairwise(resource.ladder), 1):
        if after.capacity <= before.capacity:
            text = (
                f"{after.capacity:g} is not more than {before.capacity:g} of '{before.name}'; the smallest comes first"
            )
            yield Finding((*at, "ladder", number, "capacity"), text)
        if after.cost < before.cost:
            text = f"{after.cost:g} is less than {before.cost:g} of '{before.name}', which is smaller"
            yield Finding((*at, "ladder", number, "cost"), text)


def _references(environment: Environment, resource: Resource, at: Location) -> Iterator[Finding]:
    driver = resource.driver
    if isinstance(driver, Command) and driver.host is not None:
        known = [each.name for each in environment.hosts]
        if driver.host not in known:
            yield Finding(
                (*at, "driver", "host"), f"'{driver.host}' is not one of the hosts{nearest(driver.host, known)}"
            )
    if resource.follows is not None:
        targets = list(environment.watched)
        if (wanted := resource.follows.target) not in targets:
            text = f"'{wanted}' is nothing that health_check looks at{nearest(wanted, targets)}"
            yield Finding((*at, "follows", "target"), text)


def _limits(resource: Resource, at: Location) -> Iterator[Finding]:
    if resource.less_at is not None and resource.less_at >= resource.more_at - resource.margin:
        text = f"{resource.less_at:g} is too near to more_at {resource.more_at:g} with a margin of {resource.margin:g}"
        yield Finding((*at, "less_at"), text)
    if resource.only_grows and resource.less_at is not None:
        yield Finding((*at, "less_at"), f"must be null: a driver of kind {resource.driver.kind} can only grow")
    if not resource.sizes or resource.budget is None:
        return
    if resource.budget < (least := resource.sizes[0]).cost:
        yield Finding((*at, "budget"), f"{resource.budget:g} does not pay for the smallest size, {least.name}")


def _hours(resource: Resource, at: Location) -> Iterator[Finding]:
    names = [each.name for each in resource.sizes]
    for number, each in enumerate(resource.schedules):
        where: Location = (*at, "schedules", number)
        if wrong := _wrong(each, names):
            yield Finding((*where, wrong[0]), wrong[1])
        if resource.only_grows and each.at_most is not None:
            yield Finding((*where, "at_most"), f"cannot be kept: a driver of kind {resource.driver.kind} can only grow")


def _wrong(hours: Hours, names: list[str]) -> tuple[str, str] | None:
    if hours.at_least is None and hours.at_most is None:
        return "start", "asks for nothing; give it at_least, at_most, or both"
    for field, wanted in (("at_least", hours.at_least), ("at_most", hours.at_most)):
        if wanted is not None and wanted not in names:
            return field, f"'{wanted}' is not one of its sizes{nearest(wanted, names)}"
    if hours.at_least and hours.at_most and names.index(hours.at_least) > names.index(hours.at_most):
        return "at_least", f"'{hours.at_least}' is more than at_most '{hours.at_most}'"
    return None


def _same_thing(environment: Environment) -> Iterator[Finding]:
    """Leases, cooldowns and approvals go by name: two names for one thing would get past all three."""
    seen: dict[str, str] = {}
    for index, each in enumerate(environment.resources):
        other = seen.setdefault(each.driver.model_dump_json(), each.name)
        if other != each.name:
            yield Finding(("resources", index, "driver"), f"is that of '{other}'; one thing has one name")


def _policy(environment: Environment) -> Iterator[Finding]:
    policy = environment.policies.scale_resource
    if policy is None:
        return
    at: Location = ("policies", OPERATION)
    if not environment.resources:
        yield Finding(at, "there is nothing to scale; describe resources, or remove the policy", value=False)
    if policy.lease_ttl <= policy.verify_within:
        yield Finding((*at, "lease_ttl"), "must be longer than verify_within: a size is waited for under the lease")
    if policy.schedule is None:
        for index, each in enumerate(environment.resources):
            if each.schedules:
                text = "are kept only when a run begins: give policies.scale_resource a schedule, */15 * * * * say"
                yield Finding(("resources", index, "schedules"), text)
    elif wrong := never_inside(environment, OPERATION, schedule=policy.schedule, offset=timedelta(0)):
        yield Finding((*at, "schedule"), wrong)
