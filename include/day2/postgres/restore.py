"""Put a stored copy back: a tar stream into a data folder, or a dump into a server."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path

from day2.postgres import dump
from day2.postgres.binaries import Binaries, RunAs
from day2.postgres.programs import running
from day2.postgres.server import Server
from day2.readable import Readable

CHUNK = 1 << 20


def unpack(source: Readable, folder: Path, *, run_as: RunAs) -> None:
    """Unpack a base backup's tar into an existing empty folder, as the user who will own it."""
    command = ["tar", "--extract", "--file=-", f"--directory={folder}"]
    feed(command, source, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, run_as=run_as)


def load(binaries: Binaries, server: Server, source: Readable, *, create: bool) -> None:
    """Restore a dump stream into `server`; `create` makes the database under its own name first."""
    with server.environment() as env:
        feed(dump.restore_command(binaries, server, create=create), source, env=env)


def roles(binaries: Binaries, server: Server, statements: bytes, *, existing: Sequence[str]) -> list[str]:
    """Create the roles of a dump; those in `existing` are left as they are. Returns the skipped ones.

    Raises StepFailed if any other statement fails.
    """
    kept, skipped = [], []
    for line in statements.decode().splitlines():
        name = next((each for each in existing if line in (f"CREATE ROLE {form};" for form in _forms(each))), None)
        if name:
            skipped.append(name)
        else:
            kept.append(line)
    program = [binaries["psql"], "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-", dump.dbname(server)]
    with server.environment() as env:
        feed(program, io.BytesIO("\n".join(kept).encode()), env=env)
    return skipped


def feed(command: Sequence[str], source: Readable, *, env: dict[str, str], run_as: RunAs | None = None) -> None:
    """Run a program with a stream as its stdin. Raises StepFailed unless it succeeds.

    The stream is read to its end even if the program has enough: only then is it known to be whole.
    """
    with running(command, env=env, stdin=subprocess.PIPE, run_as=run_as) as program:
        stdin = program.process.stdin
        assert stdin is not None  # noqa: S101 - opened with a pipe, above
        open_ended = True
        while data := source.read(CHUNK):
            if not open_ended:
                continue
            try:
                stdin.write(data)
            except BrokenPipeError:
                program.finish()
                open_ended = False
        try:
            stdin.close()
        except BrokenPipeError:
            open_ended = False
        program.finish()


def _forms(name: str) -> tuple[str, str]:
    quoted = name.replace('"', '""')
    return name, f'"{quoted}"'
