"""What stands outside a drill and looks at it: a client that writes, and a pair of eyes for split brain."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from day2.operations.dr_drill.pair import Node
from lab.ports import LOOPBACK
from tests.integration.drill.making import DBNAME, PASSWORD, Living

BEAT = 0.05
TRY = "select pg_logical_emit_message(true, 'outside', 'does it take writes?')"


@dataclass
class Outside:
    """What was seen. `both` are the moments at which both servers took a write."""

    acknowledged: list[int] = field(default_factory=list)
    beats: int = 0
    both: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watching(pair: Living) -> Iterator[Outside]:
    """A client writes numbered rows, and both servers are tried, until the block ends."""
    pair.sql(pair.pair.primary, "create table written (n bigint primary key)")
    seen = Outside()
    threads = [threading.Thread(target=each, args=(pair, seen)) for each in (_write, _look)]
    for each in threads:
        each.start()
    try:
        yield seen
    finally:
        seen.ended.set()
        for each in threads:
            each.join(30)
    assert seen.beats > 3
    assert seen.both == [], "split brain"


def lost(pair: Living, seen: Outside, node: Node) -> set[int]:
    """Rows that were acknowledged and are not there."""
    acknowledged = set(seen.acknowledged)  # before the look: the client goes on
    return acknowledged - set(pair.sql(node, "select coalesce(array_agg(n), '{}') from written"))


def _write(pair: Living, seen: Outside) -> None:
    """As a client does: any server that takes writes, a new connection whenever one breaks."""
    options = {**pair.pair.endpoint.options, "application_name": "shop"}
    endpoint = replace(pair.pair.endpoint, user="postgres", password=PASSWORD, options=options)
    numbers = itertools.count()
    while not seen.ended.is_set():
        with suppress(Exception), endpoint.connect() as connection:
            while not seen.ended.wait(0.005):
                n = next(numbers)
                connection.execute("insert into public.written values (%s)", (n,))
                seen.acknowledged.append(n)
        seen.ended.wait(BEAT)


def _look(pair: Living, seen: Outside) -> None:
    while not seen.ended.wait(BEAT):
        _beat(pair, seen)
        seen.beats += 1


def _beat(pair: Living, seen: Outside) -> None:
    """Two open transactions: the first writes again after the second wrote, so both could at that moment."""
    with ExitStack() as stack:
        tries = [_try(stack, each.server.port) for each in pair.pair.nodes]
        if all(write() for write in (*tries, tries[0])):
            seen.both.append(f"beat {seen.beats}")


def _try(stack: ExitStack, port: int) -> Callable[[], bool]:
    state: dict[str, Any] = {}

    def write() -> bool:
        try:
            if "connection" not in state:
                state["connection"] = psycopg.connect(
                    host=LOOPBACK, port=port, user="postgres", password=PASSWORD, dbname=DBNAME, connect_timeout=2
                )
                stack.callback(state["connection"].close)
            state["connection"].execute(TRY)
        except psycopg.Error:
            return False
        return True

    return write
