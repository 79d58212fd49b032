"""The outside probe: what a client of the database sees, beat by beat, during the whole drill.

It is not the tool that promotes. It runs as its own process with its own connections, knows only the endpoint
that clients use, commits numbered markers through it and keeps its own list of what was acknowledged. In the
same beat it looks whether two servers take writes at once.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from day2.ledger.probe import Sample
from day2.operations.dr_drill import attempt, samples
from day2.operations.dr_drill.delivery import Delivery, Sink
from day2.operations.dr_drill.samples import ENDPOINT
from day2.postgres.server import Server

log = logging.getLogger("day2")
# A beat that was given up may still be connecting, to each of two hosts for two seconds.
THREADS = 12
FLUSH_SECONDS = 60.0
TERMINATED_FLUSH_SECONDS = 3.0


@dataclass(frozen=True)
class Watched:
    """What clients connect to, and the servers behind it at their own addresses. `run` names the markers."""

    name: str
    endpoint: Server
    run: str
    servers: Mapping[str, Server] = field(default_factory=dict)

    def hurried(self) -> Watched:
        """The same, for a client that gives up soon."""
        servers = {name: attempt.hurried(server) for name, server in self.servers.items()}
        return replace(self, endpoint=attempt.hurried(self.endpoint), servers=servers)


def watch(watched: Watched, sink: Sink, *, every: float = 0.2, seconds: float = 6 * 3600.0) -> dict[str, Any]:
    """Probe until the sink says stop, or for `seconds`. Returns the measures of the whole run.

    Samples reach the sink also when this process is told to terminate. Raises Unavailable when they cannot.
    """
    number, deadline = sink.first(), time.monotonic() + seconds
    log.info("%s: the outside probe begins with beat %d", watched.name, number)
    delivery, telling = Delivery(watched.name, sink), _Telling(watched.name)
    with _terminable() as terminated:
        try:
            for beat in _beats(watched.hurried(), number, delivery.stop_asked, every=every):
                delivery.put(beat)
                telling.say(beat)
                if terminated.told or time.monotonic() > deadline:
                    log.warning("%s: the outside probe ends without having been asked to", watched.name)
                    break
        finally:
            delivery.close(TERMINATED_FLUSH_SECONDS if terminated.told else FLUSH_SECONDS)
    measures = samples.summary(sink.samples(), stops=sink.stops())
    log.info(
        "%s: the outside probe made %d beats: %d acknowledged, %d refused, split brain in %d",
        watched.name, measures["beats"], measures["acknowledged"], measures["refused"], measures["split_brain"],
    )  # fmt: skip
    return measures | {"clock": f"the probe's on {socket.gethostname()}"}


def _beats(watched: Watched, number: int, stop: threading.Event, *, every: float) -> Iterator[list[Sample]]:
    """Beat after beat in a steady rhythm; one that took longer than the rhythm is followed at once."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="probe")
    directly = _Directly(watched.servers, pool)
    due = time.monotonic()
    try:
        while not stop.wait(max(0.0, due - time.monotonic())):
            directly.ask(number)
            mine = _as_a_client(watched, number, pool)
            yield [mine, *directly.answers()]
            number = max(mine.n, number) + 1
            due = max(due + every, time.monotonic())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _as_a_client(watched: Watched, number: int, pool: ThreadPoolExecutor) -> Sample:
    """Write through the endpoint. A client that gave up does not learn of a late success: it counts as refused."""
    sent = datetime.now(UTC)
    asked = pool.submit(attempt.write, watched.endpoint, watched.run, number)
    try:
        return asked.result(attempt.PATIENCE)
    except TimeoutError:
        said = f"no answer within {attempt.PATIENCE:.0f} s"
        return Sample(number, ENDPOINT, sent, datetime.now(UTC), wrote=False, said=said)


class _Directly:
    """Every server asked at its own address, all at the same time; the next round begins when the last is over.

    A server whose network is gone takes seconds to give up on. Clients' beats do not wait for that.
    """

    def __init__(self, servers: Mapping[str, Server], pool: ThreadPoolExecutor) -> None:
        self._servers, self._pool = servers, pool
        self._round: list[Future[Sample]] = []

    def ask(self, number: int) -> None:
        """Begin a round, unless one is under way."""
        if self._round or not self._servers:
            return
        together = threading.Barrier(len(self._servers))
        self._round = [
            self._pool.submit(attempt.write_directly, name, server, number, together=together)
            for name, server in self._servers.items()
        ]

    def answers(self) -> list[Sample]:
        """The round that is over; nothing while one is under way."""
        if not all(each.done() for each in self._round):
            return []
        ended, self._round = self._round, []
        return [each.result() for each in ended]


class _Telling:
    """One line in the log when what clients see changes, none while it stays the same."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: Sample | None = None
        self._since: datetime | None = None
        self._split = False

    def say(self, beat: list[Sample]) -> None:
        """Look at a beat, and say what changed."""
        mine = next(each for each in beat if each.via == ENDPOINT)
        before = self._last
        if not mine.wrote and (before is None or before.wrote):
            self._since = before.answered_at if before else mine.sent_at
            log.warning("%s: clients cannot write (beat %d): %s", self._name, mine.n, mine.said)
        elif mine.wrote and (before is None or not before.wrote or before.server != mine.server):
            away = (mine.answered_at - self._since).total_seconds() if self._since else 0.0
            log.info("%s: clients write to %s (beat %d, after %.1f s)", self._name, mine.server, mine.n, away)
            self._since = None
        self._last = mine
        self._warn_of_two(beat)

    def _warn_of_two(self, beat: list[Sample]) -> None:
        answered = [each for each in beat if each.via != ENDPOINT]
        if not answered:
            return
        taking = [each.via for each in answered if each.wrote]
        if len(taking) > 1 and not self._split:
            log.critical(
                "%s: SPLIT BRAIN: %s take writes at once; stop one of them now", self._name, " and ".join(taking)
            )
        elif self._split and len(taking) < 2:
            log.warning("%s: only one server takes writes again", self._name)
        self._split = len(taking) > 1


@dataclass
class _Terminated:
    told: bool = False


@contextmanager
def _terminable() -> Iterator[_Terminated]:
    """Let SIGTERM end the beats first, so that what was seen is written, and then do what it always does."""
    terminated = _Terminated()
    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return

    # Only a flag: setting an Event here could wait for a lock that the interrupted code holds.
    def end(*_: object) -> None:
        terminated.told = True

    earlier = signal.signal(signal.SIGTERM, end)
    try:
        yield terminated
    finally:
        signal.signal(signal.SIGTERM, earlier)
        if terminated.told:
            os.kill(os.getpid(), signal.SIGTERM)
