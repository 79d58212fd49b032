"""Take a host out of traffic and put it back, with the load balancer's own command."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from datetime import timedelta

from day2.errors import StepFailed
from day2.hosts.shell import Shell

log = logging.getLogger("day2")
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Command:
    """A command as its arguments, and what it reads; `{host}` in either is the host's name.

    `expect` is a pattern its output must match in full: HAProxy's runtime API answers 0 also when it refuses,
    and nothing when it obeys. None: the exit code says it all.
    """

    words: tuple[str, ...]
    stdin: str = ""
    expect: str | None = None


@dataclass(frozen=True)
class Hook:
    """How hosts leave and enter traffic. `idle` answers as it expects once nobody is connected any more."""

    shell: Shell
    out: Command
    back: Command
    idle: Command | None = None
    settle: timedelta = timedelta(seconds=60)


def drain(hook: Hook, target: str) -> None:
    """Take a host out, and wait until it is idle. Idempotent. Raises StepFailed with whether it still serves."""
    said = _run(hook, hook.out, target)
    if said is not None:
        raise _refused(target, "drained", said, "still in service; nothing was changed on it")
    log.info("%s: drained", target)
    if hook.idle is None:
        return
    deadline = time.monotonic() + hook.settle.total_seconds()
    while (said := _run(hook, hook.idle, target)) is not None:
        if time.monotonic() >= deadline:
            what = f"drained, yet busy after {hook.settle.total_seconds():.0f} s"
            raise _refused(target, what, said, "drained; it gets no new work, and was not patched")
        time.sleep(POLL_SECONDS)
    log.info("%s: idle", target)


def undrain(hook: Hook, target: str) -> None:
    """Put a host back. Idempotent. Raises StepFailed where it stays out."""
    said = _run(hook, hook.back, target)
    if said is not None:
        raise _refused(target, "put back", said, "drained: it is well, and takes no traffic")
    log.info("%s: back in service", target)


def _run(hook: Hook, command: Command, target: str) -> str | None:
    """None if the command did it, else what it said."""
    words = tuple(each.replace("{host}", target) for each in command.words)
    done = hook.shell.run(*words, stdin=command.stdin.replace("{host}", target).encode())
    if done.code != 0:
        return f"`{words[0]}` answered {done.code}: {done.words}"
    if command.expect is not None and not re.fullmatch(command.expect, done.stdout.strip()):
        return f"`{words[0]}` said {done.words or 'nothing'}"
    return None


def _refused(target: str, what: str, said: str, left: str) -> StepFailed:
    happened = f"{what}: {said}" if "busy" in what else f"cannot be {what}: {said}"
    return StepFailed(
        happened,
        target=target,
        left=left,
        next_step="run the command of the policy's `drain` by hand on the load balancer, and look at its state",
        runbook="A host cannot be drained or put back",
    )
