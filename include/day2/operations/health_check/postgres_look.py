"""One look at a PostgreSQL server: four statements that read what it knows of itself, and wait for nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from day2.operations.health_check.host_look import Value
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    from psycopg import Connection

log = logging.getLogger("day2")
SECONDS = 15.0
LOOKS = ("health_server", "health_databases", "health_replication")
# The only one that reads relations, and so may meet a lock: then it is a gap, and the rest is seen.
SEQUENCES, LOCK_SECONDS = "health_sequences", 1
# What a row says beside values.
NAMES = {"at", "part", "standby", "started"}


def look(server: Server, *, seconds: float = SECONDS) -> tuple[Value, ...]:
    """Every value of one look. Raises Unavailable where it does not answer in time, StepFailed where it refuses."""
    with asked(server, seconds=seconds) as connection:
        found = [row for name in LOOKS for row in rows(connection, name)] + _sequences(connection)
    return tuple(value for row in found for value in _values(row))


def _sequences(connection: Connection[Any]) -> list[dict[str, Any]]:
    from psycopg.errors import LockNotAvailable

    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
            return rows(connection, SEQUENCES)
    except LockNotAvailable:
        log.info("a sequence is locked: how far it is used is not known now")
        return []


@contextmanager
def asked(server: Server, *, seconds: float = SECONDS) -> Iterator[Connection[Any]]:
    """A session in which nothing takes longer. Raises Unavailable and StepFailed: one server never stops the look."""
    from psycopg import Error

    whole = str(max(2, round(seconds)))
    try:
        with replace(server, options={**server.options, "connect_timeout": whole}).connect() as connection:
            connection.execute(f"set statement_timeout = '{whole}s'".encode())
            yield connection
    except Error as error:
        raise StepFailed(
            f"{server.label} refused what a look asks: {str(error).strip()}",
            left="no sample was taken: that is a gap, not a zero",
            next_step="grant its role pg_monitor, and ask its log for the statement",
        ) from error


def _values(row: Mapping[str, Any]) -> Iterator[Value]:
    """What is null was not seen, and is no value."""
    for metric, value in row.items():
        if metric not in NAMES and value is not None:
            yield Value(metric, float(value), row.get("part", ""))
