"""The policy of performance tuning: what may be changed, when, and what counts as a gain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from day2.inventory.amounts import Amount, amount
from day2.inventory.fields import ConnectionId, Cron, Duration, Model, PositiveDuration

# The kinds of finding that come with a statement; the others are for people.
ChangeKind = Literal[
    "missing_index",
    "unused_index",
    "duplicate_index",
    "redundant_index",
    "invalid_index",
    "index_bloat",
    "table_bloat",
    "missing_foreign_key_index",
    "vacuum_lag",
    "stale_statistics",
    "autovacuum_settings",
    "setting",
    "changed_by_hand",
]
MB = 1024**2
CHANGE_KINDS: tuple[str, ...] = get_args(ChangeKind)


def _setting(value: str) -> str:
    if not re.fullmatch(r"[a-z_*?][a-z0-9_.*?]*", value):
        raise ValueError(f"{value!r} is no name of a setting, or pattern; write one such as work_mem or log_*")
    return value


SettingPattern = Annotated[str, AfterValidator(_setting)]


class Bound(Model):
    """The smallest and the greatest value that a setting may be given."""

    min: Amount | None = Field(default=None, description="not below: 4MB, 1.1, 30s")
    max: Amount | None = Field(default=None, description="not above")

    def refuses(self, value: str) -> str | None:
        """Why the value is out of bounds; none if it is not. What cannot be compared is refused."""
        for limit, sign, word in ((self.min, -1, "below"), (self.max, 1, "above")):
            if limit is None:
                continue
            try:
                (kind, given), (of, most) = amount(value), amount(limit)
            except ValueError as error:
                return str(error)
            if kind != of:
                return f"{value} cannot be compared with the bound {limit}: give both with a unit, or none"
            if sign * given > sign * most:
                return f"{value} is {word} the bound of {limit}"
        return None


def bounded(least: str, most: str) -> Bound:
    """From the one to the other."""
    return Bound(min=least, max=most)


# Wide: they stop what is absurd on any machine. Narrow them for yours.
BOUNDS: Mapping[str, Bound] = {
    "work_mem": bounded("1MB", "256MB"),
    "maintenance_work_mem": bounded("16MB", "2GB"),
    "effective_cache_size": bounded("64MB", "1TB"),
    "random_page_cost": bounded("1", "4"),
    "effective_io_concurrency": bounded("0", "1000"),
    "max_parallel_workers_per_gather": bounded("0", "8"),
    "default_statistics_target": bounded("10", "1000"),
    "max_wal_size": bounded("256MB", "64GB"),
    "checkpoint_timeout": bounded("1min", "1h"),
    "checkpoint_completion_target": bounded("0.5", "0.95"),
}


class Allow(Model):
    """What may be changed at all. What is not in here is only advised."""

    kinds: tuple[ChangeKind, ...] = Field(
        default=("missing_index", "missing_foreign_key_index", "invalid_index", "stale_statistics", "setting"),
        description="kinds of finding whose statement may be run",
    )
    settings: tuple[SettingPattern, ...] = Field(
        default=tuple(BOUNDS), description="settings that may be changed, or patterns of them"
    )


class Measure(Model):
    """How a change's effect is measured, and what is enough to keep it."""

    block: PositiveDuration = Field(
        default="PT10M",
        validate_default=True,
        description="how long the statements are watched: before, with, and once more without the change",
    )
    settle: Duration = Field(
        default="PT30S", validate_default=True, description="not counted after a change: caches and plans are new"
    )
    minimum_calls: int = Field(default=100, ge=2, description="of the statements a change is for, in each block")
    minimum_gain_percent: float = Field(
        default=10, gt=0, lt=100, description="a smaller gain is not worth a change: it is reverted"
    )
    guard_percent: float = Field(
        default=10, gt=0, description="by how much anything else may get worse before the change is reverted"
    )
    load_percent: float = Field(
        default=50, gt=0, description="by how much the calls per second of two blocks may differ to be comparable"
    )
    confidence_percent: float = Field(default=95, ge=80, lt=100, description="of the interval around a gain")


class Find(Model):
    """From when on something counts as a finding."""

    unused_window: PositiveDuration = Field(
        default="P30D",
        validate_default=True,
        description="an index is unused if nobody used it for so long, on the primary and on each standby",
    )
    minimum_bytes: int = Field(
        default=10 * MB, ge=0, description="no index and no upkeep is proposed for a table that is smaller"
    )
    top_statements: int = Field(default=50, ge=1, description="statements looked at, those that cost most first")
    table_bloat_percent: float = Field(default=40, gt=0, lt=100, description="share of a table that is empty")
    index_bloat_percent: float = Field(default=50, gt=0, lt=100, description="share of an index that is empty")
    bloat_bytes: int = Field(default=50 * MB, ge=0, description="less is not worth a rebuild, whatever its share")
    sequence_percent: float = Field(default=75, gt=0, lt=100, description="share of a sequence that is used up")
    transaction_age: PositiveDuration = Field(
        default="PT30M", validate_default=True, description="a transaction that is open for longer"
    )
    slot_bytes: int = Field(default=1024 * MB, ge=0, description="WAL that a replication slot keeps")
    regression_percent: float = Field(
        default=100, gt=0, description="by how much a statement got slower since the last run"
    )


class TuningPolicy(Model):
    """How databases are tuned. Set for the environment; a database may override most fields."""

    schedule: Cron = Field(default="0 2 * * 0#1", description="cron, in the environment's time zone; 0#1: first Sunday")
    mode: Literal["advise", "apply_safe", "apply_approved"] = Field(
        default="advise",
        description="advise changes nothing; apply_safe makes the safe changes, without asking; apply_approved makes "
        "those that a person approved, up to moderate risk",
    )
    connection: ConnectionId | None = Field(
        default=None,
        description="Airflow connection of type postgres whose role may look and change; the database's own if unset",
    )
    allow: Allow = Field(default=Allow(), description="what may be changed at all")
    bounds: Mapping[SettingPattern, Bound] = Field(
        default={}, description="the values a setting may be given; what is not named here keeps our wide bounds"
    )
    low_load: float = Field(
        default=0.7, gt=0, description="active sessions a CPU; on a busier server a change is put off"
    )
    cpus: int | None = Field(default=None, ge=1, description="CPUs of the server, where nobody can ask its host")
    disk_limit_percent: float = Field(
        default=90, gt=0, le=100, description="no change that would fill the server's disk beyond this"
    )
    lock_timeout: PositiveDuration = Field(
        default="PT3S", validate_default=True, description="how long a change may wait for what others hold"
    )
    statement_timeout: PositiveDuration = Field(
        default="PT1H", validate_default=True, description="how long one statement may take, an index's build included"
    )
    attempts: int = Field(default=3, ge=1, le=10, description="tries of a change that a lock kept out")
    measure: Measure = Field(default=Measure(), description="how an effect is measured, and what is enough")
    find: Find = Field(default=Find(), description="from when on something is a finding")
    rehearse: Literal["never", "moderate", "always"] = Field(
        default="moderate",
        description="what is first tried on a scratch restore of the last recovery point: moderate and riskier changes",
    )
    after_patch: Duration = Field(
        default="P1D", validate_default=True, description="no change sooner than this after the server was patched"
    )
    max_changes: int = Field(default=5, ge=1, description="changes tried in one run of one database, best first")
    response_timeout: PositiveDuration = Field(
        default="PT12H", validate_default=True, description="after this an unanswered approval is a refusal"
    )
    max_targets: int = Field(default=20, ge=1, description="blast radius: more databases and the run is refused")
    lease_ttl: PositiveDuration = Field(
        default="PT6H", validate_default=True, description="how long a lease on a database lasts if nobody releases it"
    )

    def bound(self, setting: str) -> Bound:
        """The bound of a setting; without limits if nobody set one."""
        return self.bounds.get(setting) or BOUNDS.get(setting) or Bound()

    def refuses(self, kind: str, setting: str = "", value: str = "") -> str | None:
        """Why a change of this kind, or of this setting to this value, may not be made; none if it may."""
        if self.mode == "advise":
            return "the policy only advises"
        if kind not in self.allow.kinds:
            return f"the policy does not allow changes of kind {kind}"
        if not setting:
            return None
        if not any(fnmatchcase(setting, each) for each in self.allow.settings):
            return f"the policy does not allow to change {setting}"
        refused = self.bound(setting).refuses(value) if value else None
        return f"{setting}: {refused}" if refused else None

    @property
    def longest_change(self) -> timedelta:
        """What measuring one change takes at most: three blocks, each after its pause."""
        longest: timedelta = 3 * (self.measure.block + self.measure.settle)
        return longest
