"""ALTER EXTENSION … UPDATE on real servers: which are behind, and that one which fails leaves the others alone."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta

import pytest
from psycopg import sql

from day2.errors import StepFailed
from day2.operations.security_patching import extensions
from day2.operations.security_patching.extensions import Extension, Limits
from lab.processes import wait_until
from tests.integration.postgres_patching.conftest import Pair, reached

AWKWARD = "prüf \"ext\" 1.'x'; $(id)"


def found(server) -> dict[tuple[str, str], Extension]:
    return {(each.dbname, each.name): each for each in extensions.extensions(server).found["extensions"]}


def version(server, name: str) -> str:
    with server.connect() as connection:
        return connection.execute("select extversion from pg_extension where extname = %s", (name,)).fetchone()[0]


@pytest.fixture
def old(pair: Pair):
    """Two databases with extensions whose versions are old, one of them a template's."""
    with pair.primary.connect() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(AWKWARD)))
    with pair.primary.connect(AWKWARD) as connection:
        connection.execute('create schema "Odd schema"; create extension hstore schema "Odd schema" version \'1.4\'')
        connection.execute("create extension citext version '1.4'")
        connection.execute("create extension pgcrypto")
    with pair.primary.connect("template1") as connection:
        connection.execute("create extension hstore version '1.7'")
    yield pair
    with pair.primary.connect("template1") as connection:
        connection.execute("drop extension hstore")
    with pair.primary.connect() as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(AWKWARD)))


def test_those_behind_are_found_in_every_database_and_in_templates(old: Pair):
    behind = found(old.one)
    assert set(behind) == {(AWKWARD, "hstore"), (AWKWARD, "citext"), ("template1", "hstore")}
    hstore = behind[AWKWARD, "hstore"]
    assert (hstore.installed, hstore.available, hstore.schema, hstore.owner) == ("1.4", "1.8", "Odd schema", "postgres")
    assert (hstore.reachable, hstore.may_update) == (True, True)
    assert Extension(**json.loads(json.dumps(hstore.as_dict()))) == hstore


def test_they_are_updated_and_nothing_is_done_twice(old: Pair, caplog):
    behind = list(found(old.one).values())
    with caplog.at_level(logging.INFO, "day2"):
        made = extensions.update(old.one, behind)
    extensions.require(old.one, made)
    assert (len(made["updated"]), made["failed"], made["reversible"]) == (3, [], False)
    assert {each["now"] for each in made["updated"] if each["name"] == "hstore"} == {"1.8"}
    assert "there is no way back from it" in caplog.text
    assert "extension hstore: 1.8, was 1.4" in caplog.text
    assert found(old.one) == {}
    again = extensions.update(old.one, behind)
    assert (again["updated"], [each["why"] for each in again["skipped"]]) == ([], ["it has this version already"] * 3)


def test_a_standby_is_left_to_its_primary_and_gets_it_from_there(old: Pair):
    wait_until(lambda: len(found(old.two)) == 3, "the standby has them", seconds=20)
    behind = list(found(old.two).values())
    made = extensions.update(old.two, behind)
    assert ([each["why"] for each in made["skipped"]], made["updated"]) == (
        ["a standby: they come from its primary"] * 3,
        [],
    )
    extensions.update(old.one, behind)
    wait_until(lambda: not found(old.two), "the standby has them too", seconds=20)


def test_one_that_somebody_uses_fails_alone(old: Pair):
    with old.primary.connect(AWKWARD) as busy, busy.transaction(force_rollback=True):
        busy.execute("alter extension hstore update to '1.5'")
        begun = time.monotonic()
        made = extensions.update(old.one, found(old.one).values(), limits=Limits(lock=timedelta(seconds=1)))
        took = time.monotonic() - begun
    assert took < 10
    assert [each["name"] for each in made["failed"]] == ["hstore"]
    assert made["failed"][0]["dbname"] == AWKWARD
    assert sorted(each["name"] for each in made["updated"]) == ["citext", "hstore"]
    assert version(old.one.at(AWKWARD), "hstore") == "1.4"
    with pytest.raises(StepFailed, match="waited no longer, so that nobody waits for it") as failed:
        extensions.require(old.one, made)
    assert failed.value.runbook == "An extension could not be updated"


def test_one_that_takes_too_long_is_ended_and_stays_as_it_is(old: Pair):
    with old.primary.connect(AWKWARD) as busy, busy.transaction(force_rollback=True):
        busy.execute("alter extension hstore update to '1.5'")
        limits = Limits(lock=timedelta(seconds=20), statement=timedelta(milliseconds=500))
        made = extensions.update(old.one, [found(old.one)[AWKWARD, "hstore"]], limits=limits)
    assert "longer than the policy's statement_timeout" in made["failed"][0]["why"]
    assert version(old.one.at(AWKWARD), "hstore") == "1.4"


def test_a_login_that_may_not_is_told_who_may(old: Pair):
    with old.primary.connect() as connection:
        connection.execute(sql.SQL("create role clerk login password {}").format(sql.Literal(old.one.password)))
    guest = reached(old.primary, user="clerk")
    behind = found(guest)[AWKWARD, "hstore"]
    assert not behind.may_update
    made = extensions.update(guest, [behind])
    assert made["failed"][0]["why"] == (
        "must be owner of extension hstore (clerk must be a superuser, or own it, and postgres does)"
    )


def test_a_version_without_a_script_that_leads_to_it_is_told(old: Pair):
    with old.primary.connect(AWKWARD) as connection:
        connection.execute("update pg_extension set extversion = '0.0-own' where extname = 'hstore'")
    behind = found(old.one)[AWKWARD, "hstore"]
    assert not behind.reachable
    made = extensions.update(old.one, [behind])
    assert "has no update path" in made["failed"][0]["why"]
    assert "its files know no way from 0.0-own" in made["failed"][0]["why"]


def test_a_database_that_cannot_be_looked_at_is_named(old: Pair):
    with old.primary.connect() as connection:
        connection.execute(sql.SQL("create role porter login password {}").format(sql.Literal(old.one.password)))
        connection.execute(sql.SQL("revoke connect on database {} from public").format(sql.Identifier(AWKWARD)))
    seen = extensions.extensions(reached(old.primary, user="porter"))
    assert seen.unseen == {AWKWARD: "porter may not connect to it"}
    assert [each.dbname for each in seen.found["extensions"]] == ["template1"]


def test_the_update_is_the_first_command_of_its_session(old: Pair):
    """Some extensions load their old library with the first command, and can then not be updated any more."""
    with old.primary.connect() as connection:
        connection.execute("alter system set log_statement = 'all'")
        connection.execute("alter system set log_line_prefix = '<%p> '")
        connection.execute("select pg_reload_conf()")
    try:
        time.sleep(0.5)
        extensions.update(old.one, [found(old.one)["template1", "hstore"]])
        lines = old.primary.processes.log(old.primary.name).read_text().splitlines()
    finally:
        with old.primary.connect() as connection:
            connection.execute("alter system reset log_statement")
            connection.execute("alter system reset log_line_prefix")
            connection.execute("select pg_reload_conf()")
    [altering] = [each for each in lines if "statement: alter extension" in each]
    process = altering.partition(" ")[0]
    assert [each for each in lines if each.startswith(process) and "statement: " in each] == [altering]
