"""Run PostgreSQL's own programs: arguments as a list, the exit code always read, stderr kept."""

from __future__ import annotations

import logging
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from day2.errors import StepFailed, Unavailable
from day2.postgres.binaries import RunAs
from day2.postgres.server import INHERITED

if TYPE_CHECKING:
    import psutil

log = logging.getLogger("day2")
TAIL_LINES = 6
# Linux gives a pipe 64 KiB; a fuller one saves the switches between the program and us.
PIPE_BYTES = 1 << 20
# libpq's words for a server that went away; a program reports them like any other failure.
LOST = (
    "server closed the connection",
    "terminating connection due to",
    "the database system is",
    "could not receive data from",
    "Connection refused",
    "timeout expired",
    "lost synchronization with server",
)


class Program:
    """A running program whose output is read as a stream.

    At the end of the stream the exit code is read: anything but 0 raises StepFailed with the last
    lines of stderr, so that a cut-off stream is never taken for a complete one.
    """

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], name: str) -> None:
        self.process = process
        self._errors = errors
        self._name = name

    def read(self, size: int = -1) -> bytes:
        assert self.process.stdout is not None  # noqa: S101 - opened with a pipe, below
        data = self.process.stdout.read(size)
        if not data:
            self.finish()
        return data

    def finish(self) -> None:
        """Wait for the end. Raises StepFailed unless the program succeeded."""
        code = self.process.wait()
        if code != 0:
            ended = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
            happened = f"{self._name} {ended}: {self.errors() or 'it printed nothing'}"
            left = "what it wrote so far is not a recovery point and is removed"
            if any(words in happened for words in LOST):
                raise Unavailable(
                    happened,
                    left=left,
                    next_step="check that the server runs; the task retries by itself",
                    runbook="Source server stopped or unreachable",
                )
            raise StepFailed(
                happened,
                left=left,
                next_step="act on the program's message above; the server's log has the other side",
                runbook="A PostgreSQL program failed",
            )

    def errors(self) -> str:
        """The last lines the program wrote to stderr, on one line."""
        return " | ".join(self.stderr().strip().splitlines()[-TAIL_LINES:])

    def stderr(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")


@contextmanager
def running(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: Any = subprocess.DEVNULL,
    run_as: RunAs | None = None,
) -> Iterator[Program]:
    """Start a program with its stdout as a stream; it is stopped when the block ends, however it ends.

    Its command line is logged: by design nothing secret is ever in one.
    """
    log.info("$ %s", shlex.join(command))
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(command),
            env=dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            pipesize=PIPE_BYTES,
            cwd="/",
            pass_fds=inherited(env),
            **(run_as or {}),
        )
        try:
            yield Program(process, errors, command[0].rsplit("/", 1)[-1])
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            for pipe in (process.stdout, process.stdin):
                if pipe:
                    _close(pipe)


def run(command: Sequence[str], *, env: Mapping[str, str], run_as: RunAs | None = None) -> str:
    """Run a program to its end and return its stdout. Raises StepFailed unless it succeeded."""
    with running(command, env=env, run_as=run_as) as program:
        output = b"".join(iter(lambda: program.read(1 << 20), b""))
    return output.decode(errors="replace")


def inherited(env: Mapping[str, str]) -> tuple[int, ...]:
    """The open password file that `Server.environment` names, if the environment is one of those."""
    named = env.get("PGPASSFILE", "")
    return (int(named.removeprefix(INHERITED)),) if named.startswith(INHERITED) else ()


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # the program ended first: nobody is left to read what was buffered


def still_running(processes: Sequence[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Wait up to `seconds` for processes to end, also other people's children; returns those that did not.

    A zombie has ended: in some containers nobody ever collects the dead.
    """
    import psutil

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    deadline = time.monotonic() + seconds
    while (left := [each for each in processes if runs(each)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
