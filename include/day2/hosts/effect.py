"""Whether a patch took effect: the new code is what runs, not only what the package list says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from day2.errors import StepFailed
from day2.hosts.install import Prepared, wrong
from day2.hosts.model import Scan, Service
from day2.hosts.script import Host


@dataclass(frozen=True)
class Effect:
    """What is left of the old code after a patch. `wrong` is package and the version found instead."""

    wrong: dict[str, str]
    stale: tuple[Service, ...]
    reboot_required: bool
    reboot_packages: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Every package at its version, and no process on old code."""
        return not self.wrong and not self.stale and not self.reboot_required

    @property
    def words(self) -> tuple[str, ...]:
        """One line for each thing that is not as it should be."""
        found = [f"{name} is {have}" for name, have in sorted(self.wrong.items())]
        found += [
            f"{each.unit or 'a process without a unit'} ({each.pid}) runs old {', '.join(each.stale)}"
            for each in self.stale
        ]
        if self.reboot_required:
            found.append(f"a reboot is pending{_for(self.reboot_packages)}")
        return tuple(found)


def check(host: Host, prepared: Prepared, after: Scan) -> Effect:
    """What the host runs now. `after` is a scan made after the restarts, or the reboot."""
    return Effect(wrong(host, prepared.part), after.stale_services, after.reboot_required, after.reboot_packages)


def require(host: Host, effect: Effect, *, reboot_later: bool = False) -> None:
    """Raises StepFailed where old code runs. `reboot_later`: the policy leaves the reboot to another day."""
    left = effect.words
    if effect.complete or (reboot_later and effect.reboot_required and not effect.wrong):
        return
    raise StepFailed(
        f"the patch is not in effect: {'; '.join(left)}",
        target=host.name,
        left="the packages are installed; the old code still runs",
        next_step="restart what is named, or let the policy reboot, then clear the task",
        runbook="A patch is installed but not in effect",
    )


def _for(packages: Iterable[str]) -> str:
    named = ", ".join(packages)
    return f" for {named}" if named else ""
