"""What an archive says of its database as a whole: how to make it, its owner, settings, rights, comment.

pg_restore brings these back under the database's own name only, so they are taken from the archive's
table of contents, which comes first, and given another name by `statements`.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from day2.errors import StepFailed
from day2.operations.database_restore import statements
from day2.postgres.binaries import Binaries
from day2.postgres.programs import running
from day2.readable import Readable

CHUNK = 1 << 16
ABOUT_THE_DATABASE = re.compile(
    rb"^\d+; \d+ \d+ (DATABASE|DATABASE PROPERTIES|(ACL|COMMENT|SECURITY LABEL) - DATABASE) ", re.MULTILINE
)

Archive = Callable[[], AbstractContextManager[Readable]]


def properties(binaries: Binaries, archive: Archive, name: str) -> tuple[bytes, list[bytes]]:
    """CREATE DATABASE and the statements that follow it, for a database called `name`."""
    with tempfile.TemporaryDirectory(prefix="day2-contents-") as folder:
        everything, wanted, script = (Path(folder) / each for each in ("everything", "wanted", "script"))
        _first_part(binaries, archive, ["--list", f"--file={everything}"])
        lines = [line for line in everything.read_bytes().splitlines() if ABOUT_THE_DATABASE.match(line)]
        wanted.write_bytes(b"\n".join(lines) + b"\n")
        _first_part(binaries, archive, [f"--use-list={wanted}", f"--file={script}"])
        create, rest = statements.database_properties(script.read_bytes(), name)
    if not create:
        raise StepFailed(
            "the dump does not say how its database was made",
            left="nothing was restored",
            next_step="restore another recovery point; this one is not a dump that day2 wrote",
            runbook="A PostgreSQL program failed",
        )
    return create, rest


def _first_part(binaries: Binaries, archive: Archive, options: list[str]) -> None:
    """Run pg_restore on an archive of which it reads only the beginning."""
    command = [binaries["pg_restore"], "--create", "--schema-only", *options]
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    with archive() as source, running(command, env=environment, stdin=subprocess.PIPE) as program:
        stdin = program.process.stdin
        assert stdin is not None  # noqa: S101 - opened with a pipe, above
        # It ends when it has read the table of contents, and then nobody listens any more.
        with contextlib.suppress(BrokenPipeError):
            while data := source.read(CHUNK):
                stdin.write(data)
        with contextlib.suppress(BrokenPipeError):
            stdin.close()
        program.finish()
