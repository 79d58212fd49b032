"""Sessions that stay open while a step lasts: logging in costs several times what a question does.

Only for looks at a server. Whoever proves that clients get in opens a new one.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

# Of one that was idle for longer nobody knows whether a firewall has forgotten it.
KEEP_SECONDS = 10.0


@dataclass(frozen=True)
class Idle:
    """A session that nobody uses now. Closing `stack` ends it."""

    connection: psycopg.Connection[Any]
    stack: ExitStack
    since: float

    @property
    def usable(self) -> bool:
        """Whether it still answers, as far as one can know: a server that ends a session says so on it."""
        if self.connection.closed or time.monotonic() - self.since > KEEP_SECONDS:
            return False
        said = select.poll()
        said.register(self.connection.fileno(), select.POLLIN)
        return not said.poll(0)


Key = tuple[str, str, tuple[tuple[str, str], ...]]
Kept = dict[Key, list[Idle]]
_kept: ContextVar[Kept | None] = ContextVar("kept", default=None)


@contextmanager
def kept() -> Iterator[None]:
    """Within this block `session` gives the same sessions again. They end with the outermost block."""
    if _kept.get() is not None:
        yield
        return
    mine: Kept = {}
    token = _kept.set(mine)
    try:
        yield
    finally:
        end_idle()
        _kept.reset(token)


def end_idle() -> None:
    """End what is kept and in use by nobody: whoever counts the sessions of a server would count these."""
    for idles in list((_kept.get() or {}).values()):
        while idles:
            idles.pop().stack.close()


@contextmanager
def session(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """A session in autocommit that nobody else uses meanwhile. Raises what `Server.connect` raises.

    One in which anything failed is not given again.
    """
    kept_now = _kept.get()
    idles = None if kept_now is None else kept_now.setdefault(_key(server), [])
    found = _taken(idles)
    with found.stack if found else ExitStack() as stack:
        connection = found.connection if found else stack.enter_context(server.connect())
        yield connection
        if idles is not None:
            idles.append(Idle(connection, stack.pop_all(), time.monotonic()))


@contextmanager
def hung_up_after(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Break the connection if the block takes longer: libpq waits for ever for an answer."""
    timer = threading.Timer(seconds, hang_up, (connection,))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def hang_up(connection: psycopg.Connection[Any]) -> None:
    """Break a connection that another thread waits on."""
    import psycopg

    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _taken(idles: list[Idle] | None) -> Idle | None:
    """One that is usable, out of the list: two threads never have the same."""
    while idles:
        try:
            found = idles.pop()
        except IndexError:  # another thread took the last
            return None
        if found.usable:
            return found
        found.stack.close()
    return None


def _key(server: Server) -> Key:
    return server.label, server.password, tuple(sorted(server.options.items()))
