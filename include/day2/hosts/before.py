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


def recall(host: Host, run_id: str) -> Before | None:
    """What was kept of the host under this id; none if nothing was. Raises StepFailed."""
    told = "\n".join(script.lines(host, "remember.sh", "recall", f"{run_id}-before")).strip()
    if not told:
        return None
    earlier = json.loads(told)
    return Before(earlier["boot_id"], tuple(earlier["units"]))


def keep(host: Host, run_id: str, boot_id: str) -> Before:
    """Keep what the host is now, in place of what was kept. Raises StepFailed."""
    seen = Before(boot_id, running(host))
    _keep(host, run_id, json.dumps(asdict(seen)))
    return seen


def forget(host: Host, run_id: str) -> None:
    """The host is as it was: whoever touches it again looks again. Raises StepFailed."""
    _keep(host, run_id, "")


def running(host: Host) -> tuple[str, ...]:
    """The services that run now."""
    return tuple(sorted(script.lines(host, "running.sh")))


def ended(host: Host, before: Before) -> tuple[str, ...]:
    """The services that ran before and do not now."""
    return tuple(sorted(set(before.units) - set(running(host))))


def _keep(host: Host, run_id: str, content: str) -> None:
    kept = script.run(host, "remember.sh", "keep", f"{run_id}-before", values={"content": content})
    if kept.code != 0:
        raise StepFailed(
            f"what it was before cannot be kept on it: {kept.words}",
            target=host.name,
            left="it is as it was",
            next_step="make space in /var, then clear the task",
            runbook="The disk of a host is full",
        )
