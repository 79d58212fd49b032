"""Checks of sense: what is spelt right and still cannot work as written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from urllib.parse import urlsplit

from pydantic import ValidationError

from day2.inventory import backups, capacities, drills, explain, patches, scalings, tunings, watching
from day2.inventory.fields import CONNECTION, Model, nearest
from day2.inventory.model import (
    BackupPolicy,
    Database,
    DrillPolicy,
    Environment,
    HealthCheck,
    RestorePolicy,
    TuningPolicy,
)
from day2.inventory.policy import RUN_FIELDS
from day2.inventory.problems import Finding, Location

RESOLVED: dict[str, tuple[type[Model], Callable[[Environment, Database], Model]]] = {
    "database_backup": (BackupPolicy, Environment.backup_policy),
    "database_restore": (RestorePolicy, Environment.restore_policy),
    "dr_drill": (DrillPolicy, Environment.drill_policy),
    "performance_tuning": (TuningPolicy, Environment.tuning_policy),
}


def findings(environment: Environment) -> list[Finding]:
    """Every policy, repository, window and health check that cannot work as written."""
    overrides = (
        _overrides(environment, database, at=("databases", index, "policies"))
        for index, database in enumerate(environment.databases)
    )
    found = [
        *backups.findings(
            environment,
            environment.policies.database_backup,
            at=("policies", "database_backup"),
            only=set(BackupPolicy.model_fields),
        ),
        *chain.from_iterable(overrides),
        *_locked_folders(environment),
        *_short_windows(environment),
        *_wrong_addresses(environment),
    ]
    # A policy that could not be read cannot be asked what it lacks.
    found = found or [
        *drills.findings(environment),
        *patches.findings(environment),
        *tunings.findings(environment),
        *scalings.findings(environment),
        *capacities.findings(environment),
        *watching.findings(environment),
    ]
    # A score is only worth counting when every policy and repository it counts is right.
    return found or list(backups.unreachable_scores(environment))


def _overrides(environment: Environment, database: Database, *, at: Location) -> Iterator[Finding]:
    for operation, override in database.policies.items():
        where = (*at, operation)
        if operation not in RESOLVED:
            yield Finding(where, f"unknown operation '{operation}'{nearest(operation, [*RESOLVED])}", value=False)
            continue
        for name in sorted(RUN_FIELDS & override.keys()):
            text = f"belongs to the run, not to one database; set it in policies.{operation} of the environment"
            yield Finding((*where, name), text)
        model, resolve = RESOLVED[operation]
        if getattr(environment.policies, operation) is None:
            yield Finding(where, "the environment has no policy of that name to differ from", value=False)
            continue
        try:
            policy = resolve(environment, database)
        except ValidationError as error:
            yield from explain.findings(error, model, where)
            continue
        if isinstance(policy, BackupPolicy):
            yield from backups.findings(environment, policy, at=where, only=set(override) - RUN_FIELDS)


def _locked_folders(environment: Environment) -> Iterator[Finding]:
    for index, repository in enumerate(environment.repositories):
        if repository.url.startswith("file://") and repository.object_lock:
            yield Finding(("repositories", index, "object_lock"), "cannot be had in a folder; remove it or use s3://")


def _short_windows(environment: Environment) -> Iterator[Finding]:
    for index, window in enumerate(environment.windows):
        if window.cutoff >= window.duration:
            yield Finding(("windows", index, "cutoff"), "leaves no time to begin; make it shorter than duration")


def _wrong_addresses(environment: Environment) -> Iterator[Finding]:
    for index, service in enumerate(environment.services):
        for number, check in enumerate(service.health_checks):
            if wrong := _wrong_address(check):
                yield Finding(("services", index, "health_checks", number, "address"), wrong)


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
