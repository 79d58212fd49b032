"""Watch a database for a block of time: what each statement cost, in equal slices."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed, Unavailable
from day2.operations.performance_tuning import samples
from day2.operations.performance_tuning.samples import Block, Cost, Snapshot, Totals
from day2.operations.performance_tuning.session import session, steadily
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")

SLICES = 12
# Counters of a session reach the shared statistics once a second: shorter slices would be empty or double.
SHORTEST_SLICE = timedelta(milliseconds=250)
LOADED = "add pg_stat_statements to shared_preload_libraries, restart, and CREATE EXTENSION pg_stat_statements here"


class NotMeasurable(StepFailed):
    """Nothing can be measured here at all. Nothing was changed."""


def measure(server: Server, name: str, length: timedelta, *, own: Sequence[int] = ()) -> Block:
    """One block. A server that goes away meanwhile makes it worthless, which the block says.

    Raises NotMeasurable, Unavailable if the server does not come back.
    """
    count = max(2, min(SLICES, length // SHORTEST_SLICE))
    log.info("%s: watching the statements for %.0f s, %s", server.dbname, length.total_seconds(), name)
    try:
        with session(server) as connection:
            prepare(connection)
            found = list(_snapshots(connection, count, length.total_seconds() / count))
    except Unavailable as error:
        steadily(lambda: _answers(server))
        return samples.spoilt(name, f"the server went away in the middle of the measurement: {error.happened}")
    return samples.block(name, found, own=own)


def old_sessions(server: Server, *, since: float, block: timedelta) -> str:
    """What is wrong with a block if clients' sessions are older than the change, which only new ones take over."""
    with session(server) as connection:
        [seen] = rows(connection, "tuning_old_sessions", since=since, block=block.total_seconds())
    if not seen["old"]:
        return ""
    return f"{seen['old']} of {seen['working']} working sessions began before it, and do not know the new value"


def texts(server: Server, queryids: Sequence[int]) -> dict[int, str]:
    """What people know a statement by: the beginning of it."""
    with session(server) as connection:
        prepare(connection)
        return {each["queryid"]: each["text"] for each in rows(connection, "tuning_texts", queryids=list(queryids))}


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Find the counters. Raises NotMeasurable saying what is missing, and what would mend it."""
    [where] = rows(connection, "tuning_statements_where") or [{}]
    if not where or where["tracked"] is None:
        raise NotMeasurable(
            "nothing can be measured: pg_stat_statements is not loaded or not installed in this database",
            left="nothing was changed",
            next_step=LOADED,
            runbook="The effect could not be measured",
        )
    if tuple(map(int, where["version"].split("."))) < (1, 9):
        raise NotMeasurable(
            f"pg_stat_statements {where['version']} is too old to tell statements apart; 1.9 is needed",
            left="nothing was changed",
            next_step="ALTER EXTENSION pg_stat_statements UPDATE",
            runbook="The effect could not be measured",
        )
    quoted = '"' + where["schema_name"].replace('"', '""') + '"'
    connection.execute("select pg_catalog.set_config('search_path', %s, false)", (quoted,))


def snapshot(connection: psycopg.Connection[Any]) -> Snapshot:
    """All counters now. Raises NotMeasurable if others' statements are hidden from us, or nothing is counted."""
    import psycopg

    try:
        [seen] = rows(connection, "tuning_snapshot")
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise NotMeasurable(
            f"nothing can be measured: {str(error).splitlines()[0]}",
            left="nothing was changed",
            next_step=LOADED,
            runbook="The effect could not be measured",
        ) from error
    if seen["hidden"]:
        raise NotMeasurable(
            f"{seen['hidden']} statements of others are hidden from this role",
            left="nothing was changed",
            next_step="GRANT pg_read_all_stats TO the role",
            runbook="A privilege is missing",
        )
    return _read(seen)


def _snapshots(connection: psycopg.Connection[Any], count: int, seconds: float) -> list[Snapshot]:
    found, begun = [snapshot(connection)], time.monotonic()
    for number in range(1, count + 1):
        time.sleep(max(0.0, begun + number * seconds - time.monotonic()))
        found.append(snapshot(connection))
    return found


def _read(seen: dict[str, Any]) -> Snapshot:
    statements = {
        (user, int(queryid), top): Cost(calls, ms, blocks, wal)
        for user, queryid, top, calls, ms, blocks, wal in seen["statements"]
    }
    totals = Totals(*(float(seen[each] or 0) for each in ("commits", "rollbacks", "deadlocks", "temp_bytes")))
    return Snapshot(seen["seconds"], seen["started"], seen["reset"], seen["evictions"], statements, totals)


def _answers(server: Server) -> None:
    with session(server) as connection:
        connection.execute("select 1")
