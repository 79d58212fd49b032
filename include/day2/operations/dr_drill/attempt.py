"""One try of the probe: a client's write through the endpoint, and a rolled-back write at a server's own address."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, Unavailable
from day2.ledger.probe import Sample
from day2.operations.dr_drill import sessions
from day2.operations.dr_drill.samples import ENDPOINT
from day2.postgres.server import Server

if TYPE_CHECKING:
    from psycopg import Connection

# A client gives up after this long in all; a try must not write after that.
PATIENCE = 3.0
CONNECT_SECONDS = 2
ANSWER_SECONDS = 2.0
HOLD_SECONDS = 3.0
CANCEL_SECONDS = 0.5
MOST_WORDS = 600

SCHEMA = "day2_drill"
MAKE = """
    create schema if not exists day2_drill;
    create table if not exists day2_drill.marker (
        run text not null, n bigint not null, written_at timestamptz not null, primary key (run, n)
    )
"""
# Which server this is: an address may lead anywhere, so the timeline and the moment it started say it. No
# privilege is needed, and unlike pg_control_checkpoint the file name knows the timeline at once.
WHO = """
    coalesce(host(inet_server_addr()), 'socket') || ':' || coalesce(inet_server_port(), 0)
    || ', timeline ' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
    || ', up since ' || pg_postmaster_start_time()
"""
# The next number, also after a probe that was killed before it could tell which ones it had used.
WRITE = f"""
    with before as (select max(n) as seen from day2_drill.marker where run = %(run)s)
    insert into day2_drill.marker (run, n, written_at)
    select %(run)s, greatest(%(n)s, seen + 1), clock_timestamp() from before
    returning n, {WHO}, (select seen from before)
"""  # noqa: S608 - put together from constants
# Writes WAL in a transaction that is rolled back: needs no table, no privilege, and no standby to confirm it.
TRY = "select pg_logical_emit_message(true, 'day2', 'does this server take writes?')"


def hurried(server: Server) -> Server:
    """The server as an impatient client connects to it."""
    hurry = {"connect_timeout": str(CONNECT_SECONDS), "application_name": "day2 probe"}
    return replace(server, options={**server.options, **hurry})


def write(endpoint: Server, run: str, n: int) -> Sample:
    """Commit marker `n` through the endpoint, on a connection of its own. Never raises for a server's sake."""
    import psycopg

    sent, begun = _now(), time.monotonic()
    try:
        with endpoint.connect() as connection:
            left = PATIENCE - (time.monotonic() - begun)
            n, server, seen, said = _commit(connection, run, n, seconds=min(ANSWER_SECONDS, left))
    except (Day2Error, psycopg.Error) as error:
        return Sample(n, ENDPOINT, sent, _now(), wrote=False, said=words(error))
    return Sample(n, ENDPOINT, sent, _now(), wrote=not said, server=server, said=said, seen=seen)


def write_directly(name: str, server: Server, n: int, *, together: threading.Barrier) -> Sample:
    """Write at a server's own address and roll it back. Never raises for a server's sake.

    Every server's transaction stays open until the others have answered, and only one that still answers
    then counts: two such took writes at one and the same moment, not one after the other.
    """
    import psycopg

    sent = _now()
    try:
        with server.connect() as connection, _cut_off(connection, HOLD_SECONDS):
            connection.autocommit = False
            connection.execute(TRY)
            with suppress(threading.BrokenBarrierError):
                together.wait(HOLD_SECONDS)
            connection.rollback()  # a server that was stopped meanwhile does not answer this
    except (Day2Error, psycopg.Error) as error:
        together.abort()  # nobody has to wait for this one
        return Sample(n, name, sent, _now(), wrote=False, said=words(error))
    return Sample(n, name, sent, _now(), wrote=True)


def who(server: Server) -> str:
    """How samples name the server that answers there. Raises Unavailable, StepFailed."""
    with hurried(server).connect() as connection:
        row: Any = connection.execute(f"select {WHO}").fetchone()
        return str(row[0])


def words(error: Exception) -> str:
    """What was said, in one line: of several hosts, by each."""
    said = str(error.__cause__ or (error.happened if isinstance(error, Day2Error) else error))
    return " ".join(said.split())[:MOST_WORDS] or type(error).__name__


def _commit(connection: Connection[Any], run: str, n: int, *, seconds: float) -> tuple[int, str, int | None, str]:
    """The marker's number, the server, the newest marker there was, and why this is no acknowledgement.

    A commit that is cut short while it waits for the standby is answered with success, and a warning that
    the standby may not have it.
    """
    if seconds <= 0:
        raise Unavailable("connected too late to write")
    warnings: list[str | None] = []
    connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
    with _cut_off(connection, seconds) as late:
        number, server, seen = _insert(connection, run, n)
    said = f"no answer within {seconds:.1f} s" if late.is_set() else ""
    doubts = (f"committed, but: {each}" for each in warnings if "replicat" in str(each))
    return number, server, seen, said or next(doubts, "")


def _insert(connection: Connection[Any], run: str, n: int) -> Any:
    from psycopg import errors

    values = {"run": run, "n": n}
    try:
        return connection.execute(WRITE, values).fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        connection.execute(MAKE)
        return connection.execute(WRITE, values).fetchone()


@contextmanager
def _cut_off(connection: Connection[Any], seconds: float) -> Iterator[threading.Event]:
    """End what takes too long: by cancelling it, and if even that is not answered, by hanging up.

    Cancelled first, because a session that waits for a standby does not notice that its client is gone, and
    one such session a beat would use up the server's connections.
    """
    import psycopg

    late = threading.Event()

    def end() -> None:
        late.set()
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CANCEL_SECONDS)
        if not done.wait(CANCEL_SECONDS):
            sessions.hang_up(connection)

    done = threading.Event()
    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield late
    finally:
        done.set()
        timer.cancel()


def _now() -> datetime:
    return datetime.now(UTC)
