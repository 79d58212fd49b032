"""The policy of security patching, and the register of exceptions from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from day2.inventory.fields import ConnectionId, Cron, Duration, Model, Name, PositiveDuration

WAVES: tuple[str, ...] = ("canary", "early", "broad")
WaveName = Literal["canary", "early", "broad"]
Severity = Literal["critical", "high", "medium", "low", "other"]

PACKAGE = r"^[A-Za-z0-9*?][A-Za-z0-9+._*?-]*$"
PERCENT = re.compile(r"(\d{1,3})%")
Pattern = Annotated[str, StringConstraints(pattern=PACKAGE)]


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(
            f"{value!r} is not a pattern: {error}; put a backslash before signs meant literally"
        ) from error
    return value


def _budget(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return str(value)
    if isinstance(value, str):
        percent = PERCENT.fullmatch(value)
        if (value.isdigit() and int(value) >= 1) or (percent and 1 <= int(percent[1]) <= 100):
            return value
    raise ValueError(f"{value!r} is no budget; write a number of hosts such as 2, or a share such as '10%'")


Regex = Annotated[str, AfterValidator(_regex)]
# A number is as good as text here, so editors must take both.
_BUDGET_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+%?$"}]}
Budget = Annotated[str, BeforeValidator(_budget), WithJsonSchema(_BUDGET_SCHEMA)]


class WavePolicy(Model):
    """How one wave goes, and what the next one waits for."""

    bake: Duration = Field(default="PT30M", validate_default=True, description="wait after it, before the next wave")
    disruption_budget: Budget = Field(
        default="25%", validate_default=True, description="hosts of this wave out of service at once, failed ones too"
    )
    max_failures: int = Field(default=0, ge=0, description="failed hosts; more, and nothing further starts")


class Waves(Model):
    """The waves, in the order they run. A host's `wave` says which it is in."""

    canary: WavePolicy = Field(
        default=WavePolicy(bake=timedelta(hours=1), disruption_budget="1"), description="the first, smallest wave"
    )
    early: WavePolicy = Field(default=WavePolicy(), description="the second wave")
    broad: WavePolicy = Field(default=WavePolicy(bake=timedelta(0)), description="everything else")

    def of(self, name: str) -> WavePolicy:
        """The policy of the wave of that name. Raises KeyError."""
        found: WavePolicy = dict(self)[name]
        return found


class Reboot(Model):
    """When a host is rebooted, and how long it may take."""

    when: Literal["never", "if_required", "always"] = Field(
        default="if_required", description="if_required: only when old code would run on otherwise"
    )
    deadline: PositiveDuration = Field(
        default="P7D", validate_default=True, description="a reboot that is pending for longer is a breach"
    )
    timeout: PositiveDuration = Field(
        default="PT10M", validate_default=True, description="by when it answers again, with another boot id"
    )
    stay: Duration = Field(
        default="PT10S", validate_default=True, description="how long it must then stay up to count as back"
    )


class HookCommand(Model):
    """A command, what it reads, and what it must say. `{host}` in either becomes the host's name."""

    command: tuple[str, ...] = Field(min_length=1, description="a command and its arguments")
    stdin: str = Field(default="", description="what it reads")
    expect: Regex | None = Field(
        default=None, description="a pattern its whole output must match; the exit status alone if unset"
    )


class Drain(Model):
    """How a host leaves and enters traffic: commands of a load balancer, or of the host itself."""

    connection: ConnectionId | None = Field(
        default=None, description="Airflow connection of type ssh to where they run; the host itself if unset"
    )
    drain: HookCommand = Field(description="takes it out")
    undrain: HookCommand = Field(description="puts it back")
    idle: HookCommand | None = Field(default=None, description="succeeds once nobody is connected any more")
    settle: PositiveDuration = Field(
        default="PT1M", validate_default=True, description="how long it may take until it is idle"
    )


class HostCheck(Model):
    """How to tell that a host's service works; `{host}` and `{address}` become the host's."""

    kind: Literal["http", "tcp", "command"] = Field(description="what is tried")
    address: str | None = Field(default=None, description="URL for http, host:port for tcp")
    command: tuple[str, ...] = Field(default=(), description="run on the host; exit status 0 is healthy")
    status: int = Field(default=200, ge=100, le=599, description="what http must answer")
    expect: Regex | None = Field(default=None, description="a pattern that the answer, or the output, must contain")
    timeout: PositiveDuration = Field(
        default="PT5S", validate_default=True, description="no answer by then is a failure"
    )


class Health(Model):
    """How patient health checks are: a service needs time to start, and one good answer may be luck."""

    grace: Duration = Field(
        default="PT1M", validate_default=True, description="time to start, in which no failure counts"
    )
    interval: PositiveDuration = Field(default="PT1S", validate_default=True, description="between two tries")
    in_a_row: int = Field(default=5, ge=1, description="passes in a row that count as healthy")
    flaps: int = Field(default=2, ge=1, description="falls from healthy to ill that are too many")


class Snapshot(Model):
    """A command that makes a snapshot of a host before it is touched; a failure blocks the host's patch."""

    connection: ConnectionId | None = Field(
        default=None, description="Airflow connection of type ssh to where it runs; the host itself if unset"
    )
    command: tuple[str, ...] = Field(min_length=1, description="a command and its arguments; {host} is its name")
    timeout: PositiveDuration = Field(default="PT10M", validate_default=True, description="no result by then: failed")


class Sla(Model):
    """By when an update must be installed, counted from the day that any host was first offered one.

    A security update whose severity nobody states counts as critical.
    """

    critical: PositiveDuration = Field(default="P30D", validate_default=True, description="of critical severity")
    high: PositiveDuration = Field(default="P30D", validate_default=True, description="of high severity")
    medium: PositiveDuration = Field(default="P60D", validate_default=True, description="of medium severity")
    low: PositiveDuration = Field(default="P90D", validate_default=True, description="of low severity")
    other: PositiveDuration | None = Field(default=None, description="not security; no limit if unset")

    def limit(self, severity: Severity) -> timedelta | None:
        """How old an update of this severity may get; none where there is no limit."""
        found: timedelta | None = dict(self)[severity]
        return found


class PostgresPatch(Model):
    """What a patch does to PostgreSQL on the hosts. Its packages are in the set like all others."""

    extensions: Literal["report", "update"] = Field(
        default="report",
        description="installed extensions that are behind their new files: only named, or ALTER EXTENSION … UPDATE; "
        "there is no way back from that",
    )
    only: tuple[Pattern, ...] = Field(default=("*",), description="patterns of extensions that may be updated")
    never: tuple[Pattern, ...] = Field(default=(), description="patterns of those that may not; goes before only")
    lock_timeout: PositiveDuration = Field(
        default="PT10S", validate_default=True, description="how long an update may wait for what others hold"
    )
    statement_timeout: PositiveDuration = Field(
        default="PT10M", validate_default=True, description="how long the update of one extension may take"
    )
    answer: PositiveDuration = Field(
        default="PT5M", validate_default=True, description="by when the server takes connections after its patch"
    )
    followers: PositiveDuration = Field(
        default="PT2M", validate_default=True, description="by when replication is as before, once it does"
    )

    def updates(self, extension: str) -> bool:
        """Whether an extension of this name is to be updated where it is behind."""
        if self.extensions == "report" or any(fnmatchcase(extension, each) for each in self.never):
            return False
        return any(fnmatchcase(extension, each) for each in self.only)


class PatchPolicy(Model):
    """How hosts are patched. Set for the environment; a host may override most fields."""

    schedule: Cron = Field(
        default="0 3 * * 2#2", description="cron, in the environment's time zone; 2#2 is the second Tuesday"
    )
    offset: Duration = Field(
        default="P2D",
        validate_default=True,
        description="added to the schedule: P2D after '0 3 * * 2#2' is two days after the second Tuesday",
    )
    security_only: bool = Field(default=True, description="only updates from a security archive")
    approved: tuple[Pattern, ...] = Field(
        default=(), description="package patterns to update even when it is not for security: 'tzdata', 'linux-*'"
    )
    rejected: tuple[Pattern, ...] = Field(
        default=(), description="package patterns never to touch; goes before approved"
    )
    severities: Mapping[str, Severity] = Field(
        default={}, description="severity of an advisory, where you know better than unknown: CVE-2026-1234: low"
    )
    waves: Waves = Field(default=Waves(), description="bake time, budget and failures of each wave")
    disruption_budget: Budget = Field(
        default="10%", validate_default=True, description="hosts of the fleet out of service at once, failed ones too"
    )
    reboot: Reboot = Field(default=Reboot(), description="when a host is rebooted")
    drain: Drain | None = Field(default=None, description="takes a host out of service; nothing is done if unset")
    health_checks: tuple[HostCheck, ...] = Field(default=(), description="all must pass, before and after")
    health: Health = Field(default=Health(), description="how patient they are")
    postgresql: PostgresPatch = Field(default=PostgresPatch(), description="what else is done where PostgreSQL runs")
    rollback: Literal["host", "wave"] = Field(
        default="host", description="what gets its earlier versions back when a host fails: it alone, or its wave"
    )
    recovery_point_max_age: PositiveDuration = Field(
        default="PT26H",
        validate_default=True,
        description="no patch unless every database on or behind the hosts has a verified recovery point this young",
    )
    snapshot: Snapshot | None = Field(default=None, description="taken of each host before it is touched")
    sla: Sla = Field(default=Sla(), description="by when an update must be installed")
    minimum_free_bytes: int = Field(
        default=500_000_000, ge=0, description="free space in /var that a host needs to be patched"
    )
    response_timeout: PositiveDuration = Field(
        default="PT12H", validate_default=True, description="after this an unanswered approval is a refusal"
    )
    scan_timeout: PositiveDuration = Field(default="PT5M", validate_default=True, description="for the scan of a host")
    lock_timeout: Duration = Field(
        default="PT5M", validate_default=True, description="how long to wait for another package manager's lock"
    )
    install_timeout: PositiveDuration = Field(
        default="PT30M", validate_default=True, description="for download and installation on one host"
    )
    max_targets: int = Field(default=100, ge=1, description="blast radius: more hosts and the run is refused")
    lease_ttl: PositiveDuration = Field(
        default="PT6H", validate_default=True, description="how long a lease on a host lasts if nobody releases it"
    )

    def rejects(self, package: str) -> bool:
        """Whether a package of this name may never be touched."""
        return any(fnmatchcase(package, each) for each in self.rejected)

    def wants(self, package: str, *, security: bool) -> bool:
        """Whether an update of this package is to be installed."""
        if self.rejects(package):
            return False
        return security or not self.security_only or any(fnmatchcase(package, each) for each in self.approved)


# One run covers every host of an environment, so these belong to the run and not to one host.
PATCH_RUN_FIELDS = frozenset(
    {"schedule", "offset", "waves", "disruption_budget", "rollback", "response_timeout", "max_targets", "lease_ttl"}
)


class PatchException(Model):
    """An update that is not installed in time, on purpose, for a while. When it expires, the breach is back."""

    name: Name = Field(description="what records and reports call it")
    package: Pattern | None = Field(default=None, description="package name or pattern")
    advisory: str | None = Field(default=None, min_length=3, description="CVE-2026-1234, DSA-5900-1, RHSA-2026:1234")
    hosts: tuple[Name, ...] = Field(default=(), description="the hosts it is for; every host if unset")
    owner: str = Field(min_length=2, description="who accepts the risk")
    reason: str = Field(min_length=3, description="why it cannot be installed")
    compensating_control: str = Field(min_length=3, description="what protects the hosts meanwhile")
    expires: date = Field(description="the last day it holds")
