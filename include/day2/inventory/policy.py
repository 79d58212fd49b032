"""Policies: how each operation is done. Set for an environment; a target may override fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from day2.inventory.capacity import CapacityPolicy
from day2.inventory.drill import DrillPolicy
from day2.inventory.fields import ConnectionId, Cron, Duration, Model, Name, PositiveDuration, Recipient
from day2.inventory.health import HealthPolicy
from day2.inventory.patching import PatchPolicy
from day2.inventory.scaling import DRIVER_TAGS, ScalingPolicy
from day2.inventory.tuning import TuningPolicy

# One run covers every target of an environment, so these belong to the run and not to one target.
RUN_FIELDS = frozenset(
    {"schedule", "max_targets", "retries", "retry_delay", "hold", "manual_steps", "sign_off_timeout"}
)


class Retention(Model):
    """Grandfather-father-son: how many days, weeks, months and years keep a recovery point."""

    daily: int = Field(default=7, ge=0, description="days that keep their newest recovery point")
    weekly: int = Field(default=4, ge=0, description="weeks that keep their newest recovery point")
    monthly: int = Field(default=12, ge=0, description="months that keep their newest recovery point")
    yearly: int = Field(default=0, ge=0, description="years that keep their newest recovery point")
    minimum: int = Field(default=2, ge=1, description="never fewer verified recovery points than this")

    @property
    def longest_days(self) -> int:
        """The greatest age, in days, that this lets a recovery point reach."""
        return max(self.daily, self.weekly * 7, self.monthly * 31, self.yearly * 366)


class Encryption(Model):
    """age (age-encryption.org/v1): who can decrypt, and where the restore test finds its identity."""

    recipients: tuple[Recipient, ...] = Field(
        min_length=1,
        description="age public keys (age1…), or `connection:<id>` when the key is that connection's login",
    )
    identity: ConnectionId = Field(description="Airflow connection whose password is an age secret key")


SCORE = r"^\d-\d-\d-\d-\d$"

# Pydantic puts these into the location of an error; they are not in the file.
UNION_TAGS = frozenset({"age", "none"}) | DRIVER_TAGS


def _kind(value: Any) -> str:
    return "none" if isinstance(value, str) else "age"


# Told apart by shape, so that a mistake inside `encryption` is reported once, for what was meant.
EncryptionChoice = Annotated[
    Annotated[Encryption, Tag("age")] | Annotated[Literal["none"], Tag("none")], Discriminator(_kind)
]


class BackupPolicy(Model):
    """How databases are backed up. Set for the environment; a database may override most fields."""

    schedule: Cron = Field(default="0 2 * * *", description="cron, in the environment's time zone")
    engine: Literal["physical", "logical"] = Field(
        default="physical", description="physical copies the whole server; logical dumps one database"
    )
    rpo: PositiveDuration = Field(default="PT26H", validate_default=True, description="recovery point objective")
    rto: PositiveDuration = Field(
        default="PT1H", validate_default=True, description="recovery time objective: for the restore itself"
    )
    repository: Name = Field(default="primary", description="where recovery points are written")
    copies: tuple[Name, ...] = Field(default=(), description="repositories that receive a copy")
    encryption: EncryptionChoice = Field(description="`none` must be said, it is never a default")
    retention: Retention = Field(default=Retention(), description="which recovery points are kept")
    compression_level: int = Field(default=3, ge=1, le=19, description="zstd level")
    compression_workers: int = Field(default=2, ge=0, le=64, description="zstd threads")
    minimum_bytes: int = Field(default=0, ge=0, description="a stored recovery point smaller than this is a failure")
    size_change_percent: int = Field(default=50, ge=1, description="allowed change against the trailing median")
    required_score: str = Field(
        default="3-2-1-1-0",
        pattern=SCORE,
        description="3-2-1-1-0 score to reach: copies (the live one counts), media, off-site, immutable, errors",
    )
    max_targets: int = Field(
        default=50, ge=1, description="blast radius: more databases than this and the run is refused"
    )
    lease_ttl: PositiveDuration = Field(
        default="PT6H", validate_default=True, description="how long a lease on a database lasts if nobody releases it"
    )
    scratch: Path | None = Field(
        default=None, description="folder for restore tests; the worker's temporary folder if unset"
    )
    retries: int = Field(default=2, ge=0, le=10, description="how often a failed database is tried again")
    retry_delay: Duration = Field(default="PT2M", validate_default=True, description="time between two tries")


class RestorePolicy(Model):
    """With which rights a database is restored, and how long an in-place restore waits for its approval."""

    connection: ConnectionId | None = Field(
        default=None,
        description="Airflow connection of type postgres whose role may create databases; the database's own if unset",
    )
    response_timeout: PositiveDuration = Field(
        default="PT4H", validate_default=True, description="after this an unanswered approval is a refusal"
    )
    lease_ttl: PositiveDuration = Field(
        default="PT6H", validate_default=True, description="how long a lease on a database lasts if nobody releases it"
    )


class Policies(Model):
    """One policy an operation."""

    database_backup: BackupPolicy = Field(description="how databases are backed up")
    database_restore: RestorePolicy = Field(default=RestorePolicy(), description="how databases are restored")
    dr_drill: DrillPolicy | None = Field(default=None, description="how a disaster is rehearsed; never, if unset")
    security_patching: PatchPolicy | None = Field(default=None, description="how hosts are patched; never, if unset")
    performance_tuning: TuningPolicy | None = Field(
        default=None, description="how databases are tuned; never, if unset"
    )
    capacity_review: CapacityPolicy | None = Field(
        default=None, description="how capacity is reviewed; never, if unset"
    )
    health_check: HealthPolicy | None = Field(default=None, description="how everything is watched; never, if unset")
    scale_resource: ScalingPolicy | None = Field(default=None, description="how resources are scaled; never, if unset")
