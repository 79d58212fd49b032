"""A command on a host that outlives our connection and our worker: start it, or find it and follow it.

Whoever comes back with the same id follows what runs. Nothing is started twice: the host's lock decides.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Literal

from day2.errors import StepFailed, Unavailable
from day2.hosts import script
from day2.hosts.script import Host
from day2.hosts.shell import SECONDS

log = logging.getLogger("day2")
State = Literal["none", "running", "interrupted", "ended"]
FOLLOW_SECONDS = 15


@dataclass(frozen=True)
class Job:
    """A script with its arguments, and the id it is found by: one id, one piece of work on a host."""

    id: str
    script: str
    arguments: tuple[str, ...] = ()

    @property
    def log(self) -> str:
        """Where its log is on the host."""
        return f"/var/lib/day2/jobs/{self.id}/log"


@dataclass(frozen=True)
class Seen:
    """A job at one moment. `code` counts only when it ended; `interrupted` is: it began, and something killed it."""

    state: State
    code: int = 0
    said: str = ""


def look(host: Host, job_id: str, *, offset: int = 0, wait: int = 0) -> Seen:
    """What became of a job, and its log from `offset` on. Waits up to `wait` seconds for its end."""
    done = script.run(host, "job.sh", "follow", job_id, str(offset), str(wait), seconds=wait + SECONDS)
    first, _, said = done.stdout.partition("\n")
    for state in ("none", "running", "interrupted", "ended"):
        if first.startswith(f"{state} "):
            return Seen(state, int(first.split()[1]), said)
    raise StepFailed(
        f"its job {job_id} cannot be looked at: {done.words or 'it said nothing'}",
        target=host.name,
        left="unknown whether it runs",
        next_step=f"`ls -l /var/lib/day2/jobs/{job_id}` on {host.name}; is there space in /var?",
        runbook="A command on a host failed",
    )


def run(host: Host, job: Job, *, seconds: float, patience: float = 120.0) -> Seen:
    """Start a job, or join the one that runs, and follow it to its end. Returns its last attempt's log.

    `patience` is how long the host may not answer meanwhile. Raises Unavailable when either is used up:
    the job goes on, and the next call with the same id follows it.
    """
    offset = len(look(host, job.id).said.encode())
    started = script.run(
        host, "job.sh", "start", job.id, *job.arguments, values={"payload": script.whole(job.script, host.manager)}
    )  # fmt: skip
    if started.code != 0:
        raise StepFailed(
            f"its job {job.id} cannot be started: {started.words or 'it said nothing'}",
            target=host.name,
            left="nothing was changed",
            next_step="make space in /var, then clear the task",
            runbook="The disk of a host is full",
        )
    if started.stdout.strip() == "running":
        log.info("%s: job %s runs already, following it", host.name, job.id)
        offset = 0
    return follow(host, job, seconds=seconds, patience=patience, offset=offset)


def follow(host: Host, job: Job, *, seconds: float, patience: float = 120.0, offset: int = 0) -> Seen:
    """Follow a job to its end, telling its log as it grows."""
    said, heard, deadline = "", time.monotonic(), time.monotonic() + seconds
    while True:
        wait = max(0, min(FOLLOW_SECONDS, int(deadline - time.monotonic())))
        try:
            seen = look(host, job.id, offset=offset + len(said.encode()), wait=wait)
        except Unavailable as error:
            if time.monotonic() - heard > patience:
                raise _lost(host, job, str(error.happened)) from error
            log.info("%s: does not answer (%s); the job goes on there, trying again", host.name, error.happened)
            time.sleep(1.0)
            continue
        heard = time.monotonic()
        _tell(host, seen.said)
        said += seen.said
        if seen.state != "running":
            return Seen(seen.state, seen.code, said)
        if time.monotonic() > deadline:
            raise _lost(host, job, f"it did not end within {seconds:.0f} s")


def _tell(host: Host, said: str) -> None:
    for line in said.splitlines():
        if line.strip() and not line.startswith("(Reading database"):
            log.info("%s| %s", host.name, line)


def _lost(host: Host, job: Job, why: str) -> Unavailable:
    return Unavailable(
        f"the job {job.id} was started and is out of sight: {why}",
        target=host.name,
        left=f"it goes on there by itself; its log is {job.log}",
        next_step="clear the task when the host answers: it follows the job that runs, and starts none twice",
        runbook="A patch is out of sight",
    )
