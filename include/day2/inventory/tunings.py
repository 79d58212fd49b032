"""Checks of tuning policies: a run that could never change anything, or that nobody meant, is found when read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase

from day2.inventory.amounts import amount
from day2.inventory.model import Environment
from day2.inventory.problems import Finding, Location
from day2.inventory.tuning import Bound, TuningPolicy
from day2.inventory.windows import never_inside

OPERATION = "performance_tuning"


def findings(environment: Environment) -> Iterator[Finding]:
    """What cannot work as written: of the environment's policy, and of each database's own."""
    policy = environment.policies.performance_tuning
    if policy is None:
        return
    at: Location = ("policies", OPERATION)
    yield from _policy(policy, at)
    if policy.mode != "advise":
        if wrong := never_inside(environment, OPERATION, schedule=policy.schedule, offset=timedelta(0)):
            yield Finding((*at, "schedule"), wrong)
        yield from _too_long(environment, policy, at)
    for index, database in enumerate(environment.databases):
        if OPERATION in database.policies:
            yield from _policy(environment.tuning_policy(database), ("databases", index, "policies", OPERATION))


def _policy(policy: TuningPolicy, at: Location) -> Iterator[Finding]:
    for name, bound in policy.bounds.items():
        if wrong := _wrong(bound):
            yield Finding((*at, "bounds"), f"bounds of {name}: {wrong}", value=False)
        if not any(fnmatchcase(name, each) for each in policy.allow.settings):
            text = f"bounds of {name}: allow.settings does not name it, so it is never changed"
            yield Finding((*at, "bounds"), text, value=False)
    if policy.mode != "advise" and not policy.allow.kinds:
        yield Finding((*at, "mode"), f"'{policy.mode}' changes nothing: allow.kinds is empty")


def _wrong(bound: Bound) -> str | None:
    if bound.min is None or bound.max is None:
        return None if bound.min or bound.max else "bounds nothing; give it min, max, or both"
    (kind, least), (of, most) = amount(bound.min), amount(bound.max)
    if kind != of:
        return f"min {bound.min} and max {bound.max} have different units"
    return f"min {bound.min} is above max {bound.max}" if least > most else None


def _too_long(environment: Environment, policy: TuningPolicy, at: Location) -> Iterator[Finding]:
    """One change must fit into a window, or each run ends before it has measured anything."""
    windows = [each for each in environment.windows if OPERATION in each.operations]
    longest = max((each.duration for each in windows), default=None)
    if longest is not None and policy.longest_change > longest:
        text = "is measured three times, which is longer than every window for performance_tuning; make it shorter"
        yield Finding((*at, "measure", "block"), text)
