"""Patching one of a pair: when its extensions may be updated, and whether commits wait for it meanwhile."""

from __future__ import annotations

import threading
import time

import pytest

from day2.inventory.patching import PostgresPatch
from day2.operations.security_patching import extension_pairs, extensions, postgresql_host, synchronous
from day2.operations.security_patching.postgresql_host import Served
from day2.postgres.server import Server
from lab.ports import LOOPBACK, free_port
from lab.processes import wait_until
from tests.integration.postgres_patching.conftest import Pair

UPDATE = PostgresPatch(extensions="update")


@pytest.fixture
def old(pair: Pair):
    """An extension in an old version on both."""
    with pair.primary.connect() as connection:
        connection.execute("create extension hstore version '1.4'")
    wait_until(lambda: extensions.extensions(pair.two).found["extensions"], "the standby has it", seconds=20)
    yield pair
    with pair.primary.connect() as connection:
        connection.execute("drop extension hstore")


@pytest.fixture
def unpatched_standby(old: Pair):
    """Its host has the extension's files of an earlier release."""
    control = old.standby_files / "hstore.control"
    newest = control.read_text()
    control.write_text(newest.replace("1.8", "1.7"))
    yield control, newest
    control.write_text(newest)


def test_the_host_that_is_patched_last_updates_for_both(old: Pair, unpatched_standby, caplog):
    control, newest = unpatched_standby
    first = extension_pairs.update(old.one, old.two, UPDATE)
    assert (first["updated"], [each["why"] for each in first["left"]]) == (
        [],
        ["its files have 1.8, those on the standby's host 1.7: patch that one first"],
    )
    control.write_text(newest)
    last = extension_pairs.update(old.two, old.one, UPDATE)
    assert [(each["name"], each["now"]) for each in last["updated"]] == [("hstore", "1.8")]


def test_a_standby_that_does_not_answer_holds_the_update_back(old: Pair):
    away = Server(LOOPBACK, free_port(), "postgres", "postgres", "x")
    made = extension_pairs.update(old.one, away, UPDATE)
    assert [each["why"] for each in made["left"]] == ["which files its standby has is not known"]
    assert extension_pairs.update(old.two, away, UPDATE) == extensions.nothing()


def test_a_primary_without_a_standby_waits_for_nobody(old: Pair):
    made = extension_pairs.update(old.one, None, UPDATE)
    assert [each["name"] for each in made["updated"]] == ["hstore"]


def test_what_the_policy_does_not_want_is_left_and_said(old: Pair, caplog):
    for policy in (PostgresPatch(), PostgresPatch(extensions="update", never=("hst*",))):
        made = extension_pairs.update(old.one, old.two, policy)
        assert [each["why"] for each in made["left"]] == ["its files have 1.8; the policy leaves it"]
    assert "extension hstore stays at 1.4" in caplog.text


def test_a_standby_that_commits_wait_for_is_told_and_they_do_wait(pair: Pair):
    def commits() -> None:
        with pair.primary.connect() as connection:
            connection.execute("create table public.waits (n int)")

    assert not synchronous.commits_wait(pair.one, pair.two)
    try:
        set_names(pair, '"it\'s two"')
        assert synchronous.known_as(pair.two) == "it's two"
        assert synchronous.commits_wait(pair.one, pair.two)
        found = postgresql_host._before(Served("orders-standby", pair.two, pair.one))
        assert found["commits_wait"] is True
        pair.standby.stop()
        writer = threading.Thread(target=commits)
        writer.start()
        writer.join(2)
        assert writer.is_alive(), "a commit waits, as was said"
    finally:
        set_names(pair, "")
    writer.join(10)
    assert not writer.is_alive()


def test_a_primary_that_does_not_answer_does_not_keep_its_standby_from_the_patch(pair: Pair, caplog):
    away = Server(LOOPBACK, free_port(), "postgres", "postgres", "x")
    found = postgresql_host._before(Served("orders-standby", pair.two, away))
    assert found["commits_wait"] is None
    assert "whether commits wait for it is not known" in caplog.text


def set_names(pair: Pair, names: str) -> None:
    """Set synchronous_standby_names and wait until the primary goes by it."""
    with pair.primary.connect() as connection:
        connection.execute("set synchronous_commit = local")
        connection.execute(f"alter system set synchronous_standby_names = $${names}$$")
        connection.execute("select pg_reload_conf()")
        expected = "sync" if names else "async"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            states = connection.execute("select sync_state from pg_stat_replication").fetchall()
            if all(each == (expected,) for each in states):
                return
            time.sleep(0.1)
    raise AssertionError(f"the standby is not {expected}: {states}")
