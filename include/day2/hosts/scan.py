"""Scan a host: what is installed, what could be, what stands in the way, what still runs old code."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from day2.errors import StepFailed
from day2.hosts import aptscan, dnfscan, script, services
from day2.hosts.model import Manager, Package, Scan
from day2.hosts.script import Host

log = logging.getLogger("day2")
LISTS_WAIT = timedelta(seconds=60)
SECONDS = 300.0
Lists = Literal["refresh", "cached"]


def scan(host: Host, *, lists: Lists = "refresh", lists_wait: timedelta = LISTS_WAIT, seconds: float = SECONDS) -> Scan:
    """Look at a host. Changes nothing there but the package manager's lists of what the repositories offer.

    `lists` is `cached` where they were refreshed a moment ago. Raises StepFailed where it cannot be looked at.
    """
    sent = datetime.now(UTC)
    told = script.lines(host, "scan.sh", str(int(lists_wait.total_seconds())), lists, seconds=seconds)
    answered = datetime.now(UTC)
    sections = split(told)
    stale = services.stale(host)
    facts = dict(line.split("=", 1) for line in sections["host"] if "=" in line)
    manager, packages, errors, pending = _managed(host, sections, facts["kernel"])
    seen = Scan(
        host=host.name,
        at=sent.isoformat(timespec="seconds"),
        manager=manager,
        os=facts["os"],
        kernel=facts["kernel"],
        boot_id=facts["boot_id"],
        packages=packages,
        reboot_required=pending[0],
        reboot_packages=pending[1],
        stale_services=stale,
        audit="\n".join(sections.get("audit", ())).strip(),
        lock_held_by="; ".join(line.strip() for line in sections.get("lock", ()) if line.strip()),
        disk_free=disk_free(sections.get("disk", ())),
        repository_errors=errors,
        clock_offset=_offset(sections, sent, answered),
    )
    _say(seen)
    return seen


def split(lines: Sequence[str]) -> dict[str, list[str]]:
    """The script's `@section` blocks. Empty lines at a block's end are the script's, not the block's."""
    sections: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line.startswith("@"):
            name = line[1:]
            sections[name] = []
        elif name:
            sections[name].append(line)
    for each in sections.values():
        while each and not each[-1]:
            each.pop()
    return sections


def disk_free(lines: Sequence[str]) -> dict[str, int]:
    """Free bytes by folder, from kilobytes."""
    return {folder: int(free) * 1024 for folder, free in (line.split() for line in lines if line)}


def _managed(
    host: Host, sections: dict[str, list[str]], kernel: str
) -> tuple[Manager, tuple[Package, ...], tuple[str, ...], tuple[bool, tuple[str, ...]]]:
    manager = next(iter(sections.get("manager", ())), "none")
    if manager == "apt":
        update = sections.get("update", ())
        return "apt", aptscan.packages(sections), aptscan.repository_errors(update), aptscan.reboot(sections, kernel)
    if manager == "dnf":
        update = sections.get("update", ())
        return "dnf", dnfscan.packages(sections), dnfscan.repository_errors(update), dnfscan.reboot(sections)
    raise StepFailed(
        "there is neither apt-get nor dnf",
        target=host.name,
        left="nothing was touched",
        next_step="take the host out of the patching policy, or patch it with its own tools",
        runbook="A host cannot be scanned",
    )


def _offset(sections: dict[str, list[str]], sent: datetime, answered: datetime) -> float:
    """As NTP does: what both ways take cancels out."""
    first, last = float(sections["clock"][0]), float(sections["end"][0])
    return round(((first - sent.timestamp()) + (last - answered.timestamp())) / 2, 1)


def _say(seen: Scan) -> None:
    security = len(seen.upgradable(security_only=True))
    log.info(
        "%s: %d packages, %d upgradable (%d security), %d held, %d processes on old code%s",
        seen.host, len(seen.packages), len(seen.upgradable()), security,
        sum(each.held for each in seen.packages), len(seen.stale_services),
        ", reboot pending" if seen.reboot_required else "",
    )  # fmt: skip
    for error in seen.repository_errors:
        log.warning("%s: repository: %s", seen.host, error)
