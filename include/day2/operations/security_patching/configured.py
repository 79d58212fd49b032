"""From the policy's fields to what the steps on a host take: patience, limits, probes, the way out of traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from day2.hosts import health, install, reboot
from day2.hosts.drain import Command, Hook
from day2.hosts.freeze import Wanted
from day2.hosts.health import Probe
from day2.hosts.model import Package
from day2.hosts.shell import Shell
from day2.inventory.model import Host
from day2.inventory.patching import HookCommand, HostCheck, PatchPolicy


@dataclass(frozen=True)
class Chosen(Wanted):
    """The updates a policy wants: security, what it approves besides, never what it rejects."""

    policy: PatchPolicy = field(kw_only=True)

    def takes(self, package: Package) -> bool:
        """Whether this update belongs in the set. A held package is the host's own no."""
        if package.candidate is None or package.held:
            return False
        return self.policy.wants(package.name, security=package.security)


def limits(policy: PatchPolicy) -> install.Limits:
    """How long an installation, and the wait for the package manager's lock, may take."""
    return install.Limits(lock=policy.lock_timeout, install=policy.install_timeout)


def reboot_patience(policy: PatchPolicy) -> reboot.Patience:
    """How long a reboot may take, and how long the host must then stay up."""
    return reboot.Patience(back=policy.reboot.timeout, stay=policy.reboot.stay)


def health_patience(policy: PatchPolicy) -> health.Patience:
    """How long a service may take to start, and how many good answers in a row it needs."""
    told = policy.health
    return health.Patience(grace=told.grace, every=told.interval, in_a_row=told.in_a_row, flaps=told.flaps)


def hook(policy: PatchPolicy, shell: Shell) -> Hook | None:
    """How a host leaves and enters traffic; none where the policy does nothing. `shell` is where the commands run."""
    told = policy.drain
    if told is None:
        return None
    idle = _command(told.idle) if told.idle else None
    return Hook(shell, _command(told.drain), _command(told.undrain), idle, told.settle)


def probes(policy: PatchPolicy, host: Host, shell: Shell) -> Iterator[tuple[str, Probe]]:
    """Each health check of a host by name, ready to be asked. Commands run on the host, by its own shell."""
    for check in policy.health_checks:
        if check.kind == "command":
            words = tuple(_filled(each, host) for each in check.command)
            yield " ".join(words), health.command(shell, *words, expect=check.expect or "", seconds=_seconds(check))
        elif check.kind == "tcp":
            address, _, port = _filled(check.address or "", host).rpartition(":")
            yield f"tcp {address}:{port}", health.tcp(address, int(port), seconds=_seconds(check))
        else:
            url = _filled(check.address or "", host)
            probe = health.http(url, status=check.status, expect=check.expect or "", seconds=_seconds(check))
            yield url, probe


def _command(told: HookCommand) -> Command:
    return Command(told.command, told.stdin, told.expect)


def _filled(text: str, host: Host) -> str:
    """Plain replacement, not `format`: a command may hold braces of its own."""
    return text.replace("{host}", host.name).replace("{address}", host.address)


def _seconds(check: HostCheck) -> float:
    return check.timeout.total_seconds()
