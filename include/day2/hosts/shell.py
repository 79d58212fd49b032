"""Run a command on a host: its arguments as a list, its exit code always read, never through a pipe.

`cmd | tail` answers with tail's exit code, so no command line of ours has a pipe.
"""

from __future__ import annotations

import logging
import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from day2.errors import StepFailed, Unavailable

if TYPE_CHECKING:
    from paramiko import Channel, SSHClient

log = logging.getLogger("day2")
SECONDS = 60.0
TAIL = 6
# paramiko's answer for a command that a signal ended, or whose connection broke.
NO_CODE = -1


@dataclass(frozen=True)
class Done:
    """A command that ended. `words` is the end of what it said, for an error's text."""

    code: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return "; ".join(line.strip() for line in said[-TAIL:])


class Shell(Protocol):
    """A login on a host. `label` is how messages name it."""

    @property
    def label(self) -> str: ...

    def run(self, *command: str, stdin: bytes = b"", seconds: float = SECONDS) -> Done:
        """Run to the end. Raises Unavailable if the host does not answer, or not within `seconds`."""
        ...


def require(shell: Shell, *command: str, stdin: bytes = b"", seconds: float = SECONDS, left: str = "") -> str:
    """Run a command that must succeed and return its stdout. Raises StepFailed with its last words."""
    done = shell.run(*command, stdin=stdin, seconds=seconds)
    if done.code != 0:
        raise StepFailed(
            f"`{shlex.join(command)}` answered {done.code}: {done.words or 'it said nothing'}",
            target=shell.label,
            left=left,
            next_step=f"log in to {shell.label} and run it by hand",
            runbook="A command on a host failed",
        )
    return done.stdout


@dataclass(frozen=True)
class Local:
    """Commands on this machine, with an environment of their own and, for root, as another user."""

    label: str
    env: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    group: int | None = None

    def run(self, *command: str, stdin: bytes = b"", seconds: float = SECONDS) -> Done:
        """Run to the end. Raises Unavailable after `seconds`."""
        log.info("%s$ %s", self.label, shlex.join(command))
        env = {"PATH": os.defpath, "LC_ALL": "C", **self.env}
        groups: list[int] | None = None if self.user is None else []
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=seconds, check=False, cwd="/", env=env,
                user=self.user, group=self.group, extra_groups=groups,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise _too_slow(self.label, command, seconds) from error
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


class Ssh:
    """Commands over SSH, one connection for as long as the object lives. `connect` checks the host key."""

    def __init__(self, label: str, connect: Callable[[], SSHClient]) -> None:
        self.label = label
        self._connect = connect
        self._client: SSHClient | None = None

    def run(self, *command: str, stdin: bytes = b"", seconds: float = SECONDS) -> Done:
        """Run to the end. Raises Unavailable when the host or the connection is gone, or after `seconds`."""
        from paramiko import SSHException

        line = shlex.join(command)
        log.info("%s$ %s", self.label, line)
        try:
            channel = self._open(seconds)
            channel.settimeout(seconds)
            channel.exec_command(line)
            with suppress(OSError):  # it need not read all of it; a lost connection shows when its answer is read
                channel.sendall(stdin)
                channel.shutdown_write()
            return _read(channel, self.label, command, seconds)
        except (SSHException, EOFError, OSError) as error:
            self.close()
            raise Unavailable(
                f"SSH failed: {error or type(error).__name__}",
                target=self.label,
                left=f"unknown whether `{line}` ran",
                next_step="check that the host is up, reachable from the worker, and shows its known host key",
                runbook="A host does not answer",
            ) from error

    def close(self) -> None:
        """End the connection. A later `run` makes a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open(self, seconds: float) -> Channel:
        transport = self._client.get_transport() if self._client else None
        if transport is None or not transport.is_active():
            self.close()
            self._client = self._connect()
            transport = self._client.get_transport()
        assert transport is not None  # noqa: S101 - a client that is connected has one
        return transport.open_session(timeout=min(seconds, SECONDS))


def _read(channel: Channel, label: str, command: tuple[str, ...], seconds: float) -> Done:
    """Both streams together, so that neither fills up and blocks the command."""
    out, err = bytearray(), bytearray()
    deadline = time.monotonic() + seconds
    readable = select.poll()
    readable.register(channel.fileno(), select.POLLIN)
    try:
        while not _ended(channel, out, err):
            if not readable.poll(_left(deadline) * 1000):
                raise _too_slow(label, command, seconds)
        # The exit code may come after the end of what it says.
        if not channel.status_event.wait(_left(deadline)):
            raise _too_slow(label, command, seconds)
        code = channel.recv_exit_status()
        if code == NO_CODE and not channel.eof_received:
            raise EOFError("the connection broke while the command ran")
    finally:
        channel.close()
    return Done(code, out.decode(errors="replace"), err.decode(errors="replace"))


def _ended(channel: Channel, out: bytearray, err: bytearray) -> bool:
    """Take what is there. Returns whether it was the last: asked first, so that nothing is left behind."""
    ended = bool(channel.eof_received or channel.closed)
    while channel.recv_ready():
        out += channel.recv(1 << 16)
    while channel.recv_stderr_ready():
        err += channel.recv_stderr(1 << 16)
    return ended


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _too_slow(label: str, command: tuple[str, ...], seconds: float) -> Unavailable:
    return Unavailable(
        f"`{shlex.join(command)}` did not end within {seconds:.0f} s",
        target=label,
        left="unknown: it may still be running there",
        next_step=f"log in to {label} and look whether it still runs",
        runbook="A host does not answer",
    )
