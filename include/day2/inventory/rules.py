"""Checks of sense: policies that cannot work, and what deserves a second look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from math import ceil
from urllib.parse import urlsplit

from pydantic import ValidationError

from day2.inventory import cron, explain
from day2.inventory.fields import CONNECTION, nearest
from day2.inventory.model import BackupPolicy, Database, Environment, HealthCheck, Policies
from day2.inventory.policy import RUN_FIELDS
from day2.inventory.problems import Finding, Location
from day2.units import duration

POLICIES = {name: field.annotation for name, field in Policies.model_fields.items()}


def findings(environment: Environment) -> Iterator[Finding]:
    """Every policy, repository, window and health check that cannot work as written."""
    backup = environment.policies.database_backup
    yield from _backup(environment, backup, at=("policies", "database_backup"), only=set(BackupPolicy.model_fields))
    for index, database in enumerate(environment.databases):
        yield from _overrides(environment, database, at=("databases", index, "policies"))
    for index, repository in enumerate(environment.repositories):
        if repository.url.startswith("file://") and repository.object_lock:
            yield Finding(("repositories", index, "object_lock"), "cannot be had in a folder; remove it or use s3://")
    for index, window in enumerate(environment.windows):
        if window.cutoff >= window.duration:
            yield Finding(("windows", index, "cutoff"), "leaves no time to begin; make it shorter than duration")
    for index, service in enumerate(environment.services):
        for number, check in enumerate(service.health_checks):
            if wrong := _wrong_address(check):
                yield Finding(("services", index, "health_checks", number, "address"), wrong)


def warnings(environment: Environment, today: date) -> Iterator[Finding]:
    """What still works, and deserves a second look."""
    for index, database in enumerate(environment.databases):
        for number, declared in enumerate(database.declared_empty):
            if declared.until < today:
                place = ("databases", index, "declared_empty", number, "until")
                yield Finding(place, f"{declared.until} is over: an empty '{declared.table}' is a finding again")
    regions = [environment.regions.primary, environment.regions.recovery]
    policies = [environment.backup_policy(each) for each in environment.databases]
    kept = max((each.retention.longest_days for each in policies), default=0)
    for index, repository in enumerate(environment.repositories):
        if repository.region not in regions:
            text = f"'{repository.region}' is a third region{nearest(repository.region, regions, listed=False)}"
            yield Finding(("repositories", index, "region"), text)
        if repository.object_lock and 0 < kept < repository.object_lock.days:
            text = f"{repository.object_lock.days} is longer than retention keeps anything ({kept} days)"
            yield Finding(("repositories", index, "object_lock", "days"), text)


def _overrides(environment: Environment, database: Database, *, at: Location) -> Iterator[Finding]:
    for operation, override in database.policies.items():
        where = (*at, operation)
        if operation not in POLICIES:
            yield Finding(where, f"unknown operation '{operation}'{nearest(operation, sorted(POLICIES))}", value=False)
            continue
        for name in sorted(RUN_FIELDS & override.keys()):
            text = f"belongs to the run, not to one database; set it in policies.{operation} of the environment"
            yield Finding((*where, name), text)
        policy = environment.backup_policy if operation == "database_backup" else environment.restore_policy
        try:
            resolved = policy(database)
        except ValidationError as error:
            model = BackupPolicy if operation == "database_backup" else type(environment.policies.database_restore)
            yield from explain.findings(error, model, where)
            continue
        if isinstance(resolved, BackupPolicy):
            yield from _backup(environment, resolved, at=where, only=set(override) - RUN_FIELDS)


def _backup(environment: Environment, policy: BackupPolicy, *, at: Location, only: set[str]) -> Iterator[Finding]:
    """What is wrong with a backup policy, in the fields that this place sets (`only`)."""
    known = {each.name: each for each in environment.repositories}
    if "repository" in only and policy.repository not in known:
        yield Finding((*at, "repository"), f"'{policy.repository}' is unknown{nearest(policy.repository, [*known])}")
    if only & {"repository", "copies"}:
        yield from _copies(environment, policy, at=(*at, "copies"))
    if only & {"rpo", "schedule"} and (wrong := _rpo(policy, environment.timezone)):
        yield Finding((*at, "rpo"), wrong)


def _copies(environment: Environment, policy: BackupPolicy, *, at: Location) -> Iterator[Finding]:
    urls = {each.name: each.url.rstrip("/") for each in environment.repositories}
    places = {urls.get(policy.repository): policy.repository}
    for index, name in enumerate(policy.copies):
        if name not in urls:
            yield Finding((*at, index), f"'{name}' is unknown{nearest(name, [*urls])}")
        elif urls[name] in places:
            text = f"'{name}' is the place of '{places[urls[name]]}' already, so it is no copy; remove it"
            yield Finding((*at, index), text)
        places.setdefault(urls.get(name), name)


def _rpo(policy: BackupPolicy, timezone: str) -> str | None:
    gap = cron.longest_gap(policy.schedule, timezone)
    if policy.rpo >= gap:
        return None
    extra = cron.clocks_go_back(timezone)
    why = f", when clocks go back in {timezone}" if extra and gap >= timedelta(days=1) else ""
    hours = ceil(gap / timedelta(hours=1))
    return (
        f"of {duration(policy.rpo.total_seconds())} is shorter than the longest gap of schedule "
        f"'{policy.schedule}' ({duration(gap.total_seconds())}{why}); write PT{hours}H or more, or run it more often"
    )


def _wrong_address(check: HealthCheck) -> str | None:
    if check.kind == "sql":
        return None if re.match(CONNECTION, check.address) else "must be a connection id when kind is sql"
    if check.kind == "tcp":
        host, _, port = check.address.rpartition(":")
        return None if host and port.isdigit() and int(port) < 65536 else "must be host:port when kind is tcp"
    url = urlsplit(check.address)
    if url.scheme not in ("http", "https") or not url.hostname:
        return "must start with http:// or https:// when kind is http"
    return "must not hold credentials; inventories are not secret" if url.password or url.username else None
