"""What a pair's servers look like now: by SQL, and where SQL does not answer, from the host.

A server is `stopped` only when its host says so. When neither answers nobody knows, and that is
`unreachable`: the machine may be gone, or only the network to it while clients still write there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error
from day2.operations.dr_drill import control
from day2.operations.dr_drill.pair import Node, Pair, Seen, State, going_back_is_free, state
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

QUESTION = (Path(__file__).parent / "observe.sql").read_text()
CONNECT_SECONDS = 3
ANSWER_SECONDS = 5
# What a server says that runs but takes no sessions yet; libpq gives no code for it.
STARTING = ("is starting up", "not yet accepting connections", "in recovery mode")
SENDS_TO_SLOT = """
select exists (
    select from pg_catalog.pg_replication_slots as slot
    join pg_catalog.pg_stat_replication as sender on sender.pid = slot.active_pid
    where slot.slot_name = %s and sender.state = 'streaming'
) as sends
"""


def impatient(server: Server) -> Server:
    """The same server, for a look at it: a session that gives up soon."""
    limits = {"connect_timeout": str(CONNECT_SECONDS), "tcp_user_timeout": str(ANSWER_SECONDS * 1000)}
    return replace(server, options={**server.options, **limits})


def ask(server: Server, question: str, *values: Any) -> dict[str, Any]:
    """The first row of a query, within a few seconds. Raises Unavailable or StepFailed."""
    from psycopg.rows import dict_row

    with impatient(server).connect() as connection:
        _hurry(connection)
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(question.encode(), values or None).fetchone() or {}


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
    """Both servers, at the same time: the primary of normal times first."""
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
    return f"{primary.text}; {standby.text}: state {found}; {back}"


def _silent(node: Node, error: Day2Error) -> Seen:
    """A server that does not answer SQL: stopped if its host says so."""
    said = error.happened.rsplit(": ", 1)[-1].removeprefix("FATAL:").strip()
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


def _hurry(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"set statement_timeout = '{ANSWER_SECONDS}s'".encode())
