"""What an environment file may say: typed, frozen, with the defaults written down.

One file describes one environment. Times are ISO 8601 durations (`PT26H`), schedules are cron in the
environment's time zone, secrets are Airflow connection ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, TypeVar

from pydantic import Field

from day2.inventory.capacity import CapacityPolicy
from day2.inventory.drill import DrillPolicy
from day2.inventory.fields import (
    ConnectionId,
    Cron,
    Duration,
    Model,
    Name,
    Operation,
    PositiveDuration,
    RepositoryUrl,
    TimeZone,
)
from day2.inventory.health import HealthPolicy
from day2.inventory.patching import PatchException, PatchPolicy, WaveName
from day2.inventory.policy import BackupPolicy, Encryption, Policies, RestorePolicy, Retention
from day2.inventory.scaling import Resource, ScalingPolicy
from day2.inventory.tuning import TuningPolicy

__all__ = [
    "BackupPolicy",
    "CapacityPolicy",
    "Database",
    "DeclaredEmpty",
    "DrillPolicy",
    "Encryption",
    "Environment",
    "HealthCheck",
    "HealthPolicy",
    "Host",
    "Module",
    "ObjectLock",
    "PatchException",
    "PatchPolicy",
    "Policies",
    "Regions",
    "Repository",
    "Resource",
    "RestorePolicy",
    "Retention",
    "ScalingPolicy",
    "Service",
    "Standby",
    "TuningPolicy",
    "Window",
]

OWNER = "who answers for it; the environment's owner if unset"
TAGS = "labels of your own"
DEPENDS_ON = "kind/name: database/orders, host/web-01, service/cart"


class ObjectLock(Model):
    """The lock every object gets, and that is read back and tried."""

    mode: Literal["COMPLIANCE", "GOVERNANCE"] = Field(
        default="COMPLIANCE", description="COMPLIANCE: nobody can lift it"
    )
    days: int = Field(ge=1, description="how long an object cannot be deleted")


class Repository(Model):
    """Where recovery points live: an S3 bucket and prefix, or a folder."""

    name: Name = Field(description="what policies call it")
    url: RepositoryUrl = Field(description="s3://bucket/prefix, or file:///folder")
    connection: ConnectionId | None = Field(
        default=None, description="Airflow connection of type aws; none for file://"
    )
    region: Name = Field(description="where the medium is")
    media: str = Field(default="object-storage", description="kind of medium, for the 3-2-1-1-0 score")
    object_lock: ObjectLock | None = Field(default=None, description="the bucket's lock, which is read back and tried")


class DeclaredEmpty(Model):
    """A table that is empty on purpose. Without this an empty table is a finding."""

    table: str = Field(description="schema.table")
    reason: str = Field(min_length=3, description="why it is empty")
    until: date = Field(description="the last day this holds; look again then")


HOST = "the host it runs on: one of `hosts`"
DATA = "its data directory; if unset, the PGDATA of the host's login"
UNIT = "its systemd unit; if unset, pg_ctl starts and stops it"


class Standby(Model):
    """The streaming copy that takes over in a disaster."""

    connection: ConnectionId = Field(description="Airflow connection of type postgres")
    region: Name = Field(description="where it runs")
    host: Name | None = Field(default=None, description=HOST)
    data_directory: str | None = Field(default=None, description=DATA)
    systemd_unit: str | None = Field(default=None, description=UNIT)


class Database(Model):
    """A PostgreSQL database: what operations call it, and the connection that reaches it."""

    name: Name = Field(description="what operations call it")
    connection: ConnectionId = Field(description="Airflow connection of type postgres")
    dbname: str | None = Field(default=None, description="the database's own name, if the connection does not say it")
    region: Name = Field(description="where it runs")
    owner: str | None = Field(default=None, description=OWNER)
    tags: dict[str, str] = Field(default={}, description=TAGS)
    host: Name | None = Field(default=None, description=HOST)
    data_directory: str | None = Field(default=None, description=DATA)
    systemd_unit: str | None = Field(default=None, description=UNIT)
    standby: Standby | None = Field(default=None, description="its streaming standby")
    depends_on: tuple[str, ...] = Field(default=(), description=DEPENDS_ON)
    declared_empty: tuple[DeclaredEmpty, ...] = Field(default=(), description="tables that are empty on purpose")
    policies: dict[str, dict[str, Any]] = Field(default={}, description="operation: the fields that differ here")


class Host(Model):
    """A Linux machine."""

    name: Name = Field(description="what operations call it")
    address: str = Field(description="host name or address")
    connection: ConnectionId = Field(description="Airflow connection of type ssh")
    region: Name = Field(description="where it runs")
    wave: WaveName = Field(default="broad", description="when changes reach it")
    patching: bool = Field(default=True, description="whether security_patching manages it; false: somebody else does")
    owner: str | None = Field(default=None, description=OWNER)
    tags: dict[str, str] = Field(default={}, description=TAGS)
    depends_on: tuple[str, ...] = Field(default=(), description=DEPENDS_ON)
    policies: dict[str, dict[str, Any]] = Field(default={}, description="operation: the fields that differ here")


class HealthCheck(Model):
    """How to tell from outside that a service works."""

    kind: Literal["http", "tcp", "sql"] = Field(description="what is tried")
    address: str = Field(description="URL, host:port, or a connection id for sql")
    expect: str | None = Field(
        default=None,
        description="text or status that must come back; of sql, whether the server is in recovery: true or false",
    )
    timeout: PositiveDuration = Field(
        default="PT5S", validate_default=True, description="no answer by then is a failure"
    )


class Service(Model):
    """What people use, and what it stands on."""

    name: Name = Field(description="what operations call it")
    owner: str | None = Field(default=None, description=OWNER)
    tags: dict[str, str] = Field(default={}, description=TAGS)
    depends_on: tuple[str, ...] = Field(default=(), description=DEPENDS_ON)
    health_checks: tuple[HealthCheck, ...] = Field(default=(), description="all must pass for it to be healthy")


class Module(Model):
    """An infrastructure-as-code module that made some of the targets."""

    name: Name = Field(description="what operations call it")
    source: str = Field(description="where its code is")
    version: str = Field(description="the version that should be applied")
    manages: tuple[str, ...] = Field(default=(), description="the targets it made, as kind/name")


class Window(Model):
    """When change is allowed: cron for the start, a length, and when no new work may begin."""

    name: Name = Field(description="what a plan calls it")
    start: Cron = Field(description="cron, in the environment's time zone")
    duration: PositiveDuration = Field(description="how long it is open")
    cutoff: Duration = Field(default="PT0S", validate_default=True, description="before the end; no new work after it")
    operations: tuple[Operation, ...] = Field(default=(), description="the operations it is for")


class Regions(Model):
    """Where it runs, and where it comes back after a disaster."""

    primary: Name = Field(description="where it runs")
    recovery: Name = Field(description="where it comes back")


class Environment(Model):
    """One environment: the single source of truth for what is operated and how."""

    name: Name = Field(description="the file's name without .yaml")
    tier: Literal["production", "staging", "development"] = Field(description="how much care it needs")
    regions: Regions = Field(description="where it runs, and where it comes back")
    timezone: TimeZone = Field(default="UTC", description="IANA time zone of schedules and windows")
    owner: str = Field(description="who answers for it")
    tags: dict[str, str] = Field(default={}, description=TAGS)
    calendar: str | None = Field(default=None, description="change freezes: an .ics file in the calendars folder")
    windows: tuple[Window, ...] = Field(default=(), description="when change is allowed")
    ledger: ConnectionId = Field(default="day2_ledger", description="Airflow connection of the ledger")
    repositories: tuple[Repository, ...] = Field(default=(), description="where recovery points live")
    databases: tuple[Database, ...] = Field(default=(), description="PostgreSQL databases")
    hosts: tuple[Host, ...] = Field(default=(), description="Linux machines")
    services: tuple[Service, ...] = Field(default=(), description="what people use")
    resources: tuple[Resource, ...] = Field(default=(), description="what can be scaled")
    modules: tuple[Module, ...] = Field(default=(), description="infrastructure as code")
    patch_exceptions: tuple[PatchException, ...] = Field(
        default=(), description="updates that are late on purpose: the register of exceptions"
    )
    policies: Policies = Field(description="how each operation is done")

    def database(self, name: str) -> Database:
        """The database of that name. Raises KeyError."""
        return {each.name: each for each in self.databases}[name]

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError."""
        return {each.name: each for each in self.hosts}[name]

    def resource(self, name: str) -> Resource:
        """The resource of that name. Raises KeyError."""
        return {each.name: each for each in self.resources}[name]

    @property
    def patched(self) -> tuple[Host, ...]:
        """The hosts that security_patching manages, in the inventory's order."""
        return tuple(each for each in self.hosts if each.patching)

    @property
    def watched(self) -> tuple[str, ...]:
        """Everything that health checks look at, as kind/name, in the inventory's order."""
        return (
            *(f"host/{each.name}" for each in self.hosts),
            *(f"database/{each.name}" for each in self.databases),
            *(f"standby/{each.name}" for each in self.databases if each.standby),
            *(f"service/{each.name}" for each in self.services if each.health_checks),
            *(f"repository/{each.name}" for each in self.repositories),
        )

    @property
    def measured(self) -> dict[str, Database | Host]:
        """What samples are about, by the name that they carry: database/orders, host/web-01."""
        found: dict[str, Database | Host] = {f"database/{each.name}": each for each in self.databases}
        return found | {f"host/{each.name}": each for each in self.hosts}

    def repository(self, name: str) -> Repository:
        """The repository of that name. Raises KeyError."""
        return {each.name: each for each in self.repositories}[name]

    def backup_policy(self, database: Database) -> BackupPolicy:
        """The environment's backup policy with this database's overrides, validated again."""
        return _overridden(self.policies.database_backup, database.policies.get("database_backup"))

    def restore_policy(self, database: Database) -> RestorePolicy:
        """The environment's restore policy with this database's overrides, validated again."""
        return _overridden(self.policies.database_restore, database.policies.get("database_restore"))

    def drill_policy(self, database: Database) -> DrillPolicy:
        """The environment's drill policy with this database's overrides. Raises KeyError where there is none."""
        if self.policies.dr_drill is None:
            raise KeyError("dr_drill")
        return _overridden(self.policies.dr_drill, database.policies.get("dr_drill"))

    def tuning_policy(self, database: Database) -> TuningPolicy:
        """The environment's tuning policy with this database's overrides. Raises KeyError where there is none."""
        if self.policies.performance_tuning is None:
            raise KeyError("performance_tuning")
        return _overridden(self.policies.performance_tuning, database.policies.get("performance_tuning"))

    def patch_policy(self, host: Host) -> PatchPolicy:
        """The environment's patch policy with this host's overrides. Raises KeyError where there is none."""
        if self.policies.security_patching is None:
            raise KeyError("security_patching")
        return _overridden(self.policies.security_patching, host.policies.get("security_patching"))


Policy = TypeVar("Policy", bound=Model)


def _overridden(policy: Policy, override: Mapping[str, Any] | None) -> Policy:
    if not override:
        return policy
    return type(policy).model_validate(_merged(policy.model_dump(), override))


def _merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """`override` wins, field by field also inside: `retention: {daily: 3}` leaves weekly as it was."""
    result = dict(base)
    for key, value in override.items():
        inner = result.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(inner, value) if both else value  # type: ignore[arg-type]
    return result
