"""The fleet as CSV: one row an update and host, and one row a package and host of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from day2.operations.security_patching.compliance import Fleet, HostRow
from day2.operations.security_patching.sla import Due
from day2.operations.security_patching.states import Became
from day2.reports import table
from day2.units import utc

DUE = (
    "environment", "host", "wave", "owner", "os", "kernel", "scanned_at", "host_standing", "why",
    "package", "arch", "installed", "candidate", "severity", "advisories", "first_seen", "age_days",
    "limit_days", "due", "standing", "exceptions", "excused_until", "expired_exceptions", "held", "rejected",
)  # fmt: skip
STATES = ("host", "package", "arch", "before", "wanted", "now", "state", "why")


def due(fleet: Fleet) -> bytes:
    """Every update that every host waits for. A host that waits for none has one row, so that none is missing."""
    return table.csv(DUE, (line for row in fleet.rows for line in _lines(fleet, row)))


def states(rows: Iterable[Became]) -> bytes:
    """What became of each package on each host of a run."""
    return table.csv(
        STATES,
        ((each.host, each.name, each.arch, each.before, each.wanted, each.now, each.state, each.why) for each in rows),
    )


def _lines(fleet: Fleet, row: HostRow) -> Iterator[Sequence[object]]:
    scan = row.scan
    host = (
        fleet.environment.name,
        row.host.name,
        row.host.wave,
        row.host.owner or fleet.environment.owner,
        *((scan.os, scan.kernel, scan.at) if scan else (None, None, None)),
        row.standing,
        row.why,
    )
    for each in row.due:
        yield (*host, *_update(each))
    if not row.due:
        yield (*host, *([None] * (len(DUE) - len(host))))


def _update(each: Due) -> tuple[object, ...]:
    package, excused = each.package, each.excuse
    return (
        package.name,
        package.arch,
        package.installed,
        package.candidate,
        each.severity,
        " ".join(package.advisories),
        utc(each.first_seen),
        each.age.days,
        each.limit.days if each.limit else None,
        utc(each.by) if each.by else None,
        each.standing,
        " ".join(excused.names),
        excused.until,
        " ".join(excused.expired),
        "yes" if package.held else "no",
        "yes" if each.rejected else "no",
    )
