"""Warnings: what works as written, and still deserves a second look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from day2.inventory import patches
from day2.inventory.fields import nearest
from day2.inventory.model import Environment
from day2.inventory.problems import Finding


def findings(environment: Environment, today: date) -> Iterator[Finding]:
    """What a person should look at; nothing here stops an operation."""
    yield from _over(environment, today)
    yield from _third_regions(environment)
    yield from _long_locks(environment)
    yield from patches.second_look(environment, today)


def _over(environment: Environment, today: date) -> Iterator[Finding]:
    for index, database in enumerate(environment.databases):
        for number, declared in enumerate(database.declared_empty):
            if declared.until < today:
                place = ("databases", index, "declared_empty", number, "until")
                yield Finding(place, f"{declared.until} is over: an empty '{declared.table}' is a finding again")


def _third_regions(environment: Environment) -> Iterator[Finding]:
    """A third region may be meant. A misspelt one would count as off-site when it is not."""
    regions = [environment.regions.primary, environment.regions.recovery]
    for index, repository in enumerate(environment.repositories):
        if repository.region not in regions:
            text = f"'{repository.region}' is a third region{nearest(repository.region, regions, listed=False)}"
            yield Finding(("repositories", index, "region"), text)


def _long_locks(environment: Environment) -> Iterator[Finding]:
    policies = [environment.backup_policy(each) for each in environment.databases]
    kept = max((each.retention.longest_days for each in policies), default=0)
    for index, repository in enumerate(environment.repositories):
        if repository.object_lock and 0 < kept < repository.object_lock.days:
            text = f"{repository.object_lock.days} is longer than retention keeps anything ({kept} days)"
            yield Finding(("repositories", index, "object_lock", "days"), text)
