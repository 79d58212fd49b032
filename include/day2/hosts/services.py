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

# systemd calls a service started once its process exists; one that cannot read its settings ends a moment later.
SETTLE_SECONDS = 2


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


def restart(
    host: Host, *, found: tuple[Service, ...] | None = None, never: Collection[str] = (), also: Collection[str] = ()
) -> Restarted:
    """Restart what runs old code, and `also`, then look again. Raises StepFailed where a unit does not start.

    `found` is what a scan has just shown; without it, the host is asked. Looking costs it more than all else here.
    """
    if found is None:
        found = stale(host)
    units = tuple(dict.fromkeys([*restartable(found, never=never), *also]))
    if not units:
        return Restarted((), found)
    log.info("%s: restarting %s", host.name, ", ".join(units))
    _restart(host, units)
    return Restarted(units, stale(host))


def _restart(host: Host, units: tuple[str, ...]) -> None:
    done = script.run(host, "restart.sh", str(SETTLE_SECONDS), *units, seconds=180.0 + SETTLE_SECONDS)
    ill = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip()]
    if done.code == 0 and not ill:
        return
    names = ", ".join(unit for unit, _ in ill)
    raise StepFailed(
        f"{names or 'a unit'} does not start: {done.words or 'systemctl said nothing'}",
        target=host.name,
        left=f"{', '.join(f'{unit} is {state}' for unit, state in ill)}, with the new packages installed",
        next_step=f"`systemctl status` and `journalctl -n 50 -u` of it on {host.name}; the host is rolled back",
        runbook="A service does not start after the patch",
    )
