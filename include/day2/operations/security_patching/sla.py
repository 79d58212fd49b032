"""Patch age against the SLA: how long an update has been waiting, and whether that is a breach. Pure.

The clock starts when any host of the fleet was first offered a replacement of the version that is
installed. It does not start again when a newer release comes out, when a host is rolled back, or when a
host was out of reach for a while: each of these would hide a hole that has been open all along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from day2.hosts.model import Package, Scan
from day2.inventory.patching import PatchException, PatchPolicy, Severity
from day2.operations.security_patching.exceptions import NONE, Excuse, excuse

Standing = Literal["in_time", "late", "excused"]
RANK: Mapping[Severity, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3, "other": 4}
REBOOT = "(reboot)"


@dataclass(frozen=True, order=True)
class Sighting:
    """When a version was first seen to have a replacement. `key` is `name:arch`, or `(reboot):host`."""

    key: str
    installed: str
    security: bool
    first_seen: str

    def as_dict(self) -> dict[str, Any]:
        """For a ledger entry."""
        return asdict(self)


Known = Mapping[tuple[str, str, bool], str]


@dataclass(frozen=True)
class Due:
    """An update that a host waits for, judged at a moment. `limit` is none where the SLA sets none."""

    host: str
    package: Package
    severity: Severity
    limit: timedelta | None
    first_seen: datetime
    at: datetime
    excuse: Excuse = NONE
    rejected: bool = False

    @property
    def age(self) -> timedelta:
        """For how long a replacement has been there."""
        return max(self.at - self.first_seen, timedelta(0))

    @property
    def by(self) -> datetime | None:
        """The last moment at which it is in time."""
        return self.first_seen + self.limit if self.limit else None

    @property
    def standing(self) -> Standing:
        """Late is a breach, unless an exception that has not expired covers all of it."""
        if self.limit is None or self.age <= self.limit:
            return "in_time"
        return "excused" if self.excuse.holds else "late"


def remember(known: Iterable[Sighting], scans: Iterable[Scan]) -> tuple[Sighting, ...]:
    """What was known, with what these scans add. First seen stays first seen."""
    first = dict(lookup(known))
    for scan in scans:
        for key, installed, security in _offers(scan):
            moment = first.get((key, installed, security))
            if moment is None or scan.at < moment:
                first[key, installed, security] = scan.at
    return tuple(sorted(Sighting(*identity, moment) for identity, moment in first.items()))


def enriched(scan: Scan, known: Mapping[tuple[str, str], tuple[str, ...]]) -> Scan:
    """The scan with advisories that were learned elsewhere, by package name and candidate.

    A host's package manager may not know them; the changelogs of the packages that were saved do.
    """
    told = tuple(
        replace(each, advisories=tuple(dict.fromkeys((*each.advisories, *more))))
        if each.candidate and (more := known.get((each.name, each.candidate)))
        else each
        for each in scan.packages
    )
    return replace(scan, packages=told)


def lookup(known: Iterable[Sighting]) -> Known:
    """The earliest moment of each."""
    first: dict[tuple[str, str, bool], str] = {}
    for each in known:
        identity = (each.key, each.installed, each.security)
        first[identity] = min(first.get(identity, each.first_seen), each.first_seen)
    return first


def severity(package: Package, known: Mapping[str, Severity]) -> Severity:
    """How bad it is to be without this update. A security update that nobody rated counts as critical."""
    if not package.security:
        return "other"
    rated = [known.get(each, "critical") for each in package.advisories]
    return min(rated, key=RANK.__getitem__, default="critical")


def judge(
    scan: Scan, policy: PatchPolicy, *, register: Sequence[PatchException], first: Known, now: datetime
) -> Iterator[Due]:
    """Every update this host waits for, held and rejected ones too, and its pending reboot."""
    today = now.astimezone(UTC).date()
    for package in scan.upgradable():
        if not package.security and not policy.wants(package.name, security=False):
            continue
        how_bad = severity(package, policy.severities)
        yield Due(
            scan.host,
            package,
            how_bad,
            policy.sla.limit(how_bad),
            _moment(first.get((package.key, package.installed, package.security), scan.at)),
            now,
            excuse(register, scan.host, package, today=today) if register else NONE,
            policy.rejects(package.name),
        )
    if scan.reboot_required:
        seen = _moment(first.get((f"{REBOOT}:{scan.host}", scan.boot_id, True), scan.at))
        reboot = Package(REBOOT, "", scan.kernel, "a reboot", security=True)
        yield Due(scan.host, reboot, "other", policy.reboot.deadline, seen, now)


def _offers(scan: Scan) -> Iterator[tuple[str, str, bool]]:
    for package in scan.upgradable():
        yield package.key, package.installed, package.security
    if scan.reboot_required:
        yield f"{REBOOT}:{scan.host}", scan.boot_id, True


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
