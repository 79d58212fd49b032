"""PostgreSQL around the patch of a host: what was seen before is kept on the host itself, over real SSH."""

from __future__ import annotations

import json

import pytest

from day2.errors import StepFailed
from day2.inventory.patching import PostgresPatch
from day2.operations.security_patching import postgresql_host
from day2.operations.security_patching.postgresql_host import Served
from day2.postgres.server import Server
from lab.ports import LOOPBACK
from tests.integration.conftest import PASSWORD

POLICY = PostgresPatch(answer="PT20S", followers="PT2S", extensions="update")


@pytest.fixture
def served(make_postgres):
    """A server of its own for each test, as if it ran on the host."""
    server = make_postgres()
    yield server, [Served("orders", Server(LOOPBACK, server.port, "postgres", "postgres", PASSWORD))]
    server.kill()


def test_a_task_that_takes_over_gets_what_was_seen_before_the_restart(host, served):
    server, known = served
    first = postgresql_host.ready(host, known, run="r1")
    assert first["orders"]["checkpoint"] is True
    server.stop()
    again = postgresql_host.recall(host, known, run="r1")
    assert again["orders"]["started"] == first["orders"]["started"], "a server that is down could not tell any more"
    assert json.loads(json.dumps(first)) == first
    postgresql_host.forget(host, known, run="r1")
    assert postgresql_host.recall(host, known, run="r1") == {}


def test_a_server_that_nobody_looked_at_before_is_not_proven(served, caplog):
    _, known = served
    assert postgresql_host.proven(known, {}, POLICY, versions={}) == {}
    assert "nobody looked at it before the patch" in caplog.text
    assert postgresql_host.facts(1, {}, {})["postgres_as_before"] == 0


def test_a_host_without_postgresql_is_not_even_asked(host):
    assert postgresql_host.ready(host, [], run="r1") == postgresql_host.recall(host, [], run="r1") == {}
    assert postgresql_host.proven([], {}, POLICY, versions={}) == {}
    assert postgresql_host.updated([], POLICY) == {}


def test_a_patched_server_is_proven_and_its_extensions_are_updated(host, served):
    server, known = served
    with server.connect() as connection:
        connection.execute("create extension hstore version '1.4'")
    earlier = postgresql_host.ready(host, known, run="r2")
    server.stop()
    server.start()
    major, minor = divmod(earlier["orders"]["version_num"], 10_000)
    versions = {f"postgresql-{major}:amd64": f"{major}.{minor}-1.pgdg120+1"}
    measured = postgresql_host.proven(known, earlier, POLICY, versions=versions)
    assert measured["orders"]["restarted"]
    made = postgresql_host.updated(known, POLICY)
    assert [each["now"] for each in made["orders"]["updated"]] == ["1.8"]
    told = postgresql_host.facts(1, measured, made)
    assert told == {
        "postgres_servers": 1,
        "postgres_as_before": 1,
        "postgres_databases_unseen": 0,
        "postgres_collations_changed": 0,
        "postgres_extensions_failed": 0,
        "postgres_extensions_left": 0,
    }


def test_a_host_on_which_nothing_is_to_be_done_is_proven_all_the_same(served):
    _, known = served
    measured = postgresql_host.untouched(known, POLICY, versions={})
    assert (measured["orders"]["restarted"], measured["orders"]["same_role"]) == (False, True)


def test_a_host_whose_server_runs_old_code_fails_with_what_to_do(host, served):
    _, known = served
    earlier = postgresql_host.ready(host, known, run="r3")
    major, minor = divmod(earlier["orders"]["version_num"], 10_000)
    versions = {f"postgresql{major}-server:x86_64": f"{major}.{minor + 1}-1PGDG.rhel9"}
    with pytest.raises(StepFailed, match=rf"the package installed is {major}.{minor + 1}") as failed:
        postgresql_host.proven(known, earlier, POLICY, versions=versions)
    assert failed.value.runbook == "PostgreSQL runs another version than it should"
