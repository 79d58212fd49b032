"""Start and stop a server on its host, and ask the host whether it runs.

An exit code of pg_ctl is not proof: `pg_ctl start` answers 0 for a server that dies a moment later. So
whoever starts or stops a server looks at it afterwards (`observe`).
"""

from __future__ import annotations

import logging
import shlex
import time
from dataclasses import dataclass, replace
from typing import Literal

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill.pair import Node

log = logging.getLogger("day2")
Mode = Literal["fast", "immediate"]
START_LOG = "day2-start.log"
SIGNAL = "standby.signal"
# pg_ctl status: https://www.postgresql.org/docs/current/app-pg-ctl.html
RUNS, STOPPED = 0, 3
SECONDS = 60.0
# A host that answers at all answers `pg_ctl status` at once.
LOOK_SECONDS = 10.0
# Beyond what pg_ctl itself waits, for the way to the host and back.
GRACE = 10.0
# Seconds between two looks at a server that stops.
FIRST_PAUSE, LAST_PAUSE = 0.005, 0.2


@dataclass(frozen=True)
class ControlFile:
    """What a server's control file says; it can be read while the server is stopped.

    `state` is in PostgreSQL's words: `shut down`, `shut down in recovery`, `in production` (running, or
    crashed as a primary), `in archive recovery`. `checkpoint` is where the last checkpoint's record begins.
    """

    state: str
    checkpoint: int
    timeline: int
    system: str


def running(node: Node) -> bool:
    """Whether the host says that the server runs. Raises Unavailable if the host does not answer."""
    command = ("pg_ctl", "status", *_where(node))
    done = node.shell.run(*command, seconds=LOOK_SECONDS)
    if done.code in (RUNS, STOPPED):
        return done.code == RUNS
    raise StepFailed(
        f"`{shlex.join(command)}` answered {done.code}: {done.words or 'it said nothing'}",
        target=node.name,
        left=f"nobody knows whether {node.name} runs",
        next_step=f"log in to {node.shell.label}; check data directory, PATH and PGDATA of this login",
        runbook="A command on a host failed",
    )


def data(node: Node) -> str:
    """The server's data directory on its host."""
    return node.data or require(node.shell, "printenv", "PGDATA", seconds=LOOK_SECONDS).strip()


def located(node: Node) -> Node:
    """The same node with its data directory written down, so that its host is asked for it once."""
    return replace(node, data=data(node))


def control_file(node: Node) -> ControlFile:
    """The control file as it is on disk now."""
    return parsed(require(node.shell, "env", "LC_ALL=C", "pg_controldata", *_where(node), seconds=LOOK_SECONDS))


def starts_as_standby(node: Node) -> bool:
    """Whether its files make it a standby. A promotion removes this one first, whatever else it has got to."""
    return node.shell.run("test", "-e", f"{data(node)}/{SIGNAL}", seconds=LOOK_SECONDS).code == 0


def parsed(text: str) -> ControlFile:
    """What pg_controldata printed. Pure."""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    return ControlFile(
        state=fields["Database cluster state"],
        checkpoint=position(fields["Latest checkpoint location"]),
        timeline=int(fields["Latest checkpoint's TimeLineID"]),
        system=fields["Database system identifier"],
    )


def position(lsn: str) -> int:
    """A WAL position as a number: `0/3000060`."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def written(lsn: int) -> str:
    """A WAL position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def stop(node: Node, mode: Mode = "fast", *, seconds: float = SECONDS) -> None:
    """Stop the server, and wait until the host says that it is stopped. Does nothing if it is.

    Raises StepFailed when it still runs after `seconds`, Unavailable when the host does not answer.
    """
    if not running(node):
        return
    deadline = time.monotonic() + seconds
    said = [node.shell.run(*each, seconds=seconds + GRACE).words for each in _stopping(node, mode, seconds)]
    pause = FIRST_PAUSE
    while running(node):
        if time.monotonic() > deadline:
            raise StepFailed(
                f"it still runs {seconds:.0f} s after a {mode} stop: {'; '.join(filter(None, said)) or 'nothing said'}",
                target=node.name,
                left=f"{node.name} may be half-way down",
                next_step=f"on {node.shell.label}: {stop_by_hand(node, 'immediate')}",
                runbook="A server does not stop",
            )
        time.sleep(pause)
        pause = min(2 * pause, LAST_PAUSE)
    log.info("%s: stopped (%s)", node.name, mode)


def start(node: Node, *, seconds: float = SECONDS) -> None:
    """Start the server if it does not run. Raises StepFailed with its last words if it does not stay up.

    It comes up as what its files say. Whoever starts an old primary proves first that the other one
    takes no writes.
    """
    if running(node):
        return
    done = node.shell.run(*_starting(node, seconds), seconds=seconds + GRACE)
    if not running(node):
        raise StepFailed(
            f"it did not start: {_last_words(node) or done.words or 'it said nothing'}",
            target=node.name,
            left=f"{node.name} is stopped",
            next_step=f"on {node.shell.label}: read {START_LOG} in the data directory; {start_by_hand(node)}",
            runbook="A server does not start",
        )
    log.info("%s: started", node.name)


def start_by_hand(node: Node) -> str:
    """The command that a person types on the host to start it."""
    if node.unit:
        return shlex.join(_unit(node, "start"))
    folder = shlex.quote(node.data) if node.data else '"$PGDATA"'
    return f"pg_ctl start --wait --pgdata={folder} --log={folder}/{START_LOG}"


def stop_by_hand(node: Node, mode: Mode = "fast") -> str:
    """The command that a person types on the host to stop it."""
    return " && ".join(shlex.join(each) for each in _stopping(node, mode, SECONDS))


def _where(node: Node) -> tuple[str, ...]:
    return (f"--pgdata={node.data}",) if node.data else ()


def _unit(node: Node, verb: str, *options: str) -> tuple[str, ...]:
    assert node.unit is not None  # noqa: S101 - only asked of a node that has one
    return ("sudo", "-n", "systemctl", verb, *options, node.unit)


def _stopping(node: Node, mode: Mode, seconds: float) -> list[tuple[str, ...]]:
    if not node.unit:
        return [("pg_ctl", "stop", "--wait", "--silent", *_where(node), f"--mode={mode}", f"--timeout={seconds:.0f}")]
    # The unit must be stopped also after a kill, or systemd may start it again.
    kill = [_unit(node, "kill", "--signal=SIGQUIT", "--kill-who=main")] if mode == "immediate" else []
    return [*kill, _unit(node, "stop")]


def _starting(node: Node, seconds: float) -> tuple[str, ...]:
    if node.unit:
        return _unit(node, "start")
    log_file = f"--log={data(node)}/{START_LOG}"
    return ("pg_ctl", "start", "--wait", "--silent", *_where(node), log_file, f"--timeout={seconds:.0f}")


def _last_words(node: Node) -> str:
    if node.unit:
        return node.shell.run("journalctl", "--unit", node.unit, "--lines=6", "--output=cat").words
    return node.shell.run("tail", "-n", "6", f"{data(node)}/{START_LOG}").words
