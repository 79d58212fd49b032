"""What the application's role may do to the ledger: append, read, lease. Nothing else, by any road."""

from __future__ import annotations

import psycopg
import pytest

from day2.ledger import Ledger, migrate
from tests.integration.ledger.conftest import Database

pytestmark = pytest.mark.integration
REFUSED = (
    "insert into ledger.entry values (2, '', 'k', '', '{}', '', '')",
    "update ledger.entry set body = '{}'",
    "delete from ledger.entry",
    "truncate ledger.entry",
    "alter table ledger.entry disable trigger append_only",
    "alter table ledger.entry add column more text",
    "drop table ledger.entry",
    "drop trigger append_only on ledger.entry",
    "drop schema ledger cascade",
    "create table ledger.other (id int)",
    "create or replace function ledger.append(kind text, run text, body text) returns ledger.entry"
    " language sql as 'select null::ledger.entry'",
    "drop function ledger.append(text, text, text)",
    "alter function ledger.append(text, text, text) owner to current_user",
    "select ledger.netstring('x')",
    "select * from ledger.alembic_version",
    "update ledger.alembic_version set version_num = '0'",
    "truncate ledger.lease",
    "set session_replication_role = replica",
    'set role "ledger owner"',
)


@pytest.mark.parametrize("statement", REFUSED)
def test_the_application_may_not(database: Database, ledger: Ledger, statement: str) -> None:
    entry = ledger.append("note", run="r", body={"a": 1})
    with psycopg.connect(database.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
    assert list(ledger.entries()) == [entry]


@pytest.mark.parametrize(
    "statement", ["update ledger.entry set body = '{}'", "delete from ledger.entry", "truncate ledger.entry"]
)
def test_not_even_the_owner_changes_an_entry_by_accident(database: Database, ledger: Ledger, statement: str) -> None:
    entry = ledger.append("note", run="r", body={"a": 1})
    with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.Error, match="append-only"):
        connection.execute(statement.encode())
    assert list(ledger.entries()) == [entry]


def test_a_function_of_the_callers_own_is_not_used_instead_of_the_systems(database: Database, ledger: Ledger) -> None:
    with psycopg.connect(database.root, autocommit=True) as root:
        root.execute('create schema evil authorization "day2-app"')
    with psycopg.connect(database.app, autocommit=True) as connection:
        connection.execute("grant usage on schema evil to public")
        connection.execute("create function evil.sha256(bytea) returns bytea language sql as 'select $1'")
        connection.execute("create function evil.octet_length(text) returns int language sql as 'select 0'")
        connection.execute("set search_path = evil, pg_catalog")
        connection.execute("select ledger.append('note', 'r', '{}')")
    (link,) = ledger.links()
    assert link.computed_hash() == link.hash


def test_rights_given_by_hand_are_taken_back_by_the_next_migration(database: Database, ledger: Ledger) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute('grant all on ledger.entry to "day2-app"')
    migrate(database.owner, app_role="day2-app")
    with psycopg.connect(database.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("insert into ledger.entry values (2, '', 'k', '', '{}', '', '')")
