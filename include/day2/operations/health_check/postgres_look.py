"""One look at a PostgreSQL server: three statements that read statistics and lock nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from day2.operations.health_check.host_look import Value
from day2.postgres.server import Server, rows

SECONDS = 15.0
LOOKS = ("health_server", "health_databases", "health_replication")
# What a row says beside values.
NAMES = {"at", "part", "standby", "started"}


def look(server: Server, *, seconds: float = SECONDS) -> tuple[Value, ...]:
    """Every value of one look. Raises Unavailable where it does not answer in time, StepFailed where it refuses."""
    whole = str(max(2, round(seconds)))
    with replace(server, options={**server.options, "connect_timeout": whole}).connect() as connection:
        connection.execute(f"set statement_timeout = '{whole}s'".encode())
        found = [row for name in LOOKS for row in rows(connection, name)]
    return tuple(value for row in found for value in _values(row))


def _values(row: Mapping[str, Any]) -> Iterator[Value]:
    """What is null was not seen, and is no value."""
    for metric, value in row.items():
        if metric not in NAMES and value is not None:
            yield Value(metric, float(value), row.get("part", ""))
