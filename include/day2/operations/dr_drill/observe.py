"""What a pair's servers look like now: by SQL, and where SQL does not answer, from the host.

A server is `stopped` only when its host says so. When neither answers nobody knows, and that is
`unreachable`: the machine may be gone, or only the network to it while clients still write there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, StepFailed
from day2.operations.dr_drill import control, sessions
from day2.operations.dr_drill.pair import Node, Pair, Seen, State, going_back_is_free, state
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

QUESTION = (Path(__file__).parent / "observe.sql").read_text()
CONNECT_SECONDS = 3
ANSWER_SECONDS = 5
# For a server that hangs and does not even end a statement that took too long.
HANG_UP_SECONDS = ANSWER_SECONDS + 1
FIRST_PAUSE = 0.005
# What a server says that runs but takes no sessions yet; libpq gives no code for it.
STARTING = ("is starting up", "not yet accepting connections", "in recovery mode")
SENDS_TO_SLOT = """
select exists (
    select from pg_catalog.pg_replication_slots as slot
    join pg_catalog.pg_stat_replication as sender on sender.pid = slot.active_pid
    where slot.slot_name = %s and sender.state = 'streaming'
) as sends
"""
SLOT = "select wal_status, active from pg_catalog.pg_replication_slots where slot_name = %s"
DROP_SLOT = "select pg_catalog.pg_drop_replication_slot(%s)"


def impatient(server: Server) -> Server:
    """The same server, for a look at it: a session that gives up soon."""
    limits = {"connect_timeout": str(CONNECT_SECONDS), "tcp_user_timeout": str(ANSWER_SECONDS * 1000)}
    return replace(server, options={**server.options, **limits})


def ask(server: Server, question: str, *values: Any) -> dict[str, Any]:
    """The first row of a query, within a few seconds, maybe in a kept session. Raises Unavailable or StepFailed."""
    import psycopg
    from psycopg.rows import dict_row

    with sessions.session(impatient(server)) as connection, sessions.hung_up_after(connection, HANG_UP_SECONDS):
        try:
            with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                hurry(connection)
                return cursor.execute(question.encode(), values or None).fetchone() or {}
        except psycopg.OperationalError:
            raise  # `connect` tells it
        except psycopg.Error as error:
            raise _refused(server, error) from error


def hurry(connection: psycopg.Connection[Any]) -> None:
    """Let this transaction give up soon. Only this one: behind a pooler the session is everybody's."""
    connection.execute(f"set local statement_timeout = '{ANSWER_SECONDS}s'".encode())


def try_write(server: Server, asking: str = "select true as written") -> dict[str, Any]:
    """A real write, rolled back: it needs no table of ours and leaves nothing. Returns what it asked there.

    Always in a new session, as a client's.

    Raises Day2Error if it is not accepted. It says nothing about commits that wait for a standby.
    """
    import psycopg
    from psycopg.rows import dict_row

    with impatient(server).connect() as connection:
        try:
            with connection.transaction(force_rollback=True), connection.cursor(row_factory=dict_row) as cursor:
                hurry(connection)
                found = cursor.execute(asking.encode()).fetchone() or {}
                cursor.execute("create temporary table day2_write_probe as select 1 as one")
                return found
        except psycopg.OperationalError:
            raise  # `connect` tells it
        except psycopg.Error as error:
            raise StepFailed(
                f"{server.label} refuses a write: {str(error).strip()}",
                left="nothing was changed by this write",
                next_step="look whether it is a standby, or its role or database is set read-only",
                runbook="A write is refused",
            ) from error


def drop_slot(server: Server, name: str) -> bool:
    """Drop a slot that nobody uses, if it is there. Returns whether there was one."""
    found = ask(server, SLOT, name)
    if not found or found["active"]:
        return False
    ask(server, DROP_SLOT, name)
    return True


def until(what: Callable[[], bool], *, seconds: float, every: float = 0.1) -> bool:
    """Ask again and again, until it holds or the time is over. Returns whether it holds.

    The first pauses are short and grow up to `every`: most of what is waited for is there in no time.
    """
    deadline = time.monotonic() + seconds
    pause = min(FIRST_PAUSE, every)
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, every)
    return True


def observe(node: Node, other: Node) -> Seen:
    """What a server looks like now. Never raises for a server or a host that does not answer."""
    try:
        found = ask(node.server, QUESTION)
    except Day2Error as error:
        return _silent(node, error)
    return Seen(
        node.name,
        role="standby" if found["standby"] else "primary",
        follows=bool(found["standby"] and found["streaming"] and _from(other, found)),
        timeline=found["timeline"],
        lsn=found["lsn"],
    )


def look(pair: Pair) -> tuple[Seen, Seen]:
    """Both servers, at the same time: the primary of normal times first.

    In new sessions always, since an old one may live on where clients do not get in any more: a thread
    begins without the step's.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        one = pool.submit(observe, pair.primary, pair.standby)
        two = pool.submit(observe, pair.standby, pair.primary)
        return one.result(), two.result()


def now(pair: Pair) -> State:
    """The state the two are in now."""
    return state(*look(pair))


def describe(pair: Pair) -> str:
    """The state of every server, for an error: what an on-call engineer needs to know first."""
    return described(*look(pair))


def described(primary: Seen, standby: Seen) -> str:
    """The same for servers that were looked at already."""
    found = state(primary, standby)
    back = "going back is free" if going_back_is_free(found) else "going back costs"
    if found == "unknown":
        back = "nobody knows whether going back is free"
    return f"{primary.text}; {standby.text}: state {found}; {back}"


def _refused(server: Server, error: psycopg.Error) -> StepFailed:
    return StepFailed(
        f"{server.label}: {str(error).strip()}",
        left="nothing was changed by this statement",
        next_step="readiness names every right that the drill's role needs; grant what is missing",
        runbook="The drill's role lacks a right",
    )


def _silent(node: Node, error: Day2Error) -> Seen:
    """A server that does not answer SQL: stopped if its host says so."""
    # libpq's first line has the reason, a further one its advice.
    said = str(error.__cause__ or error.happened).splitlines()[0].rsplit(": ", 1)[-1]
    if any(words in error.happened for words in STARTING):
        return Seen(node.name, "starting", said=said)
    try:
        runs = control.running(node)
    except Day2Error as unknown:
        return Seen(node.name, "unreachable", said=f"{said}; its host: {unknown.happened}")
    if runs:
        return Seen(node.name, "unreachable", said=f"{said}; but its host says that it runs")
    return Seen(node.name, "stopped", said="its host says so")


def _from(other: Node, found: dict[str, Any]) -> bool:
    """Whether what a standby receives comes from the other one.

    Its slot there says so. Without a slot, or when the other does not answer, the address must do: it
    may be another one than ours where a proxy or a second network is between them.
    """
    if found["slot_name"]:
        try:
            return bool(ask(other.server, SENDS_TO_SLOT, found["slot_name"])["sends"])
        except Day2Error:
            return _same_address(other, found)
    return _same_address(other, found)


def _same_address(other: Node, found: dict[str, Any]) -> bool:
    return (found["sender_host"], found["sender_port"]) == (other.server.host, other.server.port)
