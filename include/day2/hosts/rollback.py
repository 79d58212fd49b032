"""Back to the recorded earlier versions, from the .debs that were saved before anything was installed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from day2.errors import StepFailed
from day2.hosts import job, saved
from day2.hosts.failures import cause
from day2.hosts.freeze import label
from day2.hosts.install import DEFAULT, Limits, Prepared, job_name, versions
from day2.hosts.script import Host

log = logging.getLogger("day2")


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did. `packages` are those that are at their earlier version again, or gone again."""

    outcome: Literal["changed", "unchanged"]
    packages: tuple[str, ...]


def rollback(host: Host, prepared: Prepared, *, run_id: str, limits: Limits = DEFAULT) -> RolledBack:
    """Bring back every version that the patch replaced and remove what it brought. Idempotent.

    Raises StepFailed with exactly what is not as before, and Corrupt where a saved file was changed.
    """
    changed = tuple(sorted(label(host, each) for each in prepared.part.changes))
    work = job.Job(f"{job_name(run_id)}-rollback", "rollback.sh", _arguments(host, prepared, limits))
    now = job.look(host, work.id)
    if now.state != "running":
        if not differs(host, prepared):
            return RolledBack("changed" if now.state == "ended" else "unchanged", changed)
        saved.verify(host, [each for each in prepared.files if each.side == "before"])
    log.info("%s: rolling back %s", host.name, ", ".join(changed))
    seen = job.run(
        host, work, seconds=limits.install.total_seconds(), patience=limits.patience.total_seconds()
    )  # fmt: skip
    left = differs(host, prepared)
    if left or seen.state != "ended":
        raise _failed(host, seen, left)
    return RolledBack("changed", changed)


def differs(host: Host, prepared: Prepared) -> dict[str, str]:
    """What is not as it was before the patch: package, and what is there instead."""
    wanted = {label(host, each): each.before or "absent" for each in prepared.part.changes}
    if not wanted:
        return {}
    have = versions(host, tuple(wanted))
    return {name: have.get(name, "absent") for name in wanted if have.get(name, "absent") != wanted[name]}


def _arguments(host: Host, prepared: Prepared, limits: Limits) -> tuple[str, ...]:
    new = [label(host, each) for each in prepared.part.changes if each.before is None]
    old = [each.path for each in prepared.files if each.side == "before"]
    waits = str(int(limits.lock.total_seconds()))
    return (waits, *(("--new", *new) if new else ()), "--old", *old)


def _failed(host: Host, seen: job.Seen, left: dict[str, str]) -> StepFailed:
    why = cause(seen.said, seen.code)
    state = ", ".join(f"{name} is {have}" for name, have in sorted(left.items())) or "every package is as before"
    return StepFailed(
        f"the rollback failed: {why.happened}",
        target=host.name,
        left=f"not as before: {state}; leave it drained" if left else state,
        next_step=f"{why.next_step}; the saved packages are in {saved.CACHE} on {host.name}",
        runbook="A rollback failed",
    )
