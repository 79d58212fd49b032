"""Reboot a host and prove it: another boot id, seen twice with time between."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.hosts import script
from day2.hosts.model import Scan
from day2.hosts.script import Host

log = logging.getLogger("day2")
Policy = Literal["never", "if_required", "always"]
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Patience:
    """How long a host may take to come back, and how long it must then stay up to count as back."""

    back: timedelta = timedelta(minutes=10)
    stay: timedelta = timedelta(seconds=10)


DEFAULT = Patience()


@dataclass(frozen=True)
class Rebooted:
    """A proven reboot: `seconds` is how long the host did not answer as itself."""

    before: str
    after: str
    seconds: float


def wanted(policy: Policy, seen: Scan) -> bool:
    """Whether the policy asks for a reboot, from a scan made after the installation."""
    return policy == "always" or (policy == "if_required" and seen.reboot_required)


def boot_id(host: Host, *, seconds: float = 15.0) -> str:
    """The id the kernel gave this boot."""
    done = host.shell.run("cat", "/proc/sys/kernel/random/boot_id", seconds=seconds)
    if done.code != 0 or not done.stdout.strip():
        raise Unavailable(
            f"it does not tell its boot id: {done.words}",
            target=host.name,
            next_step=f"log in to {host.name}",
            runbook="A host did not come back from its reboot",
        )
    return done.stdout.strip()


def reboot(host: Host, before: str, *, patience: Patience = DEFAULT) -> Rebooted:
    """Reboot, unless the boot id is no longer `before`, and wait until the host is back and stays.

    `before` is the boot id recorded when the reboot was decided: a task that runs again does not reboot twice.
    """
    started = time.monotonic()
    if boot_id(host) == before:
        _ask(host)
    else:
        log.info("%s: has rebooted already", host.name)
    after = _wait(host, before, patience)
    seconds = time.monotonic() - started
    _stay(host, after, patience)
    log.info("%s: rebooted in %.0f s, boot id %s", host.name, seconds, after)
    return Rebooted(before, after, round(seconds, 1))


def _ask(host: Host) -> None:
    """Through a delay, so that the answer gets out before the network goes."""
    log.info("%s: rebooting", host.name)
    line = "(sleep 1; systemctl reboot || reboot || shutdown -r now) </dev/null >/dev/null 2>&1 &"
    done = script.as_root(host, "setsid", "sh", "-c", line)
    if done.code != 0:
        raise StepFailed(
            f"cannot be rebooted: {done.words}",
            target=host.name,
            left="patched, and waiting for a reboot",
            next_step=f"reboot {host.name} by hand, then clear the task: it sees the new boot id",
            runbook="A host did not come back from its reboot",
        )


def _wait(host: Host, before: str, patience: Patience) -> str:
    deadline = time.monotonic() + patience.back.total_seconds()
    last = f"it still showed boot id {before}"
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        try:
            now = boot_id(host)
        except Unavailable as error:
            last = error.happened
            continue
        if now != before:
            return now
        last = f"it still showed boot id {before}"
    raise _gone(host, f"not back within {patience.back.total_seconds():.0f} s of its reboot: {last}")


def _stay(host: Host, after: str, patience: Patience) -> None:
    """Back for a moment is not back: a host that crashes after its first login answers once as well."""
    time.sleep(patience.stay.total_seconds())
    try:
        now = boot_id(host)
    except Day2Error as error:
        raise _gone(host, f"came back from its reboot and was gone again: {error.happened}") from error
    if now != after:
        raise _gone(host, "came back from its reboot and rebooted again")


def _gone(host: Host, what: str) -> Unavailable:
    return Unavailable(
        what,
        target=host.name,
        left="patched, drained, and not in service",
        next_step=f"look at the console of {host.name}; once it is up, clear the task: it does not reboot again",
        runbook="A host did not come back from its reboot",
    )
