"""Moving a proven database to its place: one transaction, so that a crash leaves the old state.

A rename locks the database's name. Who connects meanwhile waits for the lock, and then finds either the
old or the new database; nobody is turned away by a half-done swap.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from day2.errors import StepFailed
from day2.operations.database_restore.staged import Staged
from day2.operations.database_restore.statements import identifier
from day2.operations.database_restore.telling import explained
from day2.postgres.server import Server, rows

log = logging.getLogger("day2")
SECONDS = 60.0
# PostgreSQL itself waits 5 s for the sessions of a database it renames (CountOtherDBBackends in procarray.c).
TERMINATE_EVERY = 0.1


def publish(staged: Staged) -> None:
    """Give a new database its owner, settings, rights, comment and name."""
    moves = [_rename(staged.name, staged.target.name)]
    _at_once(staged.target.server, [*staged.properties, *moves], emptied=(staged.name,))


def swap(staged: Staged, *, kept: str) -> None:
    """The new database takes the name; the old one is kept as `kept`, closed to connections."""
    name = staged.target.name
    moves = [_rename(name, kept), _rename(staged.name, name), _allow(kept, connections=False)]
    _at_once(staged.target.server, [*staged.properties, *moves], emptied=(name, staged.name))


def swap_back(staged: Staged, *, kept: str) -> None:
    """The inverse: the old database has its name and its connections again."""
    name = staged.target.name
    moves = [_rename(name, staged.name), _allow(kept, connections=True), _rename(kept, name)]
    _at_once(staged.target.server, moves, emptied=(name, staged.name, kept))


def ways(name: str, *, kept: str, aside: str) -> dict[str, str]:
    """SQL for the person who decides later: to drop the old data, or to go back to it."""
    back = (_rename(name, aside), _allow(kept, connections=True), _rename(kept, name))
    return {
        "drop_old": f"drop database {_quoted(kept)};",
        "go_back": "; ".join(["begin", *(each.decode() for each in back), "commit"]) + ";",
    }


def _at_once(server: Server, moves: Sequence[bytes], *, emptied: Sequence[str]) -> None:
    """All of the statements or none, while sessions of the databases are ended as fast as they come."""
    import psycopg

    left = "nothing was renamed: the transaction was rolled back"
    deadline = time.monotonic() + SECONDS
    with _emptying(server, emptied), server.connect() as connection:
        while True:
            try:
                with connection.transaction():
                    for each in moves:
                        connection.execute(each)
                return
            except psycopg.errors.ObjectInUse as error:
                if time.monotonic() > deadline:
                    raise _busy(server, emptied, error) from error
                log.info("%s: still in use, trying again: %s", server.label, str(error).splitlines()[-1])
            except psycopg.Error:
                with explained(server.label, left=left):
                    raise


def _busy(server: Server, names: Sequence[str], error: Exception) -> StepFailed:
    said = " | ".join(str(error).strip().splitlines())
    return StepFailed(
        f"{', '.join(names)} could not be emptied of sessions within {SECONDS:.0f} s: {said}",
        target=server.label,
        left="nothing was renamed: the transaction was rolled back",
        next_step="stop what connects to it (pools, subscriptions, prepared transactions), then restore again",
        runbook="The database could not be swapped",
    )


@contextmanager
def _emptying(server: Server, names: Sequence[str]) -> Iterator[None]:
    """End every session of these databases, again and again, until the block ends."""
    done = threading.Event()

    def work() -> int:
        ended = 0
        with server.connect() as connection:
            while True:
                ended += len(rows(connection, "end_sessions", names=list(names)))
                if done.wait(TERMINATE_EVERY):
                    return ended

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="day2-emptying") as pool:
        ending = pool.submit(work)
        try:
            yield
        finally:
            done.set()
        log.info("%s: ended %d sessions of %s", server.label, ending.result(), ", ".join(names))


def _rename(old: str, new: str) -> bytes:
    return b"alter database " + identifier(old) + b" rename to " + identifier(new)


def _allow(name: str, *, connections: bool) -> bytes:
    return b"alter database " + identifier(name) + b" allow_connections " + (b"true" if connections else b"false")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
