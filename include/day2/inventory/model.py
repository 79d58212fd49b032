"""What an environment file may say: typed, frozen, with the defaults written down.

One file describes one environment. Times are ISO 8601 durations (`PT26H`), schedules are cron in the
environment's time zone, secrets are Airflow connection ids.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ConnectionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Retention(Model):
    """Grandfather-father-son: how many days, weeks, months and years keep a recovery point."""

    daily: int = Field(7, ge=0)
    weekly: int = Field(4, ge=0)
    monthly: int = Field(12, ge=0)
    yearly: int = Field(0, ge=0)
    minimum: int = Field(2, ge=1, description="never fewer verified recovery points than this")


class Encryption(Model):
    """age (age-encryption.org/v1): who can decrypt, and where the restore test finds its identity."""

    recipients: tuple[str, ...] = Field(min_length=1, description="age public keys, age1…")
    identity: ConnectionId = Field(description="Airflow connection whose password is an age secret key")


class BackupPolicy(Model):
    """How databases are backed up. Set for the environment; a database may override any field."""

    schedule: str = Field("0 2 * * *", description="cron, in the environment's time zone")
    engine: Literal["physical", "logical"] = "physical"
    rpo: timedelta = Field(timedelta(hours=26), description="recovery point objective")
    rto: timedelta = Field(timedelta(hours=1), description="objective for the restore itself")
    repository: Name = Field("primary", description="where recovery points are written")
    copies: tuple[Name, ...] = Field((), description="repositories that receive a copy")
    encryption: Encryption | Literal["none"] = Field(description="`none` must be said, it is never a default")
    retention: Retention = Retention()
    compression_level: int = Field(3, ge=1, le=19, description="zstd level")
    compression_workers: int = Field(2, ge=0, le=64, description="zstd threads")
    minimum_bytes: int = Field(0, ge=0, description="a stored recovery point smaller than this is a failure")
    size_change_percent: int = Field(50, ge=1, description="allowed change against the trailing median")
    max_targets: int = Field(50, ge=1, description="blast radius: more databases than this and the run is refused")
    lease_ttl: timedelta = timedelta(hours=6)
    scratch: Path | None = Field(None, description="folder for restore tests; the worker's temporary folder if unset")
    retries: int = Field(2, ge=0, le=10)
    retry_delay: timedelta = timedelta(minutes=2)


class RestorePolicy(Model):
    """Who may restore, and how in-place restores are approved."""

    approvers: int = Field(1, ge=1, description="approvals an in-place restore needs")
    response_timeout: timedelta = timedelta(hours=4)
    lease_ttl: timedelta = timedelta(hours=6)


class Policies(Model):
    database_backup: BackupPolicy
    database_restore: RestorePolicy = RestorePolicy()


class ObjectLock(Model):
    """The lock every object gets, and that is read back and tried."""

    mode: Literal["COMPLIANCE", "GOVERNANCE"] = "COMPLIANCE"
    days: int = Field(ge=1)


class Repository(Model):
    """Where recovery points live: an S3 bucket and prefix, or a folder."""

    name: Name
    url: Annotated[str, StringConstraints(pattern=r"^(s3://[^/]+(/.*)?|file:///.+)$")]
    connection: ConnectionId | None = Field(None, description="Airflow connection of type aws; none for file://")
    region: Name
    media: str = Field("object-storage", description="kind of medium, for the 3-2-1-1-0 score")
    object_lock: ObjectLock | None = None


class DeclaredEmpty(Model):
    """A table that is empty on purpose. Without this an empty table is a finding."""

    table: str = Field(description="schema.table")
    reason: str = Field(min_length=3)
    until: date


class Standby(Model):
    connection: ConnectionId
    region: Name


class Database(Model):
    """A PostgreSQL database: what operations call it, and the connection that reaches it."""

    name: Name
    connection: ConnectionId = Field(description="Airflow connection of type postgres")
    dbname: str | None = Field(None, description="the database's own name, if the connection does not say it")
    region: Name
    owner: str | None = None
    tags: dict[str, str] = {}
    standby: Standby | None = None
    depends_on: tuple[str, ...] = ()
    declared_empty: tuple[DeclaredEmpty, ...] = ()
    policies: dict[str, dict[str, Any]] = Field({}, description="operation: the fields that differ here")


class Host(Model):
    name: Name
    address: str
    connection: ConnectionId = Field(description="Airflow connection of type ssh")
    region: Name
    wave: Literal["canary", "early", "broad"] = "broad"
    owner: str | None = None
    tags: dict[str, str] = {}
    depends_on: tuple[str, ...] = ()


class HealthCheck(Model):
    """How to tell from outside that a service works."""

    kind: Literal["http", "tcp", "sql"]
    address: str = Field(description="URL, host:port, or a connection id for sql")
    expect: str | None = Field(None, description="text, status or value that must come back")
    timeout: timedelta = timedelta(seconds=5)


class Service(Model):
    name: Name
    owner: str | None = None
    tags: dict[str, str] = {}
    depends_on: tuple[str, ...] = Field((), description="kind/name: database/orders, host/web-01, service/cart")
    health_checks: tuple[HealthCheck, ...] = ()


class Module(Model):
    """An infrastructure-as-code module that made some of the targets."""

    name: Name
    source: str
    version: str
    manages: tuple[str, ...] = ()


class Window(Model):
    """When change is allowed: cron for the start, a length, and when no new work may begin."""

    name: Name
    start: str = Field(description="cron, in the environment's time zone")
    duration: timedelta
    cutoff: timedelta = Field(timedelta(0), description="before the end; no new work after it")
    operations: tuple[str, ...] = ()


class Regions(Model):
    primary: Name
    recovery: Name


class Environment(Model):
    """One environment: the single source of truth for what is operated and how."""

    name: Name
    tier: Literal["production", "staging", "development"]
    regions: Regions
    timezone: str = "UTC"
    owner: str
    tags: dict[str, str] = {}
    calendar: str | None = Field(None, description="file in include/calendars")
    windows: tuple[Window, ...] = ()
    ledger: ConnectionId = "day2_ledger"
    repositories: tuple[Repository, ...] = ()
    databases: tuple[Database, ...] = ()
    hosts: tuple[Host, ...] = ()
    services: tuple[Service, ...] = ()
    modules: tuple[Module, ...] = ()
    policies: Policies

    def database(self, name: str) -> Database:
        """The database of that name. Raises KeyError."""
        return {each.name: each for each in self.databases}[name]

    def repository(self, name: str) -> Repository:
        """The repository of that name. Raises KeyError."""
        return {each.name: each for each in self.repositories}[name]

    def backup_policy(self, database: Database) -> BackupPolicy:
        """The environment's backup policy with this database's overrides, validated again."""
        merged = self.policies.database_backup.model_dump() | database.policies.get("database_backup", {})
        return BackupPolicy.model_validate(merged)
