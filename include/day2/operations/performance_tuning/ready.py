"""Whether now is the time for a change: enough room, little load, nobody in the way. Deciding is pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from day2.errors import Day2Error
from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.session import session
from day2.postgres.server import Server, rows
from day2.units import size

LOOKS = 5
BETWEEN_LOOKS = 0.2
# An index is written once to its file and once to the WAL.
WRITTEN = 2


class Deferred(Day2Error):
    """Not now. Nothing was touched."""


@dataclass(frozen=True)
class Disk:
    """The file system that the server's data is on."""

    total_bytes: int
    used_bytes: int


@dataclass(frozen=True)
class Host:
    """What only the server's machine can say. `disk` is asked before each change."""

    cpus: int | None = None
    disk: Callable[[], Disk] | None = None


def require_ready(server: Server, change: Change, policy: TuningPolicy, *, host: Host) -> None:
    """Raises Deferred, saying everything that is in the way."""
    seen = look_round(server)
    reasons = [
        each
        for each in (
            in_recovery(seen),
            too_busy(seen, policy, cpus=policy.cpus or host.cpus),
            somebody_waits(seen, policy),
            no_room(change, policy, host.disk() if host.disk else None),
            needs_restart(change),
        )
        if each
    ]
    if reasons:
        raise Deferred(
            "; ".join(reasons),
            target=server.dbname,
            left="nothing was changed",
            next_step="nothing: the next run tries again",
            runbook="A change was put off",
        )


def look_round(server: Server) -> dict[str, Any]:
    """How busy the server is, over a second: one look may catch a pause, or a peak."""
    found = []
    with session(server) as connection:
        for number in range(LOOKS):
            time.sleep(BETWEEN_LOOKS if number else 0)
            found += rows(connection, "tuning_busy")
    return {**found[-1], "active": sum(each["active"] for each in found) / len(found)}


def in_recovery(seen: Mapping[str, Any]) -> str:
    """A standby takes no changes; what is tuned is its primary."""
    if seen["standby"]:
        return "it is a standby: it takes no changes, its primary does"
    return "it is read-only" if seen["read_only"] else ""


def too_busy(seen: Mapping[str, Any], policy: TuningPolicy, *, cpus: int | None) -> str:
    """Whether more sessions work than the policy calls low load."""
    if seen["hidden"]:
        return "nobody can tell how busy it is: GRANT pg_read_all_stats TO the role"
    if cpus is None:
        return "nobody knows how many CPUs it has: set `cpus` in the policy"
    if seen["active"] > policy.low_load * cpus:
        return (
            f"it is busy: {seen['active']:.1f} active sessions on {cpus} CPUs, {policy.low_load:g} a CPU is the limit"
        )
    return ""


def somebody_waits(seen: Mapping[str, Any], policy: TuningPolicy) -> str:
    """A transaction that is open already for longer than we would wait for it."""
    if seen["oldest_seconds"] <= policy.lock_timeout.total_seconds():
        return ""
    return f"a transaction has been open for {seen['oldest_seconds']:.0f} s: {seen['oldest']}"


def no_room(change: Change, policy: TuningPolicy, disk: Disk | None) -> str:
    """Whether the change could fill the disk beyond the policy's limit."""
    if not change.takes_space:
        return ""
    needed = WRITTEN * change.takes_space
    if disk is None:
        return f"it takes {size(needed)}, and nobody can see the server's disk"
    if disk.used_bytes + needed <= disk.total_bytes * policy.disk_limit_percent / 100:
        return ""
    return (
        f"it takes {size(needed)} and the disk has {size(disk.used_bytes)} of {size(disk.total_bytes)} in use: "
        f"more than {policy.disk_limit_percent:.0f} %"
    )


def needs_restart(change: Change) -> str:
    """Such a setting waits in the file, and may keep the server from starting on the worst of days."""
    return "it takes effect at a restart only, which tuning never does" if change.needs_restart else ""
