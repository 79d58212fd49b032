"""Physical copies with pg_basebackup: a tar stream of the whole cluster, compressed by the server.

Streaming to stdout means no manifest of the tool's own (it refuses to add one to a compressed stream)
and WAL by `fetch`: a temporary slot keeps the server from recycling what the copy still needs, and
disappears with its session, however that ends.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from day2.postgres.binaries import Binaries
from day2.postgres.programs import Program, running
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

START = re.compile(r"write-ahead log start point: (\S+) on timeline (\d+)")
END = re.compile(r"write-ahead log end point: (\S+)")


@dataclass(frozen=True)
class Span:
    """The WAL the copy needs: it is consistent from `end` on."""

    start: str
    end: str
    timeline: int


def command(binaries: Binaries, *, label: str, level: int, workers: int) -> list[str]:
    method = f"server-zstd:level={level}" + (f",workers={workers}" if workers else "")
    return [
        binaries["pg_basebackup"],
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        f"--compress={method}",
        "--no-manifest",
        f"--label={label}",
        "--no-password",
        "--verbose",
    ]


@contextmanager
def copying(
    binaries: Binaries, server: Server, *, label: str, level: int, workers: int
) -> Iterator[tuple[Program, psycopg.Connection[Any]]]:
    """The copy as a stream of tar.zst, and the session that holds its WAL and sees its progress."""
    with server.connect() as session, server.environment() as env:
        # Reserve first: from here on nothing the copy will fetch can be recycled.
        slot = f"day2_{secrets.token_hex(6)}"
        session.execute("select pg_catalog.pg_create_physical_replication_slot(%s, true, true)", (slot,))
        with running(command(binaries, label=label, level=level, workers=workers), env=env) as program:
            yield program, session


def progress(session: psycopg.Connection[Any]) -> tuple[int, int]:
    """Bytes of the cluster read so far, and the server's estimate of all of them (0 if not known)."""
    found = rows(session, "basebackup_progress")
    return (int(found[0]["streamed"]), int(found[0]["total"])) if found else (0, 0)


def span(program: Program) -> Span:
    """The WAL range of a finished copy, from what pg_basebackup said. Raises StepFailed without one."""
    said = program.stderr()
    start, end = START.search(said), END.search(said)
    if not (start and end):
        raise StepFailed(
            f"pg_basebackup did not say which WAL its copy needs: {program.errors()}",
            left="no recovery point was committed",
            next_step="run it again; if this repeats, the client's version is one we do not know",
        )
    return Span(start=start[1], end=end[1], timeline=int(start[2]))


def write_watermark(server: Server, mark: str) -> None:
    """Commit a row that the restored copy must hold. Old rows go, so the table stays small."""
    with server.connect() as connection:
        for statement in _WATERMARK:
            connection.execute(statement)
        connection.execute("insert into day2.watermark (mark) values (%s)", (mark,))


def has_watermark(connection: psycopg.Connection[Any], mark: str) -> bool:
    row = connection.execute(
        "select exists (select from day2.watermark where mark operator(pg_catalog.=) %s)", (mark,)
    ).fetchone()
    return bool(row and row[0])


_WATERMARK = (
    "create schema if not exists day2",
    "create table if not exists day2.watermark (mark pg_catalog.text primary key,"
    " at pg_catalog.timestamptz not null default pg_catalog.now())",
    "delete from day2.watermark where at < pg_catalog.now() - interval '7 days'",
)
