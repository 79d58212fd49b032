"""What a host was before a run touched it, kept on the host: a task that takes over cannot look again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from day2.errors import StepFailed
from day2.hosts import script
from day2.hosts.script import Host


@dataclass(frozen=True)
class Before:
    """The boot, and the services that ran in it."""

    boot_id: str
    units: tuple[str, ...]


def remember(host: Host, run_id: str, boot_id: str) -> Before:
    """What was kept of the host under this id; what it is now, if nothing was. Raises StepFailed."""
    name = f"{run_id}-before"
    told = "\n".join(script.lines(host, "remember.sh", "recall", name)).strip()
    if told:
        earlier = json.loads(told)
        return Before(earlier["boot_id"], tuple(earlier["units"]))
    seen = Before(boot_id, running(host))
    kept = script.run(host, "remember.sh", "keep", name, values={"content": json.dumps(asdict(seen))})
    if kept.code != 0:
        raise StepFailed(
            f"what it was before cannot be kept on it: {kept.words}",
            target=host.name,
            left="nothing was touched",
            next_step="make space in /var, then clear the task",
            runbook="The disk of a host is full",
        )
    return seen


def running(host: Host) -> tuple[str, ...]:
    """The services that run now."""
    return tuple(sorted(script.lines(host, "running.sh")))


def ended(host: Host, before: Before) -> tuple[str, ...]:
    """The services that ran before and do not now."""
    return tuple(sorted(set(before.units) - set(running(host))))
