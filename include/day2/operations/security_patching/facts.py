"""From what was measured on each host to the rows its suite judges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from day2.operations.security_patching.states import BESIDES, Became, Course

SUITE = "security_patching"
# States in which nothing of the set was to be installed.
NOT_MEANT = frozenset({"held", "rejected", "not_applicable"})


@dataclass(frozen=True)
class Measured:
    """What the steps measured on one host. None is what was not measured, which no check passes."""

    installed_digest: str | None = None
    stale_services: int | None = None
    reboot_expected: bool | None = None
    rebooted: bool | None = None
    healthy: bool | None = None
    in_service: bool | None = None
    late_updates: int | None = None
    postgres_servers: int | None = None
    postgres_as_before: int | None = None
    postgres_databases_unseen: int | None = None
    postgres_collations_changed: int | None = None
    postgres_extensions_failed: int | None = None
    postgres_extensions_left: int | None = None


def rows(
    courses: Iterable[Course],
    *,
    measured: Mapping[str, Measured],
    became: Mapping[str, Sequence[Became]],
    frozen_digest: str,
) -> list[dict[str, Any]]:
    """One row a host that was attempted. The others have nothing to judge: the record says not attempted."""
    return [
        row(each, measured.get(each.host, Measured()), became=became[each.host], frozen_digest=frozen_digest)
        for each in courses
        if each.outcome != "not_attempted"
    ]


def row(course: Course, measured: Measured, *, became: Sequence[Became], frozen_digest: str) -> dict[str, Any]:
    """One host."""
    meant = [each for each in became if each.wanted and each.state not in NOT_MEANT and not _besides(each)]
    return {
        "target": course.host,
        "scanned_after": course.after is not None,
        "rolled_back": course.outcome == "rolled_back",
        "frozen_digest": frozen_digest,
        "installed_digest": measured.installed_digest,
        "packages_meant": len(meant),
        "packages_running": sum(each.state == "installed" for each in meant),
        "pending_reboot": sum(each.state == "pending_reboot" for each in meant),
        "packages_besides": sum(_besides(each) for each in became),
        "stale_services": measured.stale_services,
        "audit_clean": None if course.after is None else not course.after.audit,
        "reboot_expected": measured.reboot_expected,
        "rebooted": measured.rebooted,
        "healthy": measured.healthy,
        "in_service": measured.in_service,
        "late_updates": measured.late_updates,
        "postgres_servers": measured.postgres_servers,
        "postgres_as_before": measured.postgres_as_before,
        "postgres_databases_unseen": measured.postgres_databases_unseen,
        "postgres_collations_changed": measured.postgres_collations_changed,
        "postgres_extensions_failed": measured.postgres_extensions_failed,
        "postgres_extensions_left": measured.postgres_extensions_left,
    }


def _besides(each: Became) -> bool:
    """A wanted update that came out after the set was frozen: the next run's, not this one's failure."""
    return each.state == "missing" and each.why == BESIDES
