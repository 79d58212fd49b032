"""A table that somebody else has locked delays a backup; it never hangs one without a word."""

from __future__ import annotations

import pytest

from day2.errors import Unavailable
from day2.postgres.server import SESSION, Server, rows

pytestmark = pytest.mark.integration


@pytest.fixture
def locked(postgres, database, monkeypatch):
    """A database with a table that nobody else can read, and a server that waits half a second for it."""
    monkeypatch.setitem(SESSION, "lock_timeout", "500ms")
    with postgres.connect(database) as owner:
        owner.execute("create table wanted (a int)")
        with owner.transaction():
            owner.execute("lock table wanted in access exclusive mode")
            yield Server("127.0.0.1", postgres.port, "postgres", database, password=postgres.password)


def test_looking_at_the_tables_waits_for_nobody(locked):
    with locked.connect() as connection:
        assert [each["name"] for each in rows(connection, "tables")] == ["wanted"]


def test_reading_a_locked_table_ends_with_what_to_do(locked):
    with pytest.raises(Unavailable, match="somebody else holds a lock") as told, locked.connect() as connection:
        connection.execute("select * from public.wanted")
    assert told.value.transient
    assert told.value.runbook == "A table is locked"
