"""Logical copies with pg_dump: one consistent snapshot, shared with whoever reads beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from day2.postgres.binaries import Binaries
from day2.postgres.programs import Program, run, running
from day2.postgres.server import Server


def command(binaries: Binaries, server: Server, snapshot: str) -> list[str]:
    """pg_dump's custom format, uncompressed: it has no check of its own, the stream's zstd adds one."""
    return [
        binaries["pg_dump"],
        "--format=custom",
        "--compress=0",
        f"--snapshot={snapshot}",
        "--lock-wait-timeout=60s",
        "--no-password",
        dbname(server),
    ]


@contextmanager
def dumping(binaries: Binaries, server: Server, snapshot: str) -> Iterator[Program]:
    """The dump of one database as of an exported snapshot, as a stream."""
    with server.environment() as env, running(command(binaries, server, snapshot), env=env) as program:
        yield program


def roles(binaries: Binaries, server: Server, *, passwords: bool) -> bytes:
    """SQL that creates the server's roles. Their password hashes only where we may read them."""
    arguments = [binaries["pg_dumpall"], "--roles-only", "--no-password", dbname(server)]
    if not passwords:
        arguments.append("--no-role-passwords")
    with server.environment() as env:
        return run(arguments, env=env).encode()


def schema(binaries: Binaries, server: Server, *, snapshot: str | None = None) -> str:
    """The database's definitions as pg_dump writes them, without what differs from run to run."""
    arguments = [binaries["pg_dump"], "--schema-only", "--no-password", dbname(server)]
    if snapshot:
        arguments.append(f"--snapshot={snapshot}")
    with server.environment() as env:
        lines = run(arguments, env=env).splitlines()
    # Comments name versions; \restrict and \unrestrict carry a random key (pg_dump since August 2025).
    return "\n".join(line for line in lines if line and not line.startswith(("--", "\\restrict", "\\unrestrict")))


def schema_sha256(binaries: Binaries, server: Server, *, snapshot: str | None = None) -> str:
    return hashlib.sha256(schema(binaries, server, snapshot=snapshot).encode()).hexdigest()


def restore_command(binaries: Binaries, server: Server, *, create: bool) -> list[str]:
    """pg_restore from stdin into `server`; with `create` it makes the database under its own name.

    One error stops it: a restore that went on would be a guess.
    """
    arguments = [binaries["pg_restore"], "--exit-on-error", "--no-password", dbname(server)]
    return [*arguments, "--create"] if create else arguments


def dbname(server: Server) -> str:
    """The option naming a database, as a quoted connection string: a bare name with `=` in it would be read as one."""
    from psycopg.conninfo import make_conninfo

    return f"--dbname={make_conninfo(dbname=server.dbname)}"
