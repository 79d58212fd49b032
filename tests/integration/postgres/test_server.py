"""Reaching a real server: awkward names and passwords work, and each failure is told for what it is."""

from __future__ import annotations

import io

import psycopg
import pytest
from psycopg import sql

from day2.errors import StepFailed, Unavailable
from day2.postgres import dump, restore
from day2.postgres.binaries import for_server
from day2.postgres.programs import run
from day2.postgres.server import SESSION, Server, rows
from lab.ports import LOOPBACK, free_port
from tests.integration.conftest import PASSWORD

pytestmark = pytest.mark.integration
PASSWORDS = ["plain", "it's", 'say "x"', " spaces ", "100% %20", "back\\slash\\", "co:lon:", "a=b;$(id)`id`", "größe€"]


@pytest.fixture
def server(postgres, database) -> Server:
    return Server(LOOPBACK, postgres.port, "postgres", database, PASSWORD)


@pytest.fixture
def binaries(server):
    with server.connect() as connection:
        return for_server(connection.info.server_version // 10_000, need_server=True)


@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_works_for_sessions_and_for_programs(postgres, server, binaries, password):
    with postgres.connect() as connection:
        connection.execute(sql.SQL("create role guest login password {}").format(sql.Literal(password)))
    guest = Server(LOOPBACK, postgres.port, "guest", "postgres", password)
    try:
        with guest.connect() as connection:
            assert connection.info.user == "guest"
        command = [binaries["psql"], "--no-psqlrc", "-Atc", "select current_user", "--no-password", dump.dbname(guest)]
        with guest.environment() as env:
            assert run(command, env=env) == "guest\n"
    finally:
        with postgres.connect() as connection:
            connection.execute("drop role guest")


@pytest.mark.parametrize(
    "name",
    ["größe", "a=b", "host=x port=1", "it's", 'say "x"', "back\\slash", "$(id)", "-x", "100%", "postgresql://x/y"],
)
def test_any_database_name_works_for_sessions_and_for_programs(postgres, binaries, name):
    with postgres.connect() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    named = Server(LOOPBACK, postgres.port, "postgres", name, PASSWORD)
    try:
        with named.connect() as connection:
            assert connection.info.dbname == name
            connection.execute("create table public.here (n int)")
        assert "CREATE TABLE public.here" in dump.schema(binaries, named)
    finally:
        with postgres.connect() as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_a_wrong_password_is_told_and_not_repeated(server):
    wrong = Server(server.host, server.port, server.user, server.dbname, "not-the-password")
    with pytest.raises(StepFailed, match="password authentication failed") as failed, wrong.connect():
        pass
    assert (failed.value.runbook, failed.value.transient) == ("Credentials refused", False)
    assert "not-the-password" not in str(failed.value)


def test_a_missing_password_is_told_as_credentials(server):
    with pytest.raises(StepFailed) as failed, Server(server.host, server.port, server.user, server.dbname).connect():
        pass
    assert failed.value.runbook == "Credentials refused"


def test_a_database_that_is_gone_is_told_as_such(server):
    with pytest.raises(StepFailed, match='database "gone" does not exist') as failed, server.at("gone").connect():
        pass
    assert failed.value.runbook == "A database vanished"


def test_a_server_that_does_not_answer_may_be_tried_again(server):
    nowhere = Server(LOOPBACK, free_port(), server.user, server.dbname, PASSWORD)
    with pytest.raises(Unavailable, match="cannot connect to postgres@127.0.0.1") as failed, nowhere.connect():
        pass
    assert failed.value.runbook == "Source server stopped or unreachable"


def test_a_connection_that_breaks_is_unavailable(postgres, server):
    def end(pid: int) -> None:
        with postgres.connect() as other:
            other.execute("select pg_terminate_backend(%s)", (pid,))

    with pytest.raises(Unavailable, match="broke"), server.connect() as connection:  # noqa: PT012
        end(connection.info.backend_pid)
        connection.execute("select 1")


def test_a_failing_statement_is_not_called_a_broken_connection(server):
    with pytest.raises(psycopg.errors.UndefinedTable), server.connect() as connection:
        connection.execute("select * from nowhere")


def test_a_databases_own_settings_do_not_change_how_values_read(postgres, server):
    other = {
        "TimeZone": "Asia/Tokyo", "DateStyle": "German", "IntervalStyle": "iso_8601", "bytea_output": "escape",
        "extra_float_digits": "0", "statement_timeout": "1", "row_security": "on", "search_path": "public",
    }  # fmt: skip
    with postgres.connect() as connection:
        for name, value in other.items():
            connection.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    sql.Identifier(server.dbname), sql.Identifier(name), sql.Literal(value)
                )
            )
    with server.connect() as connection:
        shown = {
            name: connection.execute(sql.SQL("show {}").format(sql.Identifier(name))).fetchone()[0] for name in other
        }
        assert shown == {name: SESSION[name] for name in other}
        connection.execute("select pg_sleep(0.05)")


def test_roles_come_back_and_those_that_exist_are_left_alone(make_postgres, postgres, server, binaries):
    names = ['Größe "x"', "it's", "plain", "CREATE ROLE evil;"]
    target = make_postgres()
    there = Server(LOOPBACK, target.port, "postgres", "postgres", PASSWORD)
    with postgres.connect() as connection:
        for name in names:
            connection.execute(sql.SQL("create role {} login password 'x'").format(sql.Identifier(name)))
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(names[0]), sql.Identifier(names[1])))
    try:
        statements = dump.roles(binaries, server.at("postgres"), passwords=True)
        skipped = restore.roles(binaries, there, statements, existing=("postgres",))
        assert skipped == ["postgres"]
        with there.connect() as connection:
            assert set(names) <= {each["name"] for each in rows(connection, "roles")}
            member = connection.execute(
                "select pg_has_role(%s, %s, 'member')", (names[1], names[0])
            ).fetchone()  # fmt: skip
            everyone = [each["name"] for each in rows(connection, "roles")]
        assert member == (True,)
        again = restore.roles(binaries, there, statements, existing=everyone)
        # Those of other tests too, which share the server.
        assert set(everyone) >= {"postgres", *names}
        assert sorted(again) == sorted(everyone)
        with pytest.raises(StepFailed, match="already exists"):
            restore.roles(binaries, there, statements, existing=("postgres",))
    finally:
        target.stop("immediate")
        with postgres.connect() as connection:
            for name in names:
                connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_roles_without_passwords_hold_no_hash(server, binaries):
    with_hashes = dump.roles(binaries, server.at("postgres"), passwords=True)
    without = dump.roles(binaries, server.at("postgres"), passwords=False)
    assert b"SCRAM-SHA-256$" in with_hashes
    assert b"SCRAM-SHA-256$" not in without


def test_a_dump_that_is_not_one_is_refused(server, binaries):
    with pytest.raises(StepFailed, match="pg_restore failed"):
        restore.load(binaries, server, io.BytesIO(b"PGDMP nonsense" * 1000), create=False)


def test_definitions_read_the_same_twice(server, binaries):
    with server.connect() as connection:
        connection.execute("create table public.a (n int); comment on table public.a is '-- not a comment'")
    first = dump.schema(binaries, server)
    assert first == dump.schema(binaries, server)
    assert "restrict" not in first
    with server.connect() as connection:
        connection.execute("alter table public.a add column m int")
    assert dump.schema_sha256(binaries, server) != __import__("hashlib").sha256(first.encode()).hexdigest()
