"""Processes that run code which was replaced on disk, and restarting the services they belong to."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch

from day2.errors import StepFailed
from day2.hosts import script
from day2.hosts.model import Service
from day2.hosts.script import Host

log = logging.getLogger("day2")

# Restarting these ends logins or the whole session bus: only a reboot renews them (needrestart's own list).
ONLY_A_REBOOT = (
    "dbus*.service", "systemd-logind.service", "systemd-manager", "user@*.service", "getty@*.service",
    "serial-getty@*.service", "display-manager.service", "gdm*.service", "lightdm.service", "sddm.service",
)  # fmt: skip


@dataclass(frozen=True)
class Restarted:
    """What restarting did. `left` still runs old code: a reboot, or a person, must end it."""

    units: tuple[str, ...]
    left: tuple[Service, ...]


def stale(host: Host) -> tuple[Service, ...]:
    """Processes that run code which is no longer on disk, by unit and process id."""
    return parse(script.lines(host, "stale.sh"))


def parse(lines: Iterable[str]) -> tuple[Service, ...]:
    """Services from stale.sh's lines. needrestart tells no process: it adds only units the maps did not show."""
    files: dict[tuple[str, int], list[str]] = defaultdict(list)
    for line in lines:
        pid, unit, file = line.split("\t")
        files[(unit, int(pid))].append(file)
    seen = {unit for unit, pid in files if pid}
    found = [Service(unit, pid, tuple(told)) for (unit, pid), told in files.items() if pid or unit not in seen]
    return tuple(sorted(found, key=lambda each: (each.unit, each.pid)))


def restartable(found: Iterable[Service], *, never: Collection[str] = ()) -> tuple[str, ...]:
    """The units among them that may be restarted, each once. `never` are patterns of the policy."""
    patterns = (*ONLY_A_REBOOT, *never)
    units = {each.unit for each in found if each.unit}
    return tuple(sorted(unit for unit in units if not any(fnmatch(unit, pattern) for pattern in patterns)))


def restart(host: Host, *, never: Collection[str] = (), also: Collection[str] = ()) -> Restarted:
    """Restart what runs old code, and `also`, then look again. Raises StepFailed where a unit does not start."""
    units = tuple(dict.fromkeys([*restartable(stale(host), never=never), *also]))
    for unit in units:
        log.info("%s: restarting %s", host.name, unit)
        _restart(host, unit)
    return Restarted(units, stale(host))


def _restart(host: Host, unit: str) -> None:
    done = script.as_root(host, "systemctl", "restart", unit, seconds=180.0)
    active = script.as_root(host, "systemctl", "is-active", unit)
    if done.code == 0 and active.code == 0:
        return
    raise StepFailed(
        f"{unit} does not start: {done.words or active.words or 'systemctl said nothing'}",
        target=host.name,
        left=f"{unit} is {active.stdout.strip() or 'not running'}, with the new packages installed",
        next_step=f"`systemctl status {unit}` and `journalctl -u {unit} -n 50` on {host.name}; the host is rolled back",
        runbook="A service does not start after the patch",
    )
