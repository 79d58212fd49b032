"""A host with a database in a patch run: looked at before, proven after, and its extensions last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from day2.errors import StepFailed
from day2.hosts import drain
from day2.operations.security_patching import patient
from day2.operations.security_patching.postgresql_host import Served
from day2.postgres.server import Server
from lab.ports import LOOPBACK
from tests.integration.conftest import PASSWORD
from tests.integration.hosts.test_patient import Ward, ward

UPDATE = {"postgresql": {"extensions": "update", "answer": "PT3S", "followers": "PT2S"}}


@pytest.fixture
def database(make_postgres):
    """A server of its own for each test, as if it ran on the host, with an extension that is behind."""
    server = make_postgres()
    with server.connect() as connection:
        connection.execute("create extension hstore version '1.4'")
    yield server
    server.kill()


def admitted(here: Ward, database: Any, **changes: Any) -> patient.Patient:
    served = Served("orders", Server(LOOPBACK, database.port, "postgres", "postgres", PASSWORD))
    return replace(here.admit(**UPDATE | changes), served=(served,))


def test_a_database_is_proven_and_its_extensions_are_updated_last(fleet, host, database):
    here, measures = ward(fleet, host, "*"), {}
    patient.patch(admitted(here, database), measures)
    assert (measures["changed"], measures["in_service"]) == (True, True)
    assert (measures["postgres_servers"], measures["postgres_as_before"]) == (1, 1)
    assert [each["now"] for each in measures["extensions"]["orders"]["updated"]] == ["1.8"]
    again: dict[str, Any] = {}
    patient.patch(admitted(here, database), again)
    assert (again["postgres_as_before"], again["extensions"]["orders"]["updated"]) == (1, [])


def test_extensions_are_only_named_where_a_later_host_could_roll_this_one_back(fleet, host, database):
    measures: dict[str, Any] = {}
    patient.patch(admitted(ward(fleet, host, "*"), database, rollback="wave"), measures)
    assert (measures["postgres_extensions_left"], measures["extensions"]["orders"]["updated"]) == (1, [])


def test_a_database_that_does_not_come_back_leaves_the_host_drained(fleet, host, database, monkeypatch):
    here, measures = ward(fleet, host, "*"), {}
    out = drain.drain

    def drain_and_stop(*given: Any) -> None:
        """The package stops the server, and nothing starts it again."""
        out(*given)
        database.stop()

    monkeypatch.setattr(drain, "drain", drain_and_stop)
    with pytest.raises(StepFailed, match="takes no connections 3 s after its patch"):
        patient.patch(admitted(here, database), measures)
    assert measures["in_service"] is False
    database.start()
    back: dict[str, Any] = {}
    patient.roll_back(admitted(here, database), back)
    assert (back["rolled_back"], back["in_service"]) == (True, True)
