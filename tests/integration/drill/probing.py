"""A ledger for the outside probe, and the probe at work: in a thread, or in a process that a test can kill."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from day2.ledger import Ledger, migrate, probe
from day2.ledger.probe import Sample, Sink
from day2.operations.dr_drill import samples
from day2.operations.dr_drill.watch import Watched, watch
from day2.postgres.server import Server
from lab import postgres
from tests.integration.drill.making import Living

OWNER, APP, PASSWORD = "probe_ledger_owner", "probe_ledger_app", "ledger-pass-1"
RUN, TARGET = "dr_drill.test/manual__1", "orders"
DEADLINE = 30
numbers = itertools.count()


@dataclass(frozen=True)
class Book:
    """A ledger's database, and the connection string of the application."""

    conninfo: str
    port: int

    def samples(self, run: str = RUN) -> list[Sample]:
        with Ledger.connect(self.conninfo) as ledger:
            return probe.read(ledger, run, TARGET)

    def clients(self) -> list[Sample]:
        return samples.clients(self.samples())

    def through(self, port: int) -> str:
        """The same ledger behind a line that a test can break."""
        return psycopg.conninfo.make_conninfo(self.conninfo, port=port)

    def stop(self, attempt: int = 1) -> None:
        with Ledger.connect(self.conninfo) as ledger:
            probe.ask_to_stop(ledger, RUN, TARGET, attempt=attempt)


def book(server: postgres.Server) -> Book:
    """A new, migrated ledger on a running server."""
    name = f"book_{next(numbers)}"
    with server.connect() as connection:
        for role in (OWNER, APP):
            if not connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
                connection.execute(f"create role {role} login password '{PASSWORD}'".encode())
        connection.execute(f"create database {name} owner {OWNER} encoding 'UTF8' template template0".encode())
    migrate(server.dsn(name, user=OWNER, password=PASSWORD), app_role=APP)
    return Book(server.dsn(name, user=APP, password=PASSWORD), server.port)


@dataclass
class Probe:
    """A probe at work in a thread. `measures` is what it returned."""

    measures: dict[str, Any] | None = None
    error: Exception | None = None


def synchronous(pair: Living) -> None:
    """From now on a commit waits for the standby."""
    pair.sql(pair.pair.primary, "alter system set synchronous_standby_names = 'orders_standby'", "postgres")
    pair.sql(pair.pair.primary, "select pg_reload_conf()")
    query = "select count(*) from pg_stat_replication where sync_state = 'sync'"
    wait_for(lambda: pair.sql(pair.pair.primary, query) == 1, "synchronous replication")


def cut_replication(pair: Living) -> None:
    """The standby stays up and no longer receives anything."""
    pair.sql(pair.pair.primary, "alter role replicator nologin")
    pair.sql(pair.pair.primary, "select pg_terminate_backend(pid) from pg_stat_replication")
    wait_for(lambda: pair.sql(pair.pair.primary, "select count(*) from pg_stat_replication") == 0, "the cut")


def servers(living: Living) -> dict[str, Server]:
    return {node.name: node.server for node in living.pair.nodes}


@contextmanager
def probing(living: Living, made: Book, *, conninfo: str = "", every: float = 0.05, **more: Any) -> Iterator[Probe]:
    """The probe works while the block does, and is asked to stop at its end."""
    result = Probe()

    def work() -> None:
        try:
            with Ledger.connect(conninfo or made.conninfo) as ledger:
                endpoint = more.pop("endpoint", living.pair.endpoint)
                watched = Watched(TARGET, endpoint, RUN, more.pop("servers", servers(living)))
                result.measures = watch(watched, Sink(ledger, RUN, TARGET), every=every, **more)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            result.error = error

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for(lambda: sum(each.wrote for each in made.clients()) >= 3, "the probe's first writes")
        yield result
    finally:
        made.stop()
        thread.join(DEADLINE)
    assert not thread.is_alive()


def work(watched: Watched, conninfo: str) -> None:
    """The probe, for a process of its own."""
    with Ledger.connect(conninfo) as ledger:
        watch(watched, Sink(ledger, RUN, TARGET), every=0.05)


@contextmanager
def process(living: Living, made: Book) -> Iterator[Any]:
    """The probe in a process; it is killed when the block ends."""
    arguments = (Watched(TARGET, living.pair.endpoint, RUN, servers(living)), made.conninfo)
    started = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    started.start()
    try:
        yield started
    finally:
        started.kill()
        started.join(10)


def wait_for(what: Callable[[], Any], why: str) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {DEADLINE} s for {why}")
