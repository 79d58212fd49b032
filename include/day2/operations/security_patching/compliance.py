"""How a fleet stands: every host, every update it waits for, every exception, and how that develops. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from day2.hosts.model import Scan
from day2.inventory.model import Environment, Host
from day2.inventory.patching import WAVES, PatchException
from day2.operations.security_patching import sla
from day2.operations.security_patching.sla import Due, Known
from day2.operations.security_patching.states import Became
from day2.units import utc

HostStanding = Literal["current", "in_time", "excused", "late", "unknown"]
STANDINGS: tuple[HostStanding, ...] = ("current", "in_time", "excused", "late", "unknown")
# A weekly scan may be missed once by a day, not by a week.
OLDEST_SCAN = timedelta(days=8)


@dataclass(frozen=True)
class HostRow:
    """One host: what it waits for, and how it stands. Nobody could look: it is unknown, never current."""

    host: Host
    standing: HostStanding
    why: str
    scan: Scan | None
    due: tuple[Due, ...]

    @property
    def late(self) -> int:
        """Its updates that are a breach."""
        return sum(each.standing == "late" for each in self.due)

    @property
    def oldest_days(self) -> int:
        """For how long its oldest update has been waiting."""
        return max((each.age.days for each in self.due), default=0)


@dataclass(frozen=True)
class Summary:
    """The fleet at one moment, small enough to keep for ever: a point of the trend."""

    at: str
    hosts: int
    current: int
    in_time: int
    excused: int
    late: int
    unknown: int
    late_updates: int
    oldest_days: int

    @property
    def without_breach(self) -> float:
        """The share of hosts that are known to be without a breach, 0 to 1."""
        return (self.current + self.in_time + self.excused) / self.hosts if self.hosts else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For a ledger entry."""
        return asdict(self)


@dataclass(frozen=True)
class Registered:
    """One exception of the register, and what it does today."""

    exception: PatchException
    expired: bool
    days_left: int
    updates: int
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """The last patch run, as its record tells it."""

    name: str
    verdict: str
    reason: str
    started: datetime
    ended: datetime
    digest: str
    hosts: Mapping[str, str]
    states: Sequence[Became]


@dataclass(frozen=True)
class Fleet:
    """All that the report says."""

    environment: Environment
    at: datetime
    rows: tuple[HostRow, ...]
    register: tuple[Registered, ...]
    trend: tuple[Summary, ...] = ()
    run: Run | None = None

    @property
    def due(self) -> list[Due]:
        """Every update of every host."""
        return [each for row in self.rows for each in row.due]

    @property
    def summary(self) -> Summary:
        """Today's point of the trend."""
        counted = Counter(each.standing for each in self.rows)
        return Summary(
            at=utc(self.at),
            hosts=len(self.rows),
            **{name: counted[name] for name in STANDINGS},
            late_updates=sum(each.late for each in self.rows),
            oldest_days=max((each.oldest_days for each in self.rows), default=0),
        )


def rows(environment: Environment, scans: Mapping[str, Scan], first: Known, *, now: datetime) -> tuple[HostRow, ...]:
    """One row a host of the inventory, also for hosts that were never scanned."""
    return tuple(_row(environment, each, scans.get(each.name), first, now) for each in environment.patched)


def register(environment: Environment, due: Iterable[Due], *, today: date) -> tuple[Registered, ...]:
    """The register: what each exception excuses today, and the expired ones, soonest to expire first."""
    used: dict[str, list[Due]] = {}
    for each in due:
        names = each.excuse.names if each.standing == "excused" else each.excuse.expired
        for name in names:
            used.setdefault(name, []).append(each)
    found = []
    for exception in environment.patch_exceptions:
        covered = used.get(exception.name, [])
        hosts = tuple(sorted({each.host for each in covered}))
        left = (exception.expires - today).days
        found.append(Registered(exception, left < 0, left, len(covered), hosts))
    return tuple(sorted(found, key=lambda each: (each.exception.expires, each.exception.name)))


def fleet(
    environment: Environment, scans: Mapping[str, Scan], first: Known, *, now: datetime, run: Run | None = None
) -> Fleet:
    """The fleet as it stands now; add its `trend` from earlier summaries."""
    made = rows(environment, scans, first, now=now)
    due = [each for row in made for each in row.due]
    return Fleet(environment, now, made, register(environment, due, today=now.astimezone(UTC).date()), run=run)


def by_wave(made: Iterable[HostRow]) -> dict[str, Counter[HostStanding]]:
    """How many hosts of each wave stand how."""
    found: dict[str, Counter[HostStanding]] = {name: Counter() for name in WAVES}
    for each in made:
        found[each.host.wave][each.standing] += 1
    return {name: counted for name, counted in found.items() if counted}


def _row(environment: Environment, host: Host, scan: Scan | None, first: Known, now: datetime) -> HostRow:
    if scan is None:
        return HostRow(host, "unknown", "was not scanned", None, ())
    policy = environment.patch_policy(host)
    due = tuple(sla.judge(scan, policy, register=environment.patch_exceptions, first=first, now=now))
    standing, why = _standing(scan, due, now)
    return HostRow(host, standing, why, scan, due)


def _standing(scan: Scan, due: Sequence[Due], now: datetime) -> tuple[HostStanding, str]:
    """The worst of what is known. A breach stays one also where the rest is not known."""
    late = [each for each in due if each.standing == "late"]
    if late:
        return "late", f"{len(late)} late"
    age = now - datetime.fromisoformat(scan.at)
    if age > OLDEST_SCAN:
        return "unknown", f"its last scan is {age.days} days old"
    if scan.repository_errors:
        return "unknown", f"its repositories cannot be trusted: {scan.repository_errors[0]}"
    if any(each.standing == "excused" for each in due):
        return "excused", "excused by the register"
    return ("in_time", f"{len(due)} waiting, in time") if due else ("current", "")
