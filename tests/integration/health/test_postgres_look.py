"""What a look at a server says is what happens on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.operations.health_check import absence
from day2.operations.health_check.postgres_look import asked, look
from day2.postgres.server import Server
from lab.ports import LOOPBACK
from lab.postgres import SUPERUSER
from tests.integration.conftest import PASSWORD


@pytest.fixture(scope="module")
def server(make_postgres: Callable[..., Any]) -> Server:
    """A server of its own: these tests count what happens on it."""
    return Server(LOOPBACK, make_postgres().port, SUPERUSER, "postgres", PASSWORD)


def seen(server: Server) -> dict[str, float]:
    return {f"{each.metric} {each.part}".strip(): each.value for each in look(server)}


def test_sessions_transactions_and_locks_are_counted(server: Server) -> None:
    before = seen(server)
    with server.connect() as holder, server.connect() as waiter:
        holder.execute("create table if not exists public.held (id int)")
        with holder.transaction():
            holder.execute("lock table public.held in access exclusive mode")
            waiter.pgconn.send_query(b"select * from public.held")  # it waits, and this test does not
            now = seen(server)
    assert now["connections"] == before["connections"] + 2
    assert now["lock_waits"] == 1
    assert now["oldest_transaction_seconds"] > 0


def test_a_database_that_grows_is_seen_to_grow(server: Server) -> None:
    before = seen(server)
    with server.connect() as connection:
        connection.execute("create table public.grown as select generate_series(1, 20000) as n")
    now = seen(server)
    name = f"database_bytes {server.dbname}"
    assert now[name] - before[name] > 600_000
    assert now["wal_bytes"] - before["wal_bytes"] > 600_000


def test_a_slot_that_nobody_reads_keeps_more_and_more(server: Server) -> None:
    with server.connect() as connection:
        connection.execute("select pg_create_physical_replication_slot('forgotten', true)")
        first = seen(server)["slot_retained_bytes forgotten"]
        connection.execute("create table public.pinned as select generate_series(1, 20000) as n")
        assert seen(server)["slot_retained_bytes forgotten"] > first + 600_000
        connection.execute("select pg_drop_replication_slot('forgotten')")


def test_a_sequence_that_runs_out_is_seen_unless_somebody_alters_it(server: Server) -> None:
    with server.connect() as connection, server.connect() as other:
        connection.execute("create sequence public.tickets as smallint")
        connection.execute("create sequence public.turns as smallint cycle")
        connection.execute("select setval('public.tickets', 29491), setval('public.turns', 32767)")
        assert seen(server)["sequence_percent postgres"] == pytest.approx(90, abs=0.01), "one that cycles never ends"
        with other.transaction():
            other.execute("alter sequence public.tickets cache 2")
            found = seen(server)
        assert "sequence_percent postgres" not in found
        assert found["connections"] > 0, "the rest is seen"
        connection.execute("drop sequence public.tickets, public.turns")


def test_a_server_that_is_gone_is_an_error_and_no_value(server: Server) -> None:
    with pytest.raises(Day2Error):
        look(Server(server.host, 1, server.user, server.dbname, server.password))


def test_a_role_that_may_not_look_is_a_gap_of_this_server_and_no_crash(server: Server) -> None:
    with server.connect() as connection:
        connection.execute("create role poor login password 'poor'")
        connection.execute("revoke select on pg_stat_activity from public")
    try:
        with pytest.raises(StepFailed, match="refused what a look asks: permission denied"):
            look(Server(server.host, server.port, "poor", "postgres", "poor"))
    finally:
        with server.connect() as connection:
            connection.execute("grant select on pg_stat_activity to public")
            connection.execute("drop role poor")


def test_a_statement_that_takes_too_long_is_no_answer(server: Server) -> None:
    with pytest.raises(Unavailable, match="statement timeout"), asked(server, seconds=2) as connection:
        connection.execute("select pg_sleep(10)")


def test_a_database_that_nobody_declared_is_named(server: Server) -> None:
    with server.connect() as connection:
        connection.execute('create database "new; one"')
    try:
        [found] = absence.undeclared(server, ["orders"])
        assert (found.value, found.note) == (1, "new; one"), "not the one that initdb makes, and no template"
        assert absence.undeclared(server, ["new; one"])[0].value == 0
    finally:
        with server.connect() as connection:
            connection.execute('drop database "new; one"')
