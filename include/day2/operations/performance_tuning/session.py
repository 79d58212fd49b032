"""The session in which tuning looks and changes: named, impatient, and ended by the server when its client dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from day2.errors import StepFailed, Unavailable
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
APPLICATION = "day2 tuning"
LOOK_TIMEOUT = timedelta(seconds=30)
# After a restart; recovery of a crashed server may take its time.
BACK_SECONDS = 120.0


@contextmanager
def session(
    server: Server, *, lock_timeout: timedelta = LOOK_TIMEOUT, statement_timeout: timedelta = LOOK_TIMEOUT
) -> Iterator[psycopg.Connection[Any]]:
    """Autocommit, both timeouts set. Raises Unavailable, StepFailed."""
    with server.connect() as connection:
        settings = {
            "application_name": APPLICATION,
            "lock_timeout": _milliseconds(lock_timeout),
            "statement_timeout": _milliseconds(statement_timeout),
            # A worker that was killed must not leave a build running that nobody waits for.
            "client_connection_check_interval": "2s",
        }
        for name, value in settings.items():
            connection.execute("select pg_catalog.set_config(%s, %s, false)", (name, value))
        yield connection


def steadily(do: Callable[[], T], *, seconds: float = BACK_SECONDS) -> T:
    """Do something again until the server answers; it may be starting. Raises Unavailable after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        try:
            return do()
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def insufficient(error: psycopg.Error, statement: str, target: str) -> StepFailed:
    """A privilege is missing: which, and what would give it."""
    said = str(error).strip().splitlines()[0]
    return StepFailed(
        f"the role may not run {statement[:200]}: {said}",
        target=target,
        left="nothing was changed by this statement",
        next_step=_grant(statement),
        runbook="A privilege is missing",
    )


def _grant(statement: str) -> str:
    words = statement.split()
    if statement.upper().startswith("ALTER SYSTEM"):
        setting = words[3].rstrip("=")
        return f"GRANT ALTER SYSTEM ON PARAMETER {setting}, and EXECUTE ON FUNCTION pg_reload_conf(), TO the role"
    if statement.upper().startswith("ALTER DATABASE"):
        return "let the database's owner run it, or GRANT the owner's role to ours"
    return "GRANT the role that owns the table to ours (for VACUUM and ANALYZE: GRANT MAINTAIN, PostgreSQL 17)"


def _milliseconds(given: timedelta) -> str:
    return str(max(1, round(given.total_seconds() * 1000)))
